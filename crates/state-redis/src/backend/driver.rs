//! The traits of the state layer for the backend.

use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use state_core::{
    AcquireOptions, Acquired, BackendInfo, Capabilities, ClearOptions, Consistency, CountOptions,
    DeleteOptions, Deleted, Entry, FenceToken, GetOptions, HashPageOptions, HashState, HashStore,
    HashWriteOptions, Health, IncrementOptions, Incremented, Key, LeaseGrant, LeaseState,
    LeaseStore, ListOptions, MemoryUsage, Meta, Operation, OwnerId, Page, PutOptions, Result,
    Scope, SnapshotOptions, SnapshotRecord, StateBackend, Stats, TouchOptions, Transact,
    Transaction, Watch, WriteOp, WriteOutcome, Written,
};

use super::RedisBackend;
use super::op::Op;
use crate::span::spanned;
use crate::stats::Call;

impl RedisBackend {
    /// Runs a call, and counts and times it. Callers pin `work` where they make it, as [`spanned`] asks.
    pub(super) async fn counted<T>(
        &self,
        op: &Op,
        work: impl Future<Output = Result<T>> + Send,
        call: impl FnOnce(&T) -> Call + Send,
    ) -> Result<T> {
        let result = spanned(op.name(), Some(&self.inner.namespace), work).await;
        let counters = &self.inner.counters;
        counters.count(op.kind(), op.elapsed(), result.as_ref().map(call).ok());
        result
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StateBackend for RedisBackend {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<Option<Entry>> {
        let op = self.inner.begin(Operation::Get);
        let bytes_in = key.len_bytes() as u64;
        self.counted(&op, pin!(self.inner.get_one(&op, key, &options)), |found| {
            let mut call = Call { bytes_in, ..Call::default() };
            found_in(&mut call, found.as_ref());
            call
        })
        .await
    }

    async fn put_opts(&self, key: &Key, value: Bytes, options: PutOptions) -> Result<Written> {
        let op = self.inner.begin(Operation::Put);
        let bytes_in = (key.len_bytes() + value.len()) as u64;
        let call = |_: &Written| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.put_one(&op, key, &value, &options)), call).await
    }

    async fn delete_opts(&self, key: &Key, options: DeleteOptions) -> Result<Deleted> {
        let op = self.inner.begin(Operation::Delete);
        let bytes_in = key.len_bytes() as u64;
        self.counted(&op, pin!(self.inner.delete_one(&op, key, &options)), |deleted| Call {
            hits: u64::from(deleted.existed),
            misses: u64::from(!deleted.existed),
            bytes_in,
            bytes_out: deleted.previous.as_ref().map_or(0, |entry| entry.value.len() as u64),
        })
        .await
    }

