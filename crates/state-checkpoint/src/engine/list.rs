//! Listing checkpoints of a thread, or of all threads one after the other.

use state_core::checkpoint::{
    CheckpointId, CheckpointNamespace, CheckpointTuple, ListCheckpoints, ListThreads, ThreadId,
};
use state_core::{Page, PageToken, Result};

use super::get::Raw;
use super::{Checkpoints, TRIES, too_busy};
use crate::digest::hash;
use crate::record::Record;
use crate::store::{Along, Life, PagePosition, ReadPage, ThreadStore};
use crate::token;
use crate::wire::{Reader, Writer};

/// The most records that a page looks at.
const EXAMINED_MAX: usize = 1_000;
/// Records that are read at once where each may be large.
const READ_AT_ONCE: usize = 100;
/// Threads that are looked at in one page of all threads.
const THREADS_MAX: usize = 100;

/// Where a listing is.
#[derive(Clone, Debug, Default)]
struct Cursor {
    /// The thread, and where in it; `None` at the beginning of all threads.
    at: Option<(ThreadId, PagePosition)>,
    /// Where the threads after this one are listed; `None` after the last.
    threads: Option<PageToken>,
    /// Whether there are more threads.
    more: bool,
}

impl<S: ThreadStore> Checkpoints<S> {
    pub(super) async fn list_page(
        &self,
        list: &ListCheckpoints,
        limit: usize,
    ) -> Result<Page<CheckpointTuple>> {
        let listing = listing_of(list);
        let start = list.before.clone().map_or(PagePosition::Newest, PagePosition::Below);
        let mut cursor = match &list.token {
            Some(token) => read_cursor(token::open(listing, token)?)?,
            None => Cursor {
                at: list.thread.clone().map(|thread| (thread, start.clone())),
                threads: None,
                more: list.thread.is_none(),
            },
        };
        let mut items = Vec::new();
        let mut left = EXAMINED_MAX;
        let mut threads = THREADS_MAX;
        while items.len() < limit && left > 0 && threads > 0 {
            let Some((thread, position)) = cursor.at.take() else {
                if !cursor.more {
                    break;
                }
                threads -= 1;
                self.next_thread(list, &mut cursor, &start).await?;
                continue;
            };
            let wanted = limit - items.len();
            let read = self.read_some(list, &thread, position, wanted, left).await?;
            left = left.saturating_sub(read.examined.max(1));
            items.extend(read.items);
            cursor.at = read.next.map(|next| (thread, next));
        }
        let next = (cursor.at.is_some() || cursor.more)
            .then(|| token::seal(listing, &write_cursor(&cursor)));
        Ok(Page::new(items, next))
    }

    async fn next_thread(
        &self,
        list: &ListCheckpoints,
        cursor: &mut Cursor,
        start: &PagePosition,
    ) -> Result<()> {
        let threads = ListThreads::new()
            .with_limit(1)
            .with_token(cursor.threads.take())
            .with_consistency(list.consistency);
        let page = self.store.threads(&threads).await?;
        cursor.more = page.next.is_some();
        cursor.threads = page.next;
        cursor.at = page.items.into_iter().next().map(|found| (found.thread, start.clone()));
        Ok(())
    }

    async fn read_some(
        &self,
        list: &ListCheckpoints,
        thread: &ThreadId,
        position: PagePosition,
        wanted: usize,
        left: usize,
    ) -> Result<Read> {
        let filtered = !list.filter.is_empty();
        for _ in 0..TRIES {
            let limit = if filtered { left } else { wanted.min(left) }.min(READ_AT_ONCE);
            let read = ReadPage {
                thread,
                namespace: list.namespace.as_ref(),
                id: list.id.as_ref(),
                position: position.clone(),
                limit,
                writes: list.values,
                along: self.along(list, thread, &position, limit),
                hidden: false,
                consistency: list.consistency,
            };
            let Some(page) = self.store.page(read).await? else {
                return Ok(Read { items: Vec::new(), examined: 0, next: None });
            };
            self.keep_sent(page.life, &page.values)?;
            let examined = if page.next.is_some() && page.records.is_empty() {
                left
            } else {
                page.records.len()
            };
            let mut next = page.next;
            let mut raw = Vec::new();
            for stored in page.records {
                let record = Record::decode(&stored.record, thread, &stored.namespace, &stored.id)?;
                if filtered && !record.metadata.matches(&list.filter)? {
                    continue;
                }
                if raw.len() == wanted {
                    // More match than are wanted: go on with this one.
                    next = raw.last().map(after);
                    break;
                }
                let (namespace, writes) = (stored.namespace, stored.writes);
                raw.push(Raw { namespace, record: record.into(), writes });
            }
            if let Some(items) = self.build_all(thread, page.life, raw, list.values).await? {
                return Ok(Read { items, examined, next });
            }
        }
        Err(too_busy())
    }

