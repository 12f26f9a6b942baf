//! A backend between whose calls something else happens, once, or one of whose calls fails.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use state_core::{
    BackendInfo, BoxStream, Capabilities, ClearOptions, CountOptions, DeleteOptions, Deleted,
    Entry, Error, GetOptions, HashStore, Health, IncrementOptions, Incremented, Key, LeaseStore,
    ListOptions, MemoryUsage, Meta, Page, PutOptions, Result, SnapshotOptions, SnapshotRecord,
    StateBackend, Stats, TouchOptions, Transact, Transaction, Watch, WriteOp, WriteOutcome,
    Written,
};

/// Lets something happen before one of the calls that are made through it.
pub(crate) struct Meddler {
    inner: Arc<dyn StateBackend>,
    /// Whether transactions alone are counted.
    transactions: bool,
    made: AtomicUsize,
    pending: Mutex<Option<(usize, BoxFuture<'static, Result<()>>)>>,
}

impl fmt::Debug for Meddler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meddler").field("made", &self.made).finish_non_exhaustive()
    }
}

impl Meddler {
    /// Lets `what` happen before call number `at`, counted from 0.
    pub(crate) fn new(
        inner: Arc<dyn StateBackend>,
        at: usize,
        what: BoxFuture<'static, ()>,
    ) -> Arc<Self> {
        Self::before(inner, false, at, what.map(Ok).boxed())
    }

    /// Refuses call number `at`, counted from 0, with `error`.
    pub(crate) fn refusing(inner: Arc<dyn StateBackend>, at: usize, error: Error) -> Arc<Self> {
        Self::before(inner, false, at, std::future::ready(Err(error)).boxed())
    }

    /// Lets `what` happen before transaction number `at`, counted from 0.
    pub(crate) fn before_transaction(
        inner: Arc<dyn StateBackend>,
        at: usize,
        what: BoxFuture<'static, ()>,
    ) -> Arc<Self> {
        Self::before(inner, true, at, what.map(Ok).boxed())
    }

    fn before(
        inner: Arc<dyn StateBackend>,
        transactions: bool,
        at: usize,
        what: BoxFuture<'static, Result<()>>,
    ) -> Arc<Self> {
        let (made, pending) = (AtomicUsize::new(0), Mutex::new(Some((at, what))));
        Arc::new(Self { inner, transactions, made, pending })
    }

    /// Whether it has happened.
    pub(crate) fn has_happened(&self) -> bool {
        self.pending.lock().is_none()
    }

    async fn step(&self) -> Result<()> {
        if self.transactions { Ok(()) } else { self.count().await }
    }

    async fn count(&self) -> Result<()> {
        let call = self.made.fetch_add(1, Ordering::SeqCst);
        let due = self.pending.lock().take_if(|(at, _)| *at == call);
        match due {
            Some((_, what)) => what.await,
            None => Ok(()),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StateBackend for Meddler {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<Option<Entry>> {
        self.step().await?;
        self.inner.get_opts(key, options).await
    }

    async fn put_opts(&self, key: &Key, value: Bytes, options: PutOptions) -> Result<Written> {
        self.step().await?;
        self.inner.put_opts(key, value, options).await
    }

    async fn delete_opts(&self, key: &Key, options: DeleteOptions) -> Result<Deleted> {
        self.step().await?;
        self.inner.delete_opts(key, options).await
    }

    async fn increment_opts(
        &self,
        key: &Key,
        by: i64,
        options: IncrementOptions,
    ) -> Result<Incremented> {
        self.step().await?;
        self.inner.increment_opts(key, by, options).await
    }

    async fn touch_opts(&self, key: &Key, options: TouchOptions) -> Result<bool> {
        self.step().await?;
        self.inner.touch_opts(key, options).await
    }

    async fn list_page(&self, options: ListOptions) -> Result<Page<Meta>> {
        self.step().await?;
        self.inner.list_page(options).await
    }

    async fn count_opts(&self, options: CountOptions) -> Result<u64> {
        self.step().await?;
        self.inner.count_opts(options).await
    }

    async fn get_many(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.step().await?;
        self.inner.get_many(keys, options).await
    }

    async fn write_many(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<WriteOutcome>>> {
        self.step().await?;
        self.inner.write_many(ops).await
    }

    async fn clear_opts(&self, options: ClearOptions) -> Result<u64> {
        self.step().await?;
        self.inner.clear_opts(options).await
    }

    async fn snapshot_opts(
        &self,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        self.step().await?;
        self.inner.snapshot_opts(options).await
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.inner.stats().await
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    async fn memory_usage(&self) -> Result<MemoryUsage> {
        self.inner.memory_usage().await
    }

    fn as_hash(&self) -> Option<&dyn HashStore> {
        self.inner.as_hash()
    }

    fn as_transact(&self) -> Option<&dyn Transact> {
        Some(self)
    }

    fn as_watch(&self) -> Option<&dyn Watch> {
        self.inner.as_watch()
    }

    fn as_lease(&self) -> Option<&dyn LeaseStore> {
        self.inner.as_lease()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transact for Meddler {
    async fn transact(&self, transaction: Transaction) -> Result<Vec<WriteOutcome>> {
        self.count().await?;
        let Some(transact) = self.inner.as_transact() else {
            return Err(Error::unsupported("a transaction"));
        };
        transact.transact(transaction).await
    }
}
