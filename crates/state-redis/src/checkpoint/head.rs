//! The head of a thread, as it is stored.

use bytes::{Buf, BufMut};
use state_checkpoint::Life;

use super::ask::read_generation;

/// How long it is in version 1.
pub(super) const HEAD_BYTES: usize = 81;
const VERSION: u8 = 1;
/// Most numbers have six bytes.
const WIDE: usize = 6;

/// The head of a thread. Scripts know the same fields in the same order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) generation: u64,
    pub(super) epoch: u64,
    pub(super) serial: u64,
    pub(super) versions: u32,
    pub(super) segments: u32,
    pub(super) tail: u32,
    pub(super) tail_bytes: u16,
    pub(super) checkpoints: u32,
    pub(super) hidden: u32,
    pub(super) pending: u32,
    pub(super) replaced: u64,
    pub(super) fences: u8,
    pub(super) bytes: u64,
    pub(super) written_ms: u64,
    pub(super) lifetime_ms: u64,
    pub(super) pinned: bool,
}

impl Head {
    /// Reads a head; `None` where it is of another version, or damaged.
    pub(super) fn read(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() != HEAD_BYTES || bytes.get_u8() != VERSION {
            return None;
        }
        let generation = std::str::from_utf8(bytes.get(..16)?).ok()?;
        let generation = read_generation(generation).ok()?;
        bytes.advance(16);
        Some(Self {
            generation,
            epoch: bytes.get_uint_le(WIDE),
            serial: bytes.get_uint_le(WIDE),
            versions: bytes.get_u32_le(),
            segments: bytes.get_u32_le(),
            tail: bytes.get_u32_le(),
            tail_bytes: bytes.get_u16_le(),
            checkpoints: bytes.get_u32_le(),
            hidden: bytes.get_u32_le(),
            pending: bytes.get_u32_le(),
            replaced: bytes.get_uint_le(WIDE),
            fences: bytes.get_u8(),
            bytes: bytes.get_uint_le(WIDE),
            written_ms: bytes.get_uint_le(WIDE),
            lifetime_ms: bytes.get_uint_le(WIDE),
            pinned: bytes.get_u8() != 0,
        })
    }

    /// The head as it is stored.
    pub(super) fn write(&self) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        let mut bytes = head.as_mut_slice();
        bytes.put_u8(VERSION);
        bytes.put_slice(&super::ask::generation_digits(self.generation));
        bytes.put_uint_le(self.epoch, WIDE);
        bytes.put_uint_le(self.serial, WIDE);
        bytes.put_u32_le(self.versions);
        bytes.put_u32_le(self.segments);
        bytes.put_u32_le(self.tail);
        bytes.put_u16_le(self.tail_bytes);
        bytes.put_u32_le(self.checkpoints);
        bytes.put_u32_le(self.hidden);
        bytes.put_u32_le(self.pending);
        bytes.put_uint_le(self.replaced, WIDE);
        bytes.put_u8(self.fences);
        bytes.put_uint_le(self.bytes, WIDE);
        bytes.put_uint_le(self.written_ms, WIDE);
        bytes.put_uint_le(self.lifetime_ms, WIDE);
        bytes.put_u8(u8::from(self.pinned));
        head
    }

    pub(super) fn life(&self) -> Life {
        Life { generation: self.generation, epoch: self.epoch }
    }

    /// Whether neither a checkpoint was added nor anything removed between the two.
    pub(super) fn has_checkpoints_of(&self, other: &Self) -> bool {
        self.life() == other.life()
            && self.checkpoints == other.checkpoints
            && self.versions == other.versions
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The head of a thread that somebody has used for a while.
    pub(in crate::checkpoint) fn used() -> Head {
        Head {
            generation: 0x0123_4567_89ab_cdef,
            epoch: 2,
            serial: 70_000,
            versions: 90,
            segments: 7,
            tail: 6,
            tail_bytes: 1_000,
            checkpoints: 40,
            hidden: 3,
            pending: 0,
            replaced: 12,
            fences: 1,
            bytes: 123_456,
            written_ms: 1_790_000_000_000,
            lifetime_ms: 0,
            pinned: false,
        }
    }

    #[test]
    fn a_head_comes_back_and_others_are_refused() {
        let head = used();
        let bytes = head.write();
        assert_eq!(bytes.len(), HEAD_BYTES);
        assert_eq!(bytes.get(1..17).unwrap(), b"0123456789abcdef");
        assert_eq!(Head::read(&bytes), Some(head));
        assert_eq!(Head::read(&bytes[..80]), None);
        let mut later = bytes;
        later[0] = 2;
        assert_eq!(Head::read(&later), None);
    }

    #[test]
    fn scripts_know_the_same_fields() {
        let shared = include_str!("../scripts/thread.lua");
        // The widths, in the words of the `struct` library of the server.
        assert!(shared.contains("local HEAD = '<Bc16I6I6I4I4I4I2I4I4I4I6BI6I6I6B'"));
    }
}
