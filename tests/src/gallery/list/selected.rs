//! Defects of what is listed, counted and cleared.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use state_core::{
    Bytes, CountOptions, Error, ErrorKind, Key, ListOptions, Meta, Scope, StateBackend,
};

use crate::gallery::hooks::Hooks;

/// Changes what listings ask for.
fn listing(change: fn(&mut ListOptions)) -> Hooks {
    Hooks::default().on_list(move |honest, mut options| {
        change(&mut options);
        async move { honest.list_page(options).await }
    })
}

pub(super) fn glob() -> Hooks {
    listing(|options| {
        let literal = options.prefix.split(|byte| *byte == b'*').next().unwrap_or_default();
        options.prefix = Bytes::copy_from_slice(literal);
    })
}

pub(super) fn escape() -> Hooks {
    listing(|options| {
        options.prefix = options.prefix.iter().copied().filter(|byte| *byte != b'\\').collect();
    })
}

pub(super) fn text() -> Hooks {
    listing(|options| {
        options.prefix = String::from_utf8_lossy(&options.prefix).into_owned().into();
    })
}

pub(super) fn joined() -> Hooks {
    Hooks::default().on_list(|honest, mut options| async move {
        let prefix = std::mem::take(&mut options.prefix);
        let mut page = honest.list_page(options).await?;
        page.items.retain(|meta| {
            let partition = meta.key.partition().map_or(&[][..], |partition| partition);
            [partition, meta.key.name()].concat().starts_with(&prefix)
        });
        Ok(page)
    })
}

pub(super) fn scope_ignored() -> Hooks {
    listing(|options| options.scope = Scope::All)
}

pub(super) fn deleted_listed() -> Hooks {
    let deleted = Arc::new(Mutex::new(BTreeSet::<Key>::new()));
    let buried = Arc::clone(&deleted);
    Hooks::default()
        .on_delete(move |honest, key, options| {
            buried.lock().insert(key.clone());
            async move { honest.delete_opts(&key, options).await }
        })
        .on_list(move |honest, options| {
            let deleted = Arc::clone(&deleted);
            async move {
                let mut page = honest.list_page(options).await?;
                page.items.extend(deleted.lock().iter().cloned().map(Meta::new));
                Ok(page)
            }
        })
}

pub(super) fn count_all() -> Hooks {
    Hooks::default()
        .on_count(|honest, _| async move { honest.count_opts(CountOptions::default()).await })
}

pub(super) fn count_cached() -> Hooks {
    let counts = Arc::new(Mutex::new(HashMap::<usize, u64>::new()));
    Hooks::default().on_count(move |honest, options| {
        let counts = Arc::clone(&counts);
        async move {
            let count = honest.count_opts(options).await?;
            Ok(*counts.lock().entry(honest.instance).or_insert(count))
        }
    })
}

pub(super) fn clear_silent() -> Hooks {
    Hooks::default().on_clear(|honest, options| async move {
        honest.clear_opts(options).await?;
        Ok(0)
    })
}

pub(super) fn clear_everything() -> Hooks {
    Hooks::default().on_clear(|honest, mut options| async move {
        options.prefix = Bytes::new();
        honest.clear_opts(options).await
    })
}

pub(super) fn clear_partitions_stay() -> Hooks {
    Hooks::default().on_clear(|honest, mut options| async move {
        if options.scope == Scope::All {
            options.scope = Scope::Unpartitioned;
        }
        honest.clear_opts(options).await
    })
}

pub(super) fn clear_all_scopes() -> Hooks {
    Hooks::default().on_clear(|honest, mut options| async move {
        options.scope = Scope::All;
        honest.clear_opts(options).await
    })
}

pub(super) fn clear_closes() -> Hooks {
    let closed = Arc::new(AtomicBool::new(false));
    let closing = Arc::clone(&closed);
    Hooks::default()
        .on_clear(move |honest, options| {
            closing.store(true, Ordering::Release);
            async move { honest.clear_opts(options).await }
        })
        .on_put(move |honest, key, value, options| {
            let closed = closed.load(Ordering::Acquire);
            async move {
                if closed {
                    return Err(Error::new(ErrorKind::Closed, "the namespace is gone"));
                }
                honest.put_opts(&key, value, options).await
            }
        })
}
