//! Mutants of the family `cas`: versions, preconditions and operation ids.

mod conditional;
mod op_id;
mod version;

use super::gallery;

gallery! {
    /// The version of an entry is a checksum of its value.
    "cas.version.of-value" rejected by ["cas.version.fresh", "cas.aba.delete"] => version::of_value;
    /// Each instance counts versions on its own.
    "cas.version.per-instance" rejected by ["cas.version.instances", "race.version"] => version::per_instance;
    /// Versions are counted per key, and begin again after a delete.
    "cas.version.restarts-after-delete" rejected by ["cas.version.delete", "cas.aba.delete"] => version::restarts_after_delete;
    /// Versions are counted per key, and begin again after a clear.
    "cas.version.restarts-after-clear" rejected by ["cas.version.clear"] => version::restarts_after_clear;
    /// Versions are counted per key, and begin again after an expiry.
    "cas.version.restarts-after-expiry" rejected by ["cas.version.expiry", "cas.aba.expiry"] => version::restarts_after_expiry;
    /// Versions are counted per key, so that those of two keys are alike.
    "cas.version.counted" rejected by ["cas.version.keys", "cas.matches.other-key"] => version::counted;
    /// A touch writes the value anew.
    "cas.version.touched" rejected by ["cas.version.touch"] => version::touched;
    /// A write that is refused gives the entry a new version all the same.
    "cas.version.refused" rejected by ["cas.version.refused", "cas.absent.conflict"] => version::refused;

    /// Where there was an entry once, a write on absence is refused for ever.
    "cas.absent.tombstone" rejected by ["cas.absent.creates"] => conditional::absent_tombstone;
    /// A write on absence overwrites what is there.
    "cas.absent.ignored" rejected by ["cas.absent.conflict", "cas.set-if-not-exists"] => conditional::absent_ignored;
    /// To a write on absence an empty value is absent.
    "cas.absent.empty" rejected by ["cas.absent.conflict"] => conditional::absent_empty;
    /// A write that is refused is reported as made.
    "cas.conflict.silent" rejected by ["cas.absent.conflict", "cas.present.conflict", "cas.stale.conflict"] => conditional::conflict_silent;
    /// A conflict is reported as a write that may have happened.
    "cas.conflict.unknown" rejected by ["cas.stale.conflict"] => conditional::conflict_unknown;
    /// A conflict is reported as bad input.
    "cas.conflict.invalid" rejected by ["cas.stale.conflict"] => conditional::conflict_invalid;
    /// To a write on presence an empty value is absent.
    "cas.present.empty" rejected by ["cas.present.overwrites"] => conditional::present_empty;
    /// A write on presence creates the entry.
    "cas.present.ignored" rejected by ["cas.present.conflict"] => conditional::present_ignored;
    /// A version is known only to the instance that wrote it.
    "cas.matches.own-instance" rejected by ["cas.matches.overwrites"] => conditional::matches_own_instance;
    /// A write on a version is made when there is any entry.
    "cas.matches.any" rejected by ["cas.stale.conflict", "cas.matches.once", "model.preconditions"] => conditional::matches_any;
    /// A write on a version creates the entry when it is absent.
    "cas.matches.creates" rejected by ["cas.matches.absent"] => conditional::matches_creates;
    /// A version that was current once is good for ever.
    "cas.matches.again" rejected by ["cas.matches.once"] => conditional::matches_again;
    /// To a write on a version an increment is no change.
    "cas.matches.counter" rejected by ["cas.aba.increment"] => conditional::matches_counter;
    /// A delete on a version is always refused.
    "cas.delete.never-matches" rejected by ["cas.delete.matches"] => conditional::delete_never_matches;
    /// A delete on a version says that it was made, and was not.
    "cas.delete.does-nothing" rejected by ["cas.delete.matches", "cas.update.actions"] => conditional::delete_does_nothing;
    /// A delete ignores its precondition.
    "cas.delete.ignored" rejected by ["cas.delete.stale", "cas.delete.missing", "cas.delete.absent"] => conditional::delete_ignored;
    /// A conditional write that is refused has set the lifetime before.
    "cas.conflict.touches" rejected by ["cas.conflict.lifetime", "ttl.set-if-not-exists"] => conditional::conflict_touches;
    /// A write on a version takes the lifetime away.
    "cas.matches.lifetime" rejected by ["cas.compare-and-set.lifetime", "cas.update.lifetime"] => conditional::matches_lifetime;
    /// A write on a version looks first and writes later.
    "cas.matches.two-steps" rejected by ["cas.update.concurrent"] => conditional::matches_two_steps;

    /// Operation ids are not declared, and dropped.
    "cas.op-id.dropped" rejected by ["cas.op-id.undeclared"] => op_id::dropped;
    /// A put forgets its operation id.
    "cas.op-id.put-twice" rejected by ["cas.op-id.put", "cas.op-id.conditional"] => op_id::put_twice;
    /// An increment forgets its operation id.
    "cas.op-id.increment-twice" rejected by ["cas.op-id.increment", "cas.op-id.instances"] => op_id::increment_twice;
    /// A delete forgets its operation id.
    "cas.op-id.delete-twice" rejected by ["cas.op-id.delete"] => op_id::delete_twice;
    /// A delete that is sent again says nothing of what it removed.
    "cas.op-id.delete-mute" rejected by ["cas.op-id.delete"] => op_id::delete_mute;
    /// Preconditions are looked at before operation ids.
    "cas.op-id.conflicts-with-itself" rejected by ["cas.op-id.conditional"] => op_id::conflicts_with_itself;
    /// What does not fit an operation id is done without it.
    "cas.op-id.anything" rejected by ["cas.op-id.other-kind", "cas.op-id.other-value"] => op_id::anything;
    /// A put under a known operation id is answered without a look at its value.
    "cas.op-id.any-value" rejected by ["cas.op-id.other-value"] => op_id::any_value;
    /// Operation ids are remembered without the key.
    "cas.op-id.all-keys" rejected by ["cas.op-id.per-key"] => op_id::all_keys;
    /// Operation ids are remembered without the namespace.
    "cas.op-id.all-namespaces" rejected by ["cas.op-id.per-namespace"] => op_id::all_namespaces;
    /// Operation ids are remembered for a minute.
    "cas.op-id.a-minute" rejected by ["cas.op-id.window"] => op_id::a_minute;
    /// Operation ids are remembered with the entry and go with it.
    "cas.op-id.with-entry" rejected by ["cas.op-id.window"] => op_id::with_entry;
    /// Each instance remembers operation ids for itself.
    "cas.op-id.per-instance" rejected by ["cas.op-id.instances"] => op_id::per_instance;
    /// A refusal is remembered under its operation id.
    "cas.op-id.remembers-refusal" rejected by ["cas.op-id.refused"] => op_id::remembers_refusal;
}
