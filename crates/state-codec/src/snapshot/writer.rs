//! Writing a snapshot file, record by record.

use std::fmt;
use std::io::Write;

use bytes::Bytes;
use state_core::{Error, Key, Result, SnapshotRecord, Timestamp};

use super::block::{self, BLOCK_BYTES_MAX, BlockKind};
use super::{SnapshotInfo, SnapshotProgress, SnapshotStage, SnapshotSummary, io_error, record};
use crate::compression::{Compression, CompressionId};
use crate::options::with_methods;

/// The last bytes of the last block's content.
pub(super) const END_MARK: [u8; 8] = [0xC1, b'E', b'N', b'D', 0x0D, 0x0A, 0x1A, 0x0A];

/// How a snapshot file is written.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotFileOptions {
    /// When it was made; take it from a [`Clock`](state_core::Clock).
    pub created_at: Timestamp,
    /// Whether the records are the state at one point in time. Default: no;
    /// [`write_snapshot`](super::write_snapshot) knows it from the backend.
    pub point_in_time: bool,
    /// How blocks are compressed. Default: lz4 from 4 KiB on, where built in.
    pub compression: Compression,
    /// How many bytes of records make a block, before compression: 1 KiB to 16 MiB. A larger
    /// record has a block of its own. Default: 64 KiB.
    pub block_bytes: usize,
}

impl SnapshotFileOptions {
    /// The default options.
    pub fn new(created_at: Timestamp) -> Self {
        Self {
            created_at,
            point_in_time: false,
            compression: Compression::default(),
            block_bytes: 64 << 10,
        }
    }

    fn check(&self) -> Result<()> {
        if !(1 << 10..=16 << 20).contains(&self.block_bytes) {
            return Err(Error::invalid("the block size is not within 1 KiB to 16 MiB"));
        }
        self.compression.check()
    }
}

with_methods!(SnapshotFileOptions {
    /// Sets whether the records are the state at one point in time.
    with_point_in_time => point_in_time: bool,
    /// Sets how blocks are compressed.
    with_compression => compression: Compression,
    /// Sets how many bytes of records make a block.
    with_block_bytes => block_bytes: usize,
});

/// Writes a snapshot file into anything that takes bytes; blocking, one block at a time.
///
/// Memory holds at most three copies of one block, compressed ones included (`tests/snapshot_memory.rs` measures it). Nothing
/// is synced to disk: a caller that wants that syncs the file that [`finish`](Self::finish) hands back.
///
/// After an error the file is incomplete and every further call fails. Dropping the writer
/// leaves an incomplete file too, which every reader refuses.
///
/// ```
/// use bytes::Bytes;
/// use state_codec::{SnapshotFileOptions, SnapshotReader, SnapshotWriter};
/// use state_core::{Key, SnapshotRecord, Timestamp};
///
/// # fn main() -> state_core::Result<()> {
/// let options = SnapshotFileOptions::new(Timestamp::from_unix_ms(1_700_000_000_000));
/// let mut writer = SnapshotWriter::new(Vec::new(), options)?;
/// # let (key, value) = (Key::from("greeting"), Bytes::from_static(b"hello"));
/// writer.write_entry(&key, &value, None)?;
/// let (file, summary) = writer.finish()?;
/// assert_eq!(summary.records, 1);
/// assert_eq!(SnapshotReader::new(file.as_slice())?.count(), 1);
/// # Ok(())
/// # }
/// ```
pub struct SnapshotWriter<W> {
    sink: W,
    options: SnapshotFileOptions,
    block: Vec<u8>,
    block_records: u32,
    summary: SnapshotSummary,
    broken: bool,
}

