//! What watchers were told last of each key, as far back as it is kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use state_core::{Timestamp, Version};
use tokio::time::Instant;

/// Keys that are kept at least; twice as many at most. About 90 bytes each.
const KEYS: usize = 32_768;

/// What was at a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Absent,
    There {
        version: Version,
        deadline: Option<Timestamp>,
        /// The earliest time at which it can expire.
        expires: Option<Instant>,
    },
}

/// What was at a key, and when it was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) state: State,
    /// The number of the arrival that it was told for.
    pub(super) since: u64,
    /// The number of the last arrival before the answer that told it.
    pub(super) until: u64,
}

/// Keeps the keys that changed last, by a 128-bit hash.
#[derive(Debug, Default)]
pub(super) struct Memory {
    hashers: [RandomState; 2],
    young: HashMap<(u64, u64), Known>,
    old: HashMap<(u64, u64), Known>,
}

impl Memory {
    pub(super) fn get(&self, stored: &[u8]) -> Option<Known> {
        let hash = self.hash(stored);
        self.young.get(&hash).or_else(|| self.old.get(&hash)).copied()
    }

    pub(super) fn put(&mut self, stored: &[u8], known: Known) {
        if self.young.len() >= KEYS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(self.hash(stored), known);
    }

    pub(super) fn forget(&mut self, stored: &[u8]) {
        let hash = self.hash(stored);
        self.young.remove(&hash);
        self.old.remove(&hash);
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn hash(&self, stored: &[u8]) -> (u64, u64) {
        let [low, high] = &self.hashers;
        (low.hash_one(stored), high.hash_one(stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_keys_are_kept_and_not_all_of_them() {
        let mut memory = Memory::default();
        for number in 0..10 * KEYS {
            let known = Known { state: State::Absent, since: number as u64, until: 0 };
            memory.put(&number.to_be_bytes(), known);
        }
        let kept = (0..10 * KEYS).filter(|number| memory.get(&number.to_be_bytes()).is_some());
        let kept: Vec<_> = kept.collect();
        assert!((KEYS..=2 * KEYS).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last(), Some(&(10 * KEYS - 1)));
        assert_eq!(kept.first(), Some(&(10 * KEYS - kept.len())));
    }
}