    /// What is to be sent along with a page, so that nothing has to be asked for behind it: what is
    /// at hand is not sent again, as long as all of it is.
    fn along(
        &self,
        list: &ListCheckpoints,
        thread: &ThreadId,
        position: &PagePosition,
        limit: usize,
    ) -> Along {
        // Of what is filtered most may not be wanted.
        if !list.values || !list.filter.is_empty() {
            return Along::Nothing;
        }
        // Without a namespace most are in the root.
        let root = CheckpointNamespace::root();
        let namespace = list.namespace.as_ref().unwrap_or(&root);
        let at_hand = self.cache.life(thread).is_some_and(|life| match (&list.id, position) {
            (Some(id), _) => self.has_from(life, namespace, Some(id.clone()), 1),
            (None, PagePosition::Newest) => {
                let latest = self.cache.latest(thread, namespace);
                latest.is_some() && self.has_from(life, namespace, latest, limit)
            }
            // Most are asked for below the one that was met last.
            (None, PagePosition::After(id, _) | PagePosition::Below(id)) => {
                let above = self.cache.record(life, namespace, id);
                above.is_some_and(|above| {
                    self.has_from(life, namespace, above.parent.clone(), limit)
                })
            }
        });
        if at_hand { Along::Writes } else { Along::Everything }
    }

    /// Whether so many checkpoints from there on seem to be at hand, each the parent of the one
    /// before it, or as many as there are.
    fn has_from(
        &self,
        life: Life,
        namespace: &CheckpointNamespace,
        first: Option<CheckpointId>,
        limit: usize,
    ) -> bool {
        let mut next = first;
        for _ in 0..limit {
            let Some(id) = next.take() else { break };
            let Some(record) = self.cache.record(life, namespace, &id) else { return false };
            if !self.has_values_of(life, &record) {
                return false;
            }
            next.clone_from(&record.parent);
        }
        true
    }

    async fn build_all(
        &self,
        thread: &ThreadId,
        life: Life,
        raw: Vec<Raw>,
        values: bool,
    ) -> Result<Option<Vec<CheckpointTuple>>> {
        if raw.is_empty() {
            return Ok(Some(Vec::new()));
        }
        self.build(thread, life, raw, values).await
    }
}

struct Read {
    items: Vec<CheckpointTuple>,
    examined: usize,
    next: Option<PagePosition>,
}

fn after(raw: &Raw) -> PagePosition {
    PagePosition::After(raw.record.checkpoint.id.clone(), raw.namespace.clone())
}

/// What is listed, in a number: a token of another listing is refused.
fn listing_of(list: &ListCheckpoints) -> u64 {
    let mut writer = Writer::default();
    let thread = list.thread.as_ref().map(ThreadId::as_str);
    let namespace = list.namespace.as_ref().map(CheckpointNamespace::as_str);
    let id = list.id.as_ref().map(CheckpointId::as_str);
    let before = list.before.as_ref().map(CheckpointId::as_str);
    for text in [thread, namespace, id, before] {
        writer.u8(u8::from(text.is_some()));
        writer.text(text.unwrap_or_default());
    }
    for (name, value) in list.filter.iter() {
        writer.text(name);
        writer.text(&format!("{value:?}"));
    }
    hash(6, writer.as_slice())
}

fn write_cursor(cursor: &Cursor) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u8(u8::from(cursor.more));
    writer.u8(u8::from(cursor.threads.is_some()));
    writer.bytes(cursor.threads.as_ref().map_or(b"", |token| token.as_bytes()));
    if let Some((thread, position)) = &cursor.at {
        writer.text(thread.as_str());
        match position {
            PagePosition::Newest => writer.u8(0),
            PagePosition::Below(id) => {
                writer.u8(1);
                writer.text(id.as_str());
            }
            PagePosition::After(id, namespace) => {
                writer.u8(2);
                writer.text(id.as_str());
                writer.text(namespace.as_str());
            }
        }
    }
    writer.as_slice().to_vec()
}

fn read_cursor(bytes: &[u8]) -> Result<Cursor> {
    let mut reader = Reader::new(bytes, "page token");
    let more = reader.u8()? != 0;
    let there = reader.u8()? != 0;
    let threads = reader.bytes()?.to_vec();
    let threads = there.then(|| PageToken::from_bytes(threads));
    let mut cursor = Cursor { at: None, threads, more };
    if !reader.is_empty() {
        let thread = ThreadId::new(reader.text()?);
        let position = match reader.u8()? {
            0 => PagePosition::Newest,
            1 => PagePosition::Below(CheckpointId::new(reader.text()?)),
            _ => {
                let id = CheckpointId::new(reader.text()?);
                PagePosition::After(id, CheckpointNamespace::new(reader.text()?))
            }
        };
        cursor.at = Some((thread, position));
    }
    Ok(cursor)
}
