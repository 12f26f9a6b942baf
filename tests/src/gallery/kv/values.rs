//! Defects of reading, writing and deleting values.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{
    AcksReached, Bytes, Consistency, Deleted, Entry, Error, ErrorKind, GetOptions, Key,
    Precondition, Resend, StateBackend, StateBackendExt, Version, Written,
};

use crate::gallery::hooks::Hooks;

pub(super) fn empty_for_absent() -> Hooks {
    Hooks::default().on_get(|honest, key, options| async move {
        let found = honest.get_opts(&key, options).await?;
        Ok(found.or_else(|| Some(Entry::new(Bytes::new(), Version::from_bytes([0; 16])))))
    })
}

pub(super) fn stale_cache() -> Hooks {
    let cache = Arc::new(Mutex::new(HashMap::<(usize, Key), Entry>::new()));
    let written = Arc::clone(&cache);
    Hooks::default()
        .on_get(move |honest, key, options| {
            let cache = Arc::clone(&cache);
            async move {
                let place = (honest.instance, key);
                if let Some(entry) = cache.lock().get(&place) {
                    return Ok(Some(entry.clone()));
                }
                let found = honest.get_opts(&place.1, options).await?;
                cache.lock().extend(found.clone().map(|entry| (place, entry)));
                Ok(found)
            }
        })
        .on_put(move |honest, key, value, options| {
            let cache = Arc::clone(&written);
            async move {
                let written = honest.put_opts(&key, value.clone(), options).await?;
                let entry = Entry::new(value, written.version);
                cache.lock().insert((honest.instance, key), entry);
                Ok(written)
            }
        })
}

pub(super) fn keeps_first() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        match honest.get_entry(&key).await? {
            Some(entry) if options.precondition == Precondition::Always => {
                Ok(Written::new(entry.version, AcksReached::PRIMARY))
            }
            _ => honest.put_opts(&key, value, options).await,
        }
    })
}

pub(super) fn version_before() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let before = honest.get_entry(&key).await?;
        let written = honest.put_opts(&key, value, options).await?;
        Ok(before.map_or(written, |before| Written::new(before.version, written.acks)))
    })
}

pub(super) fn head_with_value() -> Hooks {
    Hooks::default().on_get(|honest, key, options| async move {
        honest.get_opts(&key, options.with_head(false)).await
    })
}

pub(super) fn dead_replica() -> Hooks {
    let replica = Arc::new(Mutex::new(HashMap::<Key, Entry>::new()));
    let copied = Arc::clone(&replica);
    Hooks::default()
        .on_get(move |honest, key, options| {
            let replica = Arc::clone(&replica);
            async move {
                if options.consistency == Consistency::Eventual {
                    return Ok(replica.lock().get(&key).cloned());
                }
                honest.get_opts(&key, options).await
            }
        })
        .on_put(move |honest, key, value, options| {
            let copied = Arc::clone(&copied);
            async move {
                let written = honest.put_opts(&key, value.clone(), options).await?;
                copied.lock().entry(key).or_insert_with(|| Entry::new(value, written.version));
                Ok(written)
            }
        })
}

pub(super) fn empty_deletes() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let empty = value.is_empty();
        let written = honest.put_opts(&key, value, options).await?;
        if empty {
            honest.delete(&key).await?;
        }
        Ok(written)
    })
}

/// Writes something else than the value that was given.
fn changing(change: impl Fn(&Bytes) -> Bytes + Send + Sync + 'static) -> Hooks {
    Hooks::default().on_put(move |honest, key, value, options| {
        let value = change(&value);
        async move { honest.put_opts(&key, value, options).await }
    })
}

pub(super) fn text_values() -> Hooks {
    changing(|value| String::from_utf8_lossy(value).into_owned().into())
}

pub(super) fn c_strings() -> Hooks {
    changing(|value| {
        value.split(|byte| *byte == 0).next().map(Bytes::copy_from_slice).unwrap_or_default()
    })
}

pub(super) fn trimmed() -> Hooks {
    changing(|value| Bytes::copy_from_slice(value.trim_ascii()))
}

/// Puts entries under another name than the one that was given.
fn renaming(rename: impl Fn(&Bytes) -> Bytes + Send + Sync + 'static) -> Hooks {
    Hooks::default()
        .keyed(move |_, key| Key::from_parts(key.partition().cloned(), rename(key.name())))
}

pub(super) fn lowercase_keys() -> Hooks {
    renaming(|name| name.to_ascii_lowercase().into())
}

pub(super) fn trimmed_keys() -> Hooks {
    renaming(|name| Bytes::copy_from_slice(name.trim_ascii()))
}

pub(super) fn refuses_never() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        if options.resend == Resend::Never {
            return Err(Error::unsupported("not resending"));
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn no_partition() -> Hooks {
    Hooks::default().keyed(|_, key| Key::new(key.name().clone()))
}

pub(super) fn joined_partition() -> Hooks {
    Hooks::default().keyed(|_, key| {
        let partition = key.partition().map(|partition| partition.to_vec());
        Key::new([partition.unwrap_or_default(), key.name().to_vec()].concat())
    })
}

pub(super) fn tombstone() -> Hooks {
    let buried = Arc::new(Mutex::new(HashSet::<Key>::new()));
    let deleted = Arc::clone(&buried);
    Hooks::default()
        .on_get(move |honest, key, options| {
            let buried = buried.lock().contains(&key) && options.head;
            async move {
                let found = honest.get_opts(&key, options).await?;
                let tombstone = || Entry::new(Bytes::new(), Version::from_bytes([0; 16]));
                Ok(found.or_else(|| buried.then(tombstone)))
            }
        })
        .on_delete(move |honest, key, options| {
            deleted.lock().insert(key.clone());
            async move { honest.delete_opts(&key, options).await }
        })
}

pub(super) fn lazy_delete() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        let previous = honest.get_entry(&key).await?;
        let existed = previous.is_some();
        let previous = previous.filter(|_| options.return_value);
        Ok(Deleted::new(existed, previous, AcksReached::PRIMARY))
    })
}

pub(super) fn delete_always() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        let deleted = honest.delete_opts(&key, options).await?;
        Ok(Deleted::new(true, deleted.previous, deleted.acks))
    })
}

pub(super) fn delete_absent_fails() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        let deleted = honest.delete_opts(&key, options).await?;
        if deleted.existed {
            return Ok(deleted);
        }
        Err(Error::new(ErrorKind::Invalid, "there is no such entry"))
    })
}

pub(super) fn chatty_delete() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        honest.delete_opts(&key, options.with_return_value(true)).await
    })
}

pub(super) fn get_and_keep() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        if !options.return_value {
            return honest.delete_opts(&key, options).await;
        }
        let previous = honest.get_opts(&key, GetOptions::new()).await?;
        Ok(Deleted::new(previous.is_some(), previous, AcksReached::PRIMARY))
    })
}

pub(super) fn mute_delete() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        honest.delete_opts(&key, options.with_return_value(false)).await
    })
}
