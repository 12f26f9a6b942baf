//! Single writes as data, for batches and transactions.

use std::fmt;

use bytes::Bytes;

use crate::byte_count::ByteCount;
use crate::{DeleteOptions, Deleted, IncrementOptions, Incremented, Key, PutOptions, Written};

/// One write of a batch or a transaction.
#[non_exhaustive]
#[derive(Clone, Eq, PartialEq)]
pub enum WriteOp {
    /// Stores a value.
    Put {
        /// The key.
        key: Key,
        /// The value.
        value: Bytes,
        /// How it is written.
        options: PutOptions,
    },
    /// Removes an entry.
    Delete {
        /// The key.
        key: Key,
        /// How it is removed.
        options: DeleteOptions,
    },
    /// Adds to a counter.
    Increment {
        /// The key.
        key: Key,
        /// What is added.
        by: i64,
        /// How it is counted.
        options: IncrementOptions,
    },
}

impl WriteOp {
    /// Stores `value` under `key`.
    pub fn put(key: impl Into<Key>, value: impl Into<Bytes>) -> Self {
        Self::put_opts(key, value, PutOptions::default())
    }

    /// Stores `value` under `key` as `options` say.
    pub fn put_opts(key: impl Into<Key>, value: impl Into<Bytes>, options: PutOptions) -> Self {
        Self::Put { key: key.into(), value: value.into(), options }
    }

    /// Removes `key`.
    pub fn delete(key: impl Into<Key>) -> Self {
        Self::delete_opts(key, DeleteOptions::default())
    }

    /// Removes `key` as `options` say.
    pub fn delete_opts(key: impl Into<Key>, options: DeleteOptions) -> Self {
        Self::Delete { key: key.into(), options }
    }

    /// Adds `by` to the counter `key`.
    pub fn increment(key: impl Into<Key>, by: i64) -> Self {
        Self::increment_opts(key, by, IncrementOptions::default())
    }

    /// Adds `by` to the counter `key` as `options` say.
    pub fn increment_opts(key: impl Into<Key>, by: i64, options: IncrementOptions) -> Self {
        Self::Increment { key: key.into(), by, options }
    }

    /// The key that is written.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } | Self::Increment { key, .. } => key,
        }
    }
}

/// Shows the size of a value, never its bytes.
impl fmt::Debug for WriteOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value, options } => f
                .debug_struct("Put")
                .field("key", key)
                .field("value", &ByteCount(value.len()))
                .field("options", options)
                .finish(),
            Self::Delete { key, options } => {
                f.debug_struct("Delete").field("key", key).field("options", options).finish()
            }
            Self::Increment { key, by, options } => f
                .debug_struct("Increment")
                .field("key", key)
                .field("by", by)
                .field("options", options)
                .finish(),
        }
    }
}

/// The receipt of one write of a batch or a transaction.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WriteOutcome {
    /// Of a put.
    Written(Written),
    /// Of a delete.
    Deleted(Deleted),
    /// Of an increment.
    Incremented(Incremented),
}
