//! Putting a checkpoint.

use std::sync::Arc;

use state_core::checkpoint::{CheckpointId, GetCheckpoint, PutCheckpoint, PutReceipt};
use state_core::{Consistency, Result};

use super::cache::Version;
use super::draft::{Draft, Parent};
use super::{Checkpoints, TRIES, too_busy};
use crate::record::{BodyRef, Record, ValueRef};
use crate::store::{Appended, Bases, Life, Load, ThreadStore};

/// Smaller values are kept at hand for those who read history.
const LARGE_BYTES_MIN: usize = 16 << 10;

impl<S: ThreadStore> Checkpoints<S> {
    pub(super) async fn put(&self, put: &PutCheckpoint) -> Result<PutReceipt> {
        let thread = &put.thread;
        for _ in 0..TRIES {
            let parent = self.parent(put).await?;
            let Some(draft) = self.draft(put, parent.as_ref()).await? else {
                self.cache.forget(thread);
                continue;
            };
            match self.store.append(&draft.append).await? {
                Appended::Put { life, bases } => {
                    self.keep(put, draft, life, bases);
                    self.supersede(put, parent.as_ref());
                    return Ok(PutReceipt::new(put.reference(), false));
                }
                Appended::Existed => return Ok(PutReceipt::new(put.reference(), true)),
                Appended::Stale => self.cache.forget(thread),
            }
        }
        Err(too_busy())
    }

    /// Lets the large values go that have just been followed by others: who writes goes on from
    /// the new ones, and of as many threads as there is room for the newest should be at hand.
    fn supersede(&self, put: &PutCheckpoint, parent: Option<&Parent>) {
        let Some(Parent { life, record }) = parent else { return };
        let channels = put.values.keys().filter_map(|channel| record.refs.get(channel));
        let body = match &record.body {
            BodyRef::Stored(body) => Some(body),
            BodyRef::None | BodyRef::Inline(_) => None,
        };
        for value in channels.chain(body) {
            if let ValueRef::Version(old) = value {
                self.cache.drop_large(life.generation, *old, LARGE_BYTES_MIN);
            }
        }
    }

    /// The parent, from the cache or the store; `None` where it is not named, or not there.
    async fn parent(&self, put: &PutCheckpoint) -> Result<Option<Parent>> {
        let Some(id) = &put.parent else { return Ok(None) };
        if let Some(life) = self.cache.life(&put.thread)
            && let Some(record) = self.cache.record(life, &put.namespace, id)
        {
            return Ok(Some(Parent { life, record }));
        }
        // Whoever goes on from what it has put has it at hand, and needs no room for this.
        Box::pin(self.load_parent(put, id)).await
    }

    async fn load_parent(&self, put: &PutCheckpoint, id: &CheckpointId) -> Result<Option<Parent>> {
        let load = Load {
            thread: &put.thread,
            namespace: &put.namespace,
            id: Some(id),
            hidden: true,
            writes: false,
            known: None,
            values: true,
            refresh: false,
            consistency: Consistency::Strong,
        };
        let Some(loaded) = self.store.load(load).await? else { return Ok(None) };
        self.keep_sent(loaded.life, &loaded.values)?;
        let get =
            GetCheckpoint::at(put.thread.clone(), id.clone()).with_namespace(put.namespace.clone());
        let record = self.record_of(&get, &loaded)?;
        Ok(Some(Parent { life: loaded.life, record }))
    }

    /// Keeps what was put at hand, with its numbers in their places.
    fn keep(&self, put: &PutCheckpoint, draft: Draft, life: Life, bases: Bases) {
        let first = bases.version;
        for (number, new) in (first..).zip(draft.versions) {
            let version = Version {
                descriptor: Arc::new(new.descriptor.placed(bases)),
                payload: Some(new.payload),
                place: Some(new.place),
            };
            self.cache.keep_version(life.generation, number, version);
        }
        let mut record: Record = draft.record;
        let body = match &mut record.body {
            BodyRef::Stored(value) => Some(value),
            BodyRef::None | BodyRef::Inline(_) => None,
        };
        for value in record.refs.values_mut().chain(body) {
            if let ValueRef::New(number) = *value {
                *value = ValueRef::Version(first.saturating_add(number));
            }
        }
        self.cache.keep_record(&put.thread, life, &put.namespace, &Arc::new(record));
    }
}
