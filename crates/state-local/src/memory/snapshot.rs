//! Reading a snapshot of all shards, in key order.

use std::collections::VecDeque;
use std::sync::Arc;

use state_core::{Clock, Key, SnapshotOptions, SnapshotRecord, Timestamp};

use super::overlay::Overlay;
use super::shards::Shards;
use super::tables::{Hash, MemoryTables};
use crate::engine::Cursor;
use crate::tables::Record;

/// Records looked at in one shard under one lock.
const RECORDS_PER_LOCK: usize = 64;
/// Fields of one snapshot record.
const FIELDS_PER_RECORD: usize = 1_000;

/// A snapshot and how far it has been read: first entries, then hashes, in key order.
#[derive(Debug)]
pub(super) struct Walk {
    shards: Arc<Shards>,
    options: SnapshotOptions,
    taken_at: Timestamp,
    entries: Vec<Lane<Record>>,
    hashes: Vec<Lane<Hash>>,
    /// Further records of the hash that is being told; a hash has a field at least.
    ready: VecDeque<SnapshotRecord>,
}

/// What is read of one shard.
#[derive(Debug)]
struct Lane<T> {
    overlay: Arc<Overlay>,
    /// Records that were read and not told yet.
    read: VecDeque<(Key, T)>,
    done: bool,
}

impl Walk {
    /// Takes the snapshot: all shards begin to keep what it is to see while all are locked.
    pub(super) fn start(shards: &Arc<Shards>, options: SnapshotOptions, clock: &dyn Clock) -> Self {
        let overlays = shards.write_each(|tables| tables.overlays().start());
        Self {
            shards: Arc::clone(shards),
            options,
            taken_at: clock.wall(),
            entries: overlays.iter().map(Lane::new).collect(),
            hashes: overlays.iter().map(Lane::new).collect(),
            ready: VecDeque::new(),
        }
    }
}

impl<T> Lane<T> {
    fn new(overlay: &Arc<Overlay>) -> Self {
        Self { overlay: Arc::clone(overlay), read: VecDeque::new(), done: false }
    }
}

/// The next record in key order over all shards that `wanted` wants.
fn next<T>(
    shards: &Shards,
    lanes: &mut [Lane<T>],
    read: impl Fn(&Overlay, &MemoryTables) -> Option<(Key, T)>,
    wanted: impl Fn(&Key, &T) -> bool,
) -> Option<(Key, T)> {
    for (lane, shard) in lanes.iter_mut().zip(shards.iter()) {
        while lane.read.is_empty() && !lane.done {
            let tables = shard.read();
            for _ in 0..RECORDS_PER_LOCK {
                let Some((key, record)) = read(&lane.overlay, &tables) else {
                    lane.done = true;
                    break;
                };
                if wanted(&key, &record) {
                    lane.read.push_back((key, record));
                }
            }
        }
    }
    let least = lanes
        .iter_mut()
        .filter(|lane| !lane.read.is_empty())
        .min_by(|left, right| key_of(left).cmp(&key_of(right)))?;
    least.read.pop_front()
}

fn key_of<T>(lane: &Lane<T>) -> Option<&Key> {
    lane.read.front().map(|(key, _)| key)
}

impl Iterator for Walk {
    type Item = SnapshotRecord;

    fn next(&mut self) -> Option<SnapshotRecord> {
        if let Some(record) = self.ready.pop_front() {
            return Some(record);
        }
        let (options, taken_at) = (&self.options, self.taken_at);
        let wants = |key: &Key, deadline: Option<Timestamp>| {
            let expired = deadline.is_some_and(|deadline| deadline <= taken_at);
            !expired && Cursor::new(&options.prefix, &options.scope).skip(key).is_none()
        };
        let entry = next(&self.shards, &mut self.entries, Overlay::next_entry, |key, record| {
            wants(key, record.deadline)
        });
        if let Some((key, record)) = entry {
            return Some(SnapshotRecord::Entry {
                key,
                value: record.value,
                deadline: record.deadline,
            });
        }
        let (key, hash) = next(&self.shards, &mut self.hashes, Overlay::next_hash, |key, hash| {
            wants(key, hash.deadline)
        })?;
        self.ready = fields_of(&key, &hash).into();
        self.ready.pop_front()
    }
}

fn fields_of(key: &Key, hash: &Hash) -> Vec<SnapshotRecord> {
    let fields: Vec<_> =
        hash.fields.iter().map(|(field, value)| (field.clone(), value.clone())).collect();
    let chunks = fields.chunks(FIELDS_PER_RECORD).map(|fields| SnapshotRecord::HashFields {
        key: key.clone(),
        fields: fields.to_vec(),
        deadline: hash.deadline,
    });
    chunks.collect()
}
