//! The role of stores that hand out leases.

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;

use crate::options::with_methods;
use crate::{Acks, FenceToken, Key, Result};

/// Who holds or wants a lease: 16 random bytes, one per holder and never shared.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct OwnerId([u8; 16]);

impl OwnerId {
    /// The owner with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the owner.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// An owner that no other call returns: from the hash keys of the process, which the
    /// operating system's random source seeds, and a counter.
    pub fn random() -> Self {
        use std::hash::{BuildHasher, RandomState};
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let seed = (count, std::process::id());
        let high = u128::from(RandomState::new().hash_one(seed));
        let low = u128::from(RandomState::new().hash_one((seed, "low")));
        Self((high << 64 | low).to_be_bytes())
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerId({self})")
    }
}

/// What a holder asks for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AcquireOptions {
    /// Who asks.
    pub owner: OwnerId,
    /// How long the lease lasts unless it is renewed: 1 ms to 10 years.
    pub ttl: Duration,
    /// How safe the grant must be. Default: applied by the primary.
    pub acks: Acks,
}

impl AcquireOptions {
    /// A lease for `owner` that lasts `ttl`.
    pub const fn new(owner: OwnerId, ttl: Duration) -> Self {
        Self { owner, ttl, acks: Acks::Primary }
    }
}

with_methods!(AcquireOptions {
    /// Sets how safe the grant must be.
    with_acks => into acks: Acks,
});

/// A lease that was granted or renewed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaseGrant {
    /// The fencing token: the same for all renewals of one holder, greater for each new one.
    pub token: FenceToken,
    /// How long it lasts, counted from the *start* of the request on the caller's clock.
    pub ttl: Duration,
}

impl LeaseGrant {
    /// A lease under `token` that lasts `ttl`.
    pub const fn new(token: FenceToken, ttl: Duration) -> Self {
        Self { token, ttl }
    }
}

/// The answer to a holder that asks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Acquired {
    /// The lease is the caller's.
    Granted(LeaseGrant),
    /// Another owner has it for this much longer unless it renews.
    Held {
        /// What is left of the other's lease.
        remaining: Duration,
    },
}

/// Who holds a lease now.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaseState {
    /// The owner.
    pub owner: OwnerId,
    /// The owner's token.
    pub token: FenceToken,
    /// What is left of the lease.
    pub remaining: Duration,
}

impl LeaseState {
    /// `owner` holds it under `token` for `remaining` longer.
    pub const fn new(owner: OwnerId, token: FenceToken, remaining: Duration) -> Self {
        Self { owner, token, remaining }
    }
}

/// Leases with fencing tokens. Use them through [`Leases`](crate::Leases).
///
/// A lease gives liveness: at most one owner *believes* to hold it for most of the time. Safety
/// comes from the token, which the store checks ([`Fence`](crate::Fence)). Tokens of one lease
/// never repeat and grow with every new holder: the greater of the previous token plus one and
/// the store's clock in microseconds. Lease names are keys of a kind of their own: they are not
/// in `list`, and `clear` keeps them.
///
/// All methods can be sent again after a lost reply: they are bound to the owner.
#[async_trait]
pub trait LeaseStore: Debug + Send + Sync {
    /// Asks for the lease `name`. An owner that holds it already gets it again, renewed, under
    /// the same token. One atomic step.
    ///
    /// Cancellation: dropping the future may leave the lease taken until its lifetime ends.
    async fn acquire_lease(&self, name: &Key, options: AcquireOptions) -> Result<Acquired>;

    /// Makes a held lease last `ttl` from now.
    ///
    /// # Errors
    /// `Fenced` when the owner no longer holds it under this token.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn renew_lease(
        &self,
        name: &Key,
        token: FenceToken,
        options: AcquireOptions,
    ) -> Result<LeaseGrant>;

    /// Gives a held lease up; `false` when the owner no longer held it under this token.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn release_lease(&self, name: &Key, owner: OwnerId, token: FenceToken) -> Result<bool>;

    /// Tells who holds the lease `name`; `None` when nobody does.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn read_lease(&self, name: &Key) -> Result<Option<LeaseState>>;
}
