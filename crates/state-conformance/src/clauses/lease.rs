//! The clauses of the family `lease`: leases and the tokens that come with them.

mod acquire;
mod end;
mod handle;
mod token;

use std::time::Duration;

use state_core::{
    AcquireOptions, Acquired, FenceToken, Key, LeaseGrant, LeaseState, LeaseStore, OwnerId,
    StateBackend,
};

use crate::Context;

clauses! { "lease": "leases and the tokens that come with them";
    /// Without the capability `lease`, asking for a lease is refused with `Unsupported`.
    MUST "lease.undeclared" unless [Lease] => acquire::undeclared;
    /// A lease that nobody holds is granted for the lifetime that was asked for, and every instance tells who holds it.
    MUST "lease.acquire.granted" needs [Lease] => acquire::granted;
    /// While one owner holds a lease, every other that asks is told how long the holder has it, and changes nothing.
    MUST "lease.acquire.held" needs [Lease] => acquire::held;
    /// An owner that asks for a lease that it holds gets it again, renewed, under the same token.
    MUST "lease.acquire.again" needs [Lease] => acquire::again;
    /// Leases of different names, partitions or namespaces know nothing of each other.
    MUST "lease.acquire.names" needs [Lease] => acquire::names;
    /// A lease with a lifetime of 0, under 1 ms or over 10 years is refused with `Invalid`, and an empty name with `Invalid` and one over the limit with `TooLarge`, and nothing is granted.
    MUST "lease.acquire.bad-input" needs [Lease] => acquire::bad_input;
    /// Without the capability `ack-replicas`, a lease that asks for replicas is refused with `Unsupported` and is not granted.
    MUST "lease.acks.replicas.undeclared" needs [Lease] unless [AckReplicas] => acquire::replicas_undeclared;
    /// Nobody holds a lease that was never asked for.
    MUST "lease.read.nobody" needs [Lease] => acquire::read_nobody;
    /// Leases are not in listings, counts or snapshots, and are apart from entries of the same key.
    MUST "lease.apart" needs [Lease] => acquire::apart;
    /// Clearing the namespace removes no lease, and does not count any.
    MUST "lease.kept-by-clear" needs [Lease] => acquire::kept_by_clear;

    /// A renewal makes the lease last its lifetime from then on, under the same token.
    MUST "lease.renew.extends" needs [Lease] => end::renew_extends;
    /// A renewal by another owner, or under another token, is refused with `Fenced` and changes nothing.
    MUST "lease.renew.stranger" needs [Lease] => end::renew_stranger;
    /// A renewal after the lease has expired, was released or has passed to another is refused with `Fenced` and does not bring it back.
    MUST "lease.renew.lost" needs [Lease] => end::renew_lost;
    /// A released lease is free at once.
    MUST "lease.release.frees" needs [Lease] => end::release_frees;
    /// A release by another owner, under another token or after the end of the lease answers `false` and changes nothing.
    MUST "lease.release.stranger" needs [Lease] => end::release_stranger;
    /// A lease that is not renewed ends with its lifetime, and is free then.
    MUST "lease.expiry" needs [Lease] => end::expiry;
    /// A lease is held until the last millisecond of its lifetime and not longer.
    MUST "lease.expiry.exact" needs [Lease] moving time => end::expiry_exact;

    /// The token of a lease grows with every new holder, whether the lease before ended by release or by expiry.
    MUST "lease.token.grows" needs [Lease] => token::grows;
    /// An owner that lost a lease and gets it anew gets a greater token.
    MUST "lease.token.same-owner" needs [Lease] => token::same_owner;
    /// Tokens never repeat, not even after the namespace was cleared.
    MUST "lease.token.after-clear" needs [Lease] => token::after_clear;
    /// The token of a new holder is at least the clock of the store in microseconds.
    MUST "lease.token.clock" needs [Lease] => token::clock;

    /// A restart leaves a lease with its holder, its token and its deadline.
    MUST "lease.restart" needs [Lease, Durable] restarting store => end::restart;
    /// Tokens go on growing after a restart, whether the lease before was held or free then.
    MUST "lease.token.restart" needs [Lease, Durable] restarting store => token::restart;

    /// A lease handle tells owner, token and what is left, and is not lost while it is held.
    MUST "lease.handle.held" needs [Lease] => handle::held;
    /// A lease handle renews the lease in time, past several lifetimes and under one token.
    MUST "lease.handle.renews" needs [Lease] => handle::renews;
    /// A lease handle says that the lease is lost soon after another has taken it over.
    MUST "lease.handle.taken-over" needs [Lease] => handle::taken_over;
    /// A lease handle that could not renew before its deadline says that the lease is lost.
    MUST "lease.handle.too-late" needs [Lease] => handle::too_late;
    /// Work that runs under a lease handle ends with its output while the lease is renewed.
    MUST "lease.handle.run.ends" needs [Lease] => handle::run_ends;
    /// Work that runs under a lease handle is dropped with `Fenced` and the outcome *unknown* when the lease is lost.
    MUST "lease.handle.run.stopped" needs [Lease] => handle::run_stopped;
    /// Work that runs under a lease handle that could not renew is dropped with `Fenced` at the deadline, and other work is not begun after it and refused with `Fenced` and the outcome *not applied*.
    MUST "lease.handle.run.too-late" needs [Lease] => handle::run_too_late;
    /// Releasing a lease handle frees the lease at once, and answers `false` when it was no longer held.
    MUST "lease.handle.release" needs [Lease] => handle::release;
    /// Dropping a lease handle frees the lease soon.
    MUST "lease.handle.drop" needs [Lease] => handle::dropped;
    /// Who waits for a lease gets it after the holder has released it.
    MUST "lease.handle.waits" needs [Lease] => handle::waits;
    /// Who has waited for a lease as long as it wanted gets `Timeout` with the outcome *not applied*.
    MUST "lease.handle.timeout" needs [Lease] => handle::timeout;
}

/// The name of the lease that most clauses ask for.
fn name() -> Key {
    Key::from("lease")
}

fn leases(store: &dyn StateBackend) -> &dyn LeaseStore {
    store.as_lease().unwrap()
}

/// The answer to `owner`, who asks for the lease `name`.
async fn ask(store: &dyn StateBackend, name: &Key, owner: OwnerId, ttl: Duration) -> Acquired {
    leases(store).acquire_lease(name, AcquireOptions::new(owner, ttl)).await.unwrap()
}

/// Makes `owner` the holder of the lease `name`, which must be free or its own.
async fn grant(store: &dyn StateBackend, name: &Key, owner: OwnerId, ttl: Duration) -> LeaseGrant {
    match ask(store, name, owner, ttl).await {
        Acquired::Granted(grant) => grant,
        other => panic!("expected the lease `{name}` to be granted, got {other:?}"),
    }
}

async fn read(store: &dyn StateBackend, name: &Key) -> Option<LeaseState> {
    leases(store).read_lease(name).await.unwrap()
}

/// Every instance must say that `owner` holds the lease `name` under `token`.
async fn held_by(cx: &Context, name: &Key, owner: OwnerId, token: FenceToken) {
    for store in [&*cx.a, &*cx.b] {
        let state = read(store, name).await;
        let holder = state.map(|state| (state.owner, state.token));
        assert_eq!(holder, Some((owner, token)), "the holder of `{name}`");
    }
}