/// Shows what has been written in numbers, never bytes of it; the sink may hold all of it.
impl<W> fmt::Debug for SnapshotWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotWriter")
            .field("options", &self.options)
            .field("block", &format_args!("{} bytes", self.block.len()))
            .field("block_records", &self.block_records)
            .field("summary", &self.summary)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl<W: Write> SnapshotWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// `Invalid` or `Unsupported` for options that cannot be met, `Unavailable` or `Denied` when
    /// the sink fails.
    pub fn new(mut sink: W, options: SnapshotFileOptions) -> Result<Self> {
        options.check()?;
        let info = SnapshotInfo::new(options.created_at, options.point_in_time);
        let (header, checksum) = info.to_bytes();
        sink.write_all(&header).map_err(write_error)?;
        let summary = SnapshotSummary::begun(info, len(header.len()), checksum);
        let block = Vec::with_capacity(options.block_bytes);
        Ok(Self { sink, options, block, block_records: 0, summary, broken: false })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// `TooLarge` for a record that no reader would take, `Unavailable` or `Denied` when the
    /// sink fails.
    pub fn write(&mut self, record: &SnapshotRecord) -> Result<()> {
        match record {
            SnapshotRecord::Entry { key, value, deadline } => {
                self.write_entry(key, value, *deadline)
            }
            SnapshotRecord::HashFields { key, fields, deadline } => {
                self.write_hash_fields(key, fields, *deadline)
            }
            _ => Err(Error::invalid("this version of the format has no such kind of record")),
        }
    }

    /// Adds an entry; errors as [`write`](Self::write).
    pub fn write_entry(
        &mut self,
        key: &Key,
        value: &Bytes,
        deadline: Option<Timestamp>,
    ) -> Result<()> {
        let size = record::overhead(key) + value.len();
        self.add(size, |block| record::write_entry(block, key, value, deadline))?;
        self.summary.entries += 1;
        Ok(())
    }

    /// Adds fields of a hash, in as many records as they take; errors as [`write`](Self::write).
    pub fn write_hash_fields(
        &mut self,
        key: &Key,
        fields: &[(Bytes, Bytes)],
        deadline: Option<Timestamp>,
    ) -> Result<()> {
        let mut rest = fields;
        while !rest.is_empty() {
            let mut size = record::overhead(key);
            let mut taken = 0;
            for (name, value) in rest {
                let more = 8 + name.len() + value.len();
                if taken > 0 && size + more > self.options.block_bytes {
                    break;
                }
                size += more;
                taken += 1;
            }
            let (part, later) = rest.split_at(taken);
            self.add(size, |block| record::write_hash_part(block, key, part, deadline))?;
            self.summary.hash_parts += 1;
            rest = later;
        }
        Ok(())
    }

    /// How far it has come.
    pub fn progress(&self) -> SnapshotProgress {
        let SnapshotSummary { records, file_bytes, .. } = self.summary;
        SnapshotProgress::new(SnapshotStage::Write, records, file_bytes)
    }

    /// Writes what is left and the end, flushes the sink and hands it back.
    ///
    /// # Errors
    /// `Unavailable` or `Denied` when the sink fails, or failed before.
    pub fn finish(mut self) -> Result<(W, SnapshotSummary)> {
        self.check_whole()?;
        self.flush_block()?;
        let SnapshotSummary { records, entries, hash_parts, blocks, raw_bytes, .. } = self.summary;
        let totals = [records, entries, hash_parts, blocks, raw_bytes].map(u64::to_le_bytes);
        let mut end = totals.as_flattened().to_vec();
        end.extend_from_slice(&END_MARK);
        self.put_block(BlockKind::End, 0, end.len(), (CompressionId::None, &end))?;
        self.sink.flush().map_err(write_error)?;
        Ok((self.sink, self.summary))
    }

    /// Adds a record of at most `size` bytes.
    fn add(&mut self, size: usize, append: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        self.check_whole()?;
        if size > BLOCK_BYTES_MAX {
            return Err(block::too_large(size));
        }
        if !self.block.is_empty() && self.block.len() + size > self.options.block_bytes {
            self.flush_block()?;
        }
        append(&mut self.block)?;
        self.block_records += 1;
        self.summary.records += 1;
        Ok(())
    }

    fn flush_block(&mut self) -> Result<()> {
        if self.block_records == 0 {
            return Ok(());
        }
        let mut raw = std::mem::take(&mut self.block);
        let records = std::mem::take(&mut self.block_records);
        let (compression, stored) = self.options.compression.pack(&raw)?;
        self.put_block(BlockKind::Records, records, raw.len(), (compression, &stored))?;
        drop(stored);
        self.summary.blocks += 1;
        self.summary.raw_bytes += len(raw.len());
        // The buffer of an ordinary block is used again, that of a large record is given back.
        raw.clear();
        raw.shrink_to(self.options.block_bytes);
        self.block = raw;
        Ok(())
    }

    fn put_block(
        &mut self,
        kind: BlockKind,
        records: u32,
        raw_len: usize,
        stored: (CompressionId, &[u8]),
    ) -> Result<()> {
        let before = self.summary.records - u64::from(records);
        let chain = self.summary.checksum;
        let (bytes, checksum) = block::write(kind, records, before, raw_len, stored, chain)?;
        self.sink.write_all(&bytes).map_err(|error| {
            self.broken = true;
            write_error(error)
        })?;
        self.summary.checksum = checksum;
        self.summary.file_bytes += len(bytes.len());
        Ok(())
    }

    fn check_whole(&self) -> Result<()> {
        if self.broken {
            let error = std::io::Error::other("an earlier write failed");
            return Err(write_error(error));
        }
        Ok(())
    }
}

fn write_error(error: std::io::Error) -> Error {
    io_error(error, "the snapshot cannot be written")
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
