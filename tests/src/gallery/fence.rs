//! Mutants of the family `fence`: calls made as the holder of a lease.

mod ignored;
mod marks;

use super::gallery;

gallery! {
    /// Fences are not declared, and accepted.
    "fence.secret" rejected by ["fence.undeclared"] => ignored::secret;
    /// Reads do not look at the token.
    "fence.get-ignored" rejected by ["fence.stale.get", "fence.raise.reads"] => ignored::get;
    /// Batches of reads do not look at the token.
    "fence.get-many-ignored" rejected by ["fence.stale.get-many"] => ignored::get_many;
    /// Puts do not look at the token.
    "fence.put-ignored" rejected by ["fence.stale.put", "fence.raise.writes"] => ignored::put;
    /// Puts look at the token after they are made.
    "fence.put-late" rejected by ["fence.stale.put"] => ignored::put_late;
    /// Deletes do not look at the token.
    "fence.delete-ignored" rejected by ["fence.stale.delete"] => ignored::delete;
    /// Increments do not look at the token.
    "fence.increment-ignored" rejected by ["fence.stale.increment"] => ignored::increment;
    /// Touches do not look at the token.
    "fence.touch-ignored" rejected by ["fence.stale.touch", "fence.raise.touch"] => ignored::touch;
    /// Batches of writes do not look at the token.
    "fence.write-many-ignored" rejected by ["fence.stale.write-many"] => ignored::write_many;
    /// One stale write refuses its whole batch.
    "fence.write-many-whole" rejected by ["fence.stale.write-many"] => ignored::write_many_whole;
    /// Clears do not look at the token.
    "fence.clear-ignored" rejected by ["fence.stale.clear"] => ignored::clear;
    /// Transactions do not look at the token.
    "fence.transact-ignored" rejected by ["fence.stale.transact", "fence.raise.transact"] => ignored::transact;
    /// Writes of hashes do not look at the token.
    "fence.hash-ignored" rejected by ["fence.stale.hash", "fence.raise.hash"] => ignored::hash;
    /// The number is looked at before the token.
    "fence.number-first" rejected by ["fence.stale.first"] => ignored::number_first;
    /// A stale holder is told that its write may have happened.
    "fence.unknown" rejected by ["fence.stale.put"] => ignored::unknown;

    /// A token is good for one call.
    "fence.once" rejected by ["fence.equal"] => marks::once;
    /// Each instance keeps its own marks.
    "fence.per-instance" rejected by ["fence.raise.writes"] => marks::per_instance;
    /// Calls without a fence are refused once there was one.
    "fence.required" rejected by ["fence.none"] => marks::required;
    /// The last token counts, not the greatest.
    "fence.last-wins" rejected by ["fence.raise.not-by-stale"] => marks::last_wins;
    /// A call raises the mark before its input is looked at.
    "fence.raised-early" rejected by ["fence.raise.not-by-bad-input"] => marks::raised_early;
    /// The names of leases ignore case.
    "fence.lowercase-names" rejected by ["fence.lease-name"] => marks::lowercase_names;
    /// All namespaces share their marks.
    "fence.shared" rejected by ["fence.namespace"] => marks::shared;
    /// A clear removes the marks.
    "fence.cleared" rejected by ["fence.kept-by-clear"] => marks::cleared;
    /// Tokens are compared in floating point.
    "fence.float" rejected by ["fence.exact"] => marks::float;
    /// Tokens are compared as text.
    "fence.text" rejected by ["fence.exact"] => marks::text;
    /// A fence whose lease has no name is no fence.
    "fence.nameless" rejected by ["fence.bad-name"] => marks::nameless;
}
