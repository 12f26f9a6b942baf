//! Mutants of the family `race`: steps that others can come between.

mod keys;
mod roles;
mod whole;

use super::gallery;

gallery! {
    /// An increment reads, adds and writes.
    "race.increment.in-steps" rejected by ["race.increment", "race.increment.sums"] => keys::increment;
    /// A write on a version looks first and writes later, when others had their turn.
    "race.matches.in-steps" rejected by ["race.compare-and-set", "race.compare-and-set.one-winner"] => keys::matches;
    /// A write on absence looks first and writes later.
    "race.absent.in-steps" rejected by ["race.create"] => keys::absent;
    /// A delete that returns the value reads first and deletes later.
    "race.take.in-steps" rejected by ["race.get-and-delete"] => keys::take;
    /// A delete looks first whether there is an entry.
    "race.delete.in-steps" rejected by ["race.delete"] => keys::delete;
    /// Every other read is served by a replica that is one write behind.
    "race.read.lags" rejected by ["race.read.forward", "race.history.linearizable"] => keys::read_lags;
    /// A read takes the version first and the value later.
    "race.read.in-steps" rejected by ["race.read.whole"] => keys::read;

    /// An operation id is remembered when the operation is done.
    "race.op-id.late" rejected by ["race.op-id"] => roles::op_id;
    /// The operation id of a transaction is remembered when it is done.
    "race.op-id.transaction-late" rejected by ["race.op-id.transaction"] => roles::op_id_transaction;
    /// A lease that seems free is granted later.
    "race.lease.in-steps" rejected by ["race.lease"] => roles::lease;
    /// An increment of a field reads, adds and writes.
    "race.hash.increment-in-steps" rejected by ["race.hash.increment"] => roles::hash_increment;
    /// Fields are written one after another.
    "race.hash.one-by-one" rejected by ["race.hash.whole"] => roles::hash_set;
    /// The token is looked at first and the write is made later.
    "race.fence.in-steps" rejected by ["race.fence"] => roles::fence;

    /// The writes of a transaction are made one after another.
    "race.transaction.one-by-one" rejected by ["race.transaction.whole"] => whole::transaction;
    /// The checks of a transaction are made first and its writes later.
    "race.transaction.in-steps" rejected by ["race.transaction.transfer"] => whole::transaction_checks;
    /// A listing goes on after as many entries as it has named, whichever they are by then.
    "race.list.offset" rejected by ["race.list.stable"] => whole::list;
    /// A clear removes one entry after another.
    "race.clear.one-by-one" rejected by ["race.clear.whole"] => whole::clear;
    /// A clear removes nothing but the first page.
    "race.clear.one-page" rejected by ["race.clear"] => whole::clear_one_page;
    /// A snapshot is read key by key, each as it is then.
    "race.snapshot.by-keys" rejected by ["race.snapshot"] => whole::snapshot;
}

/// Lets others have their turn.
async fn dawdle() {
    for _ in 0..60 {
        tokio::task::yield_now().await;
    }
}
