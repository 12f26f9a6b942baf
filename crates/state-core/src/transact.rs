//! The role of stores that check and write several keys in one atomic step.

mod validate;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::options::with_methods;
use crate::{Acks, Fence, Key, OpId, Precondition, Result, WriteOp, WriteOutcome};

/// One thing that must hold for a transaction to happen.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// The key that is looked at.
    pub key: Key,
    /// What must hold for it.
    pub precondition: Precondition,
}

impl Check {
    /// `precondition` must hold for `key`.
    pub fn new(key: impl Into<Key>, precondition: impl Into<Precondition>) -> Self {
        Self { key: key.into(), precondition: precondition.into() }
    }
}

/// Checks and writes that happen together or not at all.
///
/// Preconditions of the writes' own options are checks like those of `checks`. Acks, fences,
/// operation ids and resend rules belong to the transaction; naming one on a write is `Invalid`.
/// No key may be written twice.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Transaction {
    /// What must hold.
    pub checks: Vec<Check>,
    /// What is written.
    pub ops: Vec<WriteOp>,
    /// How safe the writes must be. Default: applied by the primary.
    pub acks: Acks,
    /// Makes the transaction as the holder of a lease.
    pub fence: Option<Fence>,
    /// Makes the transaction once, however often it is sent.
    pub op_id: Option<OpId>,
}

impl Transaction {
    /// A transaction without checks or writes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds something that must hold.
    #[must_use]
    pub fn check(mut self, key: impl Into<Key>, precondition: impl Into<Precondition>) -> Self {
        self.checks.push(Check::new(key, precondition));
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn op(mut self, op: WriteOp) -> Self {
        self.ops.push(op);
        self
    }

    /// All keys that are looked at or written.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.checks.iter().map(|check| &check.key).chain(self.ops.iter().map(WriteOp::key))
    }
}

with_methods!(Transaction {
    /// Sets how safe the writes must be.
    with_acks => into acks: Acks,
    /// Makes the transaction as the holder of a lease.
    with_fence => into fence: Option<Fence>,
    /// Makes the transaction once, however often it is sent.
    with_op_id => into op_id: Option<OpId>,
});

/// Compare-then-write over several keys of one partition.
#[async_trait]
pub trait Transact: Debug + Send + Sync {
    /// Makes all checks, then all writes, in one atomic step, and returns one receipt per write.
    ///
    /// All keys must lie in one partition, or be one key; where
    /// [`CrossPartition`](crate::Capability::CrossPartition) is offered they may lie anywhere.
    /// Cost: one round trip, growing with the operations (at most
    /// [`transaction_ops_max`](crate::Limits::transaction_ops_max)).
    ///
    /// # Errors
    /// `Conflict` with the index of the first check or write (checks counted first) that does
    /// not hold; `NotColocated`; `Invalid` for a key written twice, for options that belong to
    /// the transaction, and for a counter that is none or overflows. Nothing is written then.
    ///
    /// # Cancellation
    /// A dropped future leaves the transaction applied whole or not at all.
    async fn transact(&self, transaction: Transaction) -> Result<Vec<WriteOutcome>>;
}
