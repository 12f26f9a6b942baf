//! Which failed tries are repeated, when, and how often.
//!
//! A call keeps one [`Call`] from its first try to its last. After each failure it asks
//! [`Call::failed`], which waits and says what to do, or returns the error for the caller. Three
//! things bound the repetitions: their number, the deadline of the call, and a budget that all
//! calls share, so that a server in trouble is not buried under repeated requests.

mod backoff;
mod budget;
pub(crate) mod effect;
mod gave_up;

use std::sync::Arc;
use std::time::Duration;

use state_core::{Clock, Error, ErrorKind, Outcome};

pub(crate) use backoff::Backoff;
use budget::Budget;
pub(crate) use gave_up::GaveUp;

use crate::client::Repeat;
use crate::config::RedisConfig;
use crate::errors::{Failure, Redirect, RetryClass};

/// Redirections and loaded scripts per call that cost nothing; from then on they are retries.
const FREE_HOPS: u32 = 16;
/// The longest wait for a slot that moves.
const SLOT_WAIT_MAX: Duration = Duration::from_millis(500);

/// The rules for all calls of one store.
#[derive(Debug)]
pub(crate) struct Retry {
    clock: Arc<dyn Clock>,
    budget: Budget,
    retries: u32,
    base_delay: Duration,
    max_delay: Duration,
    call_timeout: Duration,
}

/// One call, from its first try to its last.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    retry: &'a Retry,
    op: &'static str,
    repeat: Repeat,
    deadline: Duration,
    retries: u32,
    /// Waits for a slot to have moved, which are no retries.
    waits: u32,
    hops: u32,
    /// An earlier try may have been applied, or may still be.
    unknown: bool,
    backoff: Option<Backoff>,
    slot_backoff: Option<Backoff>,
    gave_up: Option<GaveUp>,
}

/// What to do before the next try.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Again {
    pub(crate) step: Step,
}

/// How the next try differs from the last.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// It does not.
    Same,
    /// It goes to this node.
    Follow(Redirect),
    /// The script has to be loaded first.
    LoadScript,
    /// The node that serves the key has to be found again.
    Refresh,
    /// It goes over a new connection.
    Reconnect,
}

/// Whether a failed try may be followed by another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Stop,
    AtOnce,
    AfterWait,
}

/// The rule for resending: what cannot succeed is not repeated, and neither is what may have
/// happened, unless happening twice does no harm.
pub(crate) const fn verdict(class: RetryClass, outcome: Outcome, repeat: Repeat) -> Verdict {
    match (class, outcome, repeat) {
        (RetryClass::Never, ..) => Verdict::Stop,
        (_, Outcome::NotApplied, _) | (_, Outcome::Unknown, Repeat::Safe | Repeat::LastWins) => {
            match class {
                RetryClass::Redirect | RetryClass::LoadScript => Verdict::AtOnce,
                _ => Verdict::AfterWait,
            }
        }
        // Applied, or unknown where it must happen once.
        _ => Verdict::Stop,
    }
}

impl Retry {
    pub(crate) fn new(config: &RedisConfig, clock: Arc<dyn Clock>) -> Self {
        let budget = Budget::new(
            config.retry_budget_percent,
            config.retry_budget_min_per_s,
            clock.monotonic(),
        );
        Self {
            clock,
            budget,
            retries: config.retries,
            base_delay: config.retry_base_delay(),
            max_delay: config.retry_max_delay(),
            call_timeout: config.call_timeout(),
        }
    }

    /// Begins a call, whose deadline runs from now.
    pub(crate) fn call(&self, op: &'static str, repeat: Repeat) -> Call<'_> {
        self.count();
        self.call_within(op, repeat, self.call_timeout)
    }

    /// Counts a call: the budget for repetitions grows with their number.
    pub(crate) fn count(&self) {
        self.budget.deposit();
    }

    /// A call that was counted, and that ends after `left`.
    pub(crate) fn call_within(&self, op: &'static str, repeat: Repeat, left: Duration) -> Call<'_> {
        let deadline = self.clock.monotonic().saturating_add(left);
        Call {
            retry: self,
            op,
            repeat,
            deadline,
            retries: 0,
            waits: 0,
            hops: 0,
            unknown: false,
            backoff: None,
            slot_backoff: None,
            gave_up: None,
        }
    }
}

impl Call<'_> {
    /// What is left until the deadline; zero when it has passed.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_sub(self.retry.clock.monotonic())
    }

