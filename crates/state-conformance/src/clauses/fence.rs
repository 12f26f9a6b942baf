//! The clauses of the family `fence`: calls made as the holder of a lease.

mod call;
mod marks;
mod stale;

use state_core::{Fence, FenceToken, HashWriteOptions, Key, StateBackend, StateBackendExt};

clauses! { "fence": "calls made as the holder of a lease";
    /// Without the capability `fence`, every call that carries a fence is refused with `Unsupported` and has no effect.
    MUST "fence.undeclared" unless [Fence] => stale::undeclared;

    /// A read under a stale token is refused with `Fenced`.
    MUST "fence.stale.get" needs [Fence] => stale::get;
    /// A read of many entries under a stale token is refused with `Fenced`.
    MUST "fence.stale.get-many" needs [Fence] => stale::get_many;
    /// A put under a stale token is refused with `Fenced` and changes nothing.
    MUST "fence.stale.put" needs [Fence] => stale::put;
    /// A delete under a stale token is refused with `Fenced` and changes nothing.
    MUST "fence.stale.delete" needs [Fence] => stale::delete;
    /// An increment under a stale token is refused with `Fenced` and changes nothing.
    MUST "fence.stale.increment" needs [Fence] => stale::increment;
    /// A touch, be it alone or with a read, under a stale token is refused with `Fenced` and changes nothing.
    MUST "fence.stale.touch" needs [Fence, Expiry] => stale::touch;
    /// A write of a batch under a stale token is refused with `Fenced` and changes nothing, and the other writes are made.
    MUST "fence.stale.write-many" needs [Fence] => stale::write_many;
    /// A clear under a stale token is refused with `Fenced` and removes nothing.
    MUST "fence.stale.clear" needs [Fence] => stale::clear;
    /// A transaction under a stale token is refused with `Fenced` and changes nothing.
    MUST "fence.stale.transact" needs [Fence, Transact] => stale::transact;
    /// A write of a hash under a stale token is refused with `Fenced` and changes nothing.
    MUST "fence.stale.hash" needs [Fence, Hash] => stale::hash;
    /// A stale token is refused before a precondition or a number is looked at.
    MUST "fence.stale.first" needs [Fence] => stale::first;

    /// A token that equals the greatest one seen passes, on every instance of the namespace.
    MUST "fence.equal" needs [Fence] => marks::equal;
    /// Calls without a fence pass, whatever token was seen.
    MUST "fence.none" needs [Fence] => marks::none;
    /// Each write under a greater token makes the smaller ones stale for the other calls in its partition.
    MUST "fence.raise.writes" needs [Fence] => marks::raised_by_writes;
    /// Each read under a greater token, even of an absent entry, makes the smaller ones stale for the other calls in its partition.
    MUST "fence.raise.reads" needs [Fence] => marks::raised_by_reads;
    /// A transaction under a greater token makes the smaller ones stale for the other calls in its partition.
    MUST "fence.raise.transact" needs [Fence, Transact] => marks::raised_by_transact;
    /// A write of a hash under a greater token makes the smaller ones stale for the other calls in its partition.
    MUST "fence.raise.hash" needs [Fence, Hash] => marks::raised_by_hash;
    /// A touch under a greater token makes the smaller ones stale for the other calls in its partition.
    MUST "fence.raise.touch" needs [Fence, Expiry] => marks::raised_by_touch;
    /// A refused stale call leaves the greatest token seen as it was.
    MUST "fence.raise.not-by-stale" needs [Fence] => marks::not_by_stale;
    /// A call that is refused as `Invalid` or `TooLarge` makes no token stale.
    MUST "fence.raise.not-by-bad-input" needs [Fence] => marks::not_by_bad_input;
    /// Tokens of different leases, whose names differ in any byte or in their partition, know nothing of each other.
    MUST "fence.lease-name" needs [Fence] => marks::lease_name;
    /// Tokens seen in one namespace are not seen in another.
    MUST "fence.namespace" needs [Fence] => marks::namespace;
    /// Clearing the namespace keeps the greatest token seen.
    MUST "fence.kept-by-clear" needs [Fence] => marks::kept_by_clear;
    /// A restart keeps the greatest token seen.
    MUST "fence.restart" needs [Fence, Durable] restarting store => marks::restart;
    /// Tokens compare as numbers, exactly, over the whole range of `u64`.
    MUST "fence.exact" needs [Fence] => marks::exact;
    /// An empty lease name in a fence is refused with `Invalid` and one over the limit with `TooLarge`, and nothing is changed.
    MUST "fence.bad-name" needs [Fence] => marks::bad_name;
    /// Once the next holder of a lease has made a call, the holder before it is refused, however its lease has ended.
    MUST "fence.successor" needs [Fence, Lease] => marks::successor;
}

/// A key in the partition in which this family works: marks are promised to hold in the
/// partition in which they were raised.
fn p(name: &'static str) -> Key {
    Key::in_partition("p", name)
}

/// A call under the token with this number.
fn fence(number: u64) -> Fence {
    Fence::new("lease", FenceToken::new(number))
}

/// Fills the partition with what calls can meet: the counter `n`, and a hash where there are
/// hashes.
async fn fill(store: &dyn StateBackend) {
    store.put(p("n"), "1").await.unwrap();
    if let Some(hashes) = store.as_hash() {
        let fields = vec![("f".into(), "1".into())];
        hashes.hash_set(&p("h"), fields, HashWriteOptions::new()).await.unwrap();
    }
}
