//! The clauses of the family `limits`: bad input, and the largest and strangest legal input.

mod keys;
mod lifetimes;
mod values;

clauses! { "limits": "bad input, and the largest and strangest legal input";
    /// Every declared limit is at least 1.
    MUST "limits.declared" => values::declared;
    /// Keys of 1 KiB are accepted.
    SHOULD "limits.declared.key" => keys::declared;
    /// A call that names an empty key is refused with `Invalid`.
    MUST "limits.key.empty" => keys::empty;
    /// A call that names a key with an empty partition is refused with `Invalid`.
    MUST "limits.key.empty-partition" => keys::empty_partition;
    /// A call that names a key of more bytes than the limit, name and partition together, is refused with `TooLarge`.
    MUST "limits.key.too-large" => keys::too_large;
    /// A key of as many bytes as the limit, name and partition together, can be written, read, listed and deleted.
    MUST "limits.key.longest" => keys::longest;
    /// Every byte string within the limit is a legal name and a legal partition.
    MUST "limits.key.any-bytes" => keys::any_bytes;
    /// Every byte string of 1 to 256 bytes is a legal namespace.
    MUST "limits.namespace.any-bytes" => keys::namespace_any_bytes;
    /// A put of a value over the limit is refused with `TooLarge` and has no effect.
    MUST "limits.value.too-large" => values::too_large;
    /// In a batch, a value over the limit fails alone with `TooLarge`.
    MUST "limits.value.too-large-in-batch" => values::too_large_in_batch;
    /// A large value within the limit is kept whole.
    MUST "limits.value.large" => values::large;
    /// Bad input is refused as such, whatever unsupported option comes with it, in every kind of write.
    MUST "limits.first" unless [AckReplicas] => values::limits_first;
    /// A put with an illegal lifetime is refused with `Invalid` and writes nothing.
    MUST "limits.lifetime.put" needs [Expiry] => lifetimes::put;
    /// An increment with an illegal lifetime is refused with `Invalid` and adds nothing, also where the lifetime would not be set.
    MUST "limits.lifetime.increment" needs [Expiry] => lifetimes::increment;
    /// A touch with an illegal lifetime, alone or with a read, is refused with `Invalid` and leaves the lifetime alone.
    MUST "limits.lifetime.touch" needs [Expiry] => lifetimes::touch;
    /// In a batch, a write with an illegal lifetime fails alone with `Invalid`.
    MUST "limits.lifetime.batch" needs [Expiry] => lifetimes::batch;
}
