//! Mutants of the family `kv`: values, counters, and what a backend says of itself.

mod about;
mod acks;
mod counters;
mod values;

use super::gallery;

gallery! {
    /// A read of an absent key answers an empty value.
    "kv.get.empty-for-absent" rejected by ["kv.get.absent"] => values::empty_for_absent;
    /// Each instance keeps what it has read and never asks again.
    "kv.get.stale-cache" rejected by ["kv.get.last-write"] => values::stale_cache;
    /// The first write of a key stays.
    "kv.put.keeps-first" rejected by ["kv.get.last-write"] => values::keeps_first;
    /// The receipt of a write names the version before it.
    "kv.put.version-before" rejected by ["kv.get.version"] => values::version_before;
    /// A head read answers the value too.
    "kv.get.head-with-value" rejected by ["kv.get.head"] => values::head_with_value;
    /// Eventual reads are served by a replica that has stopped after the first write.
    "kv.get.dead-replica" rejected by ["kv.get.eventual"] => values::dead_replica;
    /// An empty value deletes the entry.
    "kv.put.empty-deletes" rejected by ["kv.put.empty-value"] => values::empty_deletes;
    /// Values pass through UTF-8 text.
    "kv.put.text-values" rejected by ["kv.put.any-bytes"] => values::text_values;
    /// Values end at the first zero byte.
    "kv.put.c-strings" rejected by ["kv.put.any-bytes"] => values::c_strings;
    /// White space around values is trimmed.
    "kv.put.trimmed" rejected by ["kv.put.any-bytes"] => values::trimmed;
    /// Keys ignore case.
    "kv.put.lowercase-keys" rejected by ["kv.put.other-keys"] => values::lowercase_keys;
    /// White space around keys is trimmed.
    "kv.put.trimmed-keys" rejected by ["kv.put.other-keys"] => values::trimmed_keys;
    /// A write asking never to be resent is refused.
    "kv.put.refuses-never" rejected by ["kv.put.resend-never"] => values::refuses_never;
    /// The partition of a key is dropped.
    "kv.key.no-partition" rejected by ["kv.key.partitions", "hash.places", "model.partitions"] => values::no_partition;
    /// Partition and name are joined without telling where one ends.
    "kv.key.joined-partition" rejected by ["kv.key.partitions"] => values::joined_partition;
    /// A deleted entry leaves a tombstone that counts as contained.
    "kv.delete.tombstone" rejected by ["kv.contains"] => values::tombstone;
    /// A delete is put off until somebody has time, which is never.
    "kv.delete.lazy" rejected by ["kv.delete.removes"] => values::lazy_delete;
    /// A delete always says that there was an entry.
    "kv.delete.always" rejected by ["kv.delete.existed"] => values::delete_always;
    /// A delete of an absent entry fails.
    "kv.delete.absent-fails" rejected by ["kv.delete.existed"] => values::delete_absent_fails;
    /// A delete returns what it removed without being asked.
    "kv.delete.chatty" rejected by ["kv.delete.silent"] => values::chatty_delete;
    /// A delete that is asked for the value returns the value and keeps it.
    "kv.get-and-delete.keeps" rejected by ["kv.get-and-delete"] => values::get_and_keep;
    /// A delete that is asked for the value does not return it.
    "kv.get-and-delete.silent" rejected by ["kv.get-and-delete"] => values::mute_delete;

    /// An increment of an absent entry fails.
    "kv.increment.needs-entry" rejected by ["kv.increment.creates"] => counters::needs_entry;
    /// An increment by zero writes nothing.
    "kv.increment.zero-skipped" rejected by ["kv.increment.creates", "kv.increment.version"] => counters::zero_skipped;
    /// An increment returns the number before it.
    "kv.increment.returns-old" rejected by ["kv.increment.adds"] => counters::returns_old;
    /// Only positive numbers are added.
    "kv.increment.only-up" rejected by ["kv.increment.adds"] => counters::only_up;
    /// Counters are stored as eight bytes.
    "kv.increment.binary" rejected by ["kv.increment.decimal"] => counters::binary;
    /// Counters are added up in floating point.
    "kv.increment.float" rejected by ["kv.increment.exact"] => counters::float;
    /// Counters wrap around.
    "kv.increment.wraps" rejected by ["kv.increment.overflow"] => counters::wraps;
    /// Counters stop at the ends of their range.
    "kv.increment.saturates" rejected by ["kv.increment.overflow"] => counters::saturates;
    /// An increment that overflows is refused after the value was written anew.
    "kv.increment.overflow-writes" rejected by ["kv.increment.overflow"] => counters::overflow_writes;
    /// Counters are parsed with a plus sign and leading zeros.
    "kv.increment.lenient" rejected by ["kv.increment.not-a-number"] => counters::lenient;
    /// A value that is no number counts as zero.
    "kv.increment.zero-for-text" rejected by ["kv.increment.not-a-number"] => counters::zero_for_text;
    /// An increment is refused as corrupt data where the value is no number.
    "kv.increment.corrupt" rejected by ["kv.increment.not-a-number"] => counters::corrupt;
    /// The receipt of an increment names the version before it.
    "kv.increment.old-version" rejected by ["kv.increment.version"] => counters::old_version;

    /// Receipts claim a replica that nobody asked for.
    "kv.acks.boasts" rejected by ["kv.acks.primary"] => acks::boasts;
    /// Writes that ask for no replicas are refused as those that ask for some.
    "kv.acks.zero-refused" rejected by ["kv.acks.replicas.zero"] => acks::zero_refused;
    /// Writes that ask for replicas are made without them.
    "kv.acks.ignored" rejected by ["kv.acks.replicas.undeclared"] => acks::ignored;
    /// Writes that ask for replicas are made and then refused.
    "kv.acks.refused-late" rejected by ["kv.acks.replicas.undeclared"] => acks::refused_late;
    /// Replicas are declared, and receipts do not name them.
    "kv.acks.unnamed-replicas" rejected by ["kv.acks.replicas.reached"] => acks::unnamed_replicas;
    /// Replicas are declared, and any number of them has acknowledged.
    "kv.acks.any-number" rejected by ["kv.acks.replicas.short"] => acks::any_number;
    /// Writes that ask to be synced are made without it.
    "kv.acks.no-sync" rejected by ["kv.acks.fsync.undeclared"] => acks::ignored;
    /// Syncing is declared and receipts do not say that it was done.
    "kv.acks.unnamed-sync" rejected by ["kv.acks.fsync.reached"] => acks::unnamed_sync;

    /// A backend names another namespace than its own.
    "kv.info.wrong-namespace" rejected by ["kv.info"] => about::wrong_namespace;
    /// A role is handed out that is not declared.
    "kv.capabilities.secret-role" rejected by ["kv.capabilities.roles"] => about::secret_role;
    /// A role is declared and not handed out.
    "kv.capabilities.empty-promise" rejected by ["kv.capabilities.roles"] => about::empty_promise;
    /// A change log is declared without watching.
    "kv.capabilities.half" rejected by ["kv.capabilities.implied"] => about::half;
    /// Each instance has limits of its own.
    "kv.capabilities.vary" rejected by ["kv.capabilities.constant"] => about::vary;
    /// A store that serves says that it feels unwell.
    "kv.health.hypochondriac" rejected by ["kv.health"] => about::hypochondriac;
    /// A ping of a store that serves is not answered.
    "kv.health.deaf" rejected by ["kv.health"] => about::deaf;
    /// Failed calls are not counted as errors.
    "kv.stats.no-errors" rejected by ["kv.stats.calls"] => about::no_errors;
    /// Reads of absent keys are counted as hits.
    "kv.stats.only-hits" rejected by ["kv.stats.hits"] => about::only_hits;
    /// The bytes of keys are not counted.
    "kv.stats.no-bytes" rejected by ["kv.stats.bytes"] => about::no_bytes;
    /// Statistics are those of the first instance.
    "kv.stats.shared" rejected by ["kv.stats.instance"] => about::shared_stats;
    /// The memory usage counts writes and not entries.
    "kv.memory.counts-writes" rejected by ["kv.memory.entries"] => about::counts_writes;
    /// A conflict shows the value that was to be written.
    "kv.error.shows-value" rejected by ["kv.error.no-value"] => about::shows_value;
}
