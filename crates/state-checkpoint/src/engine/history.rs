//! The writes to channels since their nearest stored value.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use state_core::checkpoint::{
    ChannelHistories, ChannelHistory, CheckpointId, GetCheckpoint, HistoryOptions, Payload,
    PendingWrite,
};
use state_core::{Consistency, Result};

use super::get::Raw;
use super::{Checkpoints, TRIES, too_busy};
use crate::record::{Record, ValueRef};
use crate::store::{Life, Load, StoredWrite, ThreadStore};

/// What is known so far, from the newest ancestor back.
#[derive(Default)]
struct Walk {
    seeds: BTreeMap<Arc<str>, Payload>,
    /// Of each ancestor, the newest first.
    writes: BTreeMap<Arc<str>, Vec<Vec<PendingWrite>>>,
    open: BTreeSet<Arc<str>>,
}

impl<S: ThreadStore> Checkpoints<S> {
    pub(super) async fn history(&self, history: &HistoryOptions) -> Result<ChannelHistories> {
        for _ in 0..TRIES {
            if let Some(walk) = self.walk(history).await? {
                return Ok(walk.into_histories(&history.channels));
            }
            self.cache.forget(&history.reference.thread);
        }
        Err(too_busy())
    }

    /// Walks from parent to parent; `None` when the thread has another life meanwhile.
    async fn walk(&self, history: &HistoryOptions) -> Result<Option<Walk>> {
        let mut walk = Walk { open: history.channels.iter().cloned().collect(), ..Walk::default() };
        if walk.open.is_empty() {
            return Ok(Some(walk));
        }
        let target = &history.reference;
        let first = self.ancestor(history, &target.id, false, false).await?;
        let Some((life, record, _)) = first else { return Ok(Some(walk)) };
        let mut visited = HashSet::from([target.id.clone()]);
        let mut next = record.parent.clone();
        while let Some(id) = next.take().filter(|id| visited.insert(id.clone())) {
            let Some((now, record, writes)) = self.ancestor(history, &id, true, true).await? else {
                break;
            };
            if now != life {
                return Ok(None);
            }
            next.clone_from(&record.parent);
            let raw = Raw { namespace: target.namespace.clone(), record, writes };
            if !self.look(history, life, &raw, &mut walk).await? {
                return Ok(None);
            }
            if walk.open.is_empty() {
                break;
            }
        }
        Ok(Some(walk))
    }

    /// Takes over what one ancestor has; `false` when the thread has another life now.
    async fn look(
        &self,
        history: &HistoryOptions,
        life: Life,
        raw: &Raw,
        walk: &mut Walk,
    ) -> Result<bool> {
        let thread = &history.reference.thread;
        let Some(writes) = self.writes(thread, life, &raw.writes).await? else {
            return Ok(false);
        };
        for channel in &walk.open {
            let own = writes.iter().filter(|write| write.channel == *channel).cloned();
            walk.writes.entry(Arc::clone(channel)).or_default().push(own.collect());
        }
        let Some(refs) = self.resolve(thread, life, raw, true).await? else { return Ok(false) };
        for (channel, place, value) in refs {
            let ValueRef::Version(number) = value else { continue };
            if !walk.open.contains(&channel) {
                continue;
            }
            let read = self.values(thread, life, &[(number, Some(place))]).await?;
            let Some(payload) = read.and_then(|mut read| read.remove(&number)) else {
                return Ok(false);
            };
            walk.open.remove(&channel);
            walk.seeds.insert(channel, payload);
        }
        Ok(true)
    }

    async fn ancestor(
        &self,
        history: &HistoryOptions,
        id: &CheckpointId,
        hidden: bool,
        writes: bool,
    ) -> Result<Option<(Life, Arc<Record>, Vec<StoredWrite>)>> {
        let reference = &history.reference;
        let load = Load {
            thread: &reference.thread,
            namespace: &reference.namespace,
            id: Some(id),
            hidden,
            writes,
            known: None,
            values: false,
            refresh: false,
            consistency: history.consistency,
        };
        let Some(loaded) = self.store.load(load).await? else { return Ok(None) };
        let get = GetCheckpoint::at(reference.thread.clone(), id.clone())
            .with_namespace(reference.namespace.clone())
            .with_consistency(Consistency::Strong);
        let record = self.record_of(&get, &loaded)?;
        Ok(Some((loaded.life, record, loaded.writes)))
    }
}

impl Walk {
    fn into_histories(mut self, channels: &[Arc<str>]) -> ChannelHistories {
        let mut histories = ChannelHistories::new();
        for channel in channels {
            let ancestors = self.writes.remove(channel).unwrap_or_default();
            let writes = ancestors.into_iter().rev().flatten().collect();
            let history = ChannelHistory::new(self.seeds.remove(channel), writes);
            histories.entry(Arc::clone(channel)).or_insert(history);
        }
        histories
    }
}
