//! One call of a user: what it is, until when it may take, and whether the log has told of its failure.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use state_core::Operation;
use tokio::time::Instant;

use super::Inner;
use crate::client::Time;
use crate::retry::GaveUp;

/// What all requests of one call share. However many they are, there is one deadline for them, and one line at error
/// level if the call fails.
#[derive(Debug)]
pub(super) struct Op {
    kind: Operation,
    began: Instant,
    /// How long after that the call may take.
    given_us: AtomicU64,
    /// Whether anything was sent for it yet.
    sent: AtomicBool,
    told: AtomicBool,
}

impl Op {
    /// What it is counted as.
    pub(super) const fn kind(&self) -> Operation {
        self.kind
    }

    /// As errors and spans name it.
    pub(super) const fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.began + Duration::from_micros(self.given_us.load(Ordering::Relaxed))
    }

    /// The time of the next request of the call. The first is sent at once, so the clock need not be asked again for it.
    pub(super) fn time(&self) -> Time {
        let first = !self.sent.load(Ordering::Relaxed);
        if first {
            self.sent.store(true, Ordering::Relaxed);
        }
        let now = if first { self.began } else { Instant::now() };
        Time { now, deadline: self.deadline() }
    }

    /// Whether it has no time left.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline()
    }

    /// Tells the log of a request that failed for good.
    pub(super) fn tell(&self, gave_up: GaveUp) {
        gave_up.log(!self.told.swap(true, Ordering::Relaxed));
    }

    /// Gives it so much time from now on.
    fn give(&self, time: Duration) {
        self.given_us.store(whole_us(self.elapsed().saturating_add(time)), Ordering::Relaxed);
    }
}

impl Inner {
    /// Begins a call, whose deadline runs from now.
    pub(super) fn begin(&self, kind: Operation) -> Op {
        let given_us = AtomicU64::new(whole_us(self.config.call_timeout()));
        let (sent, told) = (AtomicBool::new(false), AtomicBool::new(false));
        Op { kind, began: Instant::now(), given_us, sent, told }
    }

    /// Gives a call its whole time once more, because a step of it was answered: for those that go through everything
    /// there is, which take as many steps as that needs.
    pub(super) fn renew(&self, op: &Op) {
        op.give(self.config.call_timeout());
    }

    /// Leaves a call time to put right what it has begun: a quarter of what a call has, at least.
    pub(super) fn grant_grace(&self, op: &Op) {
        let left = op.deadline().saturating_duration_since(Instant::now());
        op.give(left.max(self.config.call_timeout() / 4));
    }
}

/// At most some thousands of years: what every clock can add.
fn whole_us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(u64::MAX >> 8)
}
