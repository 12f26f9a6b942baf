//! The driver trait: what a backend or a decorator implements.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;

use crate::{
    BackendInfo, Capabilities, ClearOptions, CountOptions, DeleteOptions, Deleted, Entry,
    GetOptions, HashStore, Health, IncrementOptions, Incremented, Key, LeaseStore, ListOptions,
    MemoryUsage, Meta, Page, PutOptions, Result, SnapshotOptions, SnapshotRecord, Stats,
    TouchOptions, Transact, Watch, WriteOp, WriteOutcome, Written,
};

/// A store of opaque values under opaque keys, bound to one namespace.
///
/// This is the *driver* face: users call [`StateBackendExt`](crate::StateBackendExt), which is
/// implemented for every driver.
///
/// # Contract
/// Every method is one atomic step unless it says otherwise. Absent is not an error, and what
/// has expired is absent everywhere. An option that the backend does not support is refused with
/// `Unsupported` before anything is read or written; keys, values and lifetimes are checked
/// against [`Limits`](crate::Limits) before that. The clauses are in `docs/CONTRACT.md`.
///
/// # Cancellation
/// Dropping the future of a read has no effect. Dropping the future of a write does not take
/// the write back: it may be applied, now or later, but never in part.
///
/// # Decorators
/// There are no default bodies, so that a decorator cannot forget a method; put
/// `#[deny(clippy::missing_trait_methods)]` on its implementation all the same. A decorator
/// implements a role itself or returns `None`: handing out the inner store's role goes around
/// the decorator.
#[async_trait]
pub trait StateBackend: Debug + Send + Sync + 'static {
    /// What the backend says about itself, without secrets. No round trip.
    fn info(&self) -> BackendInfo;

    /// What holds for this instance, layers included. No round trip; never changes.
    fn capabilities(&self) -> Capabilities;

    /// Reads an entry; `None` when it is absent. One round trip.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` for the key, `Invalid` for the lifetime of a touch and for a
    /// touch with `Eventual`, `Fenced` for a stale token.
    ///
    /// Cancellation: dropping the future has no effect on the store; a touch may be applied.
    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<Option<Entry>>;

    /// Stores `value` under `key`, with its lifetime. One round trip.
    ///
    /// # Errors
    /// `Conflict` when the precondition does not hold, `Fenced` for a stale token, `TooLarge`
    /// or `Invalid` for key, value or lifetime; nothing is written then. `Unacknowledged` when
    /// it was written but not as safely as asked for.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn put_opts(&self, key: &Key, value: Bytes, options: PutOptions) -> Result<Written>;

    /// Removes an entry. One round trip.
    ///
    /// # Errors
    /// As [`put_opts`](Self::put_opts); the precondition `Absent` is `Invalid`.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn delete_opts(&self, key: &Key, options: DeleteOptions) -> Result<Deleted>;

    /// Adds `by` to the decimal number stored under `key`, absent being 0. One round trip.
    ///
    /// # Errors
    /// `Invalid`, with the value unchanged, when it is not an optional `-` and digits that fit
    /// `i64` (no plus sign, no leading zeros, no spaces), or when the sum does not fit.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn increment_opts(
        &self,
        key: &Key,
        by: i64,
        options: IncrementOptions,
    ) -> Result<Incremented>;

    /// Gives an entry another lifetime and leaves value and version alone; `false` when it is
    /// absent. One round trip.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn touch_opts(&self, key: &Key, options: TouchOptions) -> Result<bool>;

    /// Lists entries (not hashes) page by page: each entry that is there the whole time at least
    /// once, in key order and exactly once where
    /// [`OrderedList`](crate::Capability::OrderedList) is offered.
    ///
    /// # Errors
    /// `Invalid` for a limit of 0 and for a token that this backend did not make.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn list_page(&self, options: ListOptions) -> Result<Page<Meta>>;

    /// Counts entries (not hashes), each once.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn count_opts(&self, options: CountOptions) -> Result<u64>;

    /// Reads many entries; one answer per key, in the order asked for. Not a snapshot: each
    /// entry is read on its own.
    ///
    /// # Errors
    /// As a whole only when nothing is known of any key: `TooLarge` for the number of keys,
    /// `Fenced`, an unreachable store. A bad key fails alone.
    ///
    /// Cancellation: dropping the future has no effect on the store; touches may be applied.
    async fn get_many(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>>;

    /// Makes many writes, each on its own: a batch, not a transaction. One answer per write, in
    /// the order given; writes of the same key are made in that order.
    ///
    /// # Errors
    /// As a whole only when nothing was written: `TooLarge` for the number of writes, an
    /// unreachable store. A write that fails does not keep the others from being made.
    ///
    /// Cancellation: dropping the future leaves any of the writes applied or not, each of them whole.
    async fn write_many(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<WriteOutcome>>>;

    /// Removes entries and hashes and returns how many there were, expired ones not counted.
    /// Leases and fencing marks stay. Atomic where the capability
    /// [`PointInTimeSnapshot`](crate::Capability::PointInTimeSnapshot) is offered; elsewhere it
    /// goes on in steps, and what is written meanwhile may stay.
    ///
    /// Cancellation: dropping the future may leave it done whole or, where it goes on in steps, in part.
    async fn clear_opts(&self, options: ClearOptions) -> Result<u64>;

    /// Streams entries and hashes, in the state that
    /// [`Capabilities::snapshot`](crate::Capabilities::snapshot) promises. Expired records are
    /// left out. Memory use does not grow with the number of records.
    ///
    /// Cancellation: dropping the future or the stream ends the snapshot and nothing else.
    async fn snapshot_opts(
        &self,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>>;

    /// Asks the store for a sign of life. One round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn ping(&self) -> Result<()>;

    /// What this instance has done since it was opened. No round trip.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn stats(&self) -> Result<Stats>;

    /// How the store feels, and why. A store that cannot be reached is *unhealthy*, not an
    /// error.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn health(&self) -> Result<Health>;

    /// What the store uses.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn memory_usage(&self) -> Result<MemoryUsage>;

    /// Fields under one key, if the backend offers them.
    fn as_hash(&self) -> Option<&dyn HashStore>;

    /// Several keys in one step, if the backend offers it.
    fn as_transact(&self) -> Option<&dyn Transact>;

    /// Following changes, if the backend offers it.
    fn as_watch(&self) -> Option<&dyn Watch>;

    /// Leases, if the backend offers them.
    fn as_lease(&self) -> Option<&dyn LeaseStore>;
}
