//! Mutants of the family `evict`: entries that go when there is no room for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use parking_lot::Mutex;
use state_core::{
    Change, Entry, Key, Precondition, StateBackend, StateBackendExt, Watch, WriteOutcome,
};
use state_local::LeastRecentlyUsed;

use super::gallery;
use super::hooks::Hooks;

gallery! {
    /// A cache in front of the store answers reads of what was evicted.
    "evict.cached" rejected by ["evict.absent"] => cached;
    /// A count tells what was evicted too.
    "evict.counted" rejected by ["evict.absent"] => counted;
    /// A write on a version is taken where the entry was evicted.
    "evict.stale-write" rejected by ["evict.version"] => stale_write;
    /// What is evicted is not told.
    "evict.silent" rejected by ["evict.watch"] or late => silent;
}

/// How many entries there is room for: more than any clause writes that is not about eviction.
const ROOM: usize = 12_000;

/// An honest store that evicts.
pub(super) fn evicting() -> Hooks {
    Hooks::default().with_store(|store| store.evict(ROOM, LeastRecentlyUsed::new)).with_room(ROOM)
}

fn cached() -> Hooks {
    let cache: Arc<Mutex<BTreeMap<Key, Entry>>> = Arc::default();
    let filled = Arc::clone(&cache);
    evicting()
        .on_write_many(move |honest, ops| {
            let cache = Arc::clone(&filled);
            async move {
                let puts: Vec<_> = ops.iter().map(put_of).collect();
                let receipts = honest.write_many(ops).await?;
                for (put, receipt) in puts.into_iter().zip(&receipts) {
                    if let (Some((key, value)), Ok(WriteOutcome::Written(written))) = (put, receipt)
                    {
                        cache.lock().insert(key, Entry::new(value, written.version));
                    }
                }
                Ok(receipts)
            }
        })
        .on_get(move |honest, key, options| {
            let cache = Arc::clone(&cache);
            async move {
                let found = honest.get_opts(&key, options).await?;
                Ok(found.or_else(|| cache.lock().get(&key).cloned()))
            }
        })
}

fn put_of(op: &state_core::WriteOp) -> Option<(Key, state_core::Bytes)> {
    match op {
        state_core::WriteOp::Put { key, value, .. } => Some((key.clone(), value.clone())),
        _ => None,
    }
}

fn counted() -> Hooks {
    evicting().on_count(|honest, options| async move {
        let count = honest.count_opts(options).await?;
        Ok(if count >= ROOM as u64 { count + 1 } else { count })
    })
}

fn stale_write() -> Hooks {
    evicting().on_put(|honest, key, value, mut options| async move {
        if matches!(options.precondition, Precondition::Matches(_))
            && !honest.contains(&key).await?
        {
            options.precondition = Precondition::Always;
        }
        honest.put_opts(&key, value, options).await
    })
}

fn silent() -> Hooks {
    evicting().on_watch(|honest, options| async move {
        let events = honest.watch(options).await?;
        let told = |event: &state_core::Result<state_core::WatchEvent>| {
            !matches!(event, Ok(event) if matches!(event.change, Change::Evicted { .. }))
        };
        Ok(events.filter(move |event| std::future::ready(told(event))).boxed())
    })
}
