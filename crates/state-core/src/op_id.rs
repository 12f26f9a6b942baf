//! Operation ids, and what may be sent twice.

use std::fmt;

/// A caller's own name for one operation, 16 random bytes.
///
/// The store remembers it beside the record, with the result, for at least 5 minutes: the same
/// id on the same key within that time returns the first result and changes nothing. Using it
/// for a *different* operation on the key is `Invalid`.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct OpId([u8; 16]);

impl OpId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpId({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Whether a write may be sent again when its reply was lost.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Resend {
    /// What is safe is resent: reads, compare-and-set, anything with an operation id, and plain
    /// overwrites and deletes, where the last writer wins.
    #[default]
    Safe,
    /// Nothing whose outcome is unknown is resent.
    Never,
}