    async fn increment_opts(
        &self,
        key: &Key,
        by: i64,
        options: IncrementOptions,
    ) -> Result<Incremented> {
        let op = self.inner.begin(Operation::Increment);
        let bytes_in = key.len_bytes() as u64;
        let call = |_: &Incremented| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.increment_one(&op, key, by, &options)), call).await
    }

    async fn touch_opts(&self, key: &Key, options: TouchOptions) -> Result<bool> {
        let op = self.inner.begin(Operation::Touch);
        let bytes_in = key.len_bytes() as u64;
        self.counted(&op, pin!(self.inner.touch_one(&op, key, &options)), |touched| Call {
            hits: u64::from(*touched),
            misses: u64::from(!touched),
            bytes_in,
            bytes_out: 0,
        })
        .await
    }

    async fn list_page(&self, options: ListOptions) -> Result<Page<Meta>> {
        let op = self.inner.begin(Operation::List);
        let bytes_in = listed(&options.prefix, &options.scope);
        self.counted(&op, pin!(self.inner.list(&op, &options)), |page: &Page<Meta>| {
            let bytes_out = page.items.iter().map(|meta| meta.key.len_bytes() as u64).sum();
            Call { bytes_in, bytes_out, ..Call::default() }
        })
        .await
    }

    async fn count_opts(&self, options: CountOptions) -> Result<u64> {
        let op = self.inner.begin(Operation::Count);
        let bytes_in = listed(&options.prefix, &options.scope);
        let call = |_: &u64| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.count(&op, &options)), call).await
    }

    async fn get_many(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let op = self.inner.begin(Operation::GetMany);
        let bytes_in = keys.iter().map(|key| key.len_bytes() as u64).sum();
        self.counted(&op, pin!(self.inner.get_each(&op, keys, &options)), |found| {
            let mut call = Call { bytes_in, ..Call::default() };
            for entry in found.iter().filter_map(|entry| entry.as_ref().ok()) {
                found_in(&mut call, entry.as_ref());
            }
            call
        })
        .await
    }

    async fn write_many(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<WriteOutcome>>> {
        let op = self.inner.begin(Operation::WriteMany);
        let bytes_in = ops.iter().map(size).sum();
        self.counted(&op, pin!(self.inner.write_each(&op, &ops)), |done: &Vec<_>| {
            let done = done.iter().filter_map(|outcome| outcome.as_ref().ok());
            Call { bytes_in, bytes_out: done.map(returned).sum(), ..Call::default() }
        })
        .await
    }

    async fn clear_opts(&self, options: ClearOptions) -> Result<u64> {
        let op = self.inner.begin(Operation::Clear);
        let bytes_in = listed(&options.prefix, &options.scope);
        let call = |_: &u64| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.clear(&op, &options)), call).await
    }

    async fn snapshot_opts(
        &self,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        let op = self.inner.begin(Operation::Snapshot);
        let bytes_in = listed(&options.prefix, &options.scope);
        let call = |_: &BoxStream<'static, _>| Call { bytes_in, ..Call::default() };
        let records = Arc::clone(&self.inner).records(options);
        self.counted(&op, std::future::ready(Ok(records)), call).await
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await.map_err(|error| error.with_op("ping"))
    }

    async fn stats(&self) -> Result<Stats> {
        Ok(self.inner.counters.stats())
    }

    async fn health(&self) -> Result<Health> {
        Ok(self.inner.healthy().await)
    }

    async fn memory_usage(&self) -> Result<MemoryUsage> {
        // It counts: that is what takes its time.
        let op = self.inner.begin(Operation::Count);
        self.counted(&op, pin!(self.inner.memory(&op)), |_| Call::default()).await
    }

    fn as_hash(&self) -> Option<&dyn HashStore> {
        Some(self)
    }

    fn as_transact(&self) -> Option<&dyn Transact> {
        Some(self)
    }

    fn as_watch(&self) -> Option<&dyn Watch> {
        Some(self)
    }

    fn as_lease(&self) -> Option<&dyn LeaseStore> {
        Some(self)
    }
}

#[async_trait]
impl HashStore for RedisBackend {
    async fn hash_set(
        &self,
        key: &Key,
        fields: Vec<(Bytes, Bytes)>,
        options: HashWriteOptions,
    ) -> Result<u64> {
        let op = self.inner.begin(Operation::Hash);
        let given: usize = fields.iter().map(|(field, value)| field.len() + value.len()).sum();
        let bytes_in = (key.len_bytes() + given) as u64;
        let call = |_: &u64| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.fields_set(&op, key, fields, &options)), call).await
    }

    async fn hash_get(
        &self,
        key: &Key,
        fields: &[Bytes],
        consistency: Consistency,
    ) -> Result<Vec<Option<Bytes>>> {
        let op = self.inner.begin(Operation::Hash);
        let bytes_in = named(key, fields);
        let work = pin!(self.inner.fields_get(&op, key, fields, consistency));
        self.counted(&op, work, |found: &Vec<Option<Bytes>>| {
            let hits = found.iter().flatten().count() as u64;
            let bytes_out = found.iter().flatten().map(|value| value.len() as u64).sum();
            Call { hits, misses: found.len() as u64 - hits, bytes_in, bytes_out }
        })
        .await
    }

    async fn hash_delete(
        &self,
        key: &Key,
        fields: &[Bytes],
        options: HashWriteOptions,
    ) -> Result<u64> {
        let op = self.inner.begin(Operation::Hash);
        let bytes_in = named(key, fields);
        let call = |_: &u64| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.fields_delete(&op, key, fields, &options)), call).await
    }

    async fn hash_increment(
        &self,
        key: &Key,
        field: &Bytes,
        by: i64,
        options: HashWriteOptions,
    ) -> Result<i64> {
        let op = self.inner.begin(Operation::Hash);
        let bytes_in = named(key, std::slice::from_ref(field));
        let call = |_: &i64| Call { bytes_in, ..Call::default() };
        let work = pin!(self.inner.field_increment(&op, key, field, by, &options));
        self.counted(&op, work, call).await
    }

    async fn hash_page(&self, key: &Key, options: HashPageOptions) -> Result<Page<(Bytes, Bytes)>> {
        let op = self.inner.begin(Operation::Hash);
        let bytes_in = named(key, &[]);
        self.counted(&op, pin!(self.inner.fields_page(&op, key, &options)), |page: &Page<_>| {
            let sizes = page
                .items
                .iter()
                .map(|(field, value): &(Bytes, Bytes)| (field.len() + value.len()) as u64);
            Call { bytes_in, bytes_out: sizes.sum(), ..Call::default() }
        })
        .await
    }

    async fn hash_state(&self, key: &Key, consistency: Consistency) -> Result<Option<HashState>> {
        let op = self.inner.begin(Operation::Hash);
        let bytes_in = named(key, &[]);
        let call = |_: &Option<HashState>| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.fields_state(&op, key, consistency)), call).await
    }

    async fn hash_remove(&self, key: &Key, options: HashWriteOptions) -> Result<bool> {
        let op = self.inner.begin(Operation::Hash);
        let bytes_in = named(key, &[]);
        let call = |_: &bool| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.fields_remove(&op, key, &options)), call).await
    }
}

