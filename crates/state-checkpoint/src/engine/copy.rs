//! Copying a thread, or what one of its checkpoints descends from.

use std::collections::HashSet;

use state_core::checkpoint::{CheckpointId, CheckpointNamespace, CopyOptions, ThreadId};
use state_core::{Consistency, ErrorKind, Result};

use super::Checkpoints;
use super::ancestors::Ancestors;
use super::pages::Pages;
use crate::store::{CopyRecords, CopyThread, ThreadStore};

impl<S: ThreadStore> Checkpoints<S> {
    pub(super) async fn copy(
        &self,
        from: &ThreadId,
        to: &ThreadId,
        options: &CopyOptions,
    ) -> Result<u64> {
        let records = match &options.up_to {
            None => CopyRecords::All,
            Some((namespace, id)) => {
                let ancestry = self.ancestry(from, namespace, id).await?;
                if ancestry.is_empty() {
                    return Ok(0);
                }
                CopyRecords::Only(ancestry)
            }
        };
        let part = matches!(records, CopyRecords::Only(_));
        let request = CopyThread {
            from: from.clone(),
            to: to.clone(),
            records,
            lifetime: options.lifetime,
            acks: options.acks,
        };
        self.cache.forget(to);
        let copied = self.store.copy(&request).await;
        // A conflict may be with an earlier try that was cut short.
        if part && !matches!(&copied, Err(error) if error.kind() != ErrorKind::Conflict) {
            self.collect_part(to).await?;
        }
        copied.map(Option::unwrap_or_default)
    }

    /// Has the content taken away that a thread made of a part does not need: such a thread has
    /// an epoch from the beginning.
    async fn collect_part(&self, thread: &ThreadId) -> Result<()> {
        let mut pages = Pages::new(self, thread, false);
        pages.next().await?;
        match pages.seen() {
            Some((life, _)) if life.epoch > 0 => self.collect(thread).await,
            _ => Ok(()),
        }
    }

    /// A checkpoint and what it descends from; nothing when it is absent.
    async fn ancestry(
        &self,
        thread: &ThreadId,
        namespace: &CheckpointNamespace,
        id: &CheckpointId,
    ) -> Result<HashSet<(CheckpointNamespace, CheckpointId)>> {
        let mut ancestry = HashSet::new();
        let mut ancestors = Ancestors::new(self, thread, namespace, false, Consistency::Strong);
        let Some(first) = ancestors.begin(id).await? else { return Ok(ancestry) };
        let mut child = id.clone();
        ancestry.insert((namespace.clone(), child.clone()));
        let mut next = first.record.parent.clone();
        while let Some(id) = next.take() {
            let Some(ancestor) = ancestors.parent(&child, &id).await? else { break };
            if !ancestry.insert((namespace.clone(), id.clone())) {
                break;
            }
            next.clone_from(&ancestor.record.parent);
            child = id;
        }
        Ok(ancestry)
    }
}
