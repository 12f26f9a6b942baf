//! The version of an entry.

use std::fmt;

/// An opaque mark that changes with every write of an entry and never comes back for its key,
/// not after a delete and not after an expiry.
///
/// Versions can be compared for equality only; they carry no order and no count.
// Aligned like a number, so that results and options of it are moved in whole words: versions
// go through every write, and moving one byte by byte stalls on the bytes just stored.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[repr(align(8))]
pub struct Version([u8; 16]);

impl Version {
    /// A version from its 16 bytes, as a backend made them.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes of the version.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Shows the version as 32 hexadecimal digits.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}
