//! Defects of telling namespaces, partitions and names apart.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{Bytes, ClearOptions, Key, Meta, Namespace, StateBackend};

use crate::gallery::hooks::{Honest, Hooks};

pub(super) fn clear_spills() -> Hooks {
    let known = Arc::new(Mutex::new(BTreeSet::<Namespace>::new()));
    let written = Arc::clone(&known);
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            written.lock().insert(honest.namespace.clone());
            async move { honest.put_opts(&key, value, options).await }
        })
        .on_clear(move |honest, options| {
            let known = known.lock().clone();
            async move {
                let own = honest.namespace.clone();
                let others = known
                    .into_iter()
                    .filter(|other| *other != own && other.as_bytes().starts_with(own.as_bytes()));
                for other in others {
                    honest.store.open(other)?.clear_opts(ClearOptions::default()).await?;
                }
                honest.clear_opts(options).await
            }
        })
}

/// A decorator that puts the name of the namespace before every key.
pub(in crate::gallery) fn decorated() -> Hooks {
    in_one_map(b"\0")
}

/// Keeps all namespaces in one, with the name of its namespace and `between` before each key.
fn in_one_map(between: &'static [u8]) -> Hooks {
    let before = move |honest: &Honest, name: &Bytes| {
        Bytes::from([&**honest.namespace.as_bytes(), between, &**name].concat())
    };
    Hooks::default()
        .opening(|_| Namespace::default())
        .saying(|honest, info| state_core::BackendInfo::new(info.scheme, honest.namespace.clone()))
        .keyed(move |honest, key| {
            if honest.capabilities().limits.check_key(key).is_err() {
                return key.clone();
            }
            Key::from_parts(key.partition().cloned(), before(honest, key.name()))
        })
        .on_list(move |honest, mut options| async move {
            let all = before(&honest, &Bytes::new());
            options.prefix = before(&honest, &options.prefix);
            let mut page = honest.list_page(options).await?;
            for meta in &mut page.items {
                let name = meta.key.name();
                let name =
                    name.strip_prefix(&*all).map_or_else(|| name.clone(), Bytes::copy_from_slice);
                meta.key = Key::from_parts(meta.key.partition().cloned(), name);
            }
            Ok(page)
        })
        .on_count(move |honest, mut options| async move {
            options.prefix = before(&honest, &options.prefix);
            honest.count_opts(options).await
        })
        .on_clear(move |honest, mut options| async move {
            options.prefix = before(&honest, &options.prefix);
            honest.clear_opts(options).await
        })
}

pub(super) fn joined() -> Hooks {
    in_one_map(b"")
}

pub(super) fn colon() -> Hooks {
    in_one_map(b":")
}

/// Changes the keys that listings tell.
fn telling(change: fn(&Key) -> Key) -> Hooks {
    Hooks::default().on_list(move |honest, options| async move {
        let mut page = honest.list_page(options).await?;
        page.items.iter_mut().for_each(|meta: &mut Meta| meta.key = change(&meta.key));
        Ok(page)
    })
}

pub(super) fn bare() -> Hooks {
    telling(|key| Key::new(key.name().clone()))
}

pub(super) fn text() -> Hooks {
    telling(|key| {
        let name = String::from_utf8_lossy(key.name()).into_owned();
        Key::from_parts(key.partition().cloned(), name.into())
    })
}
