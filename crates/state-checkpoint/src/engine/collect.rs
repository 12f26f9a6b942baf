//! Finding out what content is still needed, and having the rest swept away.
//!
//! Of all that is read, numbers of versions and segments alone are kept.

use std::collections::HashSet;

use state_core::checkpoint::ThreadId;
use state_core::{Acks, Result};

use super::Checkpoints;
use super::pages::{Pages, Turn};
use super::values::Needed;
use crate::pending::WriteStub;
use crate::record::ValueRef;
use crate::store::{Keep, Life, ThreadStore};

/// How often it is found out anew because the thread was written to. What is left then is taken
/// by the next collection.
const COLLECTIONS_MAX: usize = 5;
/// Versions whose chains are followed at once.
const CHAINS: usize = 1_000;

impl<S: ThreadStore> Checkpoints<S> {
    /// Has content taken away that nothing is made from any more.
    pub(super) async fn collect(&self, thread: &ThreadId) -> Result<()> {
        for _ in 0..COLLECTIONS_MAX {
            let mut pages = Pages::new(self, thread, false);
            match self.needed(thread, &mut pages).await? {
                Some(keep) if self.store.sweep(thread, &keep).await? => break,
                None if pages.seen().is_none() => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// Does what an earlier call has left that was cut short. `seen` is the life in which it
    /// turned out that there is nothing to remove; `empty` says that nothing was in sight.
    ///
    /// That something was removed before tells the epoch; whether all was collected since, nothing
    /// does, so it is found out anew.
    pub(super) async fn finish(
        &self,
        thread: &ThreadId,
        seen: Option<Life>,
        empty: bool,
        acks: Acks,
    ) -> Result<()> {
        let removed_from = seen.is_some_and(|life| life.epoch > 0);
        if seen.is_none() || (removed_from && empty) {
            self.store.drop_empty(thread, acks).await?;
            self.cache.forget(thread);
        }
        if removed_from { self.collect(thread).await } else { Ok(()) }
    }

    /// What the records and writes of a thread need; `None` when the thread is absent, or has
    /// another life now.
    async fn needed(&self, thread: &ThreadId, pages: &mut Pages<'_, S>) -> Result<Option<Keep>> {
        let mut roots: Vec<u64> = Vec::new();
        loop {
            let records = match pages.next().await? {
                Turn::Page { records, .. } => records,
                Turn::End => break,
                Turn::Changed => return Ok(None),
            };
            let Some((life, _)) = pages.seen() else { return Ok(None) };
            let Some(known) = self.places_of(thread, life, &records).await? else {
                return Ok(None);
            };
            for raw in &records {
                let refs = self.resolve(thread, life, raw, true, &known).await?;
                let Some(refs) = refs else { return Ok(None) };
                roots.extend(raw.record.versions());
                roots.extend(refs.iter().filter_map(|(_, _, value)| match value {
                    ValueRef::Version(number) => Some(*number),
                    _ => None,
                }));
            }
            // Most versions are named by many records.
            roots.sort_unstable();
            roots.dedup();
        }
        let Some((life, serial)) = pages.seen() else { return Ok(None) };
        let mut needed = Needed::default();
        let mut versions: HashSet<u64> = HashSet::new();
        for numbers in roots.chunks(CHAINS) {
            let Some(found) = self.descriptors(thread, life, numbers, true).await? else {
                return Ok(None);
            };
            for (number, version) in found {
                if versions.insert(number) {
                    needed.add_script(&version.descriptor);
                }
            }
        }
        drop(roots);
        let Some(outside) = self.outside_scripts(thread, life, &versions).await? else {
            return Ok(None);
        };
        let mut after = None;
        loop {
            let Some(page) = self.store.writes(thread, life, after).await? else { return Ok(None) };
            for write in &page.writes {
                let stub = WriteStub::decode(write)?;
                stub.outside().iter().for_each(|(at, len)| needed.add(*at, *len));
            }
            if page.next.is_none() {
                break;
            }
            after = page.next;
        }
        let segments = needed.segments().chain(outside.segments()).collect();
        Ok(Some(Keep { life, serial, versions, segments }))
    }
}
