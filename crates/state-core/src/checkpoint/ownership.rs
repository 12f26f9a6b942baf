//! Who may write to a thread.

use crate::Fence;

/// What must hold for a write to a thread to happen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ownership {
    /// Nothing. Two writers that continue from one checkpoint make two branches, and both are
    /// kept.
    #[default]
    Anyone,
    /// The holder of a lease: the store keeps the greatest token that it has seen with the
    /// thread and refuses a smaller one with `Fenced`.
    ///
    /// A thread sees a token when somebody writes under it, or takes the thread over with
    /// [`touch_thread`](super::Checkpointer::touch_thread): a read does not raise the mark. So a
    /// holder whose lease has passed on can still put until then, and what the next one has read
    /// before may not be the latest any more. Who must not miss such a put takes the thread over
    /// first, and reads then. Writers that name no owner are not refused.
    ///
    /// The marks are part of the thread: they go when it is deleted or expires, and a copy begins
    /// without any. A thread remembers the tokens of 64 leases; a 65th is refused with `TooLarge`.
    Holder(Fence),
    /// The parent must still be the latest checkpoint of its namespace, or there must be none
    /// where no parent is named: refused with `Conflict` otherwise. The id must be greater than
    /// the parent's, so that the checkpoint is the latest in its turn: `Invalid` otherwise.
    ParentIsLatest,
}
