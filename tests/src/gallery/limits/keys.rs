//! Defects of bad, long and strange keys.

use state_core::{Bytes, Error, Key, Limits, Namespace, StateBackend};

use crate::gallery::hooks::Hooks;

pub(super) fn short() -> Hooks {
    Hooks::default().with_store(|store| {
        let mut limits = Limits::DEFAULT;
        limits.key_bytes_max = 255;
        store.limits(limits)
    })
}

pub(super) fn empty_accepted() -> Hooks {
    Hooks::default().keyed(|_, key| {
        if key.name().is_empty() {
            return Key::from_parts(key.partition().cloned(), Bytes::from_static(b"\0"));
        }
        key.clone()
    })
}

pub(super) fn empty_partition_accepted() -> Hooks {
    Hooks::default().keyed(|_, key| {
        let partition = key.partition().filter(|partition| !partition.is_empty());
        Key::from_parts(partition.cloned(), key.name().clone())
    })
}

pub(super) fn cut() -> Hooks {
    Hooks::default().keyed(|honest, key| {
        let most = honest.capabilities().limits.key_bytes_max;
        let left = most.saturating_sub(key.partition().map_or(0, Bytes::len)).max(1);
        let name = key.name().slice(..key.name().len().min(left));
        Key::from_parts(key.partition().cloned(), name)
    })
}

pub(super) fn name_only() -> Hooks {
    Hooks::default()
        .with_store(|store| {
            let mut limits = Limits::DEFAULT;
            limits.key_bytes_max *= 2;
            store.limits(limits)
        })
        .declaring(|_, honest| honest.with_limits(Limits::DEFAULT))
}

pub(super) fn off_by_one() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let most = honest.capabilities().limits.key_bytes_max - 1;
        if key.len_bytes() > most {
            return Err(Error::too_large("key", key.len_bytes(), most));
        }
        honest.put_opts(&key, value, options).await
    })
}

/// Puts entries under another name than the one that was given.
fn renaming(rename: fn(&Bytes) -> Bytes) -> Hooks {
    Hooks::default()
        .keyed(move |_, key| Key::from_parts(key.partition().cloned(), rename(key.name())))
}

pub(super) fn text() -> Hooks {
    renaming(|name| String::from_utf8_lossy(name).into_owned().into())
}

/// What comes before the first zero byte.
fn before_zero(bytes: &Bytes) -> Bytes {
    bytes.split(|byte| *byte == 0).next().map(Bytes::copy_from_slice).unwrap_or_default()
}

pub(super) fn c_strings() -> Hooks {
    renaming(|name| if name.first() == Some(&0) { name.clone() } else { before_zero(name) })
}

pub(super) fn namespace_c_strings() -> Hooks {
    Hooks::default()
        .opening(|namespace| Namespace::new(before_zero(namespace.as_bytes())).unwrap_or_default())
}
