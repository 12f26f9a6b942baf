//! Time as it is injected: wall clock, monotonic clock and sleep.

mod manual;
mod system;

use std::fmt::Debug;
use std::time::Duration;

use futures_core::future::BoxFuture;

pub use manual::ManualClock;
pub use system::SystemClock;

use crate::Timestamp;

/// Where a backend takes its time from.
///
/// Everything in this workspace takes a clock, so that tests move time instead of waiting.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time of day; may jump both ways.
    fn wall(&self) -> Timestamp;

    /// The time since some fixed point; never goes back.
    fn monotonic(&self) -> Duration;

    /// Waits for at least `duration` of monotonic time. Dropping the future ends the wait.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}
