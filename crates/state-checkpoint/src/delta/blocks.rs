//! Blocks of an old value that lie somewhere else in the new one, found by a rolling hash.

use std::collections::HashMap;

/// The shortest block that is looked for.
pub(super) const BLOCK_BYTES_MIN: usize = 32;
/// The most blocks of an old value that are remembered: longer values have longer blocks.
const BLOCKS_MAX: usize = 1 << 16;
/// The multiplier of the hash: odd, with bits everywhere.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes that are the same in both values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Match {
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) len: usize,
}

/// Parts of `new` that lie in `old` too, in the order of `new` and without overlap there.
pub(super) fn matches(old: &[u8], new: &[u8]) -> Vec<Match> {
    let block = BLOCK_BYTES_MIN.max(old.len() / BLOCKS_MAX);
    if old.len() < block || new.len() < block {
        return Vec::new();
    }
    let known = blocks_of(old, block);
    let mut found = Vec::new();
    // Where the last match ended, and where the window begins.
    let (mut done, mut at) = (0, 0);
    let mut window = Rolling::new(block);
    window.fill(new, at);
    while at + block <= new.len() {
        if let Some(&begin) = known.get(&window.hash)
            && let Some(matched) = extend(old, new, begin, at, done, block)
        {
            done = matched.new + matched.len;
            found.push(matched);
            at = done;
            window.fill(new, at);
        } else {
            window.roll(new, at);
            at += 1;
        }
    }
    found
}

/// The first place of each block of `old`.
fn blocks_of(old: &[u8], block: usize) -> HashMap<u64, usize> {
    let mut known = HashMap::with_capacity(old.len() / block);
    for (number, bytes) in old.chunks_exact(block).enumerate() {
        known.entry(hash(bytes)).or_insert(number * block);
    }
    known
}

/// The longest match around the block at `old_at` and `new_at`, going back to `done` at most;
/// `None` where the blocks only have the same hash.
fn extend(
    old: &[u8],
    new: &[u8],
    old_at: usize,
    new_at: usize,
    done: usize,
    block: usize,
) -> Option<Match> {
    let (old_before, old_after) = old.split_at_checked(old_at)?;
    let (new_before, new_after) = new.split_at_checked(new_at)?;
    let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
    let after = old_after.iter().zip(new_after).take_while(same).count();
    if after < block {
        return None;
    }
    let free = new_before.get(done..)?;
    let before = old_before.iter().rev().zip(free.iter().rev()).take_while(same).count();
    Some(Match { old: old_at - before, new: new_at - before, len: before + after })
}

fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |hash, byte| step(hash, *byte))
}

const fn step(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(FACTOR).wrapping_add(byte as u64 + 1)
}

/// The hash of a window that moves byte by byte.
struct Rolling {
    block: usize,
    hash: u64,
    /// The factor to the power of the block's length.
    leaving: u64,
}

impl Rolling {
    fn new(block: usize) -> Self {
        let leaving = (0..block).fold(1_u64, |power, _| power.wrapping_mul(FACTOR));
        Self { block, hash: 0, leaving }
    }

    fn fill(&mut self, bytes: &[u8], at: usize) {
        self.hash = bytes.get(at..at + self.block).map_or(0, hash);
    }

    /// Moves from `at` to the next place.
    fn roll(&mut self, bytes: &[u8], at: usize) {
        let (Some(out), Some(entering)) = (bytes.get(at), bytes.get(at + self.block)) else {
            return;
        };
        let gone = self.leaving.wrapping_mul(u64::from(*out) + 1);
        self.hash = step(self.hash, *entering).wrapping_sub(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_rolls() {
        let bytes: Vec<u8> = (0..200_u32).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
        let mut window = Rolling::new(BLOCK_BYTES_MIN);
        window.fill(&bytes, 0);
        for at in 0..bytes.len() - BLOCK_BYTES_MIN {
            assert_eq!(window.hash, hash(&bytes[at..at + BLOCK_BYTES_MIN]), "at {at}");
            window.roll(&bytes, at);
        }
    }
}
