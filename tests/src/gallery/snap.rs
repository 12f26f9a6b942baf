//! Mutants of the family `snap`: snapshots, restores, and snapshot files.

mod read;
mod restore;

use super::gallery;

gallery! {
    /// A snapshot leaves out empty values.
    "snap.no-empty-values" rejected by ["snap.entries", "snap.restore.round-trip"] => read::no_empty_values;
    /// A snapshot loses its last record.
    "snap.last-lost" rejected by ["snap.entries", "snap.file.round-trip"] => read::last_lost;
    /// A snapshot tells its first record twice.
    "snap.first-twice" rejected by ["snap.entries"] => read::first_twice;
    /// A snapshot holds what was deleted.
    "snap.deleted" rejected by ["snap.empty"] => read::deleted;
    /// A snapshot holds every namespace whose name begins with its own.
    "snap.spills" rejected by ["snap.namespace"] => read::spills;
    /// A snapshot ignores prefix and scope.
    "snap.everything" rejected by ["snap.selected"] => read::everything;
    /// A snapshot does not tell deadlines.
    "snap.no-deadlines" rejected by ["snap.deadlines", "snap.restore.deadlines"] => read::no_deadlines;
    /// A snapshot holds what has expired.
    "snap.expired-too" rejected by ["snap.expired"] => read::expired_too;
    /// A snapshot ends when the namespace is written meanwhile.
    "snap.one-state" rejected by ["snap.changing"] => read::one_state;
    /// A snapshot is read page by page, each page as it is then.
    "snap.by-pages" rejected by ["snap.point-in-time"] => read::by_pages;
    /// A snapshot ends with the instance that began it.
    "snap.with-instance" rejected by ["snap.outlives"] => read::with_instance;
    /// A snapshot that is dropped half-read takes the rest with it.
    "snap.drains" rejected by ["snap.dropped"] => read::drains;
    /// A snapshot leaves out hashes.
    "snap.no-hashes" rejected by ["snap.hashes", "snap.restore.hashes", "hash.snapshot"] => read::no_hashes;

    /// A deadline that has passed is none.
    "snap.restore.immortal" rejected by ["snap.restore.expired"] => restore::immortal;
    /// A batch leaves alone what has the same value already.
    "snap.restore.skips-same" rejected by ["snap.restore.versions"] => restore::skips_same;
    /// A batch writes only what is not there.
    "snap.restore.only-new" rejected by ["snap.restore.merge"] => restore::only_new;
    /// A batch cannot take a lifetime away.
    "snap.restore.mortal" rejected by ["snap.restore.merge-lifetime"] => restore::mortal;
    /// A clear is put off until somebody has time, which is never.
    "snap.restore.lazy-clear" rejected by ["snap.restore.replace", "snap.restore.replace-empty"] => restore::lazy_clear;
    /// A batch begins with a clear.
    "snap.restore.clears-first" rejected by ["snap.restore.resume", "snap.restore.merge"] => restore::clears_first;
    /// The last write of a batch of several is lost.
    "snap.restore.last-lost" rejected by ["snap.restore.failed", "snap.restore.resume"] => restore::last_lost;
    /// The limits that are declared grow after they were asked for.
    "snap.restore.growing-limits" rejected by ["snap.file.bad-record", "kv.capabilities.constant"] => restore::growing_limits;
    /// Bad records are refused as a defect of the store.
    "snap.restore.limits-undeclared" rejected by ["snap.restore.bad-record"] => restore::limits_undeclared;
    /// Lifetimes are declared from the second time on that anybody asks.
    "snap.restore.late-expiry" rejected by ["snap.restore.expiry-undeclared"] => restore::late_expiry;
    /// From the third instance on, one that is asked what it offers leaves a note among the entries.
    "snap.restore.notes" rejected by ["snap.file.truncated", "snap.file.flipped", "snap.file.torn", "snap.file.foreign"] => restore::notes;
    /// A batch of more than 5,000 writes in all is refused.
    "snap.restore.full" rejected by ["snap.restore.large"] => restore::full;
}
