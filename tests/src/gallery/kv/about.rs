//! Defects of what a backend says of itself.

use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{
    BackendInfo, Capability, Error, ErrorKind, Health, HealthStatus, MemoryUsage, Namespace,
    OperationStats, StateBackend, Stats,
};
use state_local::MemoryBackend;

use crate::gallery::hooks::{Hooks, RoleGiven};

pub(super) fn wrong_namespace() -> Hooks {
    Hooks::default().saying(|_, info| BackendInfo::new(info.scheme, Namespace::default()))
}

pub(super) fn secret_role() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::Lease))
}

pub(super) fn empty_promise() -> Hooks {
    Hooks::default().giving(|roles| roles.hash = RoleGiven::Nothing)
}

pub(super) fn half() -> Hooks {
    Hooks::default()
        .declaring(|_, honest| honest.without(Capability::Watch))
        .giving(|roles| roles.watch = RoleGiven::Nothing)
}

pub(super) fn vary() -> Hooks {
    Hooks::default().declaring(|store, honest| {
        let limits = honest.limits;
        let smaller = limits.value_bytes_max - store.instance;
        honest.with_limits(limits.with_value_bytes_max(smaller))
    })
}

pub(super) fn hypochondriac() -> Hooks {
    Hooks::default()
        .on_health(|_| async { Ok(Health::new(HealthStatus::Degraded, "it draws in here")) })
}

pub(super) fn deaf() -> Hooks {
    Hooks::default()
        .on_ping(|_| async { Err(Error::new(ErrorKind::Unavailable, "there is no answer")) })
}

/// Changes every line of the statistics.
fn counting(change: fn(&mut OperationStats)) -> Hooks {
    Hooks::default().on_stats(move |honest| async move {
        let lines = honest.stats().await?.operations.into_iter();
        Ok(Stats::new(lines.map(|(operation, mut line)| {
            change(&mut line);
            (operation, line)
        })))
    })
}

pub(super) fn no_errors() -> Hooks {
    counting(|line| line.errors = 0)
}

pub(super) fn only_hits() -> Hooks {
    counting(|line| {
        line.hits += line.misses;
        line.misses = 0;
    })
}

pub(super) fn no_bytes() -> Hooks {
    counting(|line| line.bytes_in = 0)
}

pub(super) fn shared_stats() -> Hooks {
    let first = Arc::new(Mutex::new(None::<Arc<MemoryBackend>>));
    Hooks::default().on_stats(move |honest| {
        let first = Arc::clone(&*first.lock().get_or_insert(honest.backend));
        async move { first.stats().await }
    })
}

pub(super) fn counts_writes() -> Hooks {
    let writes = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&writes);
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            *counted.lock() += 1;
            async move { honest.put_opts(&key, value, options).await }
        })
        .on_memory_usage(move |honest| {
            let writes = *writes.lock();
            async move { Ok(MemoryUsage::new(writes, honest.memory_usage().await?.memory_bytes)) }
        })
}

pub(super) fn shows_value() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let shown = value.escape_ascii().to_string();
        let written = honest.put_opts(&key, value, options).await;
        written.map_err(|error| match error.kind() {
            ErrorKind::Conflict => Error::conflict(format!("there is another value than {shown}")),
            _ => error,
        })
    })
}
