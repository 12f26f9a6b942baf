//! The tables of one namespace in memory, or of one of its shards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use state_core::{Change, FenceToken, Key, OpId, Result, Timestamp, Version};

use super::evict::EvictionPolicy;
use super::log::{Events, Log, MemoryEvent};
use super::merge;
use super::ordered::Ordered;
use super::overlay::Overlays;
use super::shards::out_of_reach;
use crate::reach::home;
use crate::tables::{
    Due, DueKind, HashHead, Head, LeaseRecord, LogBounds, LoggedEvent, Read, Record, Remembered,
    ScanFrom, Step, Tables,
};

/// A hash; its fields are shared with snapshots until they change.
#[derive(Clone, Debug, Default)]
pub(super) struct Hash {
    pub(super) fields: Arc<BTreeMap<Bytes, Bytes>>,
    pub(super) deadline: Option<Timestamp>,
}

/// The capacity of a namespace and what is evicted when it is reached.
#[derive(Debug)]
pub(super) struct Capacity {
    pub(super) entries_max: usize,
    /// Reads tell the policy too, hence the lock; it is never contended.
    pub(super) policy: Mutex<Box<dyn EvictionPolicy>>,
}

/// The tables of one namespace, or of one home of it.
#[derive(Debug)]
pub(super) struct MemoryTables {
    /// The home whose keys these are; `None` for all keys.
    home: Option<usize>,
    entries: Ordered<Record>,
    hashes: Ordered<Hash>,
    due: BTreeSet<(Timestamp, DueKind, Key)>,
    leases: HashMap<Key, LeaseRecord>,
    fence_marks: HashMap<Key, FenceToken>,
    operations: HashMap<(Key, OpId), Remembered>,
    events: Events,
    capacity: Option<Capacity>,
    overlays: Overlays,
    discarded: Option<Bytes>,
    /// Bytes of keys and values of entries.
    entry_bytes: u64,
}

impl MemoryTables {
    pub(super) fn new(log: Arc<Log>, home: Option<usize>, capacity: Option<Capacity>) -> Self {
        Self {
            home,
            entries: Ordered::default(),
            hashes: Ordered::default(),
            due: BTreeSet::new(),
            leases: HashMap::new(),
            fence_marks: HashMap::new(),
            operations: HashMap::new(),
            events: Events::new(log),
            capacity,
            overlays: Overlays::default(),
            discarded: None,
            entry_bytes: 0,
        }
    }

    pub(super) fn entries(&self) -> &Ordered<Record> {
        &self.entries
    }

    pub(super) fn hashes(&self) -> &Ordered<Hash> {
        &self.hashes
    }

    pub(super) fn overlays(&mut self) -> &mut Overlays {
        &mut self.overlays
    }

    /// The change log as far as it lies here.
    pub(super) fn own_events(&self) -> &Events {
        &self.events
    }

    /// An event that lies here, as it is told.
    pub(super) fn told(&self, event: &MemoryEvent) -> LoggedEvent {
        self.events.told(event, |slot| self.entries.key_at(slot))
    }

    /// Drops events that are no longer retained.
    pub(super) fn trim(&mut self) {
        self.events.trim();
        self.release_slots();
    }

    /// Gives back the slots whose keys no event needs any more.
    #[inline]
    fn release_slots(&mut self) {
        while let Some(slot) = self.events.unearth() {
            self.entries.release(slot);
        }
    }

    /// The deadlines that lie here, at or before `now`, oldest first.
    pub(super) fn own_due(&self, now: Timestamp, limit: usize) -> impl Iterator<Item = Due> {
        let due = self.due.iter().take_while(move |(deadline, ..)| *deadline <= now).take(limit);
        due.map(|(deadline, kind, key)| Due { deadline: *deadline, kind: *kind, key: key.clone() })
    }

    /// Finds work that touches a key which it did not name; only where every check counts, since
    /// it would cost each call.
    fn check(&self, key: &Key) -> Result<()> {
        let strange = cfg!(debug_assertions) && self.home.is_some_and(|own| own != home(key));
        if strange { Err(out_of_reach()) } else { Ok(()) }
    }

