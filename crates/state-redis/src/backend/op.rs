//! One call of a user: what it is, until when it may take, and whether the log has told of its failure.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use state_core::Operation;

use super::Inner;
use crate::retry::GaveUp;

/// What all requests of one call share. However many they are, there is one deadline for them, and one line at error
/// level if the call fails.
#[derive(Debug)]
pub(super) struct Op {
    kind: Operation,
    /// By the monotonic clock of the client.
    deadline_us: AtomicU64,
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

    pub(super) fn deadline(&self) -> Duration {
        Duration::from_micros(self.deadline_us.load(Ordering::Relaxed))
    }

    /// Tells the log of a request that failed for good.
    pub(super) fn tell(&self, gave_up: GaveUp) {
        gave_up.log(!self.told.swap(true, Ordering::Relaxed));
    }

    fn set_deadline(&self, deadline: Duration) {
        self.deadline_us.store(whole_us(deadline), Ordering::Relaxed);
    }
}

impl Inner {
    /// Begins a call, whose deadline runs from now.
    pub(super) fn begin(&self, kind: Operation) -> Op {
        let deadline_us = AtomicU64::new(whole_us(self.client.deadline()));
        Op { kind, deadline_us, told: AtomicBool::new(false) }
    }

    /// Gives a call its whole time once more, because a step of it was answered: for those that go through everything
    /// there is, which take as many steps as that needs.
    pub(super) fn renew(&self, op: &Op) {
        op.set_deadline(self.client.deadline());
    }

    /// Leaves a call time to put right what it has begun: a quarter of what a call has, at least.
    pub(super) fn grant_grace(&self, op: &Op) {
        let others = self.config.call_timeout() * 3 / 4;
        let grace = self.client.deadline().saturating_sub(others);
        op.set_deadline(op.deadline().max(grace));
    }

    /// Whether the call has no time left.
    pub(super) fn is_over(&self, op: &Op) -> bool {
        self.client.is_past(op.deadline())
    }
}

fn whole_us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
