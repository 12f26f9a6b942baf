//! Calls that are in flight while another server takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libtest_mimic::Failed;
use state_core::{Namespace, StateBackendExt};
use state_redis::{RedisConfig, RedisStore};

use crate::servers::{Running, Servers, Setup, wait_until};

/// Tasks that write and read all the time.
const TASKS: u64 = 8;
/// Calls that must have succeeded before and after.
const CALLS_MIN: u64 = 200;

/// Kills the primary that has the keys while calls are made; every one of them must succeed, because
/// its deadline is later than the end of the failover.
///
/// # Errors
/// When a call fails, or the servers do not do what they are told.
pub(super) fn calls_survive_a_killed_primary(setup: Setup) -> Result<(), Failed> {
    let running = Servers::start(setup)?;
    let killed = *running.primaries().first().ok_or("no primary")?;
    calls_survive(&running, || {
        running.kill(killed)?;
        let replaced = || (!running.primaries().is_empty()).then_some(());
        Ok(wait_until("another primary is there", replaced)?)
    })
}

/// As [`calls_survive_a_killed_primary`], with a failover in order.
///
/// # Errors
/// When a call fails, or the servers do not do what they are told.
pub(super) fn calls_survive_a_failover(setup: Setup) -> Result<(), Failed> {
    let running = Servers::start(setup)?;
    let before = running.primaries();
    calls_survive(&running, || {
        running.failover()?;
        let replaced = || (running.primaries() != before).then_some(());
        Ok(wait_until("another primary is there", replaced)?)
    })
}

fn calls_survive(
    running: &Running,
    fail: impl FnOnce() -> Result<(), Failed>,
) -> Result<(), Failed> {
    let mut config = RedisConfig::from_url(running.url())?;
    // As long as servers may take to agree, on a machine that is busy with other things.
    config.call_timeout_ms = 60_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (done, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let store = runtime.block_on(RedisStore::connect_with(config))?;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let backend = runtime.block_on(store.open(Namespace::new("failover")?))?;
            let (done, calls) = (Arc::clone(&done), Arc::clone(&calls));
            Ok::<_, Failed>(runtime.spawn(async move {
                let mut number = 0_u64;
                while !done.load(Ordering::SeqCst) {
                    let key = format!("{task}:{}", number % 16);
                    backend.put(key.as_str(), number.to_string()).await?;
                    let keys = [format!("{task}:a"), format!("{task}:b")];
                    backend.batch_get(keys).await?;
                    backend.get(key.as_str()).await?;
                    number += 1;
                    calls.fetch_add(1, Ordering::SeqCst);
                }
                Ok::<_, state_core::Error>(())
            }))
        })
        .collect::<Result<_, _>>()?;
    let wait = |least: u64| {
        let ended = || tasks.iter().any(tokio::task::JoinHandle::is_finished);
        let enough = || (calls.load(Ordering::SeqCst) >= least || ended()).then_some(());
        wait_until("calls are made", enough)
    };
    let outcome = wait(CALLS_MIN)
        .map_err(Failed::from)
        .and_then(|()| fail())
        .and_then(|()| Ok(wait(calls.load(Ordering::SeqCst) + CALLS_MIN)?));
    done.store(true, Ordering::SeqCst);
    for task in tasks {
        runtime.block_on(task)?.map_err(|error| format!("{error} ({})", error.outcome()))?;
    }
    outcome
}
