//! What the writer knows of a namespace.

use state_core::Namespace;

use super::keys;
use crate::watch::Watchers;

/// One namespace of a store, shared by all its openings.
#[derive(Debug)]
pub(super) struct Namespaced {
    pub(super) name: Namespace,
    /// What its stored keys begin with.
    pub(super) prefix: Vec<u8>,
    /// Tells its history from that of the same namespace in another store.
    pub(super) generation: u64,
    /// Events that are retained.
    pub(super) events_max: u64,
    pub(super) watchers: Watchers,
}

impl Namespaced {
    pub(super) fn new(name: Namespace, store_id: [u8; 16], events_max: u64) -> Self {
        let prefix = keys::of_namespace(&name);
        let generation = generation(store_id, &prefix);
        Self { name, prefix, generation, events_max, watchers: Watchers::default() }
    }
}

/// Mixes the store's identity and the namespace. The same in every version of this library,
/// because resume tokens hold it: FNV-1a with 64 bits.
fn generation(store_id: [u8; 16], prefix: &[u8]) -> u64 {
    store_id.iter().chain(prefix).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_differ_by_store_and_by_namespace_and_never_change() {
        let of = |store: u8, name: &'static str| {
            let name = Namespace::new(name).unwrap();
            Namespaced::new(name, [store; 16], 1).generation
        };
        assert_ne!(of(1, "a"), of(2, "a"));
        assert_ne!(of(1, "a"), of(1, "ab"));
        assert_eq!(of(1, "a"), 0x8ec0_ce0d_8a1c_655c, "resume tokens of stored files hold it");
    }
}
