//! What must hold for a write to happen.

use crate::Version;

/// What must hold in the same atomic step for a write to happen; otherwise it is refused with
/// `Conflict` and nothing changes. An expired entry is absent.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    Always,
    /// There is no such entry.
    Absent,
    /// There is such an entry.
    Present,
    /// The entry has this version.
    Matches(Version),
}

impl From<Version> for Precondition {
    fn from(version: Version) -> Self {
        Self::Matches(version)
    }
}
