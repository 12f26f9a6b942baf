//! The clauses of the family `kv`: values under keys, counters, and what a backend says of itself.

mod about;
mod acks;
mod counters;
mod durable;
mod values;

clauses! { "kv": "values under keys, counters, and what a backend says of itself";
    /// A read of an absent key answers `None`.
    MUST "kv.get.absent" => values::get_absent;
    /// A read answers the value of the last write, whichever instance of the namespace made it.
    MUST "kv.get.last-write" => values::get_last_write;
    /// A read answers the version that the receipt of the write named.
    MUST "kv.get.version" => values::get_version;
    /// A head read answers the presence and the version of an entry and leaves its value empty.
    MUST "kv.get.head" => values::get_head;
    /// A read with `Consistency::Eventual` answers nothing but what was written and, some time after the last write, that.
    MUST "kv.get.eventual" => values::get_eventual;
    /// An empty value is a value, and the entry that holds it is present.
    MUST "kv.put.empty-value" => values::put_empty_value;
    /// Every byte string is a legal value and is answered unchanged.
    MUST "kv.put.any-bytes" => values::put_any_bytes;
    /// A write leaves the values and the versions of all other keys alone.
    MUST "kv.put.other-keys" => values::put_other_keys;
    /// `Resend::Never` is accepted on every write and changes nothing while no reply is lost.
    MUST "kv.put.resend-never" => values::put_resend_never;
    /// The same name without a partition and in each partition names different entries.
    MUST "kv.key.partitions" => values::key_partitions;
    /// An entry is contained from its first write until it is removed.
    MUST "kv.contains" => values::contains;
    /// A deleted entry is absent on every instance of the namespace.
    MUST "kv.delete.removes" => values::delete_removes;
    /// The receipt of a delete says whether there was an entry, and the delete of an absent entry is no error.
    MUST "kv.delete.existed" => values::delete_existed;
    /// A delete returns what it removed only when it is asked to.
    MUST "kv.delete.silent" => values::delete_silent;
    /// A delete that is asked for the value returns the value and the version that it removed, and `None` when there was no entry.
    MUST "kv.get-and-delete" => values::get_and_delete;

    /// An increment of an absent entry stores what it adds, zero included.
    MUST "kv.increment.creates" => counters::creates;
    /// An increment adds to the number that is there, whichever instance of the namespace wrote it, and returns the sum.
    MUST "kv.increment.adds" => counters::adds;
    /// A counter is stored as an optional `-` and decimal digits without leading zeros, which a read answers and a write may set.
    MUST "kv.increment.decimal" => counters::decimal;
    /// Counters are exact over the whole range of `i64`.
    MUST "kv.increment.exact" => counters::exact;
    /// An increment whose sum does not fit `i64` is refused with `Invalid` and leaves value and version unchanged.
    MUST "kv.increment.overflow" => counters::overflow;
    /// An increment of a value that is not such a number is refused with `Invalid` and leaves value and version unchanged.
    MUST "kv.increment.not-a-number" => counters::not_a_number;
    /// An increment, even by zero, gives the entry the new version that its receipt names.
    MUST "kv.increment.version" => counters::version;

    /// A receipt never claims more replicas than were asked for.
    MUST "kv.acks.primary" => acks::primary;
    /// A write that asks for 0 replicas is made as one that asks for the primary alone, with and without the capability `ack-replicas`.
    MUST "kv.acks.replicas.zero" => acks::replicas_zero;
    /// Without the capability `ack-replicas`, every write that asks for replicas is refused with `Unsupported` and has no effect.
    MUST "kv.acks.replicas.undeclared" unless [AckReplicas] => acks::replicas_undeclared;
    /// A write that asks for a replica either names it in its receipt or fails with `Unacknowledged` and the outcome *applied*.
    MUST "kv.acks.replicas.reached" needs [AckReplicas] => acks::replicas_reached;
    /// A write that asks for more replicas than there are fails with `Unacknowledged` and the outcome *applied*, and is applied.
    MUST "kv.acks.replicas.short" needs [AckReplicas] => acks::replicas_short;
    /// Without the capability `ack-fsync`, every write that asks for it is refused with `Unsupported` and has no effect.
    MUST "kv.acks.fsync.undeclared" unless [AckFsync] => acks::fsync_undeclared;
    /// The receipt of a write that asks to be synced says that it was.
    MUST "kv.acks.fsync.reached" needs [AckFsync] => acks::fsync_reached;

    /// What was acknowledged before a restart is there after it, with its version, and what was deleted stays deleted.
    MUST "kv.durable.values" needs [Durable] restarting store => durable::values;
    /// A restart leaves every deadline where it was.
    MUST "kv.durable.lifetimes" needs [Durable, Expiry] restarting store => durable::lifetimes;

    /// A backend says which kind of store it is, and the namespace that it was opened with.
    MUST "kv.info" => about::info;
    /// A role is handed out where its capability is declared and nowhere else.
    MUST "kv.capabilities.roles" => about::capabilities_roles;
    /// `cross-partition` is declared only with `transact`, and `watch-log` only with `watch`.
    MUST "kv.capabilities.implied" => about::capabilities_implied;
    /// Capabilities and limits never change and are the same on every instance of a namespace.
    MUST "kv.capabilities.constant" => about::capabilities_constant;
    /// A store that serves answers a ping and says that it is healthy.
    MUST "kv.health" => about::health;
    /// Statistics count each call once under its operation, and failed calls as errors too.
    MUST "kv.stats.calls" => about::stats_calls;
    /// Statistics count keys that were found as hits and keys that were absent as misses.
    MUST "kv.stats.hits" => about::stats_hits;
    /// Statistics count the bytes of the key and the value of a write as come in and the bytes of the value of a read as gone out.
    SHOULD "kv.stats.bytes" => about::stats_bytes;
    /// Statistics are those of one instance, from its opening on.
    MUST "kv.stats.instance" => about::stats_instance;
    /// The memory usage of an instance counts the entries of its namespace and of no other.
    MUST "kv.memory.entries" => about::memory_entries;
    /// No error, in its message, its debug output or its sources, shows a value.
    MUST "kv.error.no-value" => about::error_no_value;
}
