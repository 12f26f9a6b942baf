//! Defects of what has expired.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use state_core::{
    Clock, DeleteOptions, Error, Expiry, Key, Precondition, StateBackend, StateBackendExt,
    Timestamp,
};

use crate::gallery::hooks::Hooks;
use crate::gallery::shadow::Shadow;

pub(super) fn read() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_get(move |honest, key, options| {
        let shadow = shadow.clone();
        async move {
            match honest.get_opts(&key, options.clone()).await? {
                None => shadow.of(&honest)?.get_opts(&key, options).await,
                found => Ok(found),
            }
        }
    })
}

/// Changes the lifetimes that puts name as a duration.
fn lasting(change: fn(Duration) -> Duration) -> Hooks {
    Hooks::default().on_put(move |honest, key, value, mut options| {
        if let Expiry::After(lifetime) = options.expiry {
            options.expiry = change(lifetime).into();
        }
        async move { honest.put_opts(&key, value, options).await }
    })
}

pub(super) fn late() -> Hooks {
    lasting(|lifetime| lifetime.saturating_add(Duration::from_millis(1)))
}

pub(super) fn cut() -> Hooks {
    lasting(|lifetime| {
        lifetime.saturating_sub(Duration::from_micros(999)).max(Duration::from_millis(1))
    })
}

pub(super) fn listed() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_list(move |honest, options| {
        let shadow = shadow.clone();
        async move { shadow.of(&honest)?.list_page(options).await }
    })
}

pub(super) fn counted() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_count(move |honest, options| {
        let shadow = shadow.clone();
        async move { shadow.of(&honest)?.count_opts(options).await }
    })
}

pub(super) fn batch() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_get_many(move |honest, keys, options| {
        let shadow = shadow.clone();
        async move { shadow.of(&honest)?.get_many(&keys, options).await }
    })
}

pub(super) fn deleted() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_delete(move |honest, key, options| {
        let shadow = shadow.clone();
        async move {
            let deleted = honest.delete_opts(&key, options.clone()).await?;
            let plain = DeleteOptions::new().with_return_value(options.return_value);
            let remembered = shadow.of(&honest)?.delete_opts(&key, plain).await?;
            Ok(if deleted.existed { deleted } else { remembered })
        }
    })
}

pub(super) fn revived() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_touch(move |honest, key, options| {
        let shadow = shadow.clone();
        async move {
            if !honest.contains(&key).await?
                && let Some(value) = shadow.of(&honest)?.get(&key).await?
            {
                honest.put(&key, value).await?;
            }
            honest.touch_opts(&key, options).await
        }
    })
}

pub(super) fn continued() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_increment(move |honest, key, by, options| {
        let shadow = shadow.clone();
        async move {
            if !honest.contains(&key).await?
                && let Some(value) = shadow.of(&honest)?.get(&key).await?
            {
                honest.put(&key, value).await?;
            }
            honest.increment_opts(&key, by, options).await
        }
    })
}

pub(super) fn in_the_way() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    let put = hooks.put.clone();
    hooks.on_put(move |honest, key, value, options| {
        let (shadow, put) = (shadow.clone(), put.clone());
        async move {
            let there = shadow.of(&honest)?.contains(&key).await?;
            if there && options.precondition == Precondition::Absent {
                return Err(Error::conflict("there is such an entry"));
            }
            match put {
                Some(put) => put(honest, key, value, options).await,
                None => honest.put_opts(&key, value, options).await,
            }
        }
    })
}

pub(super) fn cleared() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_clear(move |honest, options| {
        let shadow = shadow.clone();
        async move {
            let cleared = honest.clear_opts(options.clone()).await?;
            Ok(cleared.max(shadow.of(&honest)?.clear_opts(options).await?))
        }
    })
}

pub(super) fn inherited() -> Hooks {
    let lifetimes = Arc::new(Mutex::new(HashMap::<Key, Duration>::new()));
    Hooks::default().on_put(move |honest, key, value, mut options| {
        let lifetimes = Arc::clone(&lifetimes);
        async move {
            if let Expiry::After(lifetime) = options.expiry {
                lifetimes.lock().insert(key.clone(), lifetime);
            }
            let held = lifetimes.lock().get(&key).copied();
            if let Some(held) = held
                && options.expiry == Expiry::Keep
                && !honest.contains(&key).await?
            {
                options.expiry = held.into();
            }
            honest.put_opts(&key, value, options).await
        }
    })
}

pub(super) fn timer() -> Hooks {
    let timers = Arc::new(Mutex::new(HashMap::<Key, Timestamp>::new()));
    let set = Arc::clone(&timers);
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            if let Expiry::After(lifetime) = options.expiry
                && let Some(deadline) = honest.clock.wall().checked_add(lifetime)
            {
                set.lock().entry(key.clone()).or_insert(deadline);
            }
            async move { honest.put_opts(&key, value, options).await }
        })
        .on_get(move |honest, key, options| {
            let due = timers.lock().get(&key).is_some_and(|due| *due <= honest.clock.wall());
            async move {
                if due {
                    honest.delete(&key).await?;
                }
                honest.get_opts(&key, options).await
            }
        })
}

pub(super) fn jitter() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        let spread = key.name().iter().map(|byte| u64::from(*byte)).sum::<u64>() % 7;
        if let Expiry::At(deadline) = options.expiry {
            options.expiry = Expiry::At(Timestamp::from_unix_ms(deadline.unix_ms() + spread));
        }
        honest.put_opts(&key, value, options).await
    })
}
