//! Lifetimes: what a write asks for, and what a read tells.

use std::time::Duration;

use crate::Timestamp;

/// The lifetime that a write gives its entry, set in the same atomic step as the value.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Expiry {
    /// The lifetime configured for the backend, or none.
    #[default]
    Default,
    /// No lifetime.
    Never,
    /// Absent this long after the write: at least 1 ms, at most 10 years.
    After(Duration),
    /// Absent from this point on, which must lie ahead, at most 10 years.
    At(Timestamp),
    /// The lifetime that the entry has now; none when the write creates it.
    Keep,
}

impl From<Duration> for Expiry {
    fn from(after: Duration) -> Self {
        Self::After(after)
    }
}

impl From<Timestamp> for Expiry {
    fn from(at: Timestamp) -> Self {
        Self::At(at)
    }
}

/// What a read tells about an entry's lifetime.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Expires {
    /// Not asked for, and not known without a further question to the store.
    #[default]
    Unknown,
    /// The entry has no lifetime.
    Never,
    /// The entry is absent from `deadline` on.
    At {
        /// The end of the lifetime on the store's wall clock.
        deadline: Timestamp,
        /// What was left of it when the store answered; at least 1 ms.
        remaining: Duration,
    },
}

impl Expires {
    /// The end of the lifetime; `None` when there is none or it is not known.
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::At { deadline, .. } => Some(*deadline),
            Self::Unknown | Self::Never => None,
        }
    }

    /// An answer for a stored `deadline` given at `now`.
    ///
    /// A deadline that has passed answers with 1 ms left: a store decides whether an entry is
    /// expired before it describes it.
    pub fn of(deadline: Option<Timestamp>, now: Timestamp) -> Self {
        deadline.map_or(Self::Never, |deadline| Self::At {
            deadline,
            remaining: deadline.saturating_since(now).max(Duration::from_millis(1)),
        })
    }
}

/// The answer of [`ttl`](crate::StateBackendExt::ttl).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ttl {
    /// There is no such entry.
    Absent,
    /// The entry has no lifetime.
    Forever,
    /// The entry lives this much longer.
    Remaining(Duration),
}
