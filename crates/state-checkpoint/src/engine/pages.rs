//! Reading all records of a thread in one of its lives, page by page: none is kept.

use std::collections::HashMap;
use std::sync::Arc;

use state_core::checkpoint::ThreadId;
use state_core::{Consistency, Result};

use super::Checkpoints;
use super::get::Raw;
use crate::digest::version_place;
use crate::record::{Record, ValueRef};
use crate::store::{Along, Found, Life, PagePosition, ReadPage, ThreadStore, Want};

/// Records read at once.
const PAGE_RECORDS: usize = 1_000;
/// Places looked up at once.
const PLACES: usize = 1_000;

/// All records of a thread: those in sight, the newest first, then the others.
#[derive(Debug)]
pub(super) struct Pages<'a, S> {
    checkpoints: &'a Checkpoints<S>,
    thread: &'a ThreadId,
    writes: bool,
    hidden: bool,
    /// Where the next page begins; `None` at the end.
    position: Option<PagePosition>,
    /// The thread as it was at the first page; `None` where it is absent.
    seen: Option<(Life, u64)>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Turn {
    Page {
        records: Vec<Raw>,
        hidden: bool,
    },
    End,
    /// The thread has another life now.
    Changed,
}

impl<'a, S: ThreadStore> Pages<'a, S> {
    /// All records, with their writes if asked.
    pub(super) fn new(checkpoints: &'a Checkpoints<S>, thread: &'a ThreadId, writes: bool) -> Self {
        let position = Some(PagePosition::Newest);
        Self { checkpoints, thread, writes, hidden: false, position, seen: None }
    }

    /// Life and serial of the thread at the first page; `None` where it is absent.
    pub(super) const fn seen(&self) -> Option<(Life, u64)> {
        self.seen
    }

    pub(super) async fn next(&mut self) -> Result<Turn> {
        let Some(position) = self.position.take() else { return Ok(Turn::End) };
        let hidden = self.hidden;
        let read = ReadPage {
            thread: self.thread,
            namespace: None,
            id: None,
            position,
            limit: PAGE_RECORDS,
            writes: self.writes,
            along: Along::Nothing,
            hidden,
            consistency: Consistency::Strong,
        };
        let Some(page) = self.checkpoints.store.page(read).await? else {
            return Ok(if self.seen.is_none() { Turn::End } else { Turn::Changed });
        };
        if self.seen.get_or_insert((page.life, page.serial)).0 != page.life {
            return Ok(Turn::Changed);
        }
        let mut records = Vec::with_capacity(page.records.len());
        for stored in page.records {
            let (namespace, id) = (stored.namespace, stored.id);
            let record = Record::decode(&stored.record, self.thread, &namespace, &id)?;
            records.push(Raw { namespace, record: Arc::new(record), writes: stored.writes });
        }
        self.position = page.next;
        if self.position.is_none() && !hidden {
            self.hidden = true;
            self.position = Some(PagePosition::Newest);
        }
        Ok(Turn::Page { records, hidden })
    }
}

impl<S: ThreadStore> Checkpoints<S> {
    /// What is known of the places of channels that records name by version alone; `None` when
    /// the thread has another life now.
    pub(super) async fn places_of(
        &self,
        thread: &ThreadId,
        life: Life,
        records: &[Raw],
    ) -> Result<Option<HashMap<u64, Found>>> {
        let mut places = Vec::new();
        for Raw { namespace, record, .. } in records {
            for (channel, version) in &record.checkpoint.channel_versions {
                if record.refs.get(channel).is_none_or(|value| *value == ValueRef::ByPlace) {
                    places.push(version_place(namespace, channel, version));
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        let mut known = HashMap::with_capacity(places.len());
        for places in places.chunks(PLACES) {
            let want = Want { places: places.to_vec(), ..Want::default() };
            let Some(read) = self.store.values(thread, life, &want).await? else {
                return Ok(None);
            };
            known.extend(want.places.into_iter().zip(read.found));
        }
        Ok(Some(known))
    }
}