    /// Refuses to answer for the whole namespace from a part of it.
    fn check_whole(&self) -> Result<()> {
        self.home.map_or(Ok(()), |_| Err(out_of_reach()))
    }

    /// About how many bytes of memory the entries and hashes take.
    pub(super) fn memory_bytes(&self) -> u64 {
        /// What a map node and the handles of key and value take, about.
        const PER_ENTRY: u64 = 160;
        let fields = self.hashes.values().flat_map(|hash| hash.fields.iter());
        let hashes: u64 =
            fields.map(|(field, value)| (field.len() + value.len()) as u64 + PER_ENTRY).sum();
        self.entry_bytes + self.entries.len() as u64 * PER_ENTRY + hashes
    }

    /// The last value that was replaced, to be dropped when the lock has been released.
    pub(super) fn take_discarded(&mut self) -> Option<Bytes> {
        self.discarded.take()
    }

    #[inline]
    fn move_due(
        &mut self,
        kind: DueKind,
        key: &Key,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) {
        if from == to {
            return;
        }
        if let Some(deadline) = from {
            self.due.remove(&(deadline, kind, key.clone()));
        }
        if let Some(deadline) = to {
            self.due.insert((deadline, kind, key.clone()));
        }
    }

    #[inline]
    fn tell(&self, tell: impl FnOnce(&mut dyn EvictionPolicy)) {
        if let Some(capacity) = &self.capacity {
            tell(&mut **capacity.policy.lock());
        }
    }

    /// Makes room for one more entry.
    fn evict(&mut self) -> Result<()> {
        while let Some(capacity) = &self.capacity
            && self.entries.len() >= capacity.entries_max
        {
            let victim = capacity.policy.lock().victim();
            let Some(victim) = victim.filter(|victim| self.entries.get(victim).is_some()) else {
                return Ok(());
            };
            self.remove_entry(&victim)?;
            self.log(Change::Evicted { key: victim })?;
        }
        Ok(())
    }
}

pub(super) fn head(record: &Record) -> Head {
    Head {
        version: record.version,
        deadline: record.deadline,
        value_bytes: record.value.len() as u64,
    }
}

#[inline]
fn bytes_of(key: &Key, value: &Bytes) -> u64 {
    (key.len_bytes() + value.len()) as u64
}

impl Read for MemoryTables {
    fn entry(&self, key: &Key) -> Result<Option<Record>> {
        self.check(key)?;
        let record = self.entries.get(key);
        if record.is_some() {
            self.tell(|policy| policy.read(key));
        }
        Ok(record.cloned())
    }

    fn head(&self, key: &Key) -> Result<Option<Head>> {
        self.check(key)?;
        Ok(self.entries.get(key).map(head))
    }

    fn scan(&self, from: ScanFrom, visit: &mut dyn FnMut(&Key, Head) -> Step) -> Result<()> {
        self.check_whole()?;
        merge::scan([&self.entries], &from, &mut |key, record| visit(key, head(record)));
        Ok(())
    }

    fn hash_head(&self, key: &Key) -> Result<Option<HashHead>> {
        self.check(key)?;
        Ok(self.hashes.get(key).map(hash_head))
    }

    fn hash_field(&self, key: &Key, field: &Bytes) -> Result<Option<Bytes>> {
        self.check(key)?;
        Ok(self.hashes.get(key).and_then(|hash| hash.fields.get(field)).cloned())
    }

