//! A store in a map, just enough for what is built on top of one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use state_core::{
    AcksReached, BackendInfo, Capabilities, Capability, ClearOptions, Clock, Consistency,
    CountOptions, DeleteOptions, Deleted, Entry, Error, ErrorKind, Expires, Expiry, GetOptions,
    HashPageOptions, HashState, HashStore, HashWriteOptions, Health, IncrementOptions, Incremented,
    Key, LeaseStore, Limits, ListOptions, ManualClock, MemoryUsage, Meta, Namespace, Page,
    Precondition, PutOptions, Result, SnapshotOptions, SnapshotRecord, StateBackend, Stats,
    Timestamp, TouchOptions, Transact, Version, Watch, WriteOp, WriteOutcome, Written,
};

/// The result of a future that never waits, as all of these are.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the store never waits")
}

#[derive(Debug)]
pub(crate) struct MapStore {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) limits: Limits,
    pub(crate) has_hashes: bool,
    pub(crate) has_lifetimes: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, (Bytes, Version, Option<Timestamp>)>,
    hashes: BTreeMap<Key, (BTreeMap<Bytes, Bytes>, Option<Timestamp>)>,
    written: u128,
    fails_after: Option<u128>,
}

impl MapStore {
    pub(crate) fn new() -> Self {
        Self {
            clock: Arc::new(ManualClock::new()),
            limits: Limits::DEFAULT,
            has_hashes: true,
            has_lifetimes: true,
            state: Mutex::default(),
        }
    }

    /// Makes every write fail after so many more.
    pub(crate) fn fail_after(&self, writes: Option<u128>) {
        let mut state = self.state.lock().unwrap();
        state.fails_after = writes.map(|writes| state.written + writes);
    }

    /// Everything that is there, as a snapshot would show it.
    pub(crate) fn contents(&self) -> Vec<SnapshotRecord> {
        let state = self.state.lock().unwrap();
        let now = self.clock.wall();
        let alive = |deadline: Option<Timestamp>| deadline.is_none_or(|deadline| deadline > now);
        let entries = state.entries.iter().filter(|(_, (_, _, deadline))| alive(*deadline));
        let entries = entries.map(|(key, (value, _, deadline))| SnapshotRecord::Entry {
            key: key.clone(),
            value: value.clone(),
            deadline: *deadline,
        });
        let hashes = state.hashes.iter().filter(|(_, (_, deadline))| alive(*deadline));
        let hashes = hashes.map(|(key, (fields, deadline))| SnapshotRecord::HashFields {
            key: key.clone(),
            fields: fields.clone().into_iter().collect(),
            deadline: *deadline,
        });
        entries.chain(hashes).collect()
    }

    fn deadline(&self, expiry: Expiry, before: Option<Timestamp>) -> Result<Option<Timestamp>> {
        let now = self.clock.wall();
        Limits::check_expiry(expiry, now)?;
        if !self.has_lifetimes && matches!(expiry, Expiry::After(_) | Expiry::At(_)) {
            return Err(Error::unsupported("a lifetime"));
        }
        Ok(match expiry {
            Expiry::After(lifetime) => now.checked_add(lifetime),
            Expiry::At(deadline) => Some(deadline),
            Expiry::Keep => before,
            _ => None,
        })
    }
}

impl State {
    fn begin_write(&mut self) -> Result<()> {
        if self.fails_after.is_some_and(|last| self.written >= last) {
            return Err(Error::new(ErrorKind::Unavailable, "the store is told to fail"));
        }
        self.written += 1;
        Ok(())
    }

    fn met(&self, key: &Key, precondition: Precondition) -> Result<()> {
        let version = self.entries.get(key).map(|(_, version, _)| *version);
        let met = match precondition {
            Precondition::Absent => version.is_none(),
            Precondition::Present => version.is_some(),
            Precondition::Matches(wanted) => version == Some(wanted),
            _ => true,
        };
        if met { Ok(()) } else { Err(Error::conflict("the precondition does not hold")) }
    }
}

#[async_trait]
impl StateBackend for MapStore {
    fn info(&self) -> BackendInfo {
        BackendInfo::new("map", Namespace::new("tests").unwrap())
    }

    fn capabilities(&self) -> Capabilities {
        let least = Capabilities::none().with(Capability::OrderedList).with_limits(self.limits);
        if self.has_lifetimes { least.with(Capability::Expiry) } else { least }
    }

    async fn get_opts(&self, key: &Key, _options: GetOptions) -> Result<Option<Entry>> {
        let now = self.clock.wall();
        let state = self.state.lock().unwrap();
        let found = state.entries.get(key);
        let alive = found.filter(|(_, _, deadline)| deadline.is_none_or(|at| at > now));
        Ok(alive.map(|(value, version, deadline)| {
            Entry::new(value.clone(), *version).with_expires(Expires::of(*deadline, now))
        }))
    }