    /// How often a failed try was repeated.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.saturating_add(self.waits)
    }

    /// Whether an earlier try may have been applied, or may still be.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unknown
    }

    /// An even share of what is left, for this retry and each that may follow.
    pub(crate) fn share(&self) -> Duration {
        let left = self.retry.retries.saturating_sub(self.retries).saturating_add(1);
        self.remaining() / left
    }

    /// Ends the call: the error for the caller.
    pub(crate) fn stop(&mut self, failure: Failure, why: &'static str) -> Error {
        self.give_up(failure, why)
    }

    /// How it ended, where it failed for good and a connection or a server is the cause.
    pub(crate) const fn gave_up(&self) -> Option<GaveUp> {
        self.gave_up
    }

    /// Waits as long as is right after `failure`, and says how to try again.
    ///
    /// # Errors
    /// When there is to be no other try: the error for the caller, with operation, attempts and
    /// what is known of the outcome of all tries together.
    pub(crate) async fn failed(&mut self, failure: Failure) -> Result<Again, Error> {
        let mut verdict = verdict(failure.class(), failure.outcome(), self.repeat);
        self.unknown |= failure.outcome() == Outcome::Unknown;
        if verdict == Verdict::AtOnce {
            self.hops += 1;
            // A redirection that does not say where leads nowhere.
            let lost = failure.class() == RetryClass::Redirect && failure.redirect().is_none();
            if self.hops > FREE_HOPS || lost {
                verdict = Verdict::AfterWait;
            }
        }
        match verdict {
            Verdict::Stop => Err(self.give_up(failure, "it must not be repeated")),
            Verdict::AtOnce if self.remaining().is_zero() => {
                Err(self.give_up(failure, "the deadline has passed"))
            }
            Verdict::AtOnce => Ok(again(&failure)),
            Verdict::AfterWait => self.wait(failure).await,
        }
    }

    async fn wait(&mut self, failure: Failure) -> Result<Again, Error> {
        let moves = failure.class() == RetryClass::SlotMoves;
        let most = if moves { self.retry.retries.min(1) } else { self.retry.retries };
        if most == 0 || (!moves && self.retries >= most) {
            return Err(self.give_up(failure, "no retries are left"));
        }
        let (base, max) = (self.retry.base_delay, self.retry.max_delay);
        let wait = if moves {
            self.slot_backoff.get_or_insert_with(|| Backoff::new(base, max.min(SLOT_WAIT_MAX)))
        } else {
            self.backoff.get_or_insert_with(|| Backoff::new(base, max))
        };
        let wait = wait.next();
        if wait >= self.remaining() {
            return Err(self.give_up(failure, "the deadline leaves no time"));
        }
        // What was never sent is no burden for a server, so waiting for its connection is free.
        let sent =
            failure.class() != RetryClass::Reconnect || failure.outcome() != Outcome::NotApplied;
        if sent && !moves && !self.retry.budget.withdraw(self.retry.clock.monotonic()) {
            return Err(self.give_up(failure, "the retry budget is used up"));
        }
        let count = if moves { &mut self.waits } else { &mut self.retries };
        *count = count.saturating_add(1);
        tracing::debug!(
            op = self.op,
            retry = self.retries(),
            wait_us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX),
            cause = %failure,
            "trying again"
        );
        self.retry.clock.sleep(wait).await;
        Ok(again(&failure))
    }

    /// The error for the caller; how it came to that is kept for the log where a connection or a server is the cause.
    fn give_up(&mut self, failure: Failure, why: &'static str) -> Error {
        let attempts = self.retries().saturating_add(1);
        // What one try left open, a later one that was refused does not settle.
        let outcome = match failure.outcome() {
            Outcome::NotApplied if self.unknown => Outcome::Unknown,
            outcome => outcome,
        };
        if failure.class() != RetryClass::Never {
            self.gave_up = Some(GaveUp {
                op: self.op,
                attempts,
                kind: failure.kind(),
                outcome,
                cause: failure.says(),
                why,
            });
        }
        // One try that was late is not the deadline of the call.
        let late = failure.kind() == ErrorKind::Timeout && !self.remaining().is_zero();
        let error = failure.into_error();
        let error = if late { as_unavailable(error) } else { error };
        error.with_outcome(outcome).with_op(self.op).with_attempts(attempts)
    }
}

fn again(failure: &Failure) -> Again {
    let step = match failure.class() {
        RetryClass::Redirect => failure.redirect().cloned().map_or(Step::Refresh, Step::Follow),
        RetryClass::LoadScript => Step::LoadScript,
        RetryClass::Refresh => Step::Refresh,
        RetryClass::Reconnect => Step::Reconnect,
        RetryClass::Wait | RetryClass::SlotMoves | RetryClass::Never => Step::Same,
    };
    Again { step }
}

/// The same failure as one of the store; the first error stays as its cause.
fn as_unavailable(error: Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the server did not answer").with_source(error)
}

#[cfg(test)]
mod tests;
