//! Following threads by the changes of their rows.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use state_core::checkpoint::{CheckpointRef, ThreadEvent, ThreadId};
use state_core::{
    BoxStream, Change, Consistency, Error, Key, Result, Scope, WatchEvent, WatchOptions,
};

use super::BackendThreads;
use super::keys::{self, checkpoint_of};

/// The most threads whose generation is remembered.
const THREADS_MAX: usize = 10_000;

/// What a watch remembers between events.
struct Follower {
    store: BackendThreads,
    /// The generation that was last seen alive.
    alive: HashMap<ThreadId, u64>,
    /// The marks of unfinished copies: the rows of such a generation are told as one change in the
    /// end, however late they are read.
    copies: HashSet<Key>,
    /// What was told last: rows of one change follow each other.
    last: Option<ThreadEvent>,
}

impl BackendThreads {
    pub(super) async fn watch_rows(
        &self,
        thread: Option<ThreadId>,
    ) -> Result<BoxStream<'static, Result<ThreadEvent>>> {
        let Some(watch) = self.backend.as_watch() else {
            return Err(Error::unsupported("following a thread"));
        };
        let scope = thread.map_or(Scope::All, |thread| Scope::Partition(keys::partition(&thread)));
        let events = watch.watch(WatchOptions::new("").with_scope(scope)).await?;
        let (alive, copies) = (HashMap::new(), HashSet::new());
        let follower = Follower { store: self.clone(), alive, copies, last: None };
        let told = stream::unfold((events, follower), |(mut events, mut follower)| async move {
            loop {
                let told = match events.next().await? {
                    Ok(event) => follower.tell(event).await,
                    Err(error) => Err(error),
                };
                if let Some(told) = told.transpose() {
                    return Some((told, (events, follower)));
                }
            }
        });
        Ok(told.boxed())
    }
}

impl Follower {
    async fn tell(&mut self, event: WatchEvent) -> Result<Option<ThreadEvent>> {
        let told = match &event.change {
            Change::Gap => Some(ThreadEvent::Gap),
            Change::Put { key, .. } => self.put(key).await?,
            Change::Deleted { key } => self.deleted(key).await?,
            Change::Expired { key } | Change::Evicted { key } => {
                Self::thread(key).filter(|_| keys::is_head(key.name())).map(ThreadEvent::Deleted)
            }
            Change::Cleared { prefix, scope } => {
                // A thread's own rows are cleared when it is gone, which was told; anything
                // wider is somebody else's doing.
                let whole = prefix.is_empty() || !matches!(scope, Scope::Partition(_));
                whole.then_some(ThreadEvent::Gap)
            }
            _ => None,
        };
        // One change writes several rows; it is told once.
        let repeated = told.is_some() && told == self.last;
        if let Some(ThreadEvent::Deleted(thread)) = &told {
            self.alive.remove(thread);
        }
        if keys_end_a_change(&event.change) {
            self.last = None;
        } else if told.is_some() {
            self.last.clone_from(&told);
        }
        Ok(told.filter(|_| !repeated))
    }

    async fn put(&mut self, key: &Key) -> Result<Option<ThreadEvent>> {
        let Some(thread) = Self::thread(key) else { return Ok(None) };
        if keys::is_unfinished(key.name()) {
            if self.copies.len() >= THREADS_MAX {
                self.copies.clear();
            }
            self.copies.insert(key.clone());
            return Ok(None);
        }
        let Some((generation, kind, rest)) = keys::parse(key.name()) else { return Ok(None) };
        if self.copies.contains(&keys::unfinished(&thread, generation)) {
            return Ok(None);
        }
        let place = match kind {
            keys::RECORD => checkpoint_of(rest),
            keys::WRITES => keys::writes_of(rest),
            _ => None,
        };
        let Some((namespace, id)) = place else { return Ok(None) };
        if !self.is_alive(&thread, generation).await? {
            return Ok(None);
        }
        let reference = CheckpointRef::new(thread, id).with_namespace(namespace);
        Ok(Some(if kind == keys::RECORD {
            ThreadEvent::Put(reference)
        } else {
            ThreadEvent::Writes(reference)
        }))
    }

    async fn deleted(&mut self, key: &Key) -> Result<Option<ThreadEvent>> {
        let Some(thread) = Self::thread(key) else { return Ok(None) };
        if keys::is_head(key.name()) {
            return Ok(Some(ThreadEvent::Deleted(thread)));
        }
        if keys::is_unfinished(key.name()) {
            self.copies.remove(key);
            let head = self.store.head(&thread, Consistency::Strong).await?;
            return Ok(head.map(|_| ThreadEvent::Changed(thread)));
        }
        match keys::parse(key.name()) {
            Some((generation, keys::RECORD, _)) if self.is_alive(&thread, generation).await? => {
                Ok(Some(ThreadEvent::Changed(thread)))
            }
            _ => Ok(None),
        }
    }

    /// Whether a generation is alive; rows of an unfinished copy are not told.
    async fn is_alive(&mut self, thread: &ThreadId, generation: u64) -> Result<bool> {
        if self.alive.get(thread) == Some(&generation) {
            return Ok(true);
        }
        let head = self.store.head(thread, Consistency::Strong).await?;
        let alive = head.map(|(head, _)| head.life.generation) == Some(generation);
        if alive {
            if self.alive.len() >= THREADS_MAX {
                self.alive.clear();
            }
            self.alive.insert(thread.clone(), generation);
        }
        Ok(alive)
    }

    fn thread(key: &Key) -> Option<ThreadId> {
        keys::thread_of(key.partition().map(Bytes::as_ref)?)
    }
}

/// Whether a change is the last row of a thread's change that is told: every change of a thread
/// begins by writing its head.
fn keys_end_a_change(change: &Change) -> bool {
    matches!(change, Change::Put { key, .. } if keys::is_head(key.name()))
}
