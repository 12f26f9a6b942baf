//! What was read or written last, kept at hand and bounded in bytes.
//!
//! Records, versions and full segments never change, so they are good as long as their
//! generation is; what is kept of a thread's life is only ever a guess, which the store checks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, Payload, ThreadId};

use crate::descriptor::Descriptor;
use crate::record::Record;
use crate::store::Life;

/// What an item takes besides its bytes, about.
const ITEM_BYTES: usize = 128;

/// How the value of a version is made, and the value where it has been made.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) descriptor: Arc<Descriptor>,
    pub(super) payload: Option<Payload>,
    /// The place that the value was checked for.
    pub(super) place: Option<u64>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Key {
    Life(ThreadId),
    Latest(ThreadId, CheckpointNamespace),
    Record(u64, CheckpointNamespace, CheckpointId),
    Version(u64, u64),
    Segment(u64, u64),
}

#[derive(Clone, Debug)]
enum Item {
    Life(Life),
    Latest(CheckpointId),
    /// With the epoch in which it was known to be there.
    Record(u64, Arc<Record>),
    Version(Version),
    Segment(Bytes),
}

/// A bounded set of items, of which those that were used last stay.
#[derive(Debug)]
pub(super) struct Cache {
    bytes_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    items: HashMap<Key, (Item, u64, usize)>,
    order: BTreeMap<u64, Key>,
    tick: u64,
    bytes: usize,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, inner: Mutex::default() }
    }

    pub(super) fn life(&self, thread: &ThreadId) -> Option<Life> {
        match self.get(&Key::Life(thread.clone()))? {
            Item::Life(life) => Some(life),
            _ => None,
        }
    }

    pub(super) fn latest(
        &self,
        thread: &ThreadId,
        namespace: &CheckpointNamespace,
    ) -> Option<CheckpointId> {
        match self.get(&Key::Latest(thread.clone(), namespace.clone()))? {
            Item::Latest(id) => Some(id),
            _ => None,
        }
    }

    /// A record that was there in the life `life`.
    pub(super) fn record(
        &self,
        life: Life,
        namespace: &CheckpointNamespace,
        id: &CheckpointId,
    ) -> Option<Arc<Record>> {
        match self.get(&Key::Record(life.generation, namespace.clone(), id.clone()))? {
            Item::Record(epoch, record) if epoch == life.epoch => Some(record),
            _ => None,
        }
    }

    pub(super) fn version(&self, generation: u64, number: u64) -> Option<Version> {
        match self.get(&Key::Version(generation, number))? {
            Item::Version(version) => Some(version),
            _ => None,
        }
    }

    pub(super) fn segment(&self, generation: u64, number: u64) -> Option<Bytes> {
        match self.get(&Key::Segment(generation, number))? {
            Item::Segment(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn keep_record(
        &self,
        thread: &ThreadId,
        life: Life,
        namespace: &CheckpointNamespace,
        record: &Arc<Record>,
    ) {
        let id = record.checkpoint.id.clone();
        let size = 64 * (record.refs.len() + record.metadata.len())
            + record
                .checkpoint
                .versions_seen
                .values()
                .map(|seen| 64 + 64 * seen.len())
                .sum::<usize>();
        self.put(Key::Life(thread.clone()), Item::Life(life), 0);
        let key = Key::Record(life.generation, namespace.clone(), id.clone());
        self.put(key, Item::Record(life.epoch, Arc::clone(record)), size);
        if self.latest(thread, namespace).is_none_or(|latest| latest < id) {
            self.put(Key::Latest(thread.clone(), namespace.clone()), Item::Latest(id), 0);
        }
    }

    pub(super) fn keep_latest(
        &self,
        thread: &ThreadId,
        namespace: &CheckpointNamespace,
        id: &CheckpointId,
    ) {
        self.put(Key::Latest(thread.clone(), namespace.clone()), Item::Latest(id.clone()), 0);
    }

    pub(super) fn keep_version(&self, generation: u64, number: u64, version: Version) {
        let ops = size_of_val(version.descriptor.script.ops());
        let value = version.payload.as_ref().map_or(0, Payload::len_bytes);
        self.put(Key::Version(generation, number), Item::Version(version), ops + value);
    }

    pub(super) fn keep_segment(&self, generation: u64, number: u64, bytes: Bytes) {
        let size = bytes.len();
        self.put(Key::Segment(generation, number), Item::Segment(bytes), size);
    }

    /// Drops what is known of the life of a thread.
    pub(super) fn forget(&self, thread: &ThreadId) {
        self.inner.lock().remove(&Key::Life(thread.clone()));
    }

    fn get(&self, key: &Key) -> Option<Item> {
        self.inner.lock().get(key)
    }

    fn put(&self, key: Key, item: Item, size: usize) {
        let size = size + ITEM_BYTES;
        if size > self.bytes_max / 2 {
            return;
        }
        let mut inner = self.inner.lock();
        inner.put(key, item, size);
        while inner.bytes > self.bytes_max {
            inner.drop_oldest();
        }
    }
}

impl Inner {
    fn get(&mut self, key: &Key) -> Option<Item> {
        self.tick += 1;
        let tick = self.tick;
        let (item, last, _) = self.items.get_mut(key)?;
        let item = item.clone();
        if let Some(key) = self.order.remove(last) {
            self.order.insert(tick, key);
        }
        *last = tick;
        Some(item)
    }

    fn put(&mut self, key: Key, item: Item, size: usize) {
        self.remove(&key);
        self.tick += 1;
        self.bytes += size;
        self.order.insert(self.tick, key.clone());
        self.items.insert(key, (item, self.tick, size));
    }

    fn remove(&mut self, key: &Key) {
        if let Some((_, tick, size)) = self.items.remove(key) {
            self.order.remove(&tick);
            self.bytes -= size;
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_first()
            && let Some((_, _, size)) = self.items.remove(&key)
        {
            self.bytes -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays_and_the_bound_holds() {
        let cache = Cache::new(100 * (ITEM_BYTES + 100));
        for number in 0..1_000 {
            cache.keep_segment(1, number, vec![0; 100].into());
            assert!(cache.segment(1, 0).is_some(), "used each time, at {number}");
            assert!(cache.inner.lock().bytes <= cache.bytes_max);
        }
        assert!(cache.segment(1, 999).is_some());
        assert!(cache.segment(1, 500).is_none());
        let inner = cache.inner.lock();
        assert_eq!(inner.items.len(), inner.order.len());
        assert_eq!(inner.items.values().map(|(.., size)| size).sum::<usize>(), inner.bytes);
    }
}
