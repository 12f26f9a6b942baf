//! Following parents: records are read in pages, so that the calls of the store grow with the pages
//! and not with the ancestors.

use std::collections::HashMap;
use std::sync::Arc;

use state_core::checkpoint::{CheckpointId, CheckpointNamespace, GetCheckpoint, ThreadId};
use state_core::{Consistency, Result};

use super::Checkpoints;
use super::get::Raw;
use crate::record::Record;
use crate::store::{
    Along, Found, Life, Load, PagePosition, ReadPage, StoredRecord, StoredWrite, ThreadStore,
};

/// Records of the first page: most who follow parents need few.
const FIRST_PAGE: usize = 10;
/// Records of each further one.
const PAGE: usize = 100;

/// A checkpoint that another one descends from, or that one itself.
#[derive(Debug)]
pub(super) struct Ancestor {
    pub(super) life: Life,
    pub(super) record: Arc<Record>,
    pub(super) writes: Vec<StoredWrite>,
}

/// The ancestors of a checkpoint, one after the other.
#[derive(Debug)]
pub(super) struct Ancestors<'a, S> {
    checkpoints: &'a Checkpoints<S>,
    thread: &'a ThreadId,
    namespace: &'a CheckpointNamespace,
    consistency: Consistency,
    /// Whether writes are read, and what they and the values are made from.
    whole: bool,
    /// What was read with others, and what is known of their places.
    ahead: HashMap<CheckpointId, Ancestor>,
    found: HashMap<u64, Found>,
    /// How many records the next page reads; 0 once one did not hold what it was read for.
    page: usize,
}

impl<'a, S: ThreadStore> Ancestors<'a, S> {
    /// Those of a checkpoint in this namespace; with `whole`, also their writes.
    pub(super) fn new(
        checkpoints: &'a Checkpoints<S>,
        thread: &'a ThreadId,
        namespace: &'a CheckpointNamespace,
        whole: bool,
        consistency: Consistency,
    ) -> Self {
        let (ahead, found, page) = (HashMap::new(), HashMap::new(), FIRST_PAGE);
        Self { checkpoints, thread, namespace, consistency, whole, ahead, found, page }
    }

    /// The checkpoint itself, without its writes; `None` where it is not in sight.
    pub(super) async fn begin(&self, id: &CheckpointId) -> Result<Option<Ancestor>> {
        self.load(id, false).await
    }

    /// The parent `id` of the checkpoint `child`; `None` where it is not there.
    pub(super) async fn parent(
        &mut self,
        child: &CheckpointId,
        id: &CheckpointId,
    ) -> Result<Option<Ancestor>> {
        if self.page > 0 && !self.ahead.contains_key(id) {
            self.read_ahead(child, id).await?;
        }
        match self.ahead.remove(id) {
            Some(ancestor) => Ok(Some(ancestor)),
            None => self.load(id, true).await,
        }
    }

    /// What is known of the places of channel versions.
    pub(super) const fn found(&self) -> &HashMap<u64, Found> {
        &self.found
    }

    /// Reads the records below `child`: parents are mostly not far. Those out of sight are read
    /// where it is not among the others.
    async fn read_ahead(&mut self, child: &CheckpointId, id: &CheckpointId) -> Result<()> {
        self.ahead.clear();
        let (mut end, mut all): (Option<CheckpointId>, Vec<Raw>) = (None, Vec::new());
        for hidden in [false, true] {
            let page = ReadPage {
                thread: self.thread,
                namespace: Some(self.namespace),
                id: None,
                position: PagePosition::Below(child.clone()),
                limit: self.page,
                writes: self.whole,
                along: if self.whole { Along::Everything } else { Along::Nothing },
                hidden,
                consistency: self.consistency,
            };
            let Some(page) = self.checkpoints.store.page(page).await? else { break };
            let life = page.life;
            self.checkpoints.keep_sent(life, &page.values)?;
            for StoredRecord { namespace, id, record, writes } in page.records {
                // Of two with one id, that in sight counts.
                if self.ahead.contains_key(&id) || end.as_ref().is_some_and(|end| id <= *end) {
                    continue;
                }
                let record = Arc::new(Record::decode(&record, self.thread, &namespace, &id)?);
                all.push(Raw { namespace, record: Arc::clone(&record), writes: writes.clone() });
                self.ahead.insert(id, Ancestor { life, record, writes });
            }
            end = match page.next {
                Some(PagePosition::After(id, _)) => Some(id),
                _ => None,
            };
            if self.ahead.contains_key(id) {
                self.page = PAGE;
                if self.whole {
                    let found = self.checkpoints.read_ahead(self.thread, life, &all, true).await?;
                    self.found = found.unwrap_or_default();
                }
                return Ok(());
            }
        }
        self.page = 0;
        Ok(())
    }

    async fn load(&self, id: &CheckpointId, ancestor: bool) -> Result<Option<Ancestor>> {
        let load = Load {
            thread: self.thread,
            namespace: self.namespace,
            id: Some(id),
            hidden: ancestor,
            writes: ancestor && self.whole,
            known: None,
            values: false,
            refresh: false,
            consistency: self.consistency,
        };
        let Some(loaded) = self.checkpoints.store.load(load).await? else { return Ok(None) };
        let get = GetCheckpoint::at(self.thread.clone(), id.clone())
            .with_namespace(self.namespace.clone());
        let record = self.checkpoints.record_of(&get, &loaded)?;
        Ok(Some(Ancestor { life: loaded.life, record, writes: loaded.writes }))
    }
}
