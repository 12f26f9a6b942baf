//! Defects of operation ids.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use state_core::{
    Capability, Deleted, Error, ErrorKind, IncrementOptions, Incremented, Key, OpId, Precondition,
    PutOptions, StateBackend, StateBackendExt, Timestamp, Written,
};

use crate::gallery::hooks::{Honest, Hooks};

/// Changes the options of every put.
fn putting(change: fn(&Honest, &Key, &mut PutOptions)) -> Hooks {
    Hooks::default().on_put(move |honest, key, value, mut options| async move {
        change(&honest, &key, &mut options);
        honest.put_opts(&key, value, options).await
    })
}

/// Answers a put from memory when its id is known under the place that `place` makes of it.
fn remembering<P: Eq + Hash + Send + 'static>(place: fn(&Honest, &Key, OpId) -> P) -> Hooks {
    let known = Arc::new(Mutex::new(HashMap::<P, Written>::new()));
    Hooks::default().on_put(move |honest, key, value, options| {
        let known = Arc::clone(&known);
        async move {
            let Some(id) = options.op_id else {
                return honest.put_opts(&key, value, options).await;
            };
            let place = place(&honest, &key, id);
            if let Some(written) = known.lock().get(&place) {
                return Ok(*written);
            }
            let written = honest.put_opts(&key, value, options).await?;
            known.lock().insert(place, written);
            Ok(written)
        }
    })
}

pub(super) fn dropped() -> Hooks {
    putting(|_, _, options| options.op_id = None)
        .declaring(|_, honest| honest.without(Capability::OpId))
}

pub(super) fn put_twice() -> Hooks {
    putting(|_, _, options| options.op_id = None)
}

/// Changes the options of every increment.
fn incrementing(change: fn(&Honest, &mut IncrementOptions)) -> Hooks {
    Hooks::default().on_increment(move |honest, key, by, mut options| async move {
        change(&honest, &mut options);
        honest.increment_opts(&key, by, options).await
    })
}

pub(super) fn increment_twice() -> Hooks {
    incrementing(|_, options| options.op_id = None)
}

pub(super) fn delete_twice() -> Hooks {
    Hooks::default().on_delete(|honest, key, mut options| async move {
        options.op_id = None;
        honest.delete_opts(&key, options).await
    })
}

pub(super) fn delete_mute() -> Hooks {
    let seen = Arc::new(Mutex::new(HashSet::<OpId>::new()));
    Hooks::default().on_delete(move |honest, key, options| {
        let again = options.op_id.is_some_and(|id| !seen.lock().insert(id));
        async move {
            let deleted = honest.delete_opts(&key, options).await?;
            let previous = deleted.previous.filter(|_| !again);
            Ok(Deleted::new(deleted.existed, previous, deleted.acks))
        }
    })
}

pub(super) fn conflicts_with_itself() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        if options.precondition == Precondition::Absent && honest.contains(&key).await? {
            return Err(Error::conflict("there is such an entry"));
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn anything() -> Hooks {
    Hooks::default()
        .on_put(|honest, key, value, mut options| async move {
            let first = honest.put_opts(&key, value.clone(), options.clone()).await;
            if first.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid) {
                options.op_id = None;
                return honest.put_opts(&key, value, options).await;
            }
            first
        })
        .on_increment(|honest, key, by, mut options| async move {
            let first = honest.increment_opts(&key, by, options.clone()).await;
            if first.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid) {
                options.op_id = None;
                return honest.increment_opts(&key, by, options).await;
            }
            first
        })
}

pub(super) fn any_value() -> Hooks {
    remembering(|honest, key, id| (honest.namespace.clone(), key.clone(), id))
}

pub(super) fn all_keys() -> Hooks {
    remembering(|honest, _, id| (honest.namespace.clone(), id))
}

pub(super) fn all_namespaces() -> Hooks {
    let known = Arc::new(Mutex::new(HashMap::<(Key, OpId), Incremented>::new()));
    Hooks::default().on_increment(move |honest, key, by, options| {
        let known = Arc::clone(&known);
        async move {
            let Some(id) = options.op_id else {
                return honest.increment_opts(&key, by, options).await;
            };
            let place = (key, id);
            if let Some(done) = known.lock().get(&place) {
                return Ok(*done);
            }
            let done = honest.increment_opts(&place.0, by, options).await?;
            known.lock().insert(place, done);
            Ok(done)
        }
    })
}

pub(super) fn a_minute() -> Hooks {
    let seen = Arc::new(Mutex::new(HashMap::<OpId, Timestamp>::new()));
    Hooks::default().on_increment(move |honest, key, by, mut options| {
        let now = state_core::Clock::wall(&honest.clock);
        if let Some(id) = options.op_id {
            let first = *seen.lock().entry(id).or_insert(now);
            if now.saturating_since(first) > Duration::from_secs(60) {
                options.op_id = None;
            }
        }
        async move { honest.increment_opts(&key, by, options).await }
    })
}

pub(super) fn with_entry() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, mut options| async move {
        if !honest.contains(&key).await? {
            options.op_id = None;
        }
        honest.increment_opts(&key, by, options).await
    })
}

pub(super) fn per_instance() -> Hooks {
    incrementing(|honest, options| {
        let mark = u8::try_from(honest.instance).unwrap_or(u8::MAX);
        options.op_id = options.op_id.map(|id| {
            let mut bytes = *id.as_bytes();
            if let Some(first) = bytes.first_mut() {
                *first ^= mark;
            }
            OpId::from_bytes(bytes)
        });
    })
}

pub(super) fn remembers_refusal() -> Hooks {
    let refused = Arc::new(Mutex::new(HashSet::<OpId>::new()));
    Hooks::default().on_put(move |honest, key, value, options| {
        let refused = Arc::clone(&refused);
        async move {
            let id = options.op_id;
            if id.is_some_and(|id| refused.lock().contains(&id)) {
                return Err(Error::conflict("it was refused before"));
            }
            let written = honest.put_opts(&key, value, options).await;
            if written.is_err() {
                refused.lock().extend(id);
            }
            written
        }
    })
}
