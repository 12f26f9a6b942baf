//! The writes to channels since their nearest stored value.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use state_core::Result;
use state_core::checkpoint::{
    ChannelHistories, ChannelHistory, HistoryOptions, Payload, PendingWrite,
};

use super::ancestors::{Ancestor, Ancestors};
use super::get::Raw;
use super::{Checkpoints, TRIES, too_busy};
use crate::record::ValueRef;
use crate::store::{Found, Life, ThreadStore};

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
        let (thread, namespace) = (&target.thread, &target.namespace);
        let mut ancestors = Ancestors::new(self, thread, namespace, true, history.consistency);
        let Some(first) = ancestors.begin(&target.id).await? else { return Ok(Some(walk)) };
        let life = first.life;
        let mut visited = HashSet::from([target.id.clone()]);
        let mut child = target.id.clone();
        let mut next = first.record.parent.clone();
        while let Some(id) = next.take().filter(|id| visited.insert(id.clone())) {
            let Some(ancestor) = ancestors.parent(&child, &id).await? else { break };
            if ancestor.life != life {
                return Ok(None);
            }
            let Ancestor { record, writes, .. } = ancestor;
            next.clone_from(&record.parent);
            child = id;
            let raw = Raw { namespace: target.namespace.clone(), record, writes };
            if !self.look(history, life, &raw, ancestors.found(), &mut walk).await? {
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
        found: &HashMap<u64, Found>,
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
        let Some(refs) = self.resolve(thread, life, raw, true, found).await? else {
            return Ok(false);
        };
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
