//! Defects of the lifetimes of hashes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use state_core::{Bytes, Capability, Consistency, Expiry, HashStore, Key, Limits};

use crate::gallery::hooks::Hooks;

/// Changes the lifetimes that writes of fields name.
fn lasting(change: fn(Expiry) -> Expiry) -> Hooks {
    Hooks::default().on_hash_set(move |honest, key, fields, mut options| async move {
        options.expiry = change(options.expiry);
        honest.hash_set(&key, fields, options).await
    })
}

pub(super) fn dropped() -> Hooks {
    lasting(|_| Expiry::Keep)
}

pub(super) fn persists() -> Hooks {
    lasting(|expiry| if expiry == Expiry::Keep { Expiry::Never } else { expiry })
}

pub(super) fn bent() -> Hooks {
    lasting(|expiry| match expiry {
        Expiry::After(lifetime) => {
            let year = Duration::from_secs(365 * 24 * 3_600);
            lifetime.clamp(Limits::LIFETIME_MIN, year).into()
        }
        other => other,
    })
}

pub(super) fn revived() -> Hooks {
    let known = Arc::new(Mutex::new(HashMap::<Key, Vec<(Bytes, Bytes)>>::new()));
    Hooks::default().on_hash_set(move |honest, key, fields, options| {
        let known = Arc::clone(&known);
        async move {
            let gone = honest.hash_state(&key, Consistency::Strong).await?.is_none();
            let earlier = known.lock().insert(key.clone(), fields.clone());
            let revived = earlier.filter(|_| gone).unwrap_or_default();
            let fields = revived.into_iter().chain(fields).collect();
            honest.hash_set(&key, fields, options).await
        }
    })
}

pub(super) fn secret() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::Expiry))
}
