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
    SnapshotOptions, SnapshotRecord, StateBackend, Stats, TouchOptions, Transact, Transaction,
    Watch, WriteOp, WriteOutcome, Written,
};

use tracing::Instrument as _;

use super::RedisBackend;
use crate::stats::Call;

impl RedisBackend {
    /// Runs a call, and counts and times it. Callers pin `work` where they make it: moved into here, and
    /// from here into the span, it would be copied with all the room that it needs.
    async fn counted<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T>> + Send,
        call: impl FnOnce(&T) -> Call + Send,
    ) -> Result<T> {
        let started = tokio::time::Instant::now();
        // Never a key or a value: who may read a log may not read the store.
        let span = tracing::debug_span!(
            "redis",
            op = operation.name(),
            namespace = %self.inner.namespace,
            attempts = tracing::field::Empty,
            outcome = tracing::field::Empty,
            kind = tracing::field::Empty,
        );
        let result = work.instrument(span.clone()).await;
        match &result {
            Ok(_) => span.record("outcome", tracing::field::display("ok")),
            Err(error) => span
                .record("outcome", tracing::field::display(error.outcome()))
                .record("kind", error.kind().name()),
        };
        let counters = &self.inner.counters;
        counters.count(operation, started.elapsed(), result.as_ref().map(call).ok());
        result.map_err(|error| error.with_op(operation.name()))
    }

    async fn timed<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.counted(operation, work, |_| Call::default()).await
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
        let bytes_in = key.len_bytes() as u64;
        self.counted(Operation::Get, pin!(self.inner.get_one(key, &options)), |found| {
            let mut call = Call { bytes_in, ..Call::default() };
            found_in(&mut call, found.as_ref());
            call
        })
        .await
    }

    async fn put_opts(&self, key: &Key, value: Bytes, options: PutOptions) -> Result<Written> {
        let bytes_in = (key.len_bytes() + value.len()) as u64;
        let call = |_: &Written| Call { bytes_in, ..Call::default() };
        self.counted(Operation::Put, pin!(self.inner.put_one(key, &value, &options)), call).await
    }

    async fn delete_opts(&self, key: &Key, options: DeleteOptions) -> Result<Deleted> {
        let bytes_in = key.len_bytes() as u64;
        self.counted(Operation::Delete, pin!(self.inner.delete_one(key, &options)), |deleted| {
            Call {
                hits: u64::from(deleted.existed),
                misses: u64::from(!deleted.existed),
                bytes_in,
                bytes_out: deleted.previous.as_ref().map_or(0, |entry| entry.value.len() as u64),
            }
        })
        .await
    }

    async fn increment_opts(
        &self,
        key: &Key,
        by: i64,
        options: IncrementOptions,
    ) -> Result<Incremented> {
        let bytes_in = key.len_bytes() as u64;
        let call = |_: &Incremented| Call { bytes_in, ..Call::default() };
        self.counted(Operation::Increment, pin!(self.inner.increment_one(key, by, &options)), call)
            .await
    }

    async fn touch_opts(&self, key: &Key, options: TouchOptions) -> Result<bool> {
        let bytes_in = key.len_bytes() as u64;
        self.counted(Operation::Touch, pin!(self.inner.touch_one(key, &options)), |touched| Call {
            hits: u64::from(*touched),
            misses: u64::from(!touched),
            bytes_in,
            bytes_out: 0,
        })
        .await
    }

    async fn list_page(&self, options: ListOptions) -> Result<Page<Meta>> {
        self.timed(Operation::List, pin!(self.inner.list(&options))).await
    }

    async fn count_opts(&self, options: CountOptions) -> Result<u64> {
        self.timed(Operation::Count, pin!(self.inner.count(&options))).await
    }

    async fn get_many(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let bytes_in = keys.iter().map(|key| key.len_bytes() as u64).sum();
        self.counted(Operation::GetMany, pin!(self.inner.get_each(keys, &options)), |found| {
            let mut call = Call { bytes_in, ..Call::default() };
            for entry in found.iter().filter_map(|entry| entry.as_ref().ok()) {
                found_in(&mut call, entry.as_ref());
            }
            call
        })
        .await
    }

    async fn write_many(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<WriteOutcome>>> {
        let bytes_in = ops.iter().map(size).sum();
        let call = |_: &Vec<_>| Call { bytes_in, ..Call::default() };
        self.counted(Operation::WriteMany, pin!(self.inner.write_each(&ops)), call).await
    }

    async fn clear_opts(&self, options: ClearOptions) -> Result<u64> {
        self.timed(Operation::Clear, pin!(self.inner.clear(&options))).await
    }

    async fn snapshot_opts(
        &self,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        let records = Arc::clone(&self.inner).records(options);
        self.timed(Operation::Snapshot, std::future::ready(Ok(records))).await
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
        self.inner.memory().await
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
        self.timed(Operation::Hash, pin!(self.inner.fields_set(key, fields, &options))).await
    }

    async fn hash_get(
        &self,
        key: &Key,
        fields: &[Bytes],
        consistency: Consistency,
    ) -> Result<Vec<Option<Bytes>>> {
        let work = pin!(self.inner.fields_get(key, fields, consistency));
        self.counted(Operation::Hash, work, |found| {
            let hits = found.iter().flatten().count() as u64;
            let bytes_out = found.iter().flatten().map(|value| value.len() as u64).sum();
            Call { hits, misses: found.len() as u64 - hits, bytes_in: 0, bytes_out }
        })
        .await
    }

    async fn hash_delete(
        &self,
        key: &Key,
        fields: &[Bytes],
        options: HashWriteOptions,
    ) -> Result<u64> {
        self.timed(Operation::Hash, pin!(self.inner.fields_delete(key, fields, &options))).await
    }

    async fn hash_increment(
        &self,
        key: &Key,
        field: &Bytes,
        by: i64,
        options: HashWriteOptions,
    ) -> Result<i64> {
        self.timed(Operation::Hash, pin!(self.inner.field_increment(key, field, by, &options)))
            .await
    }

    async fn hash_page(&self, key: &Key, options: HashPageOptions) -> Result<Page<(Bytes, Bytes)>> {
        self.timed(Operation::Hash, pin!(self.inner.fields_page(key, &options))).await
    }

    async fn hash_state(&self, key: &Key, consistency: Consistency) -> Result<Option<HashState>> {
        self.timed(Operation::Hash, pin!(self.inner.fields_state(key, consistency))).await
    }

    async fn hash_remove(&self, key: &Key, options: HashWriteOptions) -> Result<bool> {
        self.timed(Operation::Hash, pin!(self.inner.fields_remove(key, &options))).await
    }
}

