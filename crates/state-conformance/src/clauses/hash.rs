//! The clauses of the family `hash`: fields under one key.

mod fields;
mod kind;
mod lifetime;
mod pages;

use std::collections::BTreeMap;

use state_core::{
    Bytes, Consistency, Expires, HashState, HashStore, HashWriteOptions, Key, StateBackend,
    StateBackendExt,
};

clauses! { "hash": "fields under one key";
    /// Without the capability `hash`, every call for a hash is refused with `Unsupported` and has no effect.
    MUST "hash.undeclared" unless [Hash] => kind::undeclared;
    /// A write of fields stores each of them, leaves the others alone and returns how many are new.
    MUST "hash.set" needs [Hash] => fields::set;
    /// Of a field that one write names twice, the last value stays, and it counts once.
    MUST "hash.set.twice" needs [Hash] => fields::set_twice;
    /// A write of no fields creates no hash.
    MUST "hash.set.nothing" needs [Hash] => fields::set_nothing;
    /// A read of fields answers in the order asked for, with `None` for each that is absent.
    MUST "hash.get" needs [Hash] => fields::get;
    /// Every byte string is a legal value of a field, and every one that is not empty a legal name of it.
    MUST "hash.any-bytes" needs [Hash] => fields::any_bytes;
    /// A removal of fields returns how many there were, each counted once, and leaves the others alone.
    MUST "hash.delete" needs [Hash] => fields::delete;
    /// A removal of fields of which none is there changes nothing and is told to no watch.
    MUST "hash.delete.absent" needs [Hash, Watch] => fields::delete_absent;
    /// The removal of the last field removes the hash.
    MUST "hash.delete.last" needs [Hash] => fields::delete_last;
    /// The removal of a hash removes all of its fields and says whether there was one.
    MUST "hash.remove" needs [Hash] => fields::remove;
    /// An increment adds to the decimal number in a field, absent being 0, and returns the sum, exact over the whole range of `i64`.
    MUST "hash.increment" needs [Hash] => fields::increment;
    /// An increment of a field that holds no number, or whose sum leaves `i64`, is refused with `Invalid` and changes nothing.
    MUST "hash.increment.invalid" needs [Hash] => fields::increment_invalid;
    /// An empty key or field name is refused with `Invalid` and one over the limit with `TooLarge`, in every call, and no field of the call is written.
    MUST "hash.bad-input" needs [Hash] => fields::bad_input;

    /// The pages of a hash name each field with its value at least once, and hold no more than was asked for.
    MUST "hash.page" needs [Hash] => pages::all_fields;
    /// Where fields are ordered, the pages of a hash name each field once, in the order of their bytes.
    MUST "hash.page.ordered" needs [Hash, OrderedFields] => pages::ordered;
    /// A page of a hash that is limited to 0 fields is refused with `Invalid`.
    MUST "hash.page.zero" needs [Hash] => pages::zero;
    /// A field that is there from the first page of a hash to the last is listed, whatever happens to others meanwhile.
    MUST "hash.page.changing" needs [Hash] => pages::changing;
    /// The state of a hash tells the number of its fields, and there is none without fields.
    MUST "hash.state" needs [Hash] => pages::state_counts;

    /// A hash and an entry of the same key know nothing of each other.
    MUST "hash.kind" needs [Hash] => kind::apart;
    /// Hashes are neither listed nor counted nor contained.
    MUST "hash.unlisted" needs [Hash] => kind::unlisted;
    /// A clear removes the hashes that its prefix and its scope cover, and counts each once.
    MUST "hash.clear" needs [Hash] => kind::clear;
    /// A snapshot holds the fields of every hash, each once, and the end of its lifetime.
    MUST "hash.snapshot" needs [Hash] => kind::snapshot;
    /// The same key in different partitions and namespaces names different hashes.
    MUST "hash.places" needs [Hash] => kind::places;
    /// Without the capability `ack-replicas`, a write of a hash that asks for replicas is refused with `Unsupported` and changes nothing.
    MUST "hash.acks.replicas.undeclared" needs [Hash] unless [AckReplicas] => kind::replicas_undeclared;

    /// What was acknowledged of a hash before a restart is there after it, and what was removed stays removed.
    MUST "hash.restart" needs [Hash, Durable] restarting store => kind::restart;

    /// A hash ends as a whole with its lifetime.
    MUST "hash.expiry" needs [Hash, Expiry] => lifetime::ends;
    /// A write of fields keeps the lifetime of the hash unless it names another, and a hash that it creates has none.
    MUST "hash.expiry.kept" needs [Hash, Expiry] => lifetime::kept;
    /// A write of fields that names a lifetime gives it to the whole hash in the same step.
    MUST "hash.expiry.set" needs [Hash, Expiry] => lifetime::set_anew;
    /// The fields of an expired hash do not come back when it is written anew.
    MUST "hash.expiry.gone" needs [Hash, Expiry] => lifetime::gone;
    /// A restart leaves the lifetime of every hash as it was.
    MUST "hash.expiry.restart" needs [Hash, Expiry, Durable] restarting store => lifetime::restart;
    /// A lifetime of 0, under 1 ms or over 10 years is refused with `Invalid` and changes nothing.
    MUST "hash.expiry.invalid" needs [Hash, Expiry] => lifetime::invalid;
    /// Without the capability `expiry`, a lifetime named in a write of a hash is refused with `Unsupported` and changes nothing.
    MUST "hash.expiry.undeclared" needs [Hash] unless [Expiry] => lifetime::undeclared;
}

fn hashes(store: &dyn StateBackend) -> &dyn HashStore {
    store.as_hash().unwrap()
}

/// Fields as calls take them.
fn pairs(fields: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    fields.iter().map(|(field, value)| (bytes(field), bytes(value))).collect()
}

/// Writes fields and returns how many are new.
async fn set(store: &dyn StateBackend, key: impl Into<Key>, fields: &[(&str, &str)]) -> u64 {
    let options = HashWriteOptions::new();
    hashes(store).hash_set(&key.into(), pairs(fields), options).await.unwrap()
}

async fn state(store: &dyn StateBackend, key: impl Into<Key>) -> Option<HashState> {
    hashes(store).hash_state(&key.into(), Consistency::Strong).await.unwrap()
}

/// The lifetime of a hash that must be there.
async fn expires(store: &dyn StateBackend, key: impl Into<Key>) -> Expires {
    state(store, key).await.unwrap().expires
}

/// The hash `key` must have exactly these fields, none meaning that it is not there, in the
/// answer of every call that tells of them.
async fn holds(store: &dyn StateBackend, key: impl Into<Key>, expected: &[(&str, &str)]) {
    let key = key.into();
    let expected: BTreeMap<Bytes, Bytes> = pairs(expected).into_iter().collect();
    let paged: BTreeMap<Bytes, Bytes> = store.fields(&key).await.unwrap().into_iter().collect();
    assert_eq!(paged, expected, "the fields of `{key}`, by pages");
    let names: Vec<Bytes> = expected.keys().cloned().collect();
    let read = hashes(store).hash_get(&key, &names, Consistency::Strong).await.unwrap();
    let values: Vec<_> = expected.into_values().map(Some).collect();
    assert_eq!(read, values, "the fields of `{key}`, by name");
    let counted = state(store, &key).await.map(|state| state.fields);
    let expected = (!names.is_empty()).then_some(names.len() as u64);
    assert_eq!(counted, expected, "the number of the fields of `{key}`");
}
