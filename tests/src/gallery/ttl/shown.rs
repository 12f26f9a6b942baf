//! Defects of telling lifetimes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use state_core::{Error, Expires, Expiry, Key, StateBackend};

use crate::gallery::hooks::Hooks;

pub(super) fn none() -> Hooks {
    Hooks::default().on_get(|honest, key, options| async move {
        let found = honest.get_opts(&key, options).await?;
        Ok(found.map(|entry| entry.with_expires(Expires::Never)))
    })
}

pub(super) fn whole() -> Hooks {
    let lifetimes = Arc::new(Mutex::new(HashMap::<Key, Duration>::new()));
    let set = Arc::clone(&lifetimes);
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            if let Expiry::After(lifetime) = options.expiry {
                set.lock().insert(key.clone(), lifetime);
            }
            async move { honest.put_opts(&key, value, options).await }
        })
        .on_get(move |honest, key, options| {
            let lifetime = lifetimes.lock().get(&key).copied();
            async move {
                let found = honest.get_opts(&key, options).await?;
                Ok(found.map(|mut entry| {
                    if let (Expires::At { remaining, .. }, Some(lifetime)) =
                        (&mut entry.expires, lifetime)
                    {
                        *remaining = lifetime;
                    }
                    entry
                }))
            }
        })
}

pub(super) fn unlisted() -> Hooks {
    Hooks::default().on_list(|honest, mut options| async move {
        options.expiry = false;
        honest.list_page(options).await
    })
}

pub(super) fn short() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        if matches!(options.expiry, Expiry::After(lifetime) if lifetime < Duration::from_secs(1)) {
            return Err(Error::invalid("the lifetime is under 1 s"));
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn capped() -> Hooks {
    const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        if let Expiry::After(lifetime) = options.expiry {
            options.expiry = lifetime.min(MONTH).into();
        }
        honest.put_opts(&key, value, options).await
    })
}
