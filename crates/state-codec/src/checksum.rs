//! The checksum of envelopes and snapshot files: XXH3 with 64 bits.

use twox_hash::XxHash3_64;

/// The bytes that a checksum takes.
pub(crate) const LEN: usize = 8;

/// The checksum of `bytes`; `seed` chains it to what came before, 0 for nothing.
pub(crate) fn of(seed: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_xxh3() {
        // Of the reference implementation: XXH3_64bits of nothing, with seed 0.
        assert_eq!(super::of(0, b""), 0x2d06_8005_38d3_94c2);
        assert_ne!(super::of(0, b"a"), super::of(1, b"a"));
    }
}
