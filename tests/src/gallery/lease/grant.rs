//! Defects of granting, renewing and releasing leases.

use std::time::Duration;

use state_core::{
    Acks, AcquireOptions, Acquired, Capability, Error, ErrorKind, FenceToken, Key, LeaseGrant,
    LeaseState, LeaseStore, Limits, OwnerId, StateBackend, StateBackendExt,
};

use crate::gallery::hooks::{Honest, Hooks, RoleGiven};
use crate::gallery::list::decorated;

/// Changes what holders ask for.
fn asking(change: fn(&mut AcquireOptions)) -> Hooks {
    Hooks::default().on_acquire(move |honest, name, mut options| {
        change(&mut options);
        async move { honest.acquire_lease(&name, options).await }
    })
}

/// Ends a lease whoever holds it.
async fn take_away(honest: &Honest, name: &Key) -> state_core::Result<()> {
    if let Some(held) = honest.read_lease(name).await? {
        honest.release_lease(name, held.owner, held.token).await?;
    }
    Ok(())
}

pub(super) fn secret() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::Lease))
}

pub(super) fn forwarded() -> Hooks {
    decorated().giving(|roles| roles.lease = RoleGiven::Inner)
}

pub(super) fn generous() -> Hooks {
    asking(|options| options.ttl = options.ttl.saturating_mul(2))
}

pub(super) fn twice() -> Hooks {
    Hooks::default().on_acquire(|honest, name, options| async move {
        take_away(&honest, &name).await?;
        honest.acquire_lease(&name, options).await
    })
}

pub(super) fn no_hint() -> Hooks {
    Hooks::default().on_acquire(|honest, name, options| async move {
        Ok(match honest.acquire_lease(&name, options).await? {
            Acquired::Held { .. } => Acquired::Held { remaining: Duration::ZERO },
            other => other,
        })
    })
}

pub(super) fn not_again() -> Hooks {
    Hooks::default().on_acquire(|honest, name, options| async move {
        if let Some(held) = honest.read_lease(&name).await? {
            return Ok(Acquired::Held { remaining: held.remaining });
        }
        honest.acquire_lease(&name, options).await
    })
}

pub(super) fn no_partition() -> Hooks {
    Hooks::default()
        .on_acquire(|honest, name, options| async move {
            honest.acquire_lease(&Key::new(name.name().clone()), options).await
        })
        .on_read_lease(|honest, name| async move {
            honest.read_lease(&Key::new(name.name().clone())).await
        })
}

pub(super) fn bent() -> Hooks {
    asking(|options| options.ttl = options.ttl.clamp(Limits::LIFETIME_MIN, Limits::LIFETIME_MAX))
}

pub(super) fn acks_ignored() -> Hooks {
    asking(|options| options.acks = Acks::Primary)
}

pub(super) fn ghost() -> Hooks {
    Hooks::default().on_read_lease(|honest, name| async move {
        let ghost = LeaseState::new(
            OwnerId::from_bytes([0; 16]),
            FenceToken::new(1),
            Duration::from_secs(1),
        );
        Ok(honest.read_lease(&name).await?.or(Some(ghost)))
    })
}

pub(super) fn entry() -> Hooks {
    Hooks::default().on_acquire(|honest, name, options| async move {
        let acquired = honest.acquire_lease(&name, options).await?;
        if matches!(acquired, Acquired::Granted(_)) {
            honest.put_with_ttl(&name, options.owner.to_string(), options.ttl).await?;
        }
        Ok(acquired)
    })
}

pub(super) fn cleared() -> Hooks {
    let names = std::sync::Arc::new(parking_lot::Mutex::new(Vec::<Key>::new()));
    let asked = std::sync::Arc::clone(&names);
    Hooks::default()
        .on_acquire(move |honest, name, options| {
            asked.lock().push(name.clone());
            async move { honest.acquire_lease(&name, options).await }
        })
        .on_clear(move |honest, options| {
            let names = names.lock().clone();
            async move {
                for name in names {
                    take_away(&honest, &name).await?;
                }
                honest.clear_opts(options).await
            }
        })
}

pub(super) fn renew_does_nothing() -> Hooks {
    Hooks::default().on_renew(|honest, name, token, options| async move {
        let held = honest.read_lease(&name).await?;
        if held.is_some_and(|held| held.owner == options.owner && held.token == token) {
            return Ok(LeaseGrant::new(token, options.ttl));
        }
        honest.renew_lease(&name, token, options).await
    })
}

pub(super) fn renew_anybody() -> Hooks {
    Hooks::default().on_renew(|honest, name, token, mut options| async move {
        let Some(held) = honest.read_lease(&name).await? else {
            return honest.renew_lease(&name, token, options).await;
        };
        options.owner = held.owner;
        honest.renew_lease(&name, held.token, options).await
    })
}

pub(super) fn renew_revives() -> Hooks {
    Hooks::default().on_renew(|honest, name, token, options| async move {
        match honest.acquire_lease(&name, options).await? {
            Acquired::Granted(_) => Ok(LeaseGrant::new(token, options.ttl)),
            _ => honest.renew_lease(&name, token, options).await,
        }
    })
}

pub(super) fn renew_refused() -> Hooks {
    Hooks::default().on_renew(|_, _, _, _| async move {
        Err(Error::new(ErrorKind::Fenced, "the lease is no longer held under this token"))
    })
}

pub(super) fn release_does_nothing() -> Hooks {
    Hooks::default().on_release(|honest, name, owner, token| async move {
        let held = honest.read_lease(&name).await?;
        Ok(held.is_some_and(|held| held.owner == owner && held.token == token))
    })
}

pub(super) fn release_anybody() -> Hooks {
    Hooks::default().on_release(|honest, name, _, _| async move {
        take_away(&honest, &name).await?;
        Ok(true)
    })
}

/// Changes how long a lease lasts in truth.
fn lasting(change: fn(Duration) -> Duration) -> Hooks {
    Hooks::default()
        .on_acquire(move |honest, name, mut options| async move {
            let asked = options.ttl;
            options.ttl = change(asked);
            Ok(match honest.acquire_lease(&name, options).await? {
                Acquired::Granted(grant) => Acquired::Granted(LeaseGrant::new(grant.token, asked)),
                other => other,
            })
        })
        .on_renew(move |honest, name, token, mut options| async move {
            let asked = options.ttl;
            options.ttl = change(asked);
            let grant = honest.renew_lease(&name, token, options).await?;
            Ok(LeaseGrant::new(grant.token, asked))
        })
}

pub(super) fn endless() -> Hooks {
    lasting(|_| Limits::LIFETIME_MAX)
}

pub(super) fn late() -> Hooks {
    lasting(|ttl| ttl.saturating_add(Duration::from_millis(1)))
}