#[async_trait]
impl Transact for RedisBackend {
    async fn transact(&self, transaction: Transaction) -> Result<Vec<WriteOutcome>> {
        let op = self.inner.begin(Operation::Transact);
        let checked = transaction.checks.iter().map(|check| check.key.len_bytes() as u64);
        let bytes_in = checked.chain(transaction.ops.iter().map(size)).sum();
        self.counted(&op, pin!(self.inner.transact_all(&op, &transaction)), |done: &Vec<_>| Call {
            bytes_in,
            bytes_out: done.iter().map(returned).sum(),
            ..Call::default()
        })
        .await
    }
}

#[async_trait]
impl LeaseStore for RedisBackend {
    async fn acquire_lease(&self, name: &Key, options: AcquireOptions) -> Result<Acquired> {
        let op = self.inner.begin(Operation::Lease);
        let bytes_in = named(name, &[]);
        let call = |_: &Acquired| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.lease_acquire(&op, name, &options)), call).await
    }

    async fn renew_lease(
        &self,
        name: &Key,
        token: FenceToken,
        options: AcquireOptions,
    ) -> Result<LeaseGrant> {
        let op = self.inner.begin(Operation::Lease);
        let bytes_in = named(name, &[]);
        let call = |_: &LeaseGrant| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.lease_renew(&op, name, token, &options)), call).await
    }

    async fn release_lease(&self, name: &Key, owner: OwnerId, token: FenceToken) -> Result<bool> {
        let op = self.inner.begin(Operation::Lease);
        let bytes_in = named(name, &[]);
        let call = |_: &bool| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.lease_release(&op, name, owner, token)), call).await
    }

    async fn read_lease(&self, name: &Key) -> Result<Option<LeaseState>> {
        let op = self.inner.begin(Operation::Lease);
        let bytes_in = named(name, &[]);
        let call = |_: &Option<LeaseState>| Call { bytes_in, ..Call::default() };
        self.counted(&op, pin!(self.inner.lease_read(&op, name)), call).await
    }
}

fn found_in(call: &mut Call, found: Option<&Entry>) {
    match found {
        Some(entry) => {
            call.hits += 1;
            call.bytes_out += entry.value.len() as u64;
        }
        None => call.misses += 1,
    }
}

/// What a question about all keys under a prefix takes.
fn listed(prefix: &Bytes, scope: &Scope) -> u64 {
    let partition = if let Scope::Partition(name) = scope { name.len() } else { 0 };
    (prefix.len() + partition) as u64
}

/// What a key and names of fields take.
fn named(key: &Key, fields: &[Bytes]) -> u64 {
    (key.len_bytes() + fields.iter().map(Bytes::len).sum::<usize>()) as u64
}

/// The value that a write gives back.
fn returned(outcome: &WriteOutcome) -> u64 {
    let WriteOutcome::Deleted(deleted) = outcome else { return 0 };
    deleted.previous.as_ref().map_or(0, |entry| entry.value.len() as u64)
}

fn size(op: &WriteOp) -> u64 {
    let value = if let WriteOp::Put { value, .. } = op { value.len() } else { 0 };
    (op.key().len_bytes() + value) as u64
}
