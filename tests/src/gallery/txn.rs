//! Mutants of the family `txn`: several keys in one step.

mod checks;
mod options;
mod writes;

use state_core::{Result, StateBackend, Transact, Transaction, WriteOutcome};

use super::gallery;
use super::hooks::{Honest, Hooks};

gallery! {
    /// Transactions are not declared, and the role is handed out.
    "txn.secret" rejected by ["txn.undeclared", "kv.capabilities.roles"] => options::secret;
    /// A decorator that adds the namespace to every key hands out the transactions of the store below.
    "txn.forwarded" rejected by ["txn.writes"] => options::forwarded;
    /// The last write of a transaction is lost.
    "txn.writes.last-lost" rejected by ["txn.writes"] => writes::last_lost;
    /// The receipts of a transaction come in the reverse order.
    "txn.receipts.reversed" rejected by ["txn.receipts"] => writes::receipts_reversed;
    /// A transaction without checks and writes is refused.
    "txn.empty-refused" rejected by ["txn.empty"] => checks::empty_refused;
    /// A transaction without writes is not looked at.
    "txn.checks-only-skipped" rejected by ["txn.checks-only"] => checks::only_skipped;
    /// A check on presence always holds.
    "txn.check.present-ignored" rejected by ["txn.check.kinds"] => checks::present_ignored;
    /// The writes are made first and the checks afterwards.
    "txn.check.afterwards" rejected by ["txn.check.conflict-changes-nothing"] => checks::afterwards;
    /// Preconditions of single writes are ignored.
    "txn.check.of-write-ignored" rejected by ["txn.check.of-write"] => checks::of_write_ignored;
    /// A conflict does not say which check failed.
    "txn.check.no-index" rejected by ["txn.check.index"] => checks::no_index;
    /// A conflict counts the writes before the checks.
    "txn.check.other-index" rejected by ["txn.check.index"] => checks::other_index;
    /// Checks see the writes of their own transaction.
    "txn.check.own-writes" rejected by ["txn.check.before-writes"] => checks::own_writes;
    /// To the checks of a transaction an expired entry is present.
    "txn.check.sees-expired" rejected by ["txn.check.expired"] => checks::sees_expired;
    /// Any version fulfils a check where there is an entry.
    "txn.check.any-version" rejected by ["txn.check.old-version", "txn.check.kinds"] => checks::any_version;

    /// The writes are made one after another until one fails.
    "txn.writes.in-steps" rejected by ["txn.increment.invalid", "model.transactions"] => writes::in_steps;
    /// The delete of an absent entry fails the transaction.
    "txn.delete.absent-fails" rejected by ["txn.delete"] => writes::delete_absent_fails;
    /// Lifetimes are dropped in transactions.
    "txn.lifetime.dropped" rejected by ["txn.lifetime"] => writes::lifetime_dropped;
    /// Lifetimes are bent to the nearest legal one in transactions.
    "txn.lifetime.bent" rejected by ["txn.lifetime.invalid"] => writes::lifetime_bent;
    /// Lifetimes are not declared, and set in transactions.
    "txn.lifetime.secret" rejected by ["txn.lifetime.undeclared"] => writes::lifetime_secret;

    /// A transaction needs a partition even for one key.
    "txn.one-key-refused" rejected by ["txn.one-key"] => options::one_key_refused;
    /// Transactions span partitions although that is not declared.
    "txn.secretly-spanning" rejected by ["txn.not-colocated"] => options::secretly_spanning;
    /// Transactions are said to span partitions, and do not.
    "txn.not-spanning" rejected by ["txn.cross-partition"] => options::not_spanning;
    /// Of two writes of one key the last is made.
    "txn.last-wins" rejected by ["txn.written-twice"] => writes::last_wins;
    /// Bad writes are left out of the transaction.
    "txn.bad-left-out" rejected by ["txn.bad-input"] => writes::bad_left_out;
    /// Checks do not count against the limit.
    "txn.limit.ops-only" rejected by ["txn.limit"] => options::limit_ops_only;
    /// The options of single writes are ignored.
    "txn.op-options-ignored" rejected by ["txn.op-options"] => writes::options_ignored;
    /// A transaction forgets its operation id.
    "txn.op-id.twice" rejected by ["txn.op-id.replay"] => options::op_id_twice;
    /// A transaction that does not fit its operation id is made without it.
    "txn.op-id.anything" rejected by ["txn.op-id.reused"] => options::op_id_anything;
    /// Operation ids are not declared, and dropped by transactions.
    "txn.op-id.dropped" rejected by ["txn.op-id.undeclared"] => options::op_id_dropped;
    /// Transactions that ask for more than the primary are made without it.
    "txn.acks.ignored" rejected by ["txn.acks.replicas.undeclared", "txn.acks.fsync.undeclared"] => options::acks_ignored;
    /// Syncing is declared, and the receipts of a transaction do not say that it was done.
    "txn.acks.unnamed-sync" rejected by ["txn.acks.fsync"] => options::unnamed_sync;
}

/// Changes transactions before the honest store makes them.
fn changing(change: impl Fn(&Honest, &mut Transaction) + Send + Sync + 'static) -> Hooks {
    Hooks::default().on_transact(move |honest, mut transaction| {
        change(&honest, &mut transaction);
        async move { honest.transact(transaction).await }
    })
}

/// Makes each write as a batch of one, which is not a transaction.
async fn one_by_one(honest: &Honest, transaction: Transaction) -> Result<Vec<WriteOutcome>> {
    let mut outcomes = Vec::new();
    for op in transaction.ops {
        for outcome in honest.write_many(vec![op]).await? {
            outcomes.push(outcome?);
        }
    }
    Ok(outcomes)
}