#[async_trait]
impl Transact for RedisBackend {
    async fn transact(&self, transaction: Transaction) -> Result<Vec<WriteOutcome>> {
        self.timed(Operation::Transact, pin!(self.inner.transact_all(&transaction))).await
    }
}

#[async_trait]
impl LeaseStore for RedisBackend {
    async fn acquire_lease(&self, name: &Key, options: AcquireOptions) -> Result<Acquired> {
        self.timed(Operation::Lease, pin!(self.inner.lease_acquire(name, &options))).await
    }

    async fn renew_lease(
        &self,
        name: &Key,
        token: FenceToken,
        options: AcquireOptions,
    ) -> Result<LeaseGrant> {
        self.timed(Operation::Lease, pin!(self.inner.lease_renew(name, token, &options))).await
    }

    async fn release_lease(&self, name: &Key, owner: OwnerId, token: FenceToken) -> Result<bool> {
        self.timed(Operation::Lease, pin!(self.inner.lease_release(name, owner, token))).await
    }

    async fn read_lease(&self, name: &Key) -> Result<Option<LeaseState>> {
        self.timed(Operation::Lease, pin!(self.inner.lease_read(name))).await
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

fn size(op: &WriteOp) -> u64 {
    let value = if let WriteOp::Put { value, .. } = op { value.len() } else { 0 };
    (op.key().len_bytes() + value) as u64
}
