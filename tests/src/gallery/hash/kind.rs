//! Defects of hashes as a kind of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::TryStreamExt;
use parking_lot::Mutex;
use state_core::{
    Acks, Capability, CountOptions, HashStore, HashWriteOptions, Key, Meta, SnapshotOptions,
    SnapshotRecord, StateBackend,
};

use crate::gallery::hooks::{Hooks, RoleGiven};
use crate::gallery::list::decorated;

pub(super) fn secret() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::Hash))
}

pub(super) fn forwarded() -> Hooks {
    decorated().giving(|roles| roles.hash = RoleGiven::Inner)
}

pub(super) fn deleted_with_entry() -> Hooks {
    Hooks::default().on_delete(|honest, key, options| async move {
        let deleted = honest.delete_opts(&key, options).await?;
        honest.hash_remove(&key, HashWriteOptions::new()).await?;
        Ok(deleted)
    })
}

/// Remembers the keys of hashes that were written.
fn remembering() -> (Arc<Mutex<BTreeSet<Key>>>, Hooks) {
    let keys = Arc::new(Mutex::new(BTreeSet::new()));
    let written = Arc::clone(&keys);
    let hooks = Hooks::default().on_hash_set(move |honest, key, fields, options| {
        written.lock().insert(key.clone());
        async move { honest.hash_set(&key, fields, options).await }
    });
    (keys, hooks)
}

pub(super) fn listed() -> Hooks {
    let (keys, hooks) = remembering();
    hooks.on_list(move |honest, options| {
        let keys = keys.lock().clone();
        async move {
            let mut page = honest.list_page(options).await?;
            page.items.extend(keys.into_iter().map(Meta::new));
            Ok(page)
        }
    })
}

pub(super) fn counted() -> Hooks {
    let (keys, hooks) = remembering();
    hooks.on_count(move |honest, options| {
        let hashes = keys.lock().len() as u64;
        async move { Ok(honest.count_opts(options).await? + hashes) }
    })
}

pub(super) fn clear_uncounted() -> Hooks {
    Hooks::default().on_clear(|honest, options| async move {
        let asked = CountOptions::new(options.prefix.clone()).with_scope(options.scope.clone());
        let entries = honest.count_opts(asked).await?;
        honest.clear_opts(options).await?;
        Ok(entries)
    })
}

pub(super) fn clear_stays() -> Hooks {
    Hooks::default().on_clear(|honest, options| async move {
        let records = honest.snapshot_opts(SnapshotOptions::default()).await?;
        let records: Vec<SnapshotRecord> = records.try_collect().await?;
        let cleared = honest.clear_opts(options).await?;
        for record in records {
            if let SnapshotRecord::HashFields { key, fields, .. } = record {
                honest.hash_set(&key, fields, HashWriteOptions::new()).await?;
            }
        }
        Ok(cleared)
    })
}

pub(super) fn acks_ignored() -> Hooks {
    Hooks::default().on_hash_set(|honest, key, fields, options| async move {
        honest.hash_set(&key, fields, options.with_acks(Acks::Primary)).await
    })
}
