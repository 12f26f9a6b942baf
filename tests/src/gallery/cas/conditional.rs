//! Defects of writes that happen only when something holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{
    AcksReached, Deleted, Error, ErrorKind, Expiry, Key, Outcome, Precondition, PutOptions,
    StateBackend, StateBackendExt, TouchOptions, Version, Written,
};

use crate::gallery::hooks::Hooks;

/// Changes the options of every put.
fn putting(change: impl Fn(&mut PutOptions) + Send + Sync + 'static) -> Hooks {
    Hooks::default().on_put(move |honest, key, value, mut options| {
        change(&mut options);
        async move { honest.put_opts(&key, value, options).await }
    })
}

/// Changes the error of every put that is in conflict.
fn conflicting(change: fn(Error) -> Error) -> Hooks {
    Hooks::default().on_put(move |honest, key, value, options| async move {
        let written = honest.put_opts(&key, value, options).await;
        written.map_err(|error| match error.kind() {
            ErrorKind::Conflict => change(error),
            _ => error,
        })
    })
}

pub(super) fn absent_tombstone() -> Hooks {
    let known = Arc::new(Mutex::new(HashSet::<Key>::new()));
    Hooks::default().on_put(move |honest, key, value, options| {
        let new = known.lock().insert(key.clone());
        async move {
            if !new && options.precondition == Precondition::Absent {
                return Err(Error::conflict("there is a tombstone"));
            }
            honest.put_opts(&key, value, options).await
        }
    })
}

pub(super) fn absent_ignored() -> Hooks {
    putting(|options| {
        if options.precondition == Precondition::Absent {
            options.precondition = Precondition::Always;
        }
    })
}

pub(super) fn absent_empty() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        let empty = honest.get(&key).await?.is_some_and(|held| held.is_empty());
        if empty && options.precondition == Precondition::Absent {
            options.precondition = Precondition::Always;
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn conflict_silent() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        match honest.put_opts(&key, value, options).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                Ok(Written::new(Version::from_bytes([0; 16]), AcksReached::PRIMARY))
            }
            written => written,
        }
    })
}

pub(super) fn conflict_unknown() -> Hooks {
    conflicting(|error| error.with_outcome(Outcome::Unknown))
}

pub(super) fn conflict_invalid() -> Hooks {
    conflicting(|_| Error::invalid("the precondition does not hold"))
}

pub(super) fn present_empty() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let empty = honest.get(&key).await?.is_some_and(|held| held.is_empty());
        if empty && options.precondition == Precondition::Present {
            return Err(Error::conflict("there is nothing"));
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn present_ignored() -> Hooks {
    putting(|options| {
        if options.precondition == Precondition::Present {
            options.precondition = Precondition::Always;
        }
    })
}

pub(super) fn matches_own_instance() -> Hooks {
    let writers = Arc::new(Mutex::new(HashMap::<Version, usize>::new()));
    Hooks::default().on_put(move |honest, key, value, options| {
        let writers = Arc::clone(&writers);
        async move {
            if let Precondition::Matches(version) = options.precondition
                && writers.lock().get(&version).is_none_or(|writer| *writer != honest.instance)
            {
                return Err(Error::conflict("the version is not known"));
            }
            let written = honest.put_opts(&key, value, options).await?;
            writers.lock().insert(written.version, honest.instance);
            Ok(written)
        }
    })
}

pub(super) fn matches_any() -> Hooks {
    putting(|options| {
        if matches!(options.precondition, Precondition::Matches(_)) {
            options.precondition = Precondition::Present;
        }
    })
}

pub(super) fn matches_creates() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        let on_version = matches!(options.precondition, Precondition::Matches(_));
        if on_version && !honest.contains(&key).await? {
            options.precondition = Precondition::Always;
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn matches_again() -> Hooks {
    let current = Arc::new(Mutex::new(HashSet::<Version>::new()));
    Hooks::default().on_put(move |honest, key, value, mut options| {
        let current = Arc::clone(&current);
        async move {
            if let Precondition::Matches(version) = options.precondition
                && !current.lock().insert(version)
            {
                options.precondition = Precondition::Always;
            }
            honest.put_opts(&key, value, options).await
        }
    })
}

pub(super) fn matches_counter() -> Hooks {
    let alike = Arc::new(Mutex::new(HashMap::<Version, Version>::new()));
    let counted = Arc::clone(&alike);
    Hooks::default()
        .on_increment(move |honest, key, by, options| {
            let counted = Arc::clone(&counted);
            async move {
                let before = honest.get_entry(&key).await?;
                let done = honest.increment_opts(&key, by, options).await?;
                counted.lock().extend(before.map(|before| (before.version, done.version)));
                Ok(done)
            }
        })
        .on_put(move |honest, key, value, mut options| {
            while let Precondition::Matches(version) = options.precondition
                && let Some(next) = alike.lock().get(&version)
            {
                options.precondition = (*next).into();
            }
            async move { honest.put_opts(&key, value, options).await }
        })
}

pub(super) fn delete_never_matches() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        if matches!(options.precondition, Precondition::Matches(_)) {
            return Err(Error::conflict("the entry has another version"));
        }
        honest.delete_opts(&key, options).await
    })
}

pub(super) fn delete_does_nothing() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        if matches!(options.precondition, Precondition::Matches(_)) {
            return Ok(Deleted::new(true, None, AcksReached::PRIMARY));
        }
        honest.delete_opts(&key, options).await
    })
}

pub(super) fn delete_ignored() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        let always = options.with_precondition(Precondition::Always);
        honest.delete_opts(&key, always).await
    })
}

pub(super) fn conflict_touches() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        if options.expiry != Expiry::Keep && options.precondition == Precondition::Absent {
            honest.touch_opts(&key, TouchOptions::new(options.expiry)).await?;
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn matches_lifetime() -> Hooks {
    putting(|options| {
        if matches!(options.precondition, Precondition::Matches(_)) {
            options.expiry = Expiry::Never;
        }
    })
}

pub(super) fn matches_two_steps() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        if let Precondition::Matches(version) = options.precondition {
            let held = honest.get_entry(&key).await?;
            if held.is_none_or(|entry| entry.version != version) {
                return Err(Error::conflict("the entry has another version"));
            }
            tokio::task::yield_now().await;
            options.precondition = Precondition::Always;
        }
        honest.put_opts(&key, value, options).await
    })
}
