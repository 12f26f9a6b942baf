//! Listing threads by their index, which is put right on the way. It is ordered by name: it has
//! one row for each thread, which is found without knowing when the thread was made.

use state_core::checkpoint::{ListThreads, ThreadId, ThreadSummary};
use state_core::{Entry, Error, Expires, GetOptions, Key, ListOptions, Page, Result, Scope};

use super::rows::{self, Head};
use super::{BackendThreads, keys, short_answer};
use crate::token;

/// Which listing its tokens belong to.
const LISTING: u64 = 1;

impl BackendThreads {
    pub(super) async fn list_summaries(&self, list: &ListThreads) -> Result<Page<ThreadSummary>> {
        let after = list.token.as_ref().map(|token| token::open(LISTING, token)).transpose()?;
        let after = after.map(bytes::Bytes::copy_from_slice);
        let options = ListOptions::new("")
            .with_scope(Scope::Partition(keys::thread_index_partition()))
            .with_after(after)
            .with_limit(list.limit)
            .with_consistency(list.consistency);
        let page = self.backend.list_page(options).await?;
        let mut threads = Vec::with_capacity(page.items.len());
        for meta in &page.items {
            let name = std::str::from_utf8(meta.key.name())
                .map_err(|_| Error::corrupt("the index of threads is damaged"))?;
            threads.push(ThreadId::new(name));
        }
        let next = page
            .next
            .and(threads.last())
            .map(|last| token::seal(LISTING, last.as_str().as_bytes()));
        let heads: Vec<Key> = threads.iter().map(keys::head).collect();
        let options = GetOptions::new().with_expiry(true).with_consistency(list.consistency);
        let entries = self.backend.get_many(&heads, options).await?;
        if entries.len() != heads.len() {
            return Err(short_answer());
        }
        let mut items = Vec::with_capacity(threads.len());
        for ((thread, key), entry) in threads.into_iter().zip(&heads).zip(entries) {
            match entry.and_then(|entry| read(key, entry)) {
                Err(error) => items.push(ThreadSummary::of_unreadable(thread, error)?),
                Ok(None) => self.clean(&thread).await?,
                Ok(Some((head, expires))) => {
                    let mut summary = ThreadSummary::new(thread, head.last_write);
                    summary.checkpoints = head.checkpoints;
                    summary.bytes = head.bytes;
                    summary.expires = expires;
                    summary.pinned = head.pinned;
                    items.push(summary);
                }
            }
        }
        Ok(Page::new(items, next))
    }
}

/// The head of a thread, and its end.
fn read(key: &Key, entry: Option<Entry>) -> Result<Option<(Head, Expires)>> {
    let Some(entry) = entry else { return Ok(None) };
    let head = Head::decode(&rows::open(key, &entry.value)?)?;
    Ok(Some((head, entry.expires)))
}
