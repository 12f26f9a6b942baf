//! Snapshots and restores as streams of records.

use std::fmt;

use bytes::Bytes;

use crate::byte_count::ByteCount;
use crate::options::with_methods;
use crate::{Key, Scope, Timestamp};

/// What a snapshot holds.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SnapshotOptions {
    /// Names that begin with these literal bytes; empty for all.
    pub prefix: Bytes,
    /// Which partitions. Default: all.
    pub scope: Scope,
}

impl SnapshotOptions {
    /// Entries and hashes whose names begin with `prefix`.
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        Self { prefix: prefix.into(), scope: Scope::All }
    }
}

with_methods!(SnapshotOptions {
    /// Sets which partitions.
    with_scope => scope: Scope,
});

/// One record of a snapshot. Versions, leases and fencing marks are not part of it.
#[non_exhaustive]
#[derive(Clone, Eq, PartialEq)]
pub enum SnapshotRecord {
    /// An entry.
    Entry {
        /// Its key.
        key: Key,
        /// Its value.
        value: Bytes,
        /// The end of its lifetime, if it has one.
        deadline: Option<Timestamp>,
    },
    /// Some fields of a hash; a large hash takes several records.
    HashFields {
        /// The key of the hash.
        key: Key,
        /// Fields and their values.
        fields: Vec<(Bytes, Bytes)>,
        /// The end of the lifetime of the whole hash, if it has one.
        deadline: Option<Timestamp>,
    },
}

impl SnapshotRecord {
    /// The key of the record.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Entry { key, .. } | Self::HashFields { key, .. } => key,
        }
    }

    /// The end of the record's lifetime, if it has one.
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Entry { deadline, .. } | Self::HashFields { deadline, .. } => *deadline,
        }
    }
}

/// Shows the size of a value and the number of fields, never their bytes.
impl fmt::Debug for SnapshotRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { key, value, deadline } => f
                .debug_struct("Entry")
                .field("key", key)
                .field("value", &ByteCount(value.len()))
                .field("deadline", deadline)
                .finish(),
            Self::HashFields { key, fields, deadline } => f
                .debug_struct("HashFields")
                .field("key", key)
                .field("fields", &fields.len())
                .field("deadline", deadline)
                .finish(),
        }
    }
}

/// What a restore does with what is there already.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum RestoreMode {
    /// Keeps keys that the snapshot does not name; overwrites those that it names.
    #[default]
    Merge,
    /// Clears the namespace first.
    ReplaceNamespace,
}

/// How [`restore`](crate::StateBackendExt::restore) writes records.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct RestoreOptions {
    /// What happens to what is there already. Default: `Merge`.
    pub mode: RestoreMode,
    /// Records at the beginning of the stream that an earlier, interrupted restore has applied:
    /// they are skipped, and nothing is cleared.
    pub resume_after_records: u64,
    /// The time of day, where the caller knows it: a deadline over 10 years ahead of it is refused
    /// before it is sent. It also tells why a store has refused a deadline, which may have passed
    /// or lie too far ahead, so it may differ from the store's time by some years. Default: `None`,
    /// the machine's time of day, for the latter alone.
    pub as_of: Option<Timestamp>,
}

impl RestoreOptions {
    /// A restore in this mode.
    pub const fn new(mode: RestoreMode) -> Self {
        Self { mode, resume_after_records: 0, as_of: None }
    }
}

with_methods!(RestoreOptions {
    /// Skips what an interrupted restore has applied already.
    with_resume_after_records => resume_after_records: u64,
    /// Says what time of day it is.
    with_as_of => into as_of: Option<Timestamp>,
});

/// What a restore has done.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RestoreReport {
    /// Records read from the stream, those skipped by `resume_after_records` included. Every
    /// one of them is dealt with: a restore that goes on later resumes after this many.
    pub records: u64,
    /// Records written.
    pub applied: u64,
    /// Records left out because their lifetime had ended.
    pub expired: u64,
    /// Entries and hashes removed first by `ReplaceNamespace`.
    pub cleared: u64,
}
