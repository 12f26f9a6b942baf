//! Threads as a whole: their lifetime, owners, summaries, copies and ends.

use std::time::Duration;

use super::{CheckpointNamespace, Ownership, ThreadId};
use crate::options::with_methods;
use crate::{Acks, Error, ErrorKind, Expires, Result, Timestamp};

/// What a call does to the lifetime of a thread. A thread expires as a whole, never in part.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ThreadLifetime {
    /// As configured: begins anew with the configured lifetime, or none; a pinned thread stays
    /// pinned.
    #[default]
    Default,
    /// Begins anew with this one, at least 1 ms and at most 10 years; a pinned thread is no
    /// longer pinned.
    After(Duration),
    /// The thread has no end, and stays so until a call names another lifetime.
    Pinned,
    /// Whatever it is; as `Default` where the call makes the thread.
    Keep,
}

/// What is known of a thread as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ThreadSummary {
    /// The thread.
    pub thread: ThreadId,
    /// How many checkpoints it shows, in all its namespaces.
    pub checkpoints: u64,
    /// What it uses in the store, in bytes; an estimate of what deleting it would free.
    pub bytes: u64,
    /// When it was last written to, by the clock of the store.
    pub last_write: Timestamp,
    /// When it ends.
    pub expires: Expires,
    /// Whether it was pinned.
    pub pinned: bool,
    /// Why nothing but its name is known, and all else here says nothing: `Corrupt`, or
    /// `Unsupported` for a thread that a later version has written. The other threads are listed all the same; a call on this one has the
    /// whole error.
    pub unreadable: Option<ErrorKind>,
}

impl ThreadSummary {
    /// A thread without checkpoints.
    pub const fn new(thread: ThreadId, last_write: Timestamp) -> Self {
        Self {
            thread,
            checkpoints: 0,
            bytes: 0,
            last_write,
            expires: Expires::Unknown,
            pinned: false,
            unreadable: None,
        }
    }

    /// A thread that is there and cannot be read, because of what its store has read of it.
    ///
    /// # Errors
    /// An error that says nothing of what is stored comes back.
    pub fn of_unreadable(thread: ThreadId, error: Error) -> Result<Self> {
        let kind @ (ErrorKind::Corrupt | ErrorKind::Unsupported) = error.kind() else {
            return Err(error);
        };
        let mut summary = Self::new(thread, Timestamp::from_unix_ms(0));
        summary.unreadable = Some(kind);
        Ok(summary)
    }
}

/// A thread to be deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeleteThread {
    /// The thread.
    pub thread: ThreadId,
    /// Leaves a mark for this long, so that a late write gets `Conflict` instead of making the
    /// thread anew. Default: no mark.
    pub tombstone: Option<Duration>,
    /// Who may delete. `ParentIsLatest` is `Invalid` here.
    pub ownership: Ownership,
    /// How safe the deletion must be. Default: applied by the primary.
    pub acks: Acks,
}

impl DeleteThread {
    /// How long a mark stands where nothing else is said: 1 hour.
    pub const TOMBSTONE: Duration = Duration::from_secs(3_600);

    /// Deletes `thread` and leaves nothing.
    pub fn new(thread: impl Into<ThreadId>) -> Self {
        Self {
            thread: thread.into(),
            tombstone: None,
            ownership: Ownership::Anyone,
            acks: Acks::Primary,
        }
    }
}

with_methods!(DeleteThread {
    /// Leaves a mark for this long.
    with_tombstone => into tombstone: Option<Duration>,
    /// Sets who may delete.
    with_ownership => ownership: Ownership,
    /// Sets how safe the deletion must be.
    with_acks => acks: Acks,
});

/// A thread whose lifetime is set, or that is taken over, without putting anything into it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TouchThread {
    /// The thread.
    pub thread: ThreadId,
    /// Its lifetime from now on. Default: it stays what it is.
    pub lifetime: ThreadLifetime,
    /// Whose the thread is: the token of a holder is seen by the thread from now on.
    /// `ParentIsLatest` is `Invalid` here.
    pub ownership: Ownership,
    /// How safe the change must be. Default: applied by the primary.
    pub acks: Acks,
}

impl TouchThread {
    /// Leaves `thread` as it is.
    pub fn new(thread: impl Into<ThreadId>) -> Self {
        Self {
            thread: thread.into(),
            lifetime: ThreadLifetime::Keep,
            ownership: Ownership::Anyone,
            acks: Acks::Primary,
        }
    }
}

with_methods!(TouchThread {
    /// Sets its lifetime from now on.
    with_lifetime => lifetime: ThreadLifetime,
    /// Sets whose the thread is.
    with_ownership => ownership: Ownership,
    /// Sets how safe the change must be.
    with_acks => acks: Acks,
});

/// A thread, or a part of one, to be copied.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Only this checkpoint of this namespace and what it descends from; a *fork*. Default:
    /// everything.
    pub up_to: Option<(CheckpointNamespace, super::CheckpointId)>,
    /// The lifetime of the copy. Default: as configured.
    pub lifetime: ThreadLifetime,
    /// How safe the copy must be. Default: applied by the primary.
    pub acks: Acks,
}

impl CopyOptions {
    /// Copies everything.
    pub const fn new() -> Self {
        Self { up_to: None, lifetime: ThreadLifetime::Default, acks: Acks::Primary }
    }
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self::new()
    }
}

with_methods!(CopyOptions {
    /// Copies only this checkpoint and what it descends from.
    with_up_to => into up_to: Option<(CheckpointNamespace, super::CheckpointId)>,
    /// Sets the lifetime of the copy.
    with_lifetime => lifetime: ThreadLifetime,
    /// Sets how safe the copy must be.
    with_acks => acks: Acks,
});
