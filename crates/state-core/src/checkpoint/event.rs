//! What happens to threads, for those who follow them.

use super::{CheckpointRef, ThreadId};

/// Something that happened to a thread.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ThreadEvent {
    /// A checkpoint was put.
    Put(CheckpointRef),
    /// Writes were put beside a checkpoint.
    Writes(CheckpointRef),
    /// Checkpoints were removed from the thread, or the thread was copied to.
    Changed(ThreadId),
    /// The thread was deleted or has expired. Its expiry is told some time after its end, and not at
    /// all when the thread was made anew before. A watch of all threads may know the end of those
    /// only that were put or written to since it began.
    Deleted(ThreadId),
    /// Something may have been missed here: read anew.
    Gap,
}
