//! Reading a snapshot file, record by record, and verifying one.

use std::fmt;
use std::io::Read;
use std::iter::FusedIterator;

use state_core::{Error, Result, SnapshotRecord};

use super::block::{self, Block, BlockKind};
use super::header::HEADER_LEN;
use super::record::Records;
use super::writer::END_MARK;
use super::{SnapshotInfo, SnapshotProgress, SnapshotStage, SnapshotSummary};
use crate::field;

/// Reads a whole snapshot file and says what it holds; blocking, one block at a time.
///
/// # Errors
/// `Corrupt` or `Unsupported` with the position of what is wrong: it was cut off at any byte, a
/// bit was flipped, a block is missing, repeated, moved or of another file, something is
/// behind the end, or it never was a snapshot. `Unavailable` when the source cannot be read,
/// `Invalid` when it is a folder.
pub fn verify_snapshot(
    source: impl Read,
    mut progress: impl FnMut(SnapshotProgress),
) -> Result<SnapshotSummary> {
    let mut reader = SnapshotReader::new(source)?;
    verify(&mut reader, &mut progress, |_, _| Ok(()))
}

/// Reads to the end, showing each record to `check`.
pub(super) fn verify<R: Read>(
    reader: &mut SnapshotReader<R>,
    progress: &mut impl FnMut(SnapshotProgress),
    mut check: impl FnMut(u64, &SnapshotRecord) -> Result<()>,
) -> Result<SnapshotSummary> {
    let mut told = 0;
    for index in 0.. {
        let Some(record) = reader.next() else { break };
        check(index, &record?).map_err(|error| error.with_position(reader.block_start))?;
        if reader.so_far.file_bytes != told {
            told = reader.so_far.file_bytes;
            progress(SnapshotProgress::new(SnapshotStage::Verify, index + 1, told));
        }
    }
    let whole = reader.summary().copied().ok_or_else(|| reader.cut_short())?;
    progress(SnapshotProgress::new(SnapshotStage::Verify, whole.records, whole.file_bytes));
    Ok(whole)
}

/// Reads a snapshot file; blocking, one block at a time. Memory holds one block.
///
/// An iterator of records: after an error it ends. A record is only handed out when its block
/// has been verified, but what follows has not: before anything irreversible is done with them,
/// read the whole with [`verify_snapshot`] first, as [`restore_snapshot`](super::restore_snapshot)
/// does.
pub struct SnapshotReader<R> {
    source: R,
    so_far: SnapshotSummary,
    records: Records,
    block_start: u64,
    ended: Ended,
}

/// Shows what has been read in numbers, never bytes of it; the source may hold all of it.
impl<R> fmt::Debug for SnapshotReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotReader")
            .field("so_far", &self.so_far)
            .field("block_start", &self.block_start)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    No,
    Complete,
    Failed,
}

impl<R: Read> SnapshotReader<R> {
    /// Reads and verifies the header.
    ///
    /// # Errors
    /// `Corrupt` or `Unsupported` with the position, `Unavailable` when the source cannot be
    /// read, `Invalid` when it is a folder.
    pub fn new(mut source: R) -> Result<Self> {
        let mut header = Vec::new();
        block::read_up_to(&mut source, &mut header, HEADER_LEN)?;
        let (info, checksum) = SnapshotInfo::read(&header)?;
        let start = u64::try_from(header.len()).unwrap_or(u64::MAX);
        let so_far = SnapshotSummary::begun(info, start, checksum);
        let records = Records::default();
        Ok(Self { source, so_far, records, block_start: start, ended: Ended::No })
    }

    /// What the file says of itself at its beginning.
    pub const fn info(&self) -> SnapshotInfo {
        self.so_far.info
    }

    /// How many bytes have been read.
    pub const fn position(&self) -> u64 {
        self.so_far.file_bytes
    }

    /// What the file holds; `None` until the iterator has come to its end without an error.
    pub fn summary(&self) -> Option<&SnapshotSummary> {
        (self.ended == Ended::Complete).then_some(&self.so_far)
    }

    fn advance(&mut self) -> Result<Option<SnapshotRecord>> {
        loop {
            let next = self.records.next().map_err(|error| error.with_position(self.block_start));
            if let Some(record) = next? {
                match &record {
                    SnapshotRecord::Entry { .. } => self.so_far.entries += 1,
                    _ => self.so_far.hash_parts += 1,
                }
                return Ok(Some(record));
            }
            self.block_start = self.so_far.file_bytes;
            let block = block::read(&mut self.source, &self.so_far)?;
            self.so_far.checksum = block.checksum;
            self.so_far.file_bytes += u64::try_from(block.file_bytes).unwrap_or(u64::MAX);
            match block.kind {
                BlockKind::Records => self.begin(block)?,
                BlockKind::End => {
                    self.check_end(&block)?;
                    return Ok(None);
                }
            }
        }
    }

    fn begin(&mut self, block: Block) -> Result<()> {
        if block.records == 0 {
            let error = Error::corrupt("a block of records has none");
            return Err(error.with_position(self.block_start));
        }
        self.so_far.records += u64::from(block.records);
        self.so_far.blocks += 1;
        self.so_far.raw_bytes += u64::try_from(block.raw.len()).unwrap_or(u64::MAX);
        self.records = Records::of(block.raw, block.records);
        Ok(())
    }

    /// Compares the totals with what was read, and looks for something behind the end.
    fn check_end(&mut self, block: &Block) -> Result<()> {
        let SnapshotSummary { records, entries, hash_parts, blocks, raw_bytes, .. } = self.so_far;
        let totals = [records, entries, hash_parts, blocks, raw_bytes];
        let said = (0..totals.len()).map(|place| field::u64_at(&block.raw, place * 8));
        let agree = said.eq(totals.into_iter().map(Some))
            && block.records == 0
            && block.raw.get(totals.len() * 8..) == Some(END_MARK.as_slice());
        if !agree {
            let error = Error::corrupt("the totals at the end are not those of the snapshot");
            return Err(error.with_position(self.block_start));
        }
        let mut behind = Vec::new();
        block::read_up_to(&mut self.source, &mut behind, 1)?;
        if !behind.is_empty() {
            let error = Error::corrupt("bytes are left over behind the snapshot");
            return Err(error.with_position(self.so_far.file_bytes));
        }
        Ok(())
    }

    fn cut_short(&self) -> Error {
        Error::corrupt("the snapshot is cut short").with_position(self.so_far.file_bytes)
    }
}

impl<R: Read> Iterator for SnapshotReader<R> {
    type Item = Result<SnapshotRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended != Ended::No {
            return None;
        }
        match self.advance() {
            Ok(Some(record)) => Some(Ok(record)),
            Ok(None) => {
                self.ended = Ended::Complete;
                None
            }
            Err(error) => {
                self.ended = Ended::Failed;
                Some(Err(error))
            }
        }
    }
}

impl<R: Read> FusedIterator for SnapshotReader<R> {}
