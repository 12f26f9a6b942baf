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
    Holder(Fence),
    /// The parent must still be the latest checkpoint of its namespace, or there must be none
    /// where no parent is named: refused with `Conflict` otherwise.
    ParentIsLatest,
}
