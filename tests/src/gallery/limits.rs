//! Mutants of the family `limits`: bad input, and the largest and strangest legal input.

mod keys;
mod values;

use super::gallery;

gallery! {
    /// A limit of 0 is declared.
    "limits.zero" rejected by ["limits.declared"] => values::zero;
    /// Keys may hold 255 bytes.
    "limits.key.short" rejected by ["limits.declared.key"] => keys::short;
    /// The empty key is a key.
    "limits.key.empty-accepted" rejected by ["limits.key.empty"] => keys::empty_accepted;
    /// An empty partition is none.
    "limits.key.empty-partition-accepted" rejected by ["limits.key.empty-partition"] => keys::empty_partition_accepted;
    /// Long keys are cut.
    "limits.key.cut" rejected by ["limits.key.too-large"] => keys::cut;
    /// The partition does not count against the limit of a key.
    "limits.key.name-only" rejected by ["limits.key.too-large"] => keys::name_only;
    /// The limit of a key is one byte lower than it is said to be.
    "limits.key.off-by-one" rejected by ["limits.key.longest"] => keys::off_by_one;
    /// Keys pass through UTF-8 text.
    "limits.key.text" rejected by ["limits.key.any-bytes"] => keys::text;
    /// Keys end at the first zero byte.
    "limits.key.c-strings" rejected by ["limits.key.any-bytes"] => keys::c_strings;
    /// Namespaces end at the first zero byte.
    "limits.namespace.c-strings" rejected by ["limits.namespace.any-bytes"] => keys::namespace_c_strings;
    /// Values over the limit are accepted.
    "limits.value.unlimited" rejected by ["limits.value.too-large", "limits.value.too-large-in-batch"] => values::unlimited;
    /// A value over the limit fails its whole batch.
    "limits.value.whole-batch" rejected by ["limits.value.too-large-in-batch"] => values::whole_batch;
    /// Values are cut at one mebibyte.
    "limits.value.cut" rejected by ["limits.value.large"] => values::cut;
    /// Options are looked at before the input.
    "limits.options-first" rejected by ["limits.first"] => values::options_first;
    /// Options of a batch are looked at before its input.
    "limits.options-first-in-batch" rejected by ["limits.first"] => values::options_first_in_batch;
    /// An illegal lifetime of a put is none.
    "limits.lifetime.put-ignored" rejected by ["limits.lifetime.put"] => values::put_ignored;
    /// The lifetime of an increment is looked at only where it is set.
    "limits.lifetime.increment-late" rejected by ["limits.lifetime.increment"] => values::increment_late;
    /// A touch of an absent entry is not looked at.
    "limits.lifetime.touch-absent" rejected by ["limits.lifetime.touch"] => values::touch_absent;
    /// An illegal lifetime fails its whole batch.
    "limits.lifetime.whole-batch" rejected by ["limits.lifetime.batch"] => values::lifetime_whole_batch;
}
