//! Calls for single entries that others can come between.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use state_core::{
    AcksReached, Deleted, Entry, Error, GetOptions, Incremented, Key, Precondition, PutOptions,
    StateBackend, StateBackendExt,
};

use super::dawdle;
use crate::gallery::hooks::Hooks;

pub(super) fn increment() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, _| async move {
        let held = honest.get(&key).await?;
        let held = held.map_or(0, |held| String::from_utf8_lossy(&held).parse().unwrap_or(0));
        dawdle().await;
        let sum = by + held;
        let put = honest.put_opts(&key, sum.to_string().into(), PutOptions::new()).await?;
        Ok(Incremented::new(sum, put.version, put.acks))
    })
}

pub(super) fn matches() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        if let Precondition::Matches(version) = options.precondition {
            let held = honest.get_entry(&key).await?;
            if held.is_none_or(|entry| entry.version != version) {
                return Err(Error::conflict("the entry has another version"));
            }
            dawdle().await;
            options.precondition = Precondition::Always;
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn absent() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        if options.precondition == Precondition::Absent {
            if honest.contains(&key).await? {
                return Err(Error::conflict("there is such an entry"));
            }
            dawdle().await;
            options.precondition = Precondition::Always;
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn take() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        if !options.return_value {
            return honest.delete_opts(&key, options).await;
        }
        let previous = honest.get_entry(&key).await?;
        dawdle().await;
        honest.delete(&key).await?;
        Ok(Deleted::new(previous.is_some(), previous, AcksReached::PRIMARY))
    })
}

pub(super) fn delete() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        let existed = honest.contains(&key).await?;
        dawdle().await;
        let deleted = honest.delete_opts(&key, options).await?;
        Ok(Deleted::new(existed, deleted.previous, deleted.acks))
    })
}

pub(super) fn read_lags() -> Hooks {
    let replica = Arc::new(Mutex::new(HashMap::<Key, Entry>::new()));
    let (copied, reads) = (Arc::clone(&replica), AtomicU64::new(0));
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            let copied = Arc::clone(&copied);
            async move {
                let before = honest.get_entry(&key).await?;
                let written = honest.put_opts(&key, value, options).await?;
                copied.lock().extend(before.map(|before| (key, before)));
                Ok(written)
            }
        })
        .on_get(move |honest, key, options| {
            let odd = reads.fetch_add(1, Ordering::Relaxed) % 2 == 1;
            let lagging = replica.lock().get(&key).cloned().filter(|_| odd);
            async move {
                match lagging {
                    Some(entry) => Ok(Some(entry)),
                    None => honest.get_opts(&key, options).await,
                }
            }
        })
}

pub(super) fn read() -> Hooks {
    // Writes are as they should be, only slow enough to go on while something is read.
    let slow = Hooks::default().on_put(|honest, key, value, options| async move {
        dawdle().await;
        honest.put_opts(&key, value, options).await
    });
    slow.on_get(|honest, key, options| async move {
        let head = honest.get_opts(&key, GetOptions::new().with_head(true)).await?;
        dawdle().await;
        let found = honest.get_opts(&key, options).await?;
        Ok(found.zip(head).map(|(mut entry, head)| {
            entry.version = head.version;
            entry
        }))
    })
}
