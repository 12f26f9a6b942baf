//! Defects of setting lifetimes.

use std::time::Duration;

use state_core::{
    Bytes, Capability, Consistency, Expiry, IncrementOptions, LifetimeOn, StateBackend,
    StateBackendExt, Timestamp, TouchOptions, WriteOp,
};

use crate::gallery::hooks::Hooks;

/// Changes the lifetimes that puts name.
fn putting(change: fn(Expiry) -> Expiry) -> Hooks {
    Hooks::default().on_put(move |honest, key, value, mut options| {
        options.expiry = change(options.expiry);
        async move { honest.put_opts(&key, value, options).await }
    })
}

pub(super) fn undeclared_set() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::Expiry))
}

pub(super) fn undeclared_all() -> Hooks {
    putting(|_| Duration::from_secs(60).into())
        .declaring(|_, honest| honest.without(Capability::Expiry))
}

pub(super) fn put_dropped() -> Hooks {
    putting(|expiry| if expiry == Expiry::Keep { expiry } else { Expiry::Never })
}

pub(super) fn put_seconds() -> Hooks {
    putting(|expiry| match expiry {
        Expiry::At(deadline) => {
            Expiry::At(Timestamp::from_unix_ms((deadline.unix_ms() / 1_000 + 1) * 1_000))
        }
        other => other,
    })
}

pub(super) fn put_sticky() -> Hooks {
    putting(|expiry| if expiry == Expiry::Default { Expiry::Keep } else { expiry })
}

pub(super) fn put_mortal() -> Hooks {
    putting(|expiry| if expiry == Expiry::Never { Expiry::Keep } else { expiry })
}

pub(super) fn put_forgets() -> Hooks {
    putting(|expiry| if expiry == Expiry::Keep { Expiry::Never } else { expiry })
}

pub(super) fn touch_does_nothing() -> Hooks {
    Hooks::default().on_touch(|honest, key, _| async move { honest.contains(&key).await })
}

pub(super) fn touch_mortal() -> Hooks {
    Hooks::default().on_touch(|honest, key, options| async move {
        if options.expiry == Expiry::Never {
            return honest.contains(&key).await;
        }
        honest.touch_opts(&key, options).await
    })
}

pub(super) fn touch_creates() -> Hooks {
    Hooks::default().on_touch(|honest, key, options| async move {
        if !honest.contains(&key).await? {
            honest.put(&key, Bytes::new()).await?;
        }
        honest.touch_opts(&key, options).await
    })
}

pub(super) fn touch_keeps() -> Hooks {
    Hooks::default().on_touch(|honest, key, options| async move {
        if options.expiry == Expiry::Keep {
            return honest.contains(&key).await;
        }
        honest.touch_opts(&key, options).await
    })
}

pub(super) fn get_no_touch() -> Hooks {
    Hooks::default().on_get(|honest, key, mut options| async move {
        options.touch = None;
        honest.get_opts(&key, options).await
    })
}

pub(super) fn get_touch_anywhere() -> Hooks {
    Hooks::default().on_get(|honest, key, options| async move {
        honest.get_opts(&key, options.with_consistency(Consistency::Strong)).await
    })
}

pub(super) fn get_many_no_touch() -> Hooks {
    Hooks::default().on_get_many(|honest, keys, mut options| async move {
        options.touch = None;
        honest.get_many(&keys, options).await
    })
}

/// Changes the options of every increment.
fn incrementing(change: fn(&mut IncrementOptions)) -> Hooks {
    Hooks::default().on_increment(move |honest, key, by, mut options| {
        change(&mut options);
        async move { honest.increment_opts(&key, by, options).await }
    })
}

pub(super) fn increment_slides() -> Hooks {
    incrementing(|options| options.lifetime_on = LifetimeOn::Every)
}

pub(super) fn increment_fixed() -> Hooks {
    incrementing(|options| options.lifetime_on = LifetimeOn::Create)
}

pub(super) fn increment_persists() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        let existed = honest.contains(&key).await?;
        let done = honest.increment_opts(&key, by, options).await?;
        if existed {
            honest.touch_opts(&key, TouchOptions::new(Expiry::Never)).await?;
        }
        Ok(done)
    })
}

pub(super) fn batch_dropped() -> Hooks {
    Hooks::default().on_write_many(|honest, mut ops| async move {
        for op in &mut ops {
            if let WriteOp::Put { options, .. } = op {
                options.expiry = Expiry::Never;
            }
        }
        honest.write_many(ops).await
    })
}
