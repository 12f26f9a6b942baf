//! Defects of fencing tokens as they are given out.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{
    Acquired, FenceToken, Key, LeaseGrant, LeaseState, LeaseStore, OwnerId, StateBackend,
};

use crate::gallery::hooks::Hooks;

pub(super) fn new_token() -> Hooks {
    Hooks::default().on_acquire(|honest, name, options| async move {
        if let Some(held) = honest.read_lease(&name).await?
            && held.owner == options.owner
        {
            honest.release_lease(&name, held.owner, held.token).await?;
        }
        honest.acquire_lease(&name, options).await
    })
}

/// The tokens that holders are shown, beside the true ones.
#[derive(Debug, Default)]
struct Tokens {
    shown: HashMap<(Key, FenceToken), FenceToken>,
    counts: HashMap<Key, u64>,
}

/// How a token is made of its owner and a count per name.
type Make = fn(OwnerId, &mut u64) -> FenceToken;

impl Tokens {
    fn show(&mut self, name: &Key, owner: OwnerId, token: FenceToken, make: Make) -> FenceToken {
        let count = self.counts.entry(name.clone()).or_default();
        *self.shown.entry((name.clone(), token)).or_insert_with(|| make(owner, count))
    }

    fn meant(&self, name: &Key, shown: FenceToken) -> FenceToken {
        let places =
            self.shown.iter().filter(|((other, _), token)| other == name && **token == shown);
        places.map(|((_, token), _)| *token).max().unwrap_or(shown)
    }
}

/// Gives out other tokens than the honest store.
fn tokens(make: Make, forgets: bool) -> Hooks {
    let tokens = Arc::new(Mutex::new(Tokens::default()));
    let (acquiring, renewing, releasing, clearing) =
        (Arc::clone(&tokens), Arc::clone(&tokens), Arc::clone(&tokens), Arc::clone(&tokens));
    Hooks::default()
        .on_acquire(move |honest, name, options| {
            let tokens = Arc::clone(&acquiring);
            async move {
                Ok(match honest.acquire_lease(&name, options).await? {
                    Acquired::Granted(grant) => {
                        let token = tokens.lock().show(&name, options.owner, grant.token, make);
                        Acquired::Granted(LeaseGrant::new(token, grant.ttl))
                    }
                    other => other,
                })
            }
        })
        .on_renew(move |honest, name, token, options| {
            let meant = renewing.lock().meant(&name, token);
            async move {
                let grant = honest.renew_lease(&name, meant, options).await?;
                Ok(LeaseGrant::new(token, grant.ttl))
            }
        })
        .on_release(move |honest, name, owner, token| {
            let meant = releasing.lock().meant(&name, token);
            async move { honest.release_lease(&name, owner, meant).await }
        })
        .on_read_lease(move |honest, name| {
            let tokens = Arc::clone(&tokens);
            async move {
                let state = honest.read_lease(&name).await?;
                Ok(state.map(|state| {
                    let token = tokens.lock().show(&name, state.owner, state.token, make);
                    LeaseState::new(state.owner, token, state.remaining)
                }))
            }
        })
        .on_clear(move |honest, options| {
            if forgets {
                clearing.lock().counts.clear();
            }
            async move { honest.clear_opts(options).await }
        })
}

fn count(_: OwnerId, count: &mut u64) -> FenceToken {
    *count += 1;
    FenceToken::new(*count)
}

pub(super) fn constant() -> Hooks {
    tokens(|_, _| FenceToken::new(u64::MAX / 2), false)
}

pub(super) fn of_owner() -> Hooks {
    tokens(
        |owner, _| {
            let bytes = owner.as_bytes().first_chunk().copied().unwrap_or_default();
            FenceToken::new(u64::from_be_bytes(bytes))
        },
        false,
    )
}

pub(super) fn restarts() -> Hooks {
    tokens(count, true)
}

pub(super) fn counted() -> Hooks {
    tokens(count, false)
}
