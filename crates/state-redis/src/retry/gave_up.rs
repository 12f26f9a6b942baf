//! What the log says of a call that failed for good.

use state_core::{ErrorKind, Outcome};

/// How a request ended of which a connection or a server is the cause that it failed for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GaveUp {
    pub(super) op: &'static str,
    pub(super) attempts: u32,
    pub(super) kind: ErrorKind,
    pub(super) outcome: Outcome,
    pub(super) cause: &'static str,
    /// Why there was no other try.
    pub(super) why: &'static str,
}

impl GaveUp {
    /// Tells it: as an error, the `first` time in one call of a user; for the other requests of the same call, which
    /// fail with it, only to those who look closely.
    pub(crate) fn log(self, first: bool) {
        let Self { op, attempts, kind, outcome, cause, why } = self;
        let (kind, retries) = (kind.name(), attempts.saturating_sub(1));
        if first {
            tracing::error!(
                op, attempts, kind, %outcome, cause, why,
                "Redis connection failed after {retries} retries"
            );
        } else {
            tracing::debug!(
                op, attempts, kind, %outcome, cause, why,
                "Redis connection failed after {retries} retries, in another part of the call"
            );
        }
    }
}
