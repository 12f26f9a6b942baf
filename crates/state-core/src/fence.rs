//! Fencing tokens: how a store refuses a holder whose lease has passed to another.

use std::fmt;

use crate::Key;

/// A number that grows with every new holder of a lease.
///
/// Holders are ordered by it: the store refuses a token that is smaller than the greatest one
/// it has seen for the same lease.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FenceToken(u64);

impl FenceToken {
    /// The token with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of the token.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FenceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A call made as the holder of a lease.
///
/// The store keeps the greatest token it has seen for `lease` beside the data, raises it by
/// every fenced call, reads included, and refuses a smaller one with `Fenced`, before anything
/// is read or written. `clear` keeps the mark.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Fence {
    /// The name of the lease.
    pub lease: Key,
    /// The token under which the caller holds it.
    pub token: FenceToken,
}

impl Fence {
    /// A call under `token` of the lease called `lease`.
    pub fn new(lease: impl Into<Key>, token: FenceToken) -> Self {
        Self { lease: lease.into(), token }
    }
}