    async fn put_opts(&self, key: &Key, value: Bytes, options: PutOptions) -> Result<Written> {
        self.limits.check_key(key)?;
        self.limits.check_value(&value)?;
        let mut state = self.state.lock().unwrap();
        let before = state.entries.get(key).and_then(|(_, _, deadline)| *deadline);
        let deadline = self.deadline(options.expiry, before)?;
        state.met(key, options.precondition)?;
        state.begin_write()?;
        let version = Version::from_bytes(state.written.to_be_bytes());
        state.entries.insert(key.clone(), (value, version, deadline));
        Ok(Written::new(version, AcksReached::PRIMARY))
    }

    async fn delete_opts(&self, key: &Key, options: DeleteOptions) -> Result<Deleted> {
        let mut state = self.state.lock().unwrap();
        state.met(key, options.precondition)?;
        state.begin_write()?;
        let gone = state.entries.remove(key).map(|(value, version, _)| Entry::new(value, version));
        Ok(Deleted::new(
            gone.is_some(),
            gone.filter(|_| options.return_value),
            AcksReached::PRIMARY,
        ))
    }

    async fn increment_opts(&self, _: &Key, _: i64, _: IncrementOptions) -> Result<Incremented> {
        Err(Error::unsupported("increment"))
    }

    async fn touch_opts(&self, _: &Key, _: TouchOptions) -> Result<bool> {
        Err(Error::unsupported("touch"))
    }

    async fn list_page(&self, options: ListOptions) -> Result<Page<Meta>> {
        let state = self.state.lock().unwrap();
        let keys = state.entries.keys().filter(|key| key.name().starts_with(&options.prefix));
        Ok(Page::new(keys.cloned().map(Meta::new).collect(), None))
    }

    async fn count_opts(&self, _: CountOptions) -> Result<u64> {
        Err(Error::unsupported("count"))
    }

    async fn get_many(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        Ok(keys.iter().map(|key| now(self.get_opts(key, options.clone()))).collect())
    }

    async fn write_many(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<WriteOutcome>>> {
        let outcomes = ops.into_iter().map(|op| match op {
            WriteOp::Put { key, value, options } => {
                now(self.put_opts(&key, value, options)).map(WriteOutcome::Written)
            }
            WriteOp::Delete { key, options } => {
                now(self.delete_opts(&key, options)).map(WriteOutcome::Deleted)
            }
            _ => Err(Error::unsupported("increment")),
        });
        Ok(outcomes.collect())
    }

    async fn clear_opts(&self, _: ClearOptions) -> Result<u64> {
        let gone = self.contents().len();
        let mut state = self.state.lock().unwrap();
        state.begin_write()?;
        state.entries.clear();
        state.hashes.clear();
        Ok(gone as u64)
    }

    async fn snapshot_opts(
        &self,
        _: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        Ok(stream::iter(self.contents().into_iter().map(Ok)).boxed())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn stats(&self) -> Result<Stats> {
        Ok(Stats::new([]))
    }

    async fn health(&self) -> Result<Health> {
        Ok(Health::healthy())
    }

    async fn memory_usage(&self) -> Result<MemoryUsage> {
        Ok(MemoryUsage::new(0, 0))
    }

    fn as_hash(&self) -> Option<&dyn HashStore> {
        self.has_hashes.then_some(self)
    }

    fn as_transact(&self) -> Option<&dyn Transact> {
        None
    }

    fn as_watch(&self) -> Option<&dyn Watch> {
        None
    }

    fn as_lease(&self) -> Option<&dyn LeaseStore> {
        None
    }
}

#[async_trait]
impl HashStore for MapStore {
    async fn hash_set(
        &self,
        key: &Key,
        fields: Vec<(Bytes, Bytes)>,
        options: HashWriteOptions,
    ) -> Result<u64> {
        let mut state = self.state.lock().unwrap();
        let before = state.hashes.get(key).and_then(|(_, deadline)| *deadline);
        let deadline = self.deadline(options.expiry, before)?;
        state.begin_write()?;
        let hash = state.hashes.entry(key.clone()).or_default();
        hash.1 = deadline;
        let names: BTreeSet<&Bytes> = fields.iter().map(|(name, _)| name).collect();
        let new = names.into_iter().filter(|name| !hash.0.contains_key(*name)).count();
        hash.0.extend(fields);
        Ok(new as u64)
    }

    async fn hash_get(&self, _: &Key, _: &[Bytes], _: Consistency) -> Result<Vec<Option<Bytes>>> {
        Err(Error::unsupported("hash_get"))
    }

    async fn hash_delete(&self, _: &Key, _: &[Bytes], _: HashWriteOptions) -> Result<u64> {
        Err(Error::unsupported("hash_delete"))
    }

    async fn hash_increment(&self, _: &Key, _: &Bytes, _: i64, _: HashWriteOptions) -> Result<i64> {
        Err(Error::unsupported("hash_increment"))
    }

    async fn hash_page(&self, _: &Key, _: HashPageOptions) -> Result<Page<(Bytes, Bytes)>> {
        Err(Error::unsupported("hash_page"))
    }

    async fn hash_state(&self, _: &Key, _: Consistency) -> Result<Option<HashState>> {
        Err(Error::unsupported("hash_state"))
    }

    async fn hash_remove(&self, key: &Key, _: HashWriteOptions) -> Result<bool> {
        let mut state = self.state.lock().unwrap();
        state.begin_write()?;
        Ok(state.hashes.remove(key).is_some())
    }
}
