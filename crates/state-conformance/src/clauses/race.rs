//! The clauses of the family `race`: many callers at once.

mod history;
mod keys;
mod roles;
mod whole;

use std::future::Future;
use std::sync::Arc;

use crate::{Context, Subject};

clauses! { "race": "many callers at once";
    /// Of increments that many callers make at once, none is lost and none counts twice.
    MUST "race.increment" on threads => keys::increment;
    /// Each sum is returned to one caller only, when many increment a counter by one at once.
    MUST "race.increment.sums" on threads => keys::increment_sums;
    /// Of changes that many callers make by compare-and-set at once, none is lost.
    MUST "race.compare-and-set" on threads => keys::compare_and_set;
    /// Of many callers that write over the same version at once, exactly one succeeds.
    MUST "race.compare-and-set.one-winner" on threads => keys::one_winner;
    /// Of many callers that create an entry at once, exactly one succeeds, and its value is there.
    MUST "race.create" on threads => keys::create;
    /// Of many callers that take an entry away at once, exactly one gets it.
    MUST "race.get-and-delete" on threads => keys::get_and_delete;
    /// Of many callers that delete an entry at once, exactly one is told that it existed.
    MUST "race.delete" on threads => keys::delete;
    /// No version of a key is given out twice, whoever writes it and whether it was absent meanwhile.
    MUST "race.version" on threads => keys::version;
    /// Whoever has read a value of a key never reads an older one afterwards.
    MUST "race.read.forward" on threads => keys::read_forward;
    /// A value and its version are read as one write left them.
    MUST "race.read.whole" on threads => keys::read_whole;
    /// What callers see of one key can be explained by one order in which each call takes effect at one moment between its start and its return.
    MUST "race.history.linearizable" on threads => history::linearizable;

    /// An operation that many callers send at once under one operation id has one effect, and all get the same receipt.
    MUST "race.op-id" needs [OpId] on threads => roles::op_id;
    /// A transaction that many callers send at once under one operation id has one effect, and all get the same receipts.
    MUST "race.op-id.transaction" needs [OpId, Transact] on threads => roles::op_id_transaction;
    /// Of many callers that ask for a lease at once, exactly one gets it, and all others are told that it is held.
    MUST "race.lease" needs [Lease] on threads => roles::lease;
    /// Of increments that many callers make to a field at once, none is lost and none counts twice.
    MUST "race.hash.increment" needs [Hash] on threads => roles::hash_increment;
    /// Fields that one call writes are read together or not at all.
    MUST "race.hash.whole" needs [Hash] on threads => roles::hash_whole;
    /// Each change that many callers make to a key at once is told once, and the last one told is the one that is there.
    MUST "race.watch" needs [WatchLog] on threads => roles::watch;
    /// Of fenced calls that many holders make at once, none under a smaller token succeeds after one under a greater token.
    MUST "race.fence" needs [Fence] on threads => roles::fence;

    /// The writes of a transaction become visible together.
    MUST "race.transaction.whole" needs [Transact] on threads => whole::transaction;
    /// Of transactions that move amounts between entries, checked by version, none is lost and none is made in half.
    MUST "race.transaction.transfer" needs [Transact] on threads => whole::transfer_amounts;
    /// The writes of a batch to one key take effect in the order given, whoever writes meanwhile.
    MUST "race.batch.order" on threads => whole::batch_order;
    /// An entry that is there the whole time is in every listing and every count, whatever comes and goes meanwhile.
    MUST "race.list.stable" on threads => whole::list_stable;
    /// After a clear nothing is left of what was written before it, whoever reads meanwhile.
    MUST "race.clear" on threads => whole::clear;
    /// Where snapshots show one point in time, a clear removes everything at one moment.
    MUST "race.clear.whole" needs [PointInTimeSnapshot] on threads => whole::clear_whole;
    /// Where snapshots show one point in time, no snapshot shows a write without one that was made before it.
    MUST "race.snapshot" needs [PointInTimeSnapshot] on threads => whole::snapshot;
}

/// Runs `work` as many times at once, half of them on each instance, each with its number, and
/// returns what they gave in the order of their numbers.
pub(super) async fn at_once<S, F, Fut>(cx: &Context<S>, tasks: u64, work: F) -> Vec<Fut::Output>
where
    S: Subject + ?Sized,
    F: Fn(Arc<S>, u64) -> Fut,
    Fut: Future<Output: Send + 'static> + Send + 'static,
{
    let start = Arc::new(tokio::sync::Barrier::new(usize::try_from(tasks).unwrap()));
    let tasks: Vec<_> = (0..tasks)
        .map(|number| {
            let store = if number % 2 == 0 { &cx.a } else { &cx.b };
            let (work, start) = (work(Arc::clone(store), number), Arc::clone(&start));
            cx.spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    futures_util::future::join_all(tasks).await
}
