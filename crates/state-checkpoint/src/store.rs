//! What a store of threads does for the engine: the rows of one thread, changed in one step.
//!
//! The engine knows the rules of checkpoints and what the bytes mean; a store knows where rows
//! lie, which thread is alive, and what is one atomic step.
//!
//! # Numbers that only the store knows
//! An append does not say where it lands. What it adds is numbered from 0, and the store says in
//! [`Bases`] which numbers these have become: of a version k, `bases.version + k`; of the content
//! byte at `p`, offset `bases.offset + p % 64 KiB` of segment `bases.segment + p / 64 KiB`. The
//! store keeps the bases beside each [`Part`] and gives them back with it. So an append needs no
//! knowledge of the thread's head, and two writers never conflict unless they ask for it.

mod parts;
mod requests;

use std::fmt::Debug;
use std::future::Future;

use async_trait::async_trait;
use bytes::Bytes;
use state_core::checkpoint::{
    CheckpointLimits, DeleteThread, ListThreads, ThreadEvent, ThreadId, ThreadSummary, TouchThread,
};
use state_core::{Acks, BackendInfo, BoxStream, Page, Result};

pub use parts::{Bases, Content, Found, Part, StoredRecord, StoredWrite};
pub use requests::{
    Along, Append, AppendWrites, Appended, CopyRecords, CopyThread, Keep, Life, Load, Loaded,
    NewWrite, PagePosition, ReadPage, RecordPage, Remove, Removed, Values, Want, WritesAppended,
    WritesPage,
};

/// A store of threads, each a set of rows that changes in one atomic step.
///
/// # Lives
/// A thread that is made anew, after its end or after a deletion, has another *generation*; what
/// is removed from a thread in use raises its *epoch*. Both together are its [`Life`]. A request
/// that was made for another life is answered with `None` or `Stale`, and nothing is done: the
/// engine reads anew.
///
/// # Errors
/// A row that must be there and is not, or that belongs to another generation, is `Corrupt`.
#[async_trait]
pub trait ThreadStore: Debug + Send + Sync + 'static {
    /// What the store says about itself, without secrets. No round trip.
    fn info(&self) -> BackendInfo;

    /// The limits that the store's rows put on ids, payloads and calls.
    fn limits(&self) -> CheckpointLimits;

    /// Refuses a level of safety that changes cannot have, with `Unsupported`. No round trip; the
    /// engine asks before it reads or writes anything.
    fn check_acks(&self, acks: Acks) -> Result<()>;

    /// Refuses lifetimes, and so tombstones, with `Unsupported` where there are none. No round trip.
    fn check_expiry(&self) -> Result<()>;

    /// Runs a call whose requests are few, so that one deadline holds for all of them, where the
    /// store has deadlines. Others have the time of a call anew with each step.
    fn in_one<T>(&self, call: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send
    where
        Self: Sized;

    /// Reads one checkpoint with its writes; `None` when it, or the thread, is absent.
    async fn load(&self, load: Load<'_>) -> Result<Option<Loaded>>;

    /// Reads what values are made from. May answer more than was asked for: what that needs in
    /// turn. `None` when the thread has another life now.
    async fn values(&self, thread: &ThreadId, life: Life, want: &Want) -> Result<Option<Values>>;

    /// Adds a checkpoint.
    async fn append(&self, append: &Append) -> Result<Appended>;

    /// Adds writes beside a checkpoint.
    async fn append_writes(&self, writes: &AppendWrites) -> Result<WritesAppended>;

    /// Reads records by falling id.
    async fn page(&self, page: ReadPage<'_>) -> Result<Option<RecordPage>>;

    /// Reads the writes of the thread page by page, also those whose checkpoint has not been put:
    /// from the beginning, or from where a page said that it goes on. `None` when the thread has
    /// another life now.
    async fn writes(
        &self,
        thread: &ThreadId,
        life: Life,
        after: Option<Bytes>,
    ) -> Result<Option<WritesPage>>;

    /// Takes records out of sight or away, in steps of at most 1,000, and the thread itself where
    /// it holds nothing any more. `None` when the thread has another life now, and nothing, or
    /// only the first steps, were done; also when the answer of a step was lost, which was done
    /// therefore.
    async fn remove(&self, remove: &Remove) -> Result<Option<Removed>>;

    /// Finishes what a call has left that was cut short: takes a thread away that holds neither
    /// checkpoints nor writes, and of an absent one whatever is there still.
    async fn drop_empty(&self, thread: &ThreadId, acks: Acks) -> Result<()>;

    /// Takes away the content that is not to be kept; `false` when the thread was written to
    /// meanwhile, so that what is to be kept must be found out anew.
    async fn sweep(&self, thread: &ThreadId, keep: &Keep) -> Result<bool>;

    /// Copies a thread and returns how many checkpoints the copy has; `None` when there is no
    /// such thread.
    async fn copy(&self, copy: &CopyThread) -> Result<Option<u64>>;

    /// Sets the lifetime of a thread, and whose it is; whether there is such a thread. Not a change
    /// that those who follow the thread are told.
    async fn touch(&self, touch: &TouchThread) -> Result<bool>;

    /// Deletes a thread with everything that belongs to it, and returns how many checkpoints it
    /// showed; `None` when there was no such thread.
    async fn delete(&self, delete: &DeleteThread) -> Result<Option<u64>>;

    /// Lists threads page by page.
    async fn threads(&self, list: &ListThreads) -> Result<Page<ThreadSummary>>;

    /// The threads that may hold checkpoints of a run; may name too many, never too few.
    async fn threads_of_run(&self, run: &str) -> Result<Vec<ThreadId>>;

    /// Follows what happens to a thread, or to all of them.
    async fn watch(
        &self,
        thread: Option<ThreadId>,
    ) -> Result<BoxStream<'static, Result<ThreadEvent>>>;
}
