//! Which keys have been seen already, in 16 bytes for each, however long it is.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

/// Keys by a hash of 128 bits. Among a billion of them the chance that any two share one is one in 10^20.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    hashers: [RandomState; 2],
    hashes: HashSet<(u64, u64)>,
}

impl Seen {
    /// Notes a key; whether it was not seen before.
    pub(super) fn insert(&mut self, key: &impl Hash) -> bool {
        let [low, high] = &self.hashers;
        self.hashes.insert((low.hash_one(key), high.hash_one(key)))
    }

    /// How many were seen.
    pub(super) fn count(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.hashes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once_and_takes_little_whatever_its_length() {
        let mut seen = Seen::default();
        for round in 0..2 {
            for number in 0..1_000 {
                let key = state_core::Key::new(format!("{number}{}", "x".repeat(200)));
                assert_eq!(seen.insert(&key), round == 0, "{number}");
            }
        }
        assert_eq!(seen.count(), 1_000);
        assert!(size_of_val(seen.hashes.iter().next().unwrap()) == 16);
        seen.clear();
        assert_eq!(seen.count(), 0);
    }
}
