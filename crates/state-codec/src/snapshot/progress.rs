//! How far a snapshot has come, and what it was in the end.

use super::SnapshotInfo;

/// What is being done to a snapshot file.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SnapshotStage {
    /// It is written.
    Write,
    /// It is read and verified; nothing is changed.
    Verify,
    /// It is read again and its records are written into the backend.
    Apply,
}

/// How far it has come; told after each block and at the end.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotProgress {
    /// What is being done.
    pub stage: SnapshotStage,
    /// Records so far.
    pub records: u64,
    /// Bytes of the file so far.
    pub bytes: u64,
    /// All records, where known: while they are applied.
    pub records_total: Option<u64>,
    /// All bytes of the file, where known: while they are applied.
    pub bytes_total: Option<u64>,
}

impl SnapshotProgress {
    pub(super) const fn new(stage: SnapshotStage, records: u64, bytes: u64) -> Self {
        Self { stage, records, bytes, records_total: None, bytes_total: None }
    }

    pub(super) const fn of(mut self, whole: &SnapshotSummary) -> Self {
        self.records_total = Some(whole.records);
        self.bytes_total = Some(whole.file_bytes);
        self
    }
}

/// What a complete snapshot file holds.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotSummary {
    /// What it says of itself at its beginning.
    pub info: SnapshotInfo,
    /// Records: entries, and parts of hashes.
    pub records: u64,
    /// Records that are entries.
    pub entries: u64,
    /// Records that are parts of hashes; a large hash takes several.
    pub hash_parts: u64,
    /// Blocks of records.
    pub blocks: u64,
    /// Bytes of all records before compression.
    pub raw_bytes: u64,
    /// Bytes of the whole file.
    pub file_bytes: u64,
    /// The checksum of the whole file.
    pub checksum: u64,
}

impl SnapshotSummary {
    /// Of a file whose header has been dealt with.
    pub(super) const fn begun(info: SnapshotInfo, file_bytes: u64, checksum: u64) -> Self {
        Self {
            info,
            records: 0,
            entries: 0,
            hash_parts: 0,
            blocks: 0,
            raw_bytes: 0,
            file_bytes,
            checksum,
        }
    }
}
