//! The driver trait of checkpoint stores.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{
    ChannelHistories, CheckpointLimits, CheckpointTuple, CopyOptions, DeleteRuns, DeleteThread,
    GetCheckpoint, HistoryOptions, ListCheckpoints, ListThreads, PruneOptions, PruneReport,
    PutCheckpoint, PutReceipt, PutWrites, ThreadEvent, ThreadId, ThreadSummary, TouchThread,
    WritesReceipt,
};
use crate::{BackendInfo, BoxStream, Page, Result};

/// A store of threads and their checkpoints.
///
/// This is the *driver* face: users call [`CheckpointerExt`](super::CheckpointerExt), which is
/// implemented for every driver.
///
/// # Contract
/// Every call on one thread is one atomic step unless it says otherwise. What is not there is
/// not an error; a store that cannot be reached is one, and never "no checkpoint". Input is
/// checked against [`CheckpointLimits`] before anything else, and options that a store does not
/// support are refused with `Unsupported` before anything is read or written. The clauses are
/// the family `ckpt` of `docs/CONTRACT.md`.
///
/// # Retrying
/// A put, a write or a deletion that is sent twice is there once: the same checkpoint under the
/// same id is "there already", another one under that id is a `Conflict`; a regular write that
/// is there stays as it is.
///
/// # Cancellation
/// Dropping the future of a read has no effect. Dropping the future of a write does not take it
/// back: it is applied whole or not at all, now or later; calls over several threads may be
/// applied for some of them.
#[async_trait]
pub trait Checkpointer: Debug + Send + Sync + 'static {
    /// What the store says about itself, without secrets. No round trip.
    fn info(&self) -> BackendInfo;

    /// The limits of this instance. No round trip.
    fn limits(&self) -> CheckpointLimits;

    /// Puts a checkpoint with the channels that changed.
    ///
    /// # Errors
    /// `Conflict` when another checkpoint has the id, when the parent is not the latest where
    /// that is asked for, and when a tombstone stands; `Fenced` for a stale token; `Invalid` or
    /// `TooLarge` for the input. Nothing is written then.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn put_checkpoint(&self, put: PutCheckpoint) -> Result<PutReceipt>;

    /// Puts writes beside a checkpoint, which may not be there yet: such writes are kept, and
    /// do not make a checkpoint.
    ///
    /// # Errors
    /// As [`put_checkpoint`](Self::put_checkpoint).
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn put_writes(&self, put: PutWrites) -> Result<WritesReceipt>;

    /// Reads a checkpoint with its values and pending writes; `None` when it is absent.
    ///
    /// # Errors
    /// `Corrupt` when a part of it is missing or damaged: never a shorter answer.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn get_checkpoint(&self, get: GetCheckpoint) -> Result<Option<CheckpointTuple>>;

    /// Lists checkpoints page by page, newest first. A page examines at most 1,000 records, so
    /// it may be short, or empty, and carry a token.
    ///
    /// # Errors
    /// `Invalid` for a limit of 0, a filter that is no single value, and a token that was not
    /// made for this listing.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn list_checkpoints(&self, list: ListCheckpoints) -> Result<Page<CheckpointTuple>>;

    /// Lists threads page by page, in an order of the store's own; each thread that is there the
    /// whole time once. A store whose index of threads tells when they were made lists the newest
    /// first; others list by the bytes of the names, or as they can. Among the stores of this
    /// workspace, the first is Redis, and the second whatever is kept over a backend.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn list_threads(&self, list: ListThreads) -> Result<Page<ThreadSummary>>;

    /// Sets the lifetime of a thread, and whose it is, and changes nothing else; returns whether
    /// there is such a thread. Under the token of a holder, stale holders are refused from now on,
    /// so that what is read afterwards is the latest until this one puts. Nobody is told.
    ///
    /// # Errors
    /// `Fenced` for a stale token, and `Invalid` for a bad lifetime. Nothing is written then.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn touch_thread(&self, touch: TouchThread) -> Result<bool>;

    /// Deletes a thread with everything that belongs to it, and returns whether there was one.
    ///
    /// Cancellation: dropping the future does not take it back; the thread is deleted whole or not at
    /// all, and what it held may stay in the store, out of sight.
    async fn delete_thread_opts(&self, delete: DeleteThread) -> Result<bool>;

    /// Deletes the checkpoints, in all threads, whose metadata names one of the runs as `run_id`,
    /// with their writes, and returns how many there were. What remaining ones are rebuilt from
    /// stays, out of sight, as [`prune`](Self::prune) leaves it. Goes on in steps of a thread
    /// each. A call that was cut short is finished by the same call, which counts what it finds
    /// itself.
    ///
    /// # Errors
    /// `Fenced` for a token that is stale in one of the threads: those before it may be done.
    ///
    /// Cancellation: dropping the future leaves any of the steps made or not, each of them whole.
    async fn delete_for_runs_opts(&self, delete: DeleteRuns) -> Result<u64>;

    /// Copies a thread under another name and returns how many checkpoints the copy has; 0, and
    /// nothing done, when there is no such thread. The copy is not seen before it is complete,
    /// and holds the source as it was at one point in time.
    ///
    /// # Errors
    /// `Conflict` when the other thread exists, also where an earlier try has made it; `Invalid`
    /// when it is the same.
    ///
    /// Cancellation: dropping the future leaves the whole copy or none; a part of it may stay in the
    /// store, out of sight.
    async fn copy_thread_opts(
        &self,
        from: &ThreadId,
        to: &ThreadId,
        options: CopyOptions,
    ) -> Result<u64>;

    /// Removes checkpoints that need not be kept. What remaining ones are rebuilt from stays,
    /// out of sight. Goes on in steps of a thread each, and of at most 1,000 records. A call that
    /// was cut short is finished by the same call.
    ///
    /// Cancellation: dropping the future leaves any of the steps made or not, each of them whole.
    async fn prune(&self, threads: &[ThreadId], options: PruneOptions) -> Result<PruneReport>;

    /// Reads what was written to channels since their nearest stored value, by walking from
    /// parent to parent; one entry for each channel that was asked for.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn channel_history(&self, history: HistoryOptions) -> Result<ChannelHistories>;

    /// Follows what happens to a thread, or to all of them, from now on.
    ///
    /// # Errors
    /// `Unsupported` where the store cannot be followed.
    ///
    /// Cancellation: dropping the future or the stream ends the watch and nothing else.
    async fn watch_threads(
        &self,
        thread: Option<ThreadId>,
    ) -> Result<BoxStream<'static, Result<ThreadEvent>>>;
}
