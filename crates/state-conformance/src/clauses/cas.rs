//! The clauses of the family `cas`: versions, preconditions and operation ids.

mod conditional;
mod op_id;
mod version;

clauses! { "cas": "versions, preconditions and operation ids";
    /// Every write of an entry gives it a version that the entry never had, even when it writes the same value.
    MUST "cas.version.fresh" => version::fresh;
    /// Writes of one key through different instances never give it the same version.
    MUST "cas.version.instances" => version::instances;
    /// A version never comes back for its key after a delete.
    MUST "cas.version.delete" => version::after_delete;
    /// A version never comes back for its key after the namespace was cleared.
    MUST "cas.version.clear" => version::after_clear;
    /// A version never comes back for its key after the entry has expired.
    MUST "cas.version.expiry" needs [Expiry] => version::after_expiry;
    /// A version never comes back for its key after a restart.
    MUST "cas.version.restart" needs [Durable] restarting store => version::after_restart;
    /// A touch, alone or with a read, leaves the version alone.
    MUST "cas.version.touch" needs [Expiry] => version::touch;
    /// A write that is refused leaves the version alone.
    MUST "cas.version.refused" => version::refused_write;
    /// Entries of different keys have different versions.
    SHOULD "cas.version.keys" => version::keys;

    /// A write on `Absent` creates an entry that is absent.
    MUST "cas.absent.creates" => conditional::absent_creates;
    /// A write on `Absent` of an entry that is present is refused with `Conflict` and changes nothing.
    MUST "cas.absent.conflict" => conditional::absent_conflict;
    /// A write on `Present` overwrites an entry that is present.
    MUST "cas.present.overwrites" => conditional::present_overwrites;
    /// A write on `Present` of an entry that is absent is refused with `Conflict` and creates nothing.
    MUST "cas.present.conflict" => conditional::present_conflict;
    /// A write on the version that the entry has is made, whichever instance told the version.
    MUST "cas.matches.overwrites" => conditional::matches_overwrites;
    /// A write on a version that the entry had earlier is refused with `Conflict` and changes nothing.
    MUST "cas.stale.conflict" => conditional::stale_conflict;
    /// A write on a version of an entry that is absent is refused with `Conflict` and creates nothing.
    MUST "cas.matches.absent" => conditional::matches_absent;
    /// A write on a version of another key's entry is refused with `Conflict`.
    SHOULD "cas.matches.other-key" => conditional::matches_other_key;
    /// Of two writes on the same version, the second is refused with `Conflict`.
    MUST "cas.matches.once" => conditional::matches_once;
    /// A write on a version from before a delete is refused with `Conflict`, even when the entry was created again with the same value.
    MUST "cas.aba.delete" => conditional::aba_delete;
    /// A write on a version from before an expiry is refused with `Conflict`, even when the entry was created again with the same value.
    MUST "cas.aba.expiry" needs [Expiry] => conditional::aba_expiry;
    /// An increment makes a write on the earlier version a `Conflict`.
    MUST "cas.aba.increment" => conditional::aba_increment;
    /// A delete on the version that the entry has removes it.
    MUST "cas.delete.matches" => conditional::delete_matches;
    /// A delete on another version than the entry has is refused with `Conflict` and removes nothing.
    MUST "cas.delete.stale" => conditional::delete_stale;
    /// A delete on `Present`, or on a version, of an entry that is absent is refused with `Conflict`.
    MUST "cas.delete.missing" => conditional::delete_missing;
    /// A delete on `Absent` is refused with `Invalid`, whether or not the entry is there.
    MUST "cas.delete.absent" => conditional::delete_absent;
    /// A conditional write that is refused leaves the lifetime of the entry alone.
    MUST "cas.conflict.lifetime" needs [Expiry] => conditional::conflict_lifetime;
    /// `set_if_not_exists` writes once and leaves what is there alone.
    MUST "cas.set-if-not-exists" => conditional::set_if_not_exists;
    /// `compare_and_set` keeps the lifetime of the entry.
    MUST "cas.compare-and-set.lifetime" needs [Expiry] => conditional::compare_and_set_lifetime;
    /// `update` stores, removes or keeps the value as it is told, and returns what is there then.
    MUST "cas.update.actions" => conditional::update_actions;
    /// `update` keeps the lifetime of the entry that it changes.
    MUST "cas.update.lifetime" needs [Expiry] => conditional::update_lifetime;
    /// Updates that are made at the same time are all made, one after another.
    MUST "cas.update.concurrent" on threads => conditional::update_concurrent;

    /// Without the capability `op-id`, a write that bears an operation id is refused with `Unsupported` and has no effect.
    MUST "cas.op-id.undeclared" unless [OpId] => op_id::undeclared;
    /// A put that is sent again under its operation id returns the first receipt and writes nothing.
    MUST "cas.op-id.put" needs [OpId] => op_id::put;
    /// An increment that is sent again under its operation id returns the first receipt and adds nothing.
    MUST "cas.op-id.increment" needs [OpId] => op_id::increment;
    /// A delete that is sent again under its operation id returns the first receipt, what was removed included, and removes nothing.
    MUST "cas.op-id.delete" needs [OpId] => op_id::delete;
    /// A conditional write that is sent again under its operation id returns the first receipt instead of a `Conflict` with itself.
    MUST "cas.op-id.conditional" needs [OpId] => op_id::conditional;
    /// Another kind of write under an operation id that the key remembers is refused with `Invalid` and has no effect.
    MUST "cas.op-id.other-kind" needs [OpId] => op_id::other_kind;
    /// A write of another value, or of another amount, under an operation id that the key remembers is refused with `Invalid` and has no effect.
    MUST "cas.op-id.other-value" needs [OpId] => op_id::other_value;
    /// One operation id on two keys names two operations.
    MUST "cas.op-id.per-key" needs [OpId] => op_id::per_key;
    /// An operation id in one namespace is not known in another.
    MUST "cas.op-id.per-namespace" needs [OpId] => op_id::per_namespace;
    /// An operation id is remembered for 5 minutes, whatever happens to the entry meanwhile.
    MUST "cas.op-id.window" needs [OpId] moving time => op_id::window;
    /// An operation id is remembered on every instance of the namespace.
    MUST "cas.op-id.instances" needs [OpId] => op_id::instances;
    /// An operation id is remembered across a restart.
    MUST "cas.op-id.restart" needs [OpId, Durable] restarting store => op_id::restart;
    /// A write that was refused is not remembered, and may be tried again under its operation id.
    MUST "cas.op-id.refused" needs [OpId] => op_id::refused_first;
}
