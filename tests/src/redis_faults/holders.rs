//! Holders of leases that stand still, or whose runtime ends before they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libtest_mimic::Failed;
use state_core::{
    BoxFuture, DeleteOptions, ErrorKind, Key, Lease, LeaseOptions, Leases, Outcome, PutOptions,
    Spawn, StateBackend, StateBackendExt, SystemClock,
};
use state_redis::RedisBackend;
use tokio::runtime::{Builder, Handle};

use crate::redis_stage::{PATIENCE, Stage, fails, open, runtime, shared, until_so};

/// As short as a slow machine allows; it is waited for.
const SHORT: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOLDERS: usize = 10;
/// What is held when the runtime ends.
const HELD: LeaseOptions = LeaseOptions::new(Duration::from_secs(3));

fn leases(store: &RedisBackend, spawn: impl Spawn) -> Leases {
    Leases::new(shared(store), Arc::new(SystemClock::new()), Arc::new(spawn))
}

/// Starts tasks on one runtime, from wherever it is asked.
fn on(handle: Handle) -> impl Spawn {
    move |task: BoxFuture<'static, ()>| drop(handle.spawn(task))
}

fn fenced(lease: &Lease) -> PutOptions {
    PutOptions::new().with_fence(lease.fence())
}

/// The program of a holder stands still for longer than its lease, as one that is stopped or swapped out: nothing of its
/// runtime runs, the renewal neither. When it goes on, it is told, and the store refuses what it writes.
pub(super) fn paused(stage: &Stage) -> Result<(), Failed> {
    // Runs only while somebody waits for something on it.
    let still = Builder::new_current_thread().enable_all().build()?;
    let key = Key::from("k");
    let (store, lease) = still.block_on(async {
        let store = open(stage.patient()?).await?;
        let leases = leases(&store, on(Handle::current()));
        let lease = leases.acquire("job", LeaseOptions::new(SHORT)).await?;
        store.put_opts(&key, "first".into(), fenced(&lease)).await?;
        Ok::<_, Failed>((store, lease))
    })?;
    let next = stage.run(async {
        let store = open(stage.patient()?).await?;
        let leases = leases(&store, on(Handle::current()));
        let options = LeaseOptions::new(MINUTE).with_wait_max(PATIENCE);
        let next = leases.acquire("job", options).await?;
        store.put_opts(&key, "second".into(), fenced(&next)).await?;
        Ok(next)
    })?;
    assert!(next.token() > lease.token(), "{next:?} after {lease:?}");
    assert!(lease.is_lost(), "its own clock tells the holder while it stands still");
    // It goes on.
    still.block_on(async {
        let refused = (ErrorKind::Fenced, Outcome::NotApplied);
        let late = store.put_opts(&key, "late".into(), fenced(&lease)).await;
        fails(late, refused.0, refused.1)?;
        let late = store.delete_opts(&key, DeleteOptions::new().with_fence(lease.fence())).await;
        fails(late, refused.0, refused.1)?;
        let told = tokio::time::timeout(PATIENCE, lease.lost()).await;
        told.map_err(|_| "the holder is not told")?;
        assert_eq!(store.get("k").await?.as_deref(), Some(b"second".as_slice()));
        assert!(!lease.release().await?, "it gave up what another holds");
        assert!(!next.is_lost(), "the next holder has lost it");
        Ok(())
    })
}

/// A runtime ends while leases are held: by its own tasks, and by somebody outside of it. Nothing hangs and nothing panics,
/// and what is not given up is free when its lifetime ends.
pub(super) fn runtime_gone(stage: &Stage) -> Result<(), Failed> {
    let gone = runtime(2)?;
    let astray = Arc::new(AtomicU64::new(0));
    let spawn = {
        let astray = Arc::clone(&astray);
        // The runtime is looked for when the handle is dropped, as `tokio::spawn` does.
        move |task: BoxFuture<'static, ()>| match Handle::try_current() {
            Ok(handle) => drop(handle.spawn(task)),
            Err(_) => {
                astray.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let (outside, tokens) = gone.block_on(async {
        let store = open(stage.patient()?).await?;
        let (mut outside, mut tokens) = (Vec::new(), Vec::new());
        for number in 0..HOLDERS {
            let handle = Handle::current();
            let held = leases(&store, on(handle)).acquire(name(number, "outside"), HELD).await?;
            let inside =
                leases(&store, spawn.clone()).acquire(name(number, "inside"), HELD).await?;
            tokens.push((held.token(), inside.token()));
            outside.push(held);
            drop(tokio::spawn(async move { inside.run(std::future::pending::<()>()).await }));
        }
        Ok::<_, Failed>((outside, tokens))
    })?;
    let ending = std::thread::spawn(move || drop(gone));
    stage.run(async {
        until_so("the runtime has ended", || ending.is_finished()).await?;
        let store = open(stage.patient()?).await?;
        let leases = leases(&store, on(Handle::current()));
        // The first is given up in order, on another runtime; the others are dropped.
        let mut outside = outside.into_iter();
        let first = outside.next().ok_or("no holder")?;
        first.release().await?;
        drop(outside);
        for (number, (outside, inside)) in tokens.into_iter().enumerate() {
            for (kind, before) in [("outside", outside), ("inside", inside)] {
                let options = LeaseOptions::new(MINUTE).with_wait_max(PATIENCE);
                let next = leases.acquire(name(number, kind), options).await?;
                assert!(next.token() > before, "{next:?} after {before:?}");
                next.release().await?;
            }
        }
        Ok(())
    })?;
    ending.join().map_err(|_| "ending the runtime panicked")?;
    assert_eq!(astray.load(Ordering::SeqCst), 0, "a task of the runtime was dropped outside of it");
    Ok(())
}

fn name(number: usize, kind: &str) -> Key {
    Key::from(format!("{kind}:{number}"))
}
