//! Blocks: what a snapshot file consists of behind its header.

use std::io::Read;

use state_core::{Error, ErrorKind, Result};

use super::{SnapshotSummary, io_error};
use crate::compression::{self, CompressionId};
use crate::{VALUE_BYTES_MAX, checksum, field};

/// The most bytes of a block before compression: the largest value with its key.
pub(super) const BLOCK_BYTES_MAX: usize = VALUE_BYTES_MAX + (64 << 10);
/// The bytes of a block in front of its records.
pub(super) const BLOCK_HEADER_LEN: usize = 24;

const AT_COMPRESSION: usize = 1;
const AT_RESERVED: usize = 2;
const AT_RECORDS: usize = 4;
const AT_RECORDS_BEFORE: usize = 8;
const AT_RAW_LEN: usize = 16;
const AT_STORED_LEN: usize = 20;

/// What a block holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BlockKind {
    /// Records.
    Records,
    /// The totals; nothing follows.
    End,
}

impl BlockKind {
    const fn number(self) -> u8 {
        match self {
            Self::Records => 1,
            Self::End => 2,
        }
    }
}

/// A block whose checksum has been verified.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) records: u32,
    pub(super) raw: Vec<u8>,
    pub(super) file_bytes: usize,
    pub(super) checksum: u64,
}

/// The bytes of a block; its checksum goes on from `chain` and is returned.
pub(super) fn write(
    kind: BlockKind,
    records: u32,
    records_before: u64,
    raw_len: usize,
    (compression, stored): (CompressionId, &[u8]),
    chain: u64,
) -> Result<(Vec<u8>, u64)> {
    let fits = |len| u32::try_from(len).map_err(|_| too_large(len));
    let mut bytes = Vec::with_capacity(BLOCK_HEADER_LEN + stored.len() + checksum::LEN);
    bytes.extend_from_slice(&[kind.number(), compression.number(), 0, 0]);
    bytes.extend_from_slice(&records.to_le_bytes());
    bytes.extend_from_slice(&records_before.to_le_bytes());
    bytes.extend_from_slice(&fits(raw_len)?.to_le_bytes());
    bytes.extend_from_slice(&fits(stored.len())?.to_le_bytes());
    bytes.extend_from_slice(stored);
    let sum = checksum::of(chain, &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok((bytes, sum))
}

pub(super) fn too_large(len: usize) -> Error {
    Error::too_large("record", len, BLOCK_BYTES_MAX)
}

/// Reads the block that begins at `so_far.file_bytes` and must go on from there.
///
/// # Errors
/// `Corrupt` or `Unsupported` with the position, `Unavailable` when the source cannot be read.
pub(super) fn read(source: &mut impl Read, so_far: &SnapshotSummary) -> Result<Block> {
    let start = so_far.file_bytes;
    let corrupt = |message: &'static str| Error::corrupt(message).with_position(start);
    let mut bytes = Vec::new();
    read_up_to(source, &mut bytes, BLOCK_HEADER_LEN)?;
    let cut = |len: usize| {
        let end = start.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Error::corrupt("the snapshot is cut short").with_position(end)
    };
    let len_at = |bytes: &[u8], at| {
        let len = field::u32_at(bytes, at).and_then(|len| usize::try_from(len).ok());
        len.ok_or_else(|| cut(bytes.len()))
    };
    let stored_len = len_at(&bytes, AT_STORED_LEN)?;
    let raw_len = len_at(&bytes, AT_RAW_LEN)?;
    if stored_len > BLOCK_BYTES_MAX || raw_len > BLOCK_BYTES_MAX {
        return Err(corrupt("the block claims to be larger than any block"));
    }
    let body_end = BLOCK_HEADER_LEN + stored_len;
    read_up_to(source, &mut bytes, body_end + checksum::LEN)?;
    let sum = field::u64_at(&bytes, body_end).ok_or_else(|| cut(bytes.len()))?;
    if checksum::of(so_far.checksum, bytes.get(..body_end).unwrap_or_default()) != sum {
        return Err(corrupt("the block is damaged, or not the next one of this snapshot"));
    }
    let unsupported =
        |message: &'static str| Error::new(ErrorKind::Unsupported, message).with_position(start);
    let kind = match bytes.first() {
        Some(1) => BlockKind::Records,
        Some(2) => BlockKind::End,
        _ => return Err(unsupported("this reader does not know this kind of block")),
    };
    if field::u16_at(&bytes, AT_RESERVED) != Some(0) {
        return Err(unsupported("the block has flags that this reader does not know"));
    }
    if field::u64_at(&bytes, AT_RECORDS_BEFORE) != Some(so_far.records) {
        return Err(corrupt("the block is not the next one of this snapshot"));
    }
    let records = field::u32_at(&bytes, AT_RECORDS).unwrap_or_default();
    let number = bytes.get(AT_COMPRESSION).copied().unwrap_or_default();
    let compression = CompressionId::from_number(number)
        .ok_or_else(|| unsupported("this reader does not know this compression"))?;
    let file_bytes = bytes.len();
    bytes.truncate(body_end);
    let raw = if compression == CompressionId::None {
        bytes.drain(..BLOCK_HEADER_LEN);
        bytes
    } else {
        let stored = bytes.get(BLOCK_HEADER_LEN..).unwrap_or_default();
        let raw = compression::unpack(compression, stored, raw_len);
        raw.map_err(|error| error.with_position(start))?
    };
    if raw.len() != raw_len {
        return Err(corrupt("the lengths in the block contradict each other"));
    }
    Ok(Block { kind, records, raw, file_bytes, checksum: sum })
}

/// Reads until `bytes` are `len` or the source ends. Grows by what is there, not by what was
/// promised.
pub(super) fn read_up_to(source: &mut impl Read, bytes: &mut Vec<u8>, len: usize) -> Result<()> {
    const STEP: usize = 64 << 10;
    while bytes.len() < len {
        let missing = len - bytes.len();
        let before = bytes.len();
        if bytes.capacity() == before {
            // Doubles as a vector does, but never past what is needed.
            bytes.reserve_exact(missing.min(STEP.max(before)));
        }
        let step = u64::try_from(missing.min(bytes.capacity() - before)).unwrap_or(u64::MAX);
        let read = source
            .by_ref()
            .take(step)
            .read_to_end(bytes)
            .map_err(|error| io_error(error, "the snapshot cannot be read"))?;
        if read == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_lies_reserves_no_more_than_what_is_there() {
        for (there, reserved_max) in [(10, 64 << 10), (100_000, 200_000), (1 << 20, 2 << 20)] {
            let source = vec![7; there];
            let mut bytes = Vec::new();
            read_up_to(&mut source.as_slice(), &mut bytes, BLOCK_BYTES_MAX).unwrap();
            assert_eq!(bytes, source);
            assert!(bytes.capacity() <= reserved_max, "{there}: {}", bytes.capacity());
        }
    }

    #[test]
    fn no_more_is_read_or_reserved_than_was_asked_for() {
        let source = vec![7; 300_000];
        let mut left = source.as_slice();
        let mut bytes = Vec::new();
        read_up_to(&mut left, &mut bytes, 200_000).unwrap();
        assert_eq!((bytes.len(), left.len()), (200_000, 100_000));
        assert_eq!(bytes.capacity(), 200_000);
    }
}
