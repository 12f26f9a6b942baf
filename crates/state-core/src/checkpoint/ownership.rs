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
    /// A thread sees a token when somebody *writes* under it: a read does not raise the mark. So a
    /// holder whose lease has passed on can still put until the next holder has put once, and what
    /// the next one has read before that may not be the latest any more. Who must not miss it puts
    /// something new under the new token first, a checkpoint or a write, and reads then. Writers
    /// that name no owner are not refused.
    ///
    /// The marks are part of the thread: they go when it is deleted or expires, and a copy begins
    /// without any. A thread remembers the tokens of 64 leases; a 65th is refused with `TooLarge`.
    Holder(Fence),
    /// The parent must still be the latest checkpoint of its namespace, or there must be none
    /// where no parent is named: refused with `Conflict` otherwise. The id must be greater than
    /// the parent's, so that the checkpoint is the latest in its turn: `Invalid` otherwise.
    ParentIsLatest,
}
