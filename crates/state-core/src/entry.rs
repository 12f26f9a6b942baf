//! What a read returns.

use std::fmt;

use bytes::Bytes;

use crate::byte_count::ByteCount;
use crate::{Expires, Key, Version};

/// The value of an entry and what is known about it.
#[non_exhaustive]
#[derive(Clone, Eq, PartialEq)]
pub struct Entry {
    /// The value; empty when only the head was asked for.
    pub value: Bytes,
    /// The version, to be named in a [`Precondition`](crate::Precondition).
    pub version: Version,
    /// The lifetime; `Unknown` unless asked for with
    /// [`with_expiry`](crate::GetOptions::with_expiry) or known for free.
    pub expires: Expires,
}

impl Entry {
    /// An entry whose lifetime is not known.
    pub fn new(value: Bytes, version: Version) -> Self {
        Self { value, version, expires: Expires::Unknown }
    }

    /// Adds what is known about the lifetime.
    #[must_use]
    pub fn with_expires(mut self, expires: Expires) -> Self {
        self.expires = expires;
        self
    }
}

/// Shows the size of the value, never its bytes.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, version, expires } = self;
        f.debug_struct("Entry")
            .field("value", &ByteCount(value.len()))
            .field("version", version)
            .field("expires", expires)
            .finish()
    }
}

/// One line of a listing.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Meta {
    /// The key.
    pub key: Key,
    /// The version, where the store tells it for free.
    pub version: Option<Version>,
    /// The lifetime; `Unknown` unless asked for or known for free.
    pub expires: Expires,
    /// The size of the value in bytes, where the store tells it for free.
    pub value_bytes: Option<u64>,
}

impl Meta {
    /// A line that tells the key only.
    pub fn new(key: Key) -> Self {
        Self { key, version: None, expires: Expires::Unknown, value_bytes: None }
    }

    /// Adds the version.
    #[must_use]
    pub fn with_version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds what is known about the lifetime.
    #[must_use]
    pub fn with_expires(mut self, expires: Expires) -> Self {
        self.expires = expires;
        self
    }

    /// Adds the size of the value in bytes.
    #[must_use]
    pub fn with_value_bytes(mut self, value_bytes: u64) -> Self {
        self.value_bytes = Some(value_bytes);
        self
    }
}
