//! The roles of a space: hashes, transactions, watching, leases.

use std::sync::Arc;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use state_core::{
    AcquireOptions, Acquired, Consistency, FenceToken, HashPageOptions, HashState,
    HashWriteOptions, Key, LeaseGrant, LeaseState, Operation, OwnerId, Page, Result, Transaction,
    WatchEvent, WatchOptions, WriteOutcome,
};

use super::Local;
use super::calls::within;
use crate::engine::Tx;
use crate::reach::Reach;
use crate::space::Space;
use crate::stats::Call;
use crate::watch;

impl<S: Space> Local<S> {
    async fn written<T: Send + 'static>(
        &self,
        operation: Operation,
        reach: Reach,
        key: &Key,
        work: impl FnOnce(&mut Tx<'_>, &Key) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let work = |tx: &mut Tx<'_>, key: &Key, (): &()| work(tx, key);
        let written = self.space.write_key(reach, key, &(), work).await;
        self.counted(operation, written, |_| Call::default())
    }

    pub(crate) async fn hash_set(
        &self,
        key: &Key,
        fields: Vec<(Bytes, Bytes)>,
        options: HashWriteOptions,
    ) -> Result<u64> {
        let reach = within(key, options.fence.as_ref());
        let work = move |tx: &mut Tx<'_>, key: &Key| tx.hash_set(key, fields, &options);
        self.written(Operation::Hash, reach, key, work).await
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn hash_get(
        &self,
        key: &Key,
        fields: &[Bytes],
        consistency: Consistency,
    ) -> Result<Vec<Option<Bytes>>> {
        let found =
            self.space.read_within(Reach::of(key), |view| view.hash_get(key, fields, consistency));
        self.counted(Operation::Hash, found, |found| {
            let hits = found.iter().flatten().count() as u64;
            let bytes_out = found.iter().flatten().map(|value| value.len() as u64).sum();
            Call { hits, misses: found.len() as u64 - hits, bytes_in: 0, bytes_out }
        })
    }

    pub(crate) async fn hash_delete(
        &self,
        key: &Key,
        fields: &[Bytes],
        options: HashWriteOptions,
    ) -> Result<u64> {
        let reach = within(key, options.fence.as_ref());
        let fields = fields.to_vec();
        let work = move |tx: &mut Tx<'_>, key: &Key| tx.hash_delete(key, &fields, &options);
        self.written(Operation::Hash, reach, key, work).await
    }

    pub(crate) async fn hash_increment(
        &self,
        key: &Key,
        field: &Bytes,
        by: i64,
        options: HashWriteOptions,
    ) -> Result<i64> {
        let reach = within(key, options.fence.as_ref());
        let field = field.clone();
        let work = move |tx: &mut Tx<'_>, key: &Key| tx.hash_increment(key, &field, by, &options);
        self.written(Operation::Hash, reach, key, work).await
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn hash_page(
        &self,
        key: &Key,
        options: HashPageOptions,
    ) -> Result<Page<(Bytes, Bytes)>> {
        let page = self.space.read_within(Reach::of(key), |view| view.hash_page(key, &options));
        self.counted(Operation::Hash, page, |_| Call::default())
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn hash_state(
        &self,
        key: &Key,
        consistency: Consistency,
    ) -> Result<Option<HashState>> {
        let state =
            self.space.read_within(Reach::of(key), |view| view.hash_state(key, consistency));
        self.counted(Operation::Hash, state, |_| Call::default())
    }

    pub(crate) async fn hash_remove(&self, key: &Key, options: HashWriteOptions) -> Result<bool> {
        let reach = within(key, options.fence.as_ref());
        let work = move |tx: &mut Tx<'_>, key: &Key| tx.hash_remove(key, &options);
        self.written(Operation::Hash, reach, key, work).await
    }

    pub(crate) async fn transact(&self, transaction: Transaction) -> Result<Vec<WriteOutcome>> {
        let fence = transaction.fence.as_ref().map(|fence| &fence.lease);
        let reach = Reach::of_all(transaction.keys()).and(fence);
        let work = move |tx: &mut Tx<'_>| tx.transact(&transaction);
        let written = self.space.write_within(reach, work).await;
        self.counted(Operation::Transact, written, |_| Call::default())
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn watch(
        &self,
        options: WatchOptions,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        let events = watch::watch(Arc::clone(&self.space), options);
        self.counted(Operation::Watch, events, |_| Call::default())
    }

    pub(crate) async fn acquire_lease(
        &self,
        name: &Key,
        options: AcquireOptions,
    ) -> Result<Acquired> {
        let work = move |tx: &mut Tx<'_>, name: &Key| tx.acquire_lease(name, &options);
        self.written(Operation::Lease, Reach::of(name), name, work).await
    }

    pub(crate) async fn renew_lease(
        &self,
        name: &Key,
        token: FenceToken,
        options: AcquireOptions,
    ) -> Result<LeaseGrant> {
        let work = move |tx: &mut Tx<'_>, name: &Key| tx.renew_lease(name, token, &options);
        self.written(Operation::Lease, Reach::of(name), name, work).await
    }

    pub(crate) async fn release_lease(
        &self,
        name: &Key,
        owner: OwnerId,
        token: FenceToken,
    ) -> Result<bool> {
        let work = move |tx: &mut Tx<'_>, name: &Key| tx.release_lease(name, owner, token);
        self.written(Operation::Lease, Reach::of(name), name, work).await
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn read_lease(&self, name: &Key) -> Result<Option<LeaseState>> {
        let state = self.space.read_within(Reach::of(name), |view| view.lease(name));
        self.counted(Operation::Lease, state, |_| Call::default())
    }
}
