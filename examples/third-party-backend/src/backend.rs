//! The driver: every method of the trait, each one step under the lock.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use state_core::{
    Acks, BackendInfo, Capabilities, Capability, ClearOptions, Consistency, CountOptions,
    DeleteOptions, Deleted, Entry, Error, Expiry, Fence, GetOptions, HashStore, Health,
    IncrementOptions, Incremented, Key, LeaseStore, Limits, ListOptions, MemoryUsage, Meta,
    Namespace, OpId, Operation, Page, Precondition, PutOptions, Result, SnapshotOptions,
    SnapshotRecord, StateBackend, Stats, Timestamp, TouchOptions, Transact, Watch, WriteOp,
    WriteOutcome, Written,
};

use crate::counted::Counters;
use crate::effects;
use crate::page;
use crate::record;
use crate::store::{MapStore, View};

const LIMITS: Limits = Limits::DEFAULT.with_value_bytes_max(1 << 20);
const SNAPSHOT_PAGE: usize = 256;

/// An instance bound to one namespace.
#[derive(Debug)]
pub(crate) struct MapBackend {
    store: MapStore,
    namespace: Namespace,
    counters: Counters,
}

impl MapBackend {
    pub(crate) fn new(store: MapStore, namespace: Namespace) -> Self {
        Self { store, namespace, counters: Counters::default() }
    }

