//! Asking for leases, and waiting for them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::handle::Lease;
use super::store::{AcquireOptions, Acquired, LeaseStore, OwnerId};
use crate::options::with_methods;
use crate::{Clock, Error, ErrorKind, Key, Outcome, Result, Spawn, StateBackend};

/// How a lease is asked for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaseOptions {
    /// How long the lease lasts unless it is renewed; the handle renews it every third of it.
    pub ttl: Duration,
    /// The most that [`acquire`](Leases::acquire) waits for another holder. Default: 30 s.
    pub wait_max: Duration,
}

impl LeaseOptions {
    /// A lease that lasts `ttl` unless it is renewed.
    pub const fn new(ttl: Duration) -> Self {
        Self { ttl, wait_max: Duration::from_secs(30) }
    }
}

with_methods!(LeaseOptions {
    /// Sets the most that `acquire` waits for another holder.
    with_wait_max => wait_max: Duration,
});

/// Asks a backend for leases and keeps them alive.
///
/// Cloning is cheap; clones share the backend. The clock judges how long a lease is held, the
/// spawner runs one renewing task per held lease.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use state_core::{BoxFuture, LeaseOptions, Leases, Result, StateBackend, SystemClock};
///
/// async fn work_alone(
///     store: Arc<dyn StateBackend>,
///     spawn: fn(BoxFuture<'static, ()>),
/// ) -> Result<()> {
///     let leases = Leases::new(store, Arc::new(SystemClock::new()), Arc::new(spawn));
///     let lease = leases.acquire("reports", LeaseOptions::new(Duration::from_secs(10))).await?;
///     lease.run(async { /* write with lease.fence() */ }).await?;
///     lease.release().await.map(drop)
/// }
/// ```
#[derive(Clone)]
pub struct Leases {
    pub(super) backend: Arc<dyn StateBackend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) spawn: Arc<dyn Spawn>,
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("backend", &self.backend).finish_non_exhaustive()
    }
}

impl Leases {
    /// Leases of `backend`, timed by `clock` and renewed by tasks that `spawn` starts.
    pub fn new(
        backend: Arc<dyn StateBackend>,
        clock: Arc<dyn Clock>,
        spawn: Arc<dyn Spawn>,
    ) -> Self {
        Self { backend, clock, spawn }
    }

    /// Asks once for the lease `name`; `None` when another holds it. One round trip.
    ///
    /// # Errors
    /// `Unsupported` when the backend has no leases; `Invalid` for the lifetime.
    ///
    /// # Cancellation
    /// A dropped future may leave the lease taken until its lifetime ends.
    pub async fn try_acquire(
        &self,
        name: impl Into<Key>,
        options: LeaseOptions,
    ) -> Result<Option<Lease>> {
        let name = name.into();
        match self.ask(&name, OwnerId::random(), options).await? {
            Ok(lease) => Ok(Some(lease)),
            Err(_remaining) => Ok(None),
        }
    }

    /// Asks for the lease `name` until it is granted, at most for `wait_max`.
    ///
    /// Asks again after half of what is left of the other's lease, at least every second and at
    /// most every 10 ms.
    ///
    /// # Errors
    /// `Timeout` with outcome *not applied* when another held it all the time; else as
    /// [`try_acquire`](Self::try_acquire).
    ///
    /// # Cancellation
    /// A dropped future may leave the lease taken until its lifetime ends.
    pub async fn acquire(&self, name: impl Into<Key>, options: LeaseOptions) -> Result<Lease> {
        let name = name.into();
        let owner = OwnerId::random();
        let give_up = self.clock.monotonic().saturating_add(options.wait_max);
        loop {
            let remaining = match self.ask(&name, owner, options).await? {
                Ok(lease) => return Ok(lease),
                Err(remaining) => remaining,
            };
            let left = give_up.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                let message = "another holder kept the lease for as long as could be waited";
                let error = Error::new(ErrorKind::Timeout, message).with_op("acquire_lease");
                return Err(error.with_outcome(Outcome::NotApplied));
            }
            let pause = (remaining / 2).clamp(Duration::from_millis(10), Duration::from_secs(1));
            self.clock.sleep(pause.min(left)).await;
        }
    }

    /// One request; the inner error is what is left of another's lease.
    async fn ask(
        &self,
        name: &Key,
        owner: OwnerId,
        options: LeaseOptions,
    ) -> Result<Result<Lease, Duration>> {
        let store = store_of(&*self.backend)?;
        let started = self.clock.monotonic();
        let request = AcquireOptions::new(owner, options.ttl);
        Ok(match store.acquire_lease(name, request).await? {
            Acquired::Granted(grant) => {
                Ok(Lease::start(self.clone(), name.clone(), request, grant, started))
            }
            Acquired::Held { remaining } => Err(remaining),
        })
    }
}

pub(super) fn store_of(backend: &dyn StateBackend) -> Result<&dyn LeaseStore> {
    backend.as_lease().ok_or_else(|| Error::unsupported("a lease"))
}
