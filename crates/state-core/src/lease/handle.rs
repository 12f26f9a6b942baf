//! The handle of a held lease, and the task that renews it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::leases::{Leases, store_of};
use super::signal::Signal;
use super::store::{AcquireOptions, LeaseGrant, OwnerId};
use crate::{Error, ErrorKind, Fence, FenceToken, Key, Outcome, Result};

/// A lease that is held, and renewed in the background until it is released, dropped or lost.
///
/// Holding it is a *belief*: between the end of the lease and the moment this process notices,
/// another may hold it too. Whatever must not happen twice carries [`fence`](Self::fence), and
/// the store refuses the late one.
///
/// Dropping the handle stops the renewal and asks for the release in the background, as far as
/// the runtime still runs; [`release`](Self::release) waits for the answer.
#[must_use = "a dropped lease is given up"]
pub struct Lease {
    shared: Arc<Shared>,
}

struct Shared {
    leases: Leases,
    name: Key,
    request: AcquireOptions,
    token: FenceToken,
    /// On the monotonic clock.
    deadline: Mutex<Duration>,
    lost: Signal,
    /// Raised when the handle is released or dropped: the renewal ends.
    ended: Signal,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("name", &self.shared.name)
            .field("token", &self.shared.token)
            .field("lost", &self.shared.lost.is_raised())
            .finish_non_exhaustive()
    }
}

impl Lease {
    pub(super) fn start(
        leases: Leases,
        name: Key,
        request: AcquireOptions,
        grant: LeaseGrant,
        started: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            leases,
            name,
            request,
            token: grant.token,
            deadline: Mutex::new(started.saturating_add(grant.ttl)),
            lost: Signal::default(),
            ended: Signal::default(),
        });
        let renewed = Arc::clone(&shared);
        shared.leases.spawn.spawn(Box::pin(async move { renewed.renew_until_ended().await }));
        Self { shared }
    }

    /// The name of the lease.
    pub fn name(&self) -> &Key {
        &self.shared.name
    }

    /// Who holds it.
    pub fn owner(&self) -> OwnerId {
        self.shared.request.owner
    }

    /// The fencing token.
    pub fn token(&self) -> FenceToken {
        self.shared.token
    }

    /// What a call must carry for the store to refuse it once another holds the lease.
    pub fn fence(&self) -> Fence {
        Fence::new(&self.shared.name, self.shared.token)
    }

    /// The end of the lease on the clock's monotonic time, counted from the start of the last
    /// request that was granted.
    pub fn deadline(&self) -> Duration {
        self.shared.deadline()
    }

    /// What is left of the lease; zero once it is lost.
    pub fn remaining(&self) -> Duration {
        if self.shared.lost.is_raised() {
            return Duration::ZERO;
        }
        self.shared.deadline().saturating_sub(self.shared.leases.clock.monotonic())
    }

    /// Whether the lease was lost: refused to this holder, or not renewed in time.
    pub fn is_lost(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Waits until the lease is lost. Nothing happens when the future is dropped.
    pub async fn lost(&self) {
        self.shared.lost.raised().await;
    }

    /// Runs `work` while the lease is held, and drops it at the moment the lease is lost, by an answer
    /// of the store or because its deadline has passed. Work on a lease that is lost already is not
    /// begun, and none goes on after the deadline: it is looked at before each step.
    ///
    /// # Errors
    /// `Fenced` when the lease was lost first: with the outcome *not applied* when `work` was not
    /// begun, and *unknown* when it was, because what it did until then stands.
    ///
    /// # Cancellation
    /// Dropping the future drops `work`, and keeps the lease.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output> {
        if self.is_lost() {
            return Err(lost("the lease was lost before the work began", Outcome::NotApplied));
        }
        let (mut work, mut end) = (pin!(work), pin!(self.end()));
        poll_fn(|cx| {
            // The clock is asked too: a thread that stood still comes here before what wakes the rest.
            if end.as_mut().poll(cx).is_ready() || self.is_lost() {
                let message = "the lease was lost while the work was going on";
                return Poll::Ready(Err(lost(message, Outcome::Unknown)));
            }
            work.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// Waits until the lease is lost or its deadline has passed, which renewals move.
    async fn end(&self) {
        loop {
            let left = self.remaining();
            if left.is_zero() {
                return;
            }
            select(self.shared.lost.raised(), self.shared.leases.clock.sleep(left)).await;
        }
    }

    /// Gives the lease up and waits for the answer; `false` when it was no longer held.
    ///
    /// # Errors
    /// Those of the backend; the lease then ends with its lifetime.
    ///
    /// # Cancellation
    /// Dropping the future may leave the lease taken until its lifetime ends; it is not renewed.
    pub async fn release(self) -> Result<bool> {
        self.shared.ended.raise();
        self.shared.release().await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.shared.ended.is_raised() {
            return;
        }
        self.shared.ended.raise();
        if self.shared.lost.is_raised() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.shared.leases.spawn.spawn(Box::pin(async move {
            // Best effort: whether it worked or not, the lease ends with its lifetime.
            drop(shared.release().await);
        }));
    }
}

fn lost(message: &'static str, outcome: Outcome) -> Error {
    Error::new(ErrorKind::Fenced, message).with_op("run").with_outcome(outcome)
}

impl Shared {
    fn deadline(&self) -> Duration {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn release(&self) -> Result<bool> {
        let store = store_of(&*self.leases.backend)?;
        store.release_lease(&self.name, self.request.owner, self.token).await
    }

    /// Renews every third of the lifetime, after a failure every ninth, until the handle ends or
    /// the deadline passes.
    async fn renew_until_ended(&self) {
        let clock = &self.leases.clock;
        let mut pause = self.request.ttl / 3;
        loop {
            let left = self.deadline().saturating_sub(clock.monotonic());
            if left.is_zero() {
                return self.lost.raise();
            }
            match select(self.ended.raised(), clock.sleep(pause.min(left))).await {
                Either::Left(_) => return,
                Either::Right(_) => {}
            }
            let started = clock.monotonic();
            let left = self.deadline().saturating_sub(started);
            if left.is_zero() {
                return self.lost.raise();
            }
            let renewal = select(Box::pin(self.renew()), clock.sleep(left));
            match select(self.ended.raised(), renewal).await {
                Either::Left(_) => return,
                Either::Right((Either::Right(_), _)) => return self.lost.raise(),
                Either::Right((Either::Left((Ok(grant), _)), _)) => {
                    let until = started.saturating_add(grant.ttl);
                    *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = until;
                    pause = self.request.ttl / 3;
                }
                Either::Right((Either::Left((Err(error), _)), _)) => {
                    if error.kind() == ErrorKind::Fenced {
                        return self.lost.raise();
                    }
                    pause = self.request.ttl / 9;
                }
            }
        }
    }

    async fn renew(&self) -> Result<LeaseGrant> {
        let store = store_of(&*self.leases.backend)?;
        store.renew_lease(&self.name, self.token, self.request).await
    }
}