    fn hash_fields(
        &self,
        key: &Key,
        after: Option<&Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        let Some(hash) = self.hashes.get(key) else { return Ok(Vec::new()) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let fields = hash.fields.range::<Bytes, _>((from, Bound::Unbounded)).take(limit);
        Ok(fields.map(|(field, value)| (field.clone(), value.clone())).collect())
    }

    fn scan_hashes(
        &self,
        from: ScanFrom,
        visit: &mut dyn FnMut(&Key, HashHead) -> Step,
    ) -> Result<()> {
        self.check_whole()?;
        merge::scan([&self.hashes], &from, &mut |key, hash| visit(key, hash_head(hash)));
        Ok(())
    }

    fn lease(&self, name: &Key) -> Result<Option<LeaseRecord>> {
        self.check(name)?;
        Ok(self.leases.get(name).copied())
    }

    fn fence_mark(&self, lease: &Key) -> Result<Option<FenceToken>> {
        self.check(lease)?;
        Ok(self.fence_marks.get(lease).copied())
    }

    fn remembered(&self, key: &Key, id: OpId) -> Result<Option<Remembered>> {
        self.check(key)?;
        Ok(self.operations.get(&(key.clone(), id)).cloned())
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>> {
        self.check_whole()?;
        Ok(self.own_due(now, limit).collect())
    }

    fn log_bounds(&self) -> Result<LogBounds> {
        self.check_whole()?;
        Ok(self.events.bounds())
    }

    fn events(&self, from: u64, limit: usize) -> Result<Vec<LoggedEvent>> {
        self.check_whole()?;
        Ok(self.events.range(from).take(limit).map(|event| self.told(event)).collect())
    }
}

pub(super) fn hash_head(hash: &Hash) -> HashHead {
    HashHead { fields: hash.fields.len() as u64, deadline: hash.deadline }
}

impl Tables for MemoryTables {
    fn put_entry(
        &mut self,
        key: &Key,
        value: Bytes,
        deadline: Option<Timestamp>,
    ) -> Result<Version> {
        self.check(key)?;
        let new_bytes = bytes_of(key, &value);
        let (sequence, version, slot);
        if let Some((found, held)) = self.entries.locate(key) {
            self.overlays.keep_entry(key, Some(held));
            (sequence, version) = self.events.begin_put();
            slot = found;
            let old = std::mem::replace(held, Record { value, version, deadline });
            self.entry_bytes -= bytes_of(key, &old.value);
            self.discarded = Some(old.value);
            self.move_due(DueKind::Entry, key, old.deadline, deadline);
        } else {
            self.overlays.keep_entry(key, None);
            self.evict()?;
            (sequence, version) = self.events.begin_put();
            slot = self.entries.add(key, Record { value, version, deadline });
            self.move_due(DueKind::Entry, key, None, deadline);
        }
        self.entry_bytes += new_bytes;
        self.tell(|policy| policy.written(key, deadline));
        self.events.end_put(sequence, slot, deadline);
        self.release_slots();
        Ok(version)
    }

    fn set_deadline(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()> {
        let Some(record) = self.entries.get_mut(key) else { return Ok(()) };
        self.overlays.keep_entry(key, Some(record));
        let old = std::mem::replace(&mut record.deadline, deadline);
        self.move_due(DueKind::Entry, key, old, deadline);
        self.tell(|policy| policy.written(key, deadline));
        Ok(())
    }

    fn remove_entry(&mut self, key: &Key) -> Result<()> {
        self.overlays.keep_entry(key, self.entries.get(key));
        if let Some((slot, record)) = self.entries.take(key) {
            if !self.events.bury(slot, record.version) {
                self.entries.release(slot);
            }
            self.entry_bytes -= bytes_of(key, &record.value);
            self.move_due(DueKind::Entry, key, record.deadline, None);
            self.tell(|policy| policy.removed(key));
        }
        Ok(())
    }

    fn put_field(&mut self, key: &Key, field: &Bytes, value: Bytes) -> Result<bool> {
        self.check(key)?;
        self.overlays.keep_hash(key, self.hashes.get(key));
        let Some(hash) = self.hashes.get_or_default(key) else { return Ok(false) };
        Ok(Arc::make_mut(&mut hash.fields).insert(field.clone(), value).is_none())
    }

    fn remove_field(&mut self, key: &Key, field: &Bytes) -> Result<bool> {
        self.overlays.keep_hash(key, self.hashes.get(key));
        let Some(hash) = self.hashes.get_mut(key) else { return Ok(false) };
        let removed = Arc::make_mut(&mut hash.fields).remove(field).is_some();
        if hash.fields.is_empty() {
            self.remove_hash(key)?;
        }
        Ok(removed)
    }

    fn set_hash_deadline(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()> {
        self.overlays.keep_hash(key, self.hashes.get(key));
        let Some(hash) = self.hashes.get_mut(key) else { return Ok(()) };
        let old = std::mem::replace(&mut hash.deadline, deadline);
        self.move_due(DueKind::Hash, key, old, deadline);
        Ok(())
    }

    fn remove_hash(&mut self, key: &Key) -> Result<()> {
        self.overlays.keep_hash(key, self.hashes.get(key));
        if let Some(hash) = self.hashes.remove(key) {
            self.move_due(DueKind::Hash, key, hash.deadline, None);
        }
        Ok(())
    }

    fn put_lease(&mut self, name: &Key, lease: LeaseRecord) -> Result<()> {
        self.check(name)?;
        self.leases.insert(name.clone(), lease);
        Ok(())
    }

    fn put_fence_mark(&mut self, lease: &Key, token: FenceToken) -> Result<()> {
        self.check(lease)?;
        self.fence_marks.insert(lease.clone(), token);
        Ok(())
    }

    fn remember(&mut self, key: &Key, id: OpId, operation: Remembered) -> Result<()> {
        self.check(key)?;
        let deadline = operation.deadline;
        let old = self.operations.insert((key.clone(), id), operation);
        let old = old.map(|old| old.deadline);
        self.move_due(DueKind::Operation(id.into()), key, old, Some(deadline));
        Ok(())
    }

    fn forget(&mut self, key: &Key, id: OpId) -> Result<()> {
        if let Some(old) = self.operations.remove(&(key.clone(), id)) {
            self.move_due(DueKind::Operation(id.into()), key, Some(old.deadline), None);
        }
        Ok(())
    }

    fn log(&mut self, change: Change) -> Result<()> {
        self.events.add(change);
        self.release_slots();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tables: &MemoryTables) -> Vec<Change> {
        tables.events(0, usize::MAX).unwrap().into_iter().map(|event| event.change).collect()
    }

    /// As the rules delete.
    fn delete(tables: &mut MemoryTables, key: &Key) {
        tables.remove_entry(key).unwrap();
        tables.log(Change::Deleted { key: key.clone() }).unwrap();
    }

    #[test]
    fn events_of_entries_that_have_gone_keep_their_keys() {
        let mut tables = MemoryTables::new(Arc::new(Log::new(7, 4)), None, None);
        let (a, b, c) = (Key::from("a"), Key::from("b"), Key::from("c"));
        let put = |tables: &mut MemoryTables, key: &Key| {
            let version = tables.put_entry(key, Bytes::from_static(b"v"), None).unwrap();
            Change::Put { key: key.clone(), version, deadline: None }
        };
        let first = put(&mut tables, &a);
        delete(&mut tables, &a);
        // Nothing else lies where the first event finds its key.
        let second = put(&mut tables, &b);
        let third = put(&mut tables, &a);
        let deleted = Change::Deleted { key: a.clone() };
        assert_eq!(told(&tables), [first, deleted.clone(), second, third]);

        delete(&mut tables, &b);
        delete(&mut tables, &a);
        assert_eq!(tables.entries.key_at(1), Some(&b));
        for _ in 0..8 {
            put(&mut tables, &c);
        }
        // No event tells of what was deleted any more, and its keys have gone.
        let kept = (0..4).filter_map(|slot| tables.entries.key_at(slot)).collect::<Vec<_>>();
        assert_eq!((kept, told(&tables).len()), (vec![&c], 4));
        delete(&mut tables, &c);
        for _ in 0..8 {
            delete(&mut tables, &b);
            tables.log(Change::Deleted { key: b.clone() }).unwrap();
        }
        assert_eq!(tables.entries.key_at(0), None);
    }

    #[test]
    fn what_no_event_tells_of_goes_at_once() {
        let mut tables = MemoryTables::new(Arc::new(Log::new(7, 1)), None, None);
        let (a, b) = (Key::from("a"), Key::from("b"));
        tables.put_entry(&a, Bytes::new(), None).unwrap();
        tables.put_entry(&b, Bytes::new(), None).unwrap();
        tables.remove_entry(&a).unwrap();
        assert_eq!((tables.entries.key_at(0), tables.entries.key_at(1)), (None, Some(&b)));
    }
}
