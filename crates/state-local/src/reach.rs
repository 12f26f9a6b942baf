//! Which records a piece of work touches, so that work on other records can go on beside it.

use state_core::Key;

/// Keys are spread over this many homes.
pub(crate) const HOMES: usize = 16;

/// The homes of everything that a piece of work reads or writes.
///
/// All keys of a partition share one home, and so do an entry, a hash, a lease, a fencing mark
/// and remembered operations of the same key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reach(u16);

impl Reach {
    /// The whole namespace: whatever scans, or reads the change log.
    pub(crate) const ALL: Self = Self(u16::MAX);

    /// What belongs to `key`.
    #[inline]
    pub(crate) fn of(key: &Key) -> Self {
        Self(1 << home(key))
    }

    /// What belongs to any of `keys`.
    pub(crate) fn of_all<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Self {
        keys.into_iter().fold(Self(0), |reach, key| Self(reach.0 | Self::of(key).0))
    }

    /// As well what belongs to `key`, if there is one.
    pub(crate) fn and(self, key: Option<&Key>) -> Self {
        key.map_or(self, |key| Self(self.0 | Self::of(key).0))
    }

    pub(crate) fn covers(self, home: usize) -> bool {
        self.0 >> home & 1 == 1
    }

    /// The home, if there is just one.
    pub(crate) fn only(self) -> Option<usize> {
        self.0.is_power_of_two().then(|| self.0.trailing_zeros() as usize)
    }
}

/// Where everything of `key` lies, from 0 to [`HOMES`]: a quick hash of the partition, or of the
/// name without one. Names chosen to share a home only wait for each other more often.
#[inline]
pub(crate) fn home(key: &Key) -> usize {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = key.partition().unwrap_or(key.name());
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    let hash = words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    // The top bits are those that all bits of the input have reached.
    (mix(hash, rest) >> 60) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_one_home_and_names_spread_over_all() {
        let placed = |i: usize| Key::in_partition("cart", format!("item:{i}"));
        assert!((0..1_000).all(|i| home(&placed(i)) == home(&placed(0))));
        for count_in in [
            (|i| Key::from(format!("user:{i:06}"))) as fn(usize) -> Key,
            |i| Key::from(i.to_string()),
            |i| Key::in_partition(format!("tenant-{i}"), "n"),
        ] {
            let mut counts = [0; HOMES];
            for i in 0..16_000 {
                counts[home(&count_in(i))] += 1;
            }
            assert!(counts.iter().all(|count| (500..2_000).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn reaches_add_up() {
        let (a, b) = (Key::from("a"), Key::from("b"));
        assert_ne!(home(&a), home(&b));
        assert_eq!(Reach::of(&a).only(), Some(home(&a)));
        let both = Reach::of(&a).and(Some(&b));
        assert_eq!((both, both.only()), (Reach::of_all([&b, &a]), None));
        assert!(both.covers(home(&a)) && both.covers(home(&b)));
        assert!((0..HOMES).all(|home| Reach::ALL.covers(home)));
        assert_eq!(Reach::of_all([]).only(), None);
    }
}
