//! Calls of roles, and with options, that others can come between.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{
    Consistency, GetOptions, HashStore, Incremented, LeaseStore, OpId, StateBackend, Transact,
    WriteOutcome,
};

use super::dawdle;
use crate::gallery::hooks::Hooks;

pub(super) fn op_id() -> Hooks {
    let known = Arc::new(Mutex::new(HashMap::<OpId, Incremented>::new()));
    Hooks::default().on_increment(move |honest, key, by, mut options| {
        let known = Arc::clone(&known);
        async move {
            let Some(id) = options.op_id.take() else {
                return honest.increment_opts(&key, by, options).await;
            };
            if let Some(done) = known.lock().get(&id) {
                return Ok(*done);
            }
            dawdle().await;
            let done = honest.increment_opts(&key, by, options).await?;
            known.lock().insert(id, done);
            Ok(done)
        }
    })
}

pub(super) fn op_id_transaction() -> Hooks {
    let known = Arc::new(Mutex::new(HashMap::<OpId, Vec<WriteOutcome>>::new()));
    Hooks::default().on_transact(move |honest, mut transaction| {
        let known = Arc::clone(&known);
        async move {
            let Some(id) = transaction.op_id.take() else {
                return honest.transact(transaction).await;
            };
            if let Some(done) = known.lock().get(&id) {
                return Ok(done.clone());
            }
            dawdle().await;
            let done = honest.transact(transaction).await?;
            known.lock().insert(id, done.clone());
            Ok(done)
        }
    })
}

pub(super) fn lease() -> Hooks {
    Hooks::default().on_acquire(|honest, name, options| async move {
        if honest.read_lease(&name).await?.is_some() {
            return honest.acquire_lease(&name, options).await;
        }
        dawdle().await;
        if let Some(held) = honest.read_lease(&name).await? {
            honest.release_lease(&name, held.owner, held.token).await?;
        }
        honest.acquire_lease(&name, options).await
    })
}

pub(super) fn hash_increment() -> Hooks {
    Hooks::default().on_hash_increment(|honest, key, field, by, options| async move {
        let names = [field.clone()];
        let held = honest.hash_get(&key, &names, Consistency::Strong).await?;
        let held = held.into_iter().flatten().next();
        let held = held.map_or(0, |held| String::from_utf8_lossy(&held).parse().unwrap_or(0));
        dawdle().await;
        let fields = vec![(field, (held + by).to_string().into())];
        HashStore::hash_set(&*honest.backend, &key, fields, options).await?;
        Ok(held + by)
    })
}

pub(super) fn hash_set() -> Hooks {
    // Reads are as they should be, only slow enough to go on while fields are written.
    let slow = Hooks::default().on_hash_get(|honest, key, fields, consistency| async move {
        dawdle().await;
        honest.hash_get(&key, &fields, consistency).await
    });
    slow.on_hash_set(|honest, key, fields, options| async move {
        let mut new = 0;
        for field in fields {
            new += honest.hash_set(&key, vec![field], options.clone()).await?;
            dawdle().await;
        }
        Ok(new)
    })
}

pub(super) fn fence() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        if let Some(fence) = options.fence.take() {
            honest.get_opts(&key, GetOptions::new().with_fence(fence)).await?;
            // The holders on the first instance pause for long, as one that collects garbage.
            let turns = if honest.instance == 0 { 150 } else { 1 };
            for _ in 0..turns {
                dawdle().await;
            }
        }
        honest.put_opts(&key, value, options).await
    })
}
