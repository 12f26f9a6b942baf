//! The clauses of the family `txn`: several keys in one step.

mod checks;
mod options;
mod shape;
mod writes;

use state_core::{Error, ErrorKind, Key, Result, StateBackend, Transaction, WriteOutcome};

use crate::Context;
use crate::contents::contents;
use crate::expect::refused;

clauses! { "txn": "several keys in one step";
    /// Without the capability `transact`, no instance hands out the role.
    MUST "txn.undeclared" unless [Transact] => shape::undeclared;
    /// A transaction makes every one of its writes, on every instance of the namespace, and touches no other key.
    MUST "txn.writes" needs [Transact] => writes::all_of_them;
    /// A transaction returns one receipt per write, in the order given, each as that write alone would return it.
    MUST "txn.receipts" needs [Transact] => writes::receipts;
    /// A transaction without checks and writes succeeds, returns nothing and changes nothing.
    MUST "txn.empty" needs [Transact] => shape::empty;
    /// A transaction of checks alone says whether they hold and changes nothing.
    MUST "txn.checks-only" needs [Transact] => checks::checks_only;

    /// A check holds where the precondition of a single write would.
    MUST "txn.check.kinds" needs [Transact] => checks::kinds;
    /// A check that does not hold refuses the transaction with `Conflict` and leaves every key as it was.
    MUST "txn.check.conflict-changes-nothing" needs [Transact] => checks::conflict_changes_nothing;
    /// A precondition in the options of a write is a check of the transaction.
    MUST "txn.check.of-write" needs [Transact] => checks::of_write;
    /// `Conflict` names the first check or write that does not hold, the checks counted first.
    MUST "txn.check.index" needs [Transact] => checks::index;
    /// Checks look at what was there before the transaction, whatever its own writes do.
    MUST "txn.check.before-writes" needs [Transact] => checks::before_writes;
    /// An expired entry is absent to the checks of a transaction.
    MUST "txn.check.expired" needs [Transact, Expiry] => checks::expired;
    /// A version that a key had before a delete fulfils no check.
    MUST "txn.check.old-version" needs [Transact] => checks::old_version;

    /// An increment that overflows or meets no number refuses the transaction with `Invalid`, and no write of it is made.
    MUST "txn.increment.invalid" needs [Transact] => writes::increment_invalid;
    /// A delete in a transaction returns what it removed when it is asked to, and an absent entry is no error.
    MUST "txn.delete" needs [Transact] => writes::delete;
    /// The lifetimes that the writes of a transaction name are set in the same step.
    MUST "txn.lifetime" needs [Transact, Expiry] => writes::lifetime;
    /// A lifetime of 0, under 1 ms or over 10 years in any write refuses the transaction with `Invalid` and changes nothing.
    MUST "txn.lifetime.invalid" needs [Transact, Expiry] => writes::lifetime_invalid;
    /// Without the capability `expiry`, a lifetime in any write refuses the transaction with `Unsupported` and changes nothing.
    MUST "txn.lifetime.undeclared" needs [Transact] unless [Expiry] => writes::lifetime_undeclared;

    /// A transaction over one unpartitioned key is made.
    MUST "txn.one-key" needs [Transact] => shape::one_key;
    /// Without the capability `cross-partition`, a transaction whose keys are not in one partition is refused with `NotColocated` and changes nothing.
    MUST "txn.not-colocated" needs [Transact] unless [CrossPartition] => shape::not_colocated;
    /// With the capability `cross-partition`, the keys of a transaction may lie anywhere.
    MUST "txn.cross-partition" needs [CrossPartition] => shape::cross_partition;
    /// A transaction that writes a key twice is refused with `Invalid` and changes nothing.
    MUST "txn.written-twice" needs [Transact] => shape::written_twice;
    /// A bad key in any check or write, or a delete of what must be absent, refuses the whole transaction.
    MUST "txn.bad-input" needs [Transact] => shape::bad_input;
    /// Checks and writes count together against the limit, at which a transaction is made and over which it is refused with `TooLarge`.
    MUST "txn.limit" needs [Transact] => shape::limit;

    /// Acks, a fence, an operation id or a resend rule named on a single write refuses the transaction with `Invalid` and changes nothing.
    MUST "txn.op-options" needs [Transact, Fence, OpId] => options::on_single_writes;
    /// A transaction that is sent again under its operation id returns the same receipts and has no second effect.
    MUST "txn.op-id.replay" needs [Transact, OpId] => options::op_id_replay;
    /// An operation id that was used for another transaction over the same keys is refused with `Invalid` and changes nothing.
    MUST "txn.op-id.reused" needs [Transact, OpId] => options::op_id_reused;
    /// Without the capability `op-id`, a transaction with an operation id is refused with `Unsupported` and changes nothing.
    MUST "txn.op-id.undeclared" needs [Transact] unless [OpId] => options::op_id_undeclared;
    /// Without the capability `ack-replicas`, a transaction that asks for replicas is refused with `Unsupported` and changes nothing.
    MUST "txn.acks.replicas.undeclared" needs [Transact] unless [AckReplicas] => options::replicas_undeclared;
    /// Without the capability `ack-fsync`, a transaction that asks to be synced is refused with `Unsupported` and changes nothing.
    MUST "txn.acks.fsync.undeclared" needs [Transact] unless [AckFsync] => options::fsync_undeclared;
    /// Each receipt of a transaction that asks to be synced says that it was.
    MUST "txn.acks.fsync" needs [Transact, AckFsync] => options::fsync_reached;
}

/// A key in the partition that the transactions of this family work in.
fn p(name: &'static str) -> Key {
    Key::in_partition("p", name)
}

async fn transact(store: &dyn StateBackend, transaction: Transaction) -> Result<Vec<WriteOutcome>> {
    store.as_transact().unwrap().transact(transaction).await
}

/// The transaction must be refused with `kind` and leave everything as it was.
async fn refused_whole(
    cx: &Context,
    transaction: Transaction,
    kind: ErrorKind,
    what: &str,
) -> Error {
    let before = contents(&*cx.b).await;
    let error = refused(transact(&*cx.a, transaction).await, kind, what);
    assert_eq!(contents(&*cx.b).await, before, "{what}: what was refused has had an effect");
    error
}
