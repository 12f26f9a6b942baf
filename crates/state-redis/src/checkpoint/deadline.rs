//! One deadline for all that a call of the engine sends.
//!
//! The engine makes a call out of several requests, and knows nothing of deadlines. So the deadline
//! goes along with the task that makes them.

use std::future::Future;

use tokio::task::futures::TaskLocalFuture;
use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs what must end at `deadline`.
pub(super) fn until<F: Future>(deadline: Instant, call: F) -> TaskLocalFuture<Instant, F> {
    DEADLINE.scope(deadline, call)
}

/// When the call ends that runs now; `None` where each of its requests has a time of its own.
pub(super) fn current() -> Option<Instant> {
    DEADLINE.try_get().ok()
}
