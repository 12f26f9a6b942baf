//! The store: one sorted map for all namespaces, behind one lock.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use state_core::{
    Clock, Error, Key, ManualClock, Namespace, Precondition, Result, Scope, StateBackend,
    Timestamp, Version,
};

use crate::backend::MapBackend;
use crate::record::Record;

/// A store in memory. Clones share everything; what it holds ends with the last of them.
#[derive(Clone)]
pub struct MapStore(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    map: Mutex<Map>,
}

impl MapStore {
    /// An empty store that takes its time from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { clock, map: Mutex::default() }))
    }

    /// An empty store in its own time, and the clock that moves it: for tests.
    pub fn with_manual_clock() -> (Self, ManualClock) {
        let clock = ManualClock::new();
        (Self::new(Arc::new(clock.clone())), clock)
    }

    /// An instance bound to `namespace`.
    pub fn open(&self, namespace: Namespace) -> Arc<dyn StateBackend> {
        Arc::new(MapBackend::new(self.clone(), namespace))
    }

    /// The map as one namespace sees it, and the time, for one atomic step.
    pub(crate) fn lock<'a>(&'a self, namespace: &'a Namespace) -> View<'a> {
        // Nothing panics while holding the lock, so a poisoned map is still whole.
        let map = self.0.map.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: a later step never sees an earlier time.
        View { map, namespace, now: self.0.clock.wall() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.wall()
    }
}

impl fmt::Debug for MapStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapStore").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Map {
    /// Tuples order by namespace, then by key, and no two of them are the same place.
    records: BTreeMap<(Namespace, Key), Record>,
    /// Counts all writes of the store, so that no version ever comes back.
    writes: u128,
}

/// The map as one namespace sees it, locked.
pub(crate) struct View<'a> {
    map: MutexGuard<'a, Map>,
    namespace: &'a Namespace,
    pub(crate) now: Timestamp,
}

impl View<'_> {
    /// The record under `key`, unless it is absent or expired.
    pub(crate) fn find(&self, key: &Key) -> Option<&Record> {
        let record = self.map.records.get(&self.place(key))?;
        record.is_present(self.now).then_some(record)
    }

    /// As [`find`](Self::find), to be changed in place.
    pub(crate) fn find_mut(&mut self, key: &Key) -> Option<&mut Record> {
        let (place, now) = (self.place(key), self.now);
        self.map.records.get_mut(&place).filter(|record| record.is_present(now))
    }

    /// Stores a value and returns its version.
    pub(crate) fn store(
        &mut self,
        key: &Key,
        value: Bytes,
        deadline: Option<Timestamp>,
    ) -> Version {
        self.map.writes += 1;
        let version = Version::from_bytes(self.map.writes.to_be_bytes());
        let place = self.place(key);
        self.map.records.insert(place, Record { value, version, deadline });
        version
    }

    /// Removes a record and returns it, unless it was absent or expired.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Record> {
        let place = self.place(key);
        self.map.records.remove(&place).filter(|record| record.is_present(self.now))
    }

    /// Refuses a write whose precondition does not hold.
    pub(crate) fn check(&self, key: &Key, precondition: Precondition) -> Result<()> {
        let version = self.find(key).map(|record| record.version);
        match precondition {
            Precondition::Always => Ok(()),
            Precondition::Absent if version.is_none() => Ok(()),
            Precondition::Present if version.is_some() => Ok(()),
            Precondition::Matches(wanted) if version == Some(wanted) => Ok(()),
            Precondition::Absent => Err(Error::conflict("the entry is there already")),
            Precondition::Present => Err(Error::conflict("the entry is absent")),
            Precondition::Matches(_) if version.is_none() => {
                Err(Error::conflict("the entry is absent"))
            }
            Precondition::Matches(_) => Err(Error::conflict("the entry has another version")),
            _ => Err(Error::unsupported("this precondition")),
        }
    }

    /// The records that begin with `prefix`, after the key `after`, in key order.
    pub(crate) fn select<'v>(
        &'v self,
        prefix: &'v [u8],
        scope: &'v Scope,
        after: Option<&Key>,
    ) -> impl Iterator<Item = (&'v Key, &'v Record)> {
        let start = match after {
            Some(key) => Bound::Excluded(self.place(key)),
            // No key without a partition and with an empty name is stored: this is the first.
            None => Bound::Included(self.place(&Key::new(Bytes::new()))),
        };
        let records = self.map.records.range((start, Bound::Unbounded));
        records
            .take_while(|((namespace, _), _)| namespace == self.namespace)
            .filter(|(_, record)| record.is_present(self.now))
            .map(|((_, key), record)| (key, record))
            .filter(move |(key, _)| key.name().starts_with(prefix) && scope.covers(key.partition()))
    }

    /// Removes the records that begin with `prefix` and returns how many were present.
    pub(crate) fn clear(&mut self, prefix: &[u8], scope: &Scope) -> u64 {
        let (namespace, now) = (self.namespace, self.now);
        let mut removed = 0;
        self.map.records.retain(|(within, key), record| {
            let goes = within == namespace
                && key.name().starts_with(prefix)
                && scope.covers(key.partition());
            removed += u64::from(goes && record.is_present(now));
            !goes
        });
        removed
    }

    /// Records of the namespace, expired ones included, and the bytes that they hold.
    pub(crate) fn usage(&self) -> (u64, u64) {
        let mut usage = (0, 0);
        for ((namespace, key), record) in &self.map.records {
            usage.0 += u64::from(namespace == self.namespace);
            usage.1 += (key.len_bytes() + record.value.len()) as u64;
        }
        usage
    }

    fn place(&self, key: &Key) -> (Namespace, Key) {
        (self.namespace.clone(), key.clone())
    }
}
