//! Remembering which keys held large values, so that reads of them delay nobody.
//!
//! What an answer will be like is known only when it has come. A value that was large once is probably large again, so it
//! is asked for over the connection for bulk from then on.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const WORDS: usize = 128;

/// A bit for each of 8,192 groups of keys. A small value in the group of a large one goes over the connection for bulk,
/// which is slower behind large values and right otherwise.
#[derive(Debug)]
pub(super) struct LargeKeys {
    /// Whether a large value was ever seen; while none was, nothing has to be looked up.
    any: AtomicBool,
    groups: [AtomicU64; WORDS],
    hasher: RandomState,
}

impl Default for LargeKeys {
    fn default() -> Self {
        let groups = [const { AtomicU64::new(0) }; WORDS];
        Self { any: AtomicBool::new(false), groups, hasher: RandomState::new() }
    }
}

impl LargeKeys {
    /// Whether the value of a key was large when it was last seen.
    pub(super) fn has(&self, stored: &[u8]) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return false;
        }
        let (word, bit) = self.place(stored);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }

    /// Notes whether the value of a key is large.
    pub(super) fn saw(&self, stored: &[u8], large: bool) {
        if !large && !self.any.load(Ordering::Relaxed) {
            return;
        }
        let (word, bit) = self.place(stored);
        // Most know it already, and who only reads disturbs no other core.
        match word {
            Some(word) if large && word.load(Ordering::Relaxed) & bit == 0 => {
                word.fetch_or(bit, Ordering::Relaxed);
                self.any.store(true, Ordering::Relaxed);
            }
            Some(word) if !large && word.load(Ordering::Relaxed) & bit != 0 => {
                word.fetch_and(!bit, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    fn place(&self, stored: &[u8]) -> (Option<&AtomicU64>, u64) {
        let hash = self.hasher.hash_one(stored);
        let word = usize::try_from(hash >> 6).unwrap_or_default() % WORDS;
        (self.groups.get(word), 1 << (hash % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_large_from_its_first_large_value_to_its_next_small_one() {
        let keys = LargeKeys::default();
        assert!(!keys.has(b"a"));
        keys.saw(b"a", false);
        assert!(!keys.has(b"a"));
        keys.saw(b"a", true);
        assert!(keys.has(b"a"));
        keys.saw(b"a", false);
        assert!(!keys.has(b"a"));
    }

    #[test]
    fn few_of_many_small_keys_are_taken_for_large() {
        let keys = LargeKeys::default();
        for number in 0..100 {
            keys.saw(format!("large {number}").as_bytes(), true);
        }
        assert!((0..100).all(|number| keys.has(format!("large {number}").as_bytes())));
        let taken = (0..10_000).filter(|number| keys.has(format!("small {number}").as_bytes()));
        // 100 of 8,192 groups: 122 of 10,000 on average.
        assert!(taken.count() < 400);
    }
}
