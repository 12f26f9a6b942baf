//! Mutants of the family `codec`: typed values over a backend.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{Bytes, Key, StateBackend, StateBackendExt};

use super::gallery;
use super::hooks::Hooks;

gallery! {
    /// Values lose the bytes that are no ASCII.
    "codec.ascii" rejected by ["codec.typed.round-trip", "codec.typed.formats"] => ascii;
    /// Values lose their first bytes.
    "codec.headless" rejected by ["codec.typed.round-trip", "codec.typed.schema"] => headless;
    /// Values fill whole pages of 32 KiB.
    "codec.padded" rejected by ["codec.typed.compressed"] => padded;
    /// A value that the store cannot make sense of is absent.
    "codec.hides-foreign" rejected by ["codec.typed.foreign"] => hides_foreign;
    /// The first value of a key is kept as a spare, and read in place of a damaged one.
    "codec.repairs" rejected by ["codec.typed.flipped", "codec.typed.damaged"] => repairs;
    /// A value that begins as an envelope does, but for one bit, is read as if it were one.
    "codec.corrects" rejected by ["codec.typed.flipped"] => corrects;
    /// A value is read without what lies behind the end of its envelope.
    "codec.trims" rejected by ["codec.typed.damaged"] => trims;
    /// A value of a later version is absent.
    "codec.hides-later" rejected by ["codec.typed.damaged"] => hides_later;
    /// A write on any version is made.
    "codec.any-version" rejected by ["codec.typed.compare-and-set"] => any_version;
    /// A delete on a version is lost.
    "codec.lost-delete" rejected by ["codec.typed.update"] => lost_delete;
    /// A typed value outlives its lifetime.
    "codec.immortal" rejected by ["codec.typed.lifetime"] => immortal;
    /// The values of a batch of reads are in the order of the keys.
    "codec.sorted-batch" rejected by ["codec.typed.many"] => sorted_batch;
}

/// Writes something else than the value that was given.
fn changing(change: fn(&Bytes) -> Bytes) -> Hooks {
    Hooks::default().on_put(move |honest, key, value, options| async move {
        honest.put_opts(&key, change(&value), options).await
    })
}

fn ascii() -> Hooks {
    changing(|value| value.iter().copied().filter(u8::is_ascii).collect())
}

fn headless() -> Hooks {
    changing(|value| value.slice(value.len().min(4)..))
}

fn padded() -> Hooks {
    const PAGE: usize = 32 << 10;
    changing(|value| {
        let mut padded = value.to_vec();
        padded.resize(value.len().next_multiple_of(PAGE), 0);
        padded.into()
    })
}

fn hides_foreign() -> Hooks {
    Hooks::default().on_get(|honest, key, options| async move {
        let found = honest.get_opts(&key, options).await?;
        Ok(found.filter(|entry| !entry.value.is_ascii()))
    })
}

fn repairs() -> Hooks {
    let spares = Arc::new(Mutex::new(HashMap::<Key, Bytes>::new()));
    let kept = Arc::clone(&spares);
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            kept.lock().entry(key.clone()).or_insert_with(|| value.clone());
            async move { honest.put_opts(&key, value, options).await }
        })
        .on_get(move |honest, key, options| {
            let spare = spares.lock().get(&key).cloned();
            async move {
                let found = honest.get_opts(&key, options).await?;
                Ok(found.map(|mut entry| {
                    entry.value = spare.unwrap_or(entry.value);
                    entry
                }))
            }
        })
}

/// Reads something else than the value that is there, or nothing.
fn reading(change: fn(Bytes) -> Option<Bytes>) -> Hooks {
    Hooks::default().on_get(move |honest, key, options| async move {
        let found = honest.get_opts(&key, options).await?;
        Ok(found.and_then(|mut entry| {
            entry.value = change(entry.value)?;
            Some(entry)
        }))
    })
}

fn corrects() -> Hooks {
    const ONE_BIT_MORE: u8 = 0xC1 | 8;
    reading(|value| match value.split_first() {
        Some((&ONE_BIT_MORE, rest)) => Some([&[0xC1], rest].concat().into()),
        _ => Some(value),
    })
}

fn trims() -> Hooks {
    reading(|value| {
        let stored = value.get(20..24).and_then(|len| len.try_into().ok()).map(u32::from_le_bytes);
        let whole = stored.and_then(|len| usize::try_from(len).ok()?.checked_add(24 + 8));
        Some(value.slice(..value.len().min(whole.unwrap_or(usize::MAX))))
    })
}

fn hides_later() -> Hooks {
    reading(|value| Some(value).filter(|value| value.get(4).is_none_or(|version| *version <= 1)))
}

fn any_version() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        options.precondition = state_core::Precondition::Always;
        honest.put_opts(&key, value, options).await
    })
}

fn lost_delete() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        let existed = honest.contains(&key).await?;
        drop(options);
        Ok(state_core::Deleted::new(existed, None, state_core::AcksReached::PRIMARY))
    })
}

fn immortal() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        honest.put_opts(&key, value, options.with_expiry(state_core::Expiry::Never)).await
    })
}

fn sorted_batch() -> Hooks {
    Hooks::default().on_get_many(|honest, mut keys, options| async move {
        keys.sort();
        honest.get_many(&keys, options).await
    })
}
