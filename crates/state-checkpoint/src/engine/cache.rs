//! What was read or written last, kept at hand and bounded in bytes.
//!
//! Records, versions and full segments never change, so they are good as long as their
//! generation is; what is kept of a thread's life is only ever a guess, which the store checks.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, Payload, ThreadId};

use crate::descriptor::Descriptor;
use crate::record::Record;
use crate::store::Life;

/// What an item takes besides its bytes, about.
const ITEM_BYTES: usize = 128;
/// The room is cut into parts of this size, of which each is locked alone, and into so many at most.
const SHARD_BYTES: usize = 16 << 20;
const SHARDS_MAX: usize = 8;

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

/// A bounded set of items, of which those that are used stay.
#[derive(Debug)]
pub(super) struct Cache {
    items: quick_cache::sync::Cache<Key, (Item, usize), Size>,
}

/// How much an item takes: that is kept beside it.
#[derive(Clone, Debug)]
struct Size;

impl Weighter<Key, (Item, usize)> for Size {
    fn weight(&self, _: &Key, (_, bytes): &(Item, usize)) -> u64 {
        *bytes as u64
    }
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        // The library makes shards that hold 32 items by this number; what is larger than a shard is not kept.
        let shards = (bytes_max / SHARD_BYTES).clamp(1, SHARDS_MAX);
        let items = quick_cache::sync::Cache::with_weighter(shards * 32, bytes_max as u64, Size);
        Self { items }
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

    /// Keeps how a version is made, and not its value if that has so many bytes.
    pub(super) fn drop_large(&self, generation: u64, number: u64, bytes_min: usize) {
        if let Some(mut version) = self.version(generation, number)
            && version.payload.as_ref().is_some_and(|value| value.bytes().len() >= bytes_min)
        {
            (version.payload, version.place) = (None, None);
            self.keep_version(generation, number, version);
        }
    }

    pub(super) fn keep_segment(&self, generation: u64, number: u64, bytes: Bytes) {
        let size = bytes.len();
        self.put(Key::Segment(generation, number), Item::Segment(bytes), size);
    }

    /// Drops what is known of the life of a thread.
    pub(super) fn forget(&self, thread: &ThreadId) {
        self.items.remove(&Key::Life(thread.clone()));
    }

    fn get(&self, key: &Key) -> Option<Item> {
        self.items.get(key).map(|(item, _)| item)
    }

    fn put(&self, key: Key, item: Item, size: usize) {
        self.items.insert(key, (item, size + ITEM_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_bound_holds() {
        for bytes_max in [100 * (ITEM_BYTES + 100), SHARDS_MAX * SHARD_BYTES] {
            let cache = Cache::new(bytes_max);
            let fits = bytes_max / (ITEM_BYTES + 100);
            for number in 0..3 * fits as u64 {
                cache.keep_segment(1, number, vec![0; 100].into());
                assert!(cache.segment(1, 0).is_some(), "used each time, at {number}");
                assert!(cache.items.weight() <= bytes_max as u64);
            }
            let kept = (0..3 * fits as u64).filter(|number| cache.segment(1, *number).is_some());
            let kept = kept.count();
            assert!(kept > fits / 2 && kept <= fits, "{kept} of {fits}");
        }
    }

    #[test]
    fn large_values_go_and_how_they_are_made_stays() {
        let cache = Cache::new(1 << 20);
        let keep = |number: u64, bytes: usize| {
            let descriptor = Arc::new(Descriptor {
                kind: Arc::from("json"),
                check: 0,
                base: None,
                script: crate::script::Script::default(),
            });
            let payload = Some(Payload::new("json", vec![b'x'; bytes]));
            cache.keep_version(1, number, Version { descriptor, payload, place: Some(7) });
        };
        keep(0, 1_000);
        keep(1, 999);
        for number in [0, 1, 2] {
            cache.drop_large(1, number, 1_000);
        }
        let kept = |number| cache.version(1, number).map(|version| version.payload.is_some());
        assert_eq!([kept(0), kept(1), kept(2)], [Some(false), Some(true), None]);
        assert_eq!(cache.version(1, 0).and_then(|version| version.place), None);
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_takes_nothing_away() {
        let cache = Cache::new(10_000);
        cache.keep_segment(1, 0, vec![0; 100].into());
        cache.keep_segment(1, 1, vec![0; 20_000].into());
        assert!(cache.segment(1, 1).is_none());
        assert!(cache.segment(1, 0).is_some());
        let none = Cache::new(0);
        none.keep_segment(1, 0, vec![0; 100].into());
        assert!(none.segment(1, 0).is_none());
    }
}
