//! Finding out what content is still needed, and having the rest swept away.

use std::collections::HashSet;
use std::sync::Arc;

use state_core::checkpoint::ThreadId;
use state_core::{Consistency, Result};

use super::Checkpoints;
use super::get::Raw;
use super::values::Needed;
use crate::pending::WriteStub;
use crate::record::{Record, ValueRef};
use crate::store::{Keep, Life, PagePosition, ReadPage, ThreadStore};

/// How often it is found out anew because the thread was written to. What is left then is taken
/// by the next collection.
const COLLECTIONS_MAX: usize = 5;
/// Records read at once.
const PAGE_RECORDS: usize = 1_000;
/// Versions whose chains are followed at once.
const CHAINS: usize = 1_000;

/// All records of a thread in one of its lives.
#[derive(Clone, Debug)]
pub(super) struct Census {
    pub(super) life: Life,
    pub(super) serial: u64,
    pub(super) shown: Vec<Raw>,
    pub(super) hidden: Vec<Raw>,
}

impl<S: ThreadStore> Checkpoints<S> {
    /// Has content taken away that nothing is made from any more.
    pub(super) async fn collect(&self, thread: &ThreadId) -> Result<()> {
        for _ in 0..COLLECTIONS_MAX {
            let Some(census) = self.census(thread, false).await? else { return Ok(()) };
            let Some(keep) = self.needed(thread, &census).await? else { continue };
            if self.store.sweep(thread, &keep).await? {
                break;
            }
        }
        Ok(())
    }

    /// All records of a thread; `None` when it is absent, or becomes another each time.
    pub(super) async fn census(&self, thread: &ThreadId, writes: bool) -> Result<Option<Census>> {
        for _ in 0..COLLECTIONS_MAX {
            let mut census = None;
            if self.read_kind(thread, writes, false, &mut census).await?
                && self.read_kind(thread, writes, true, &mut census).await?
            {
                return Ok(census);
            }
        }
        Ok(None)
    }

    /// Reads all records in sight, or out of it; `false` when the thread became another.
    async fn read_kind(
        &self,
        thread: &ThreadId,
        writes: bool,
        hidden: bool,
        census: &mut Option<Census>,
    ) -> Result<bool> {
        let mut position = PagePosition::Newest;
        loop {
            let read = ReadPage {
                thread,
                namespace: None,
                id: None,
                position,
                limit: PAGE_RECORDS,
                writes,
                values: false,
                hidden,
                consistency: Consistency::Strong,
            };
            let Some(page) = self.store.page(read).await? else { return Ok(census.is_none()) };
            let (life, serial) = (page.life, page.serial);
            let known = census.get_or_insert_with(|| Census {
                life,
                serial,
                shown: Vec::new(),
                hidden: Vec::new(),
            });
            if known.life != life {
                return Ok(false);
            }
            for stored in page.records {
                let record = Record::decode(&stored.record, thread, &stored.namespace, &stored.id)?;
                let record = Arc::new(record);
                let raw = Raw { namespace: stored.namespace, record, writes: stored.writes };
                if hidden { known.hidden.push(raw) } else { known.shown.push(raw) }
            }
            match page.next {
                Some(next) => position = next,
                None => return Ok(true),
            }
        }
    }

    /// What the records and writes of a thread need; `None` when the thread has another life now.
    async fn needed(&self, thread: &ThreadId, census: &Census) -> Result<Option<Keep>> {
        let life = census.life;
        let mut roots = HashSet::new();
        for raw in census.shown.iter().chain(&census.hidden) {
            let Some(refs) = self.resolve(thread, life, raw, true).await? else { return Ok(None) };
            roots.extend(raw.record.versions());
            roots.extend(refs.iter().filter_map(|(_, _, value)| match value {
                ValueRef::Version(number) => Some(*number),
                _ => None,
            }));
        }
        let mut needed = Needed::default();
        let mut versions: HashSet<u64> = HashSet::new();
        let roots: Vec<u64> = roots.into_iter().collect();
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
        let Some(outside) = self.outside_scripts(thread, life, &versions).await? else {
            return Ok(None);
        };
        let Some(writes) = self.store.all_writes(thread, life).await? else { return Ok(None) };
        for write in &writes {
            let stub = WriteStub::decode(write)?;
            stub.outside().iter().for_each(|(at, len)| needed.add(*at, *len));
        }
        let segments = needed.segments().chain(outside.segments()).collect();
        Ok(Some(Keep { life, serial: census.serial, versions, segments }))
    }
}
