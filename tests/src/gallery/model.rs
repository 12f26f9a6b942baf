//! Mutants of the family `model`: defects that only a sequence of calls brings out.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{AcksReached, Key, StateBackend, StateBackendExt, Version, Written};

use super::gallery;
use super::hooks::Hooks;

gallery! {
    /// Every fourth write of a key is lost.
    "model.fourth-write-lost" rejected by ["model.entries"] => fourth_write_lost;
    /// An increment after a delete goes on from what was there.
    "model.counter-remembers" rejected by ["model.entries"] => counter_remembers;
}

fn fourth_write_lost() -> Hooks {
    let writes = Arc::new(Mutex::new(HashMap::<Key, u64>::new()));
    Hooks::default().on_put(move |honest, key, value, options| {
        let lost = {
            let mut writes = writes.lock();
            let writes = writes.entry(key.clone()).or_default();
            *writes += 1;
            *writes % 4 == 0
        };
        async move {
            if lost {
                return Ok(Written::new(Version::from_bytes([4; 16]), AcksReached::PRIMARY));
            }
            honest.put_opts(&key, value, options).await
        }
    })
}

fn counter_remembers() -> Hooks {
    let sums = Arc::new(Mutex::new(HashMap::<Key, i64>::new()));
    Hooks::default().on_increment(move |honest, key, by, options| {
        let sums = Arc::clone(&sums);
        async move {
            let earlier = sums.lock().get(&key).copied();
            let absent = !honest.contains(&key).await?;
            let by = earlier.filter(|_| absent).map_or(by, |sum| sum.saturating_add(by));
            let done = honest.increment_opts(&key, by, options).await?;
            sums.lock().insert(key, done.value);
            Ok(done)
        }
    })
}