    pub(crate) fn lock(&self) -> View<'_> {
        self.store.lock(&self.namespace)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.store.now()
    }

    pub(crate) fn count<T>(&self, operation: Operation, answer: Result<T>) -> Result<T> {
        self.counters.count(operation, answer, |_, _| ())
    }

    fn read(&self, key: &Key, options: &GetOptions) -> Result<Option<Entry>> {
        LIMITS.check_key(key)?;
        if options.touch.is_some() && options.consistency == Consistency::Eventual {
            return Err(Error::invalid("a touch cannot be served by a replica"));
        }
        if let Some(touch) = options.touch {
            check_touch(touch, &self.store)?;
        }
        refuse(Acks::Primary, options.fence.as_ref(), None)?;
        let mut view = self.lock();
        let now = view.now;
        let Some(record) = view.find_mut(key) else { return Ok(None) };
        if let Some(touch) = options.touch {
            record.deadline = record::deadline(touch, record.deadline, now)?;
        }
        let mut entry = record.to_entry(now);
        if options.head {
            entry.value = Bytes::new();
        }
        Ok(Some(entry))
    }

    fn put(&self, key: &Key, value: Bytes, options: &PutOptions) -> Result<Written> {
        LIMITS.check_key(key)?;
        LIMITS.check_value(&value)?;
        Limits::check_expiry(options.expiry, self.store.now())?;
        refuse(options.acks, options.fence.as_ref(), options.op_id)?;
        effects::put(&mut self.lock(), key, value, options)
    }

    fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Deleted> {
        LIMITS.check_key(key)?;
        if options.precondition == Precondition::Absent {
            return Err(Error::invalid("a delete cannot need an absent entry"));
        }
        refuse(options.acks, options.fence.as_ref(), options.op_id)?;
        effects::delete(&mut self.lock(), key, options)
    }

    fn increment(&self, key: &Key, by: i64, options: &IncrementOptions) -> Result<Incremented> {
        LIMITS.check_key(key)?;
        Limits::check_expiry(options.expiry, self.store.now())?;
        refuse(options.acks, options.fence.as_ref(), options.op_id)?;
        effects::increment(&mut self.lock(), key, by, options)
    }

    fn touch(&self, key: &Key, options: &TouchOptions) -> Result<bool> {
        LIMITS.check_key(key)?;
        check_touch(options.expiry, &self.store)?;
        refuse(options.acks, options.fence.as_ref(), None)?;
        let mut view = self.lock();
        let now = view.now;
        let Some(record) = view.find_mut(key) else { return Ok(false) };
        record.deadline = record::deadline(options.expiry, record.deadline, now)?;
        Ok(true)
    }

    fn list(&self, options: &ListOptions) -> Result<Page<Meta>> {
        let limit = LIMITS.check_page(options.limit)?;
        let after = options.token.as_ref().map(page::key_of).transpose()?;
        let view = self.lock();
        let beyond = |key: &Key| options.after.as_ref().is_none_or(|name| key.name() > name);
        let mut rest = view
            .select(&options.prefix, &options.scope, after.as_ref())
            .filter(|(key, _)| beyond(key));
        let items = rest.by_ref().take(limit).map(|(key, record)| {
            let entry = record.to_entry(view.now);
            Meta::new(key.clone())
                .with_version(record.version)
                .with_expires(entry.expires)
                .with_value_bytes(record.value.len() as u64)
        });
        let items: Vec<Meta> = items.collect();
        let more = rest.next().is_some();
        let next = items.last().filter(|_| more).map(|last| page::token_after(&last.key));
        Ok(Page::new(items, next))
    }

    fn write(&self, op: WriteOp) -> Result<WriteOutcome> {
        match op {
            WriteOp::Put { key, value, options } => {
                self.put(&key, value, &options).map(WriteOutcome::Written)
            }
            WriteOp::Delete { key, options } => {
                self.delete(&key, &options).map(WriteOutcome::Deleted)
            }
            WriteOp::Increment { key, by, options } => {
                self.increment(&key, by, &options).map(WriteOutcome::Incremented)
            }
            _ => Err(Error::unsupported("this write")),
        }
    }

    /// Some records after the key `after`, and the last key if there may be more.
    fn records(
        &self,
        options: &SnapshotOptions,
        after: Option<&Key>,
    ) -> (Vec<Result<SnapshotRecord>>, Option<Key>) {
        let view = self.lock();
        let records = view.select(&options.prefix, &options.scope, after).take(SNAPSHOT_PAGE);
        let mut last = None;
        let records: Vec<_> = records
            .map(|(key, record)| {
                last = Some(key.clone());
                let (value, deadline) = (record.value.clone(), record.deadline);
                Ok(SnapshotRecord::Entry { key: key.clone(), value, deadline })
            })
            .collect();
        let more = records.len() == SNAPSHOT_PAGE;
        (records, last.filter(|_| more))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StateBackend for MapBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo::new("map", self.namespace.clone())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
            .with(Capability::Expiry)
            .with(Capability::OrderedList)
            .with(Capability::Transact)
            .with_limits(LIMITS)
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<Option<Entry>> {
        self.counters.count(Operation::Get, self.read(key, &options), |found, line| {
            line.hits += u64::from(found.is_some());
            line.misses += u64::from(found.is_none());
            line.bytes_out += found.as_ref().map_or(0, |entry| entry.value.len() as u64);
        })
    }

    async fn put_opts(&self, key: &Key, value: Bytes, options: PutOptions) -> Result<Written> {
        let bytes_in = (key.len_bytes() + value.len()) as u64;
        let answer = self.put(key, value, &options);
        self.counters.count(Operation::Put, answer, |_, line| line.bytes_in += bytes_in)
    }

    async fn delete_opts(&self, key: &Key, options: DeleteOptions) -> Result<Deleted> {
        self.counters.count(Operation::Delete, self.delete(key, &options), |_, _| ())
    }

    async fn increment_opts(
        &self,
        key: &Key,
        by: i64,
        options: IncrementOptions,
    ) -> Result<Incremented> {
        self.counters.count(Operation::Increment, self.increment(key, by, &options), |_, _| ())
    }

    async fn touch_opts(&self, key: &Key, options: TouchOptions) -> Result<bool> {
        self.counters.count(Operation::Touch, self.touch(key, &options), |_, _| ())
    }

    async fn list_page(&self, options: ListOptions) -> Result<Page<Meta>> {
        self.counters.count(Operation::List, self.list(&options), |_, _| ())
    }

    async fn count_opts(&self, options: CountOptions) -> Result<u64> {
        let counted = self.lock().select(&options.prefix, &options.scope, None).count() as u64;
        self.counters.count(Operation::Count, Ok(counted), |_, _| ())
    }

    async fn get_many(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let answer = LIMITS.check_batch(keys.len());
        let answer = answer.map(|()| keys.iter().map(|key| self.read(key, &options)).collect());
        self.counters.count(Operation::GetMany, answer, |_: &Vec<_>, _| ())
    }

    async fn write_many(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<WriteOutcome>>> {
        let answer = LIMITS.check_batch(ops.len());
        let answer = answer.map(|()| ops.into_iter().map(|op| self.write(op)).collect());
        self.counters.count(Operation::WriteMany, answer, |_: &Vec<_>, _| ())
    }

    async fn clear_opts(&self, options: ClearOptions) -> Result<u64> {
        let refused = refuse(options.acks, options.fence.as_ref(), None);
        let answer = refused.map(|()| self.lock().clear(&options.prefix, &options.scope));
        self.counters.count(Operation::Clear, answer, |_, _| ())
    }

    async fn snapshot_opts(
        &self,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        let reader = Self::new(self.store.clone(), self.namespace.clone());
        let pages = stream::unfold(Some(None), move |after: Option<Option<Key>>| {
            let page = after.map(|after| reader.records(&options, after.as_ref()));
            std::future::ready(page.map(|(records, last)| (stream::iter(records), last.map(Some))))
        });
        self.counters.count(Operation::Snapshot, Ok(pages.flatten().boxed()), |_, _| ())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn stats(&self) -> Result<Stats> {
        Ok(self.counters.stats())
    }

    async fn health(&self) -> Result<Health> {
        Ok(Health::healthy())
    }

    async fn memory_usage(&self) -> Result<MemoryUsage> {
        let (entries, bytes) = self.lock().usage();
        Ok(MemoryUsage::new(entries, bytes))
    }

    fn as_hash(&self) -> Option<&dyn HashStore> {
        None
    }

    fn as_transact(&self) -> Option<&dyn Transact> {
        Some(self)
    }

    fn as_watch(&self) -> Option<&dyn Watch> {
        None
    }

    fn as_lease(&self) -> Option<&dyn LeaseStore> {
        None
    }
}

/// Refuses what this backend does not offer, before anything is read or written.
pub(crate) fn refuse(acks: Acks, fence: Option<&Fence>, op_id: Option<OpId>) -> Result<()> {
    if !matches!(acks, Acks::Primary | Acks::Replicas(0)) {
        return Err(Error::unsupported("an acknowledgement beyond the primary's"));
    }
    if fence.is_some() {
        return Err(Error::unsupported("a fence"));
    }
    if op_id.is_some() {
        return Err(Error::unsupported("an operation id"));
    }
    Ok(())
}

fn check_touch(expiry: Expiry, store: &MapStore) -> Result<()> {
    if expiry == Expiry::Keep {
        return Err(Error::invalid("a touch that keeps the lifetime changes nothing"));
    }
    Limits::check_expiry(expiry, store.now())
}
