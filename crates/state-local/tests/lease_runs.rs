//! Work under the handle of a lease: it never begins, nor goes on, when the lease is lost.

#![expect(clippy::unwrap_used, reason = "a test reports failure by panicking")]

use std::future::{pending, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join;
use state_core::{
    BoxFuture, ErrorKind, Lease, LeaseOptions, Leases, ManualClock, Namespace, Outcome, Result,
};
use state_local::MemoryStore;

const TTL: Duration = Duration::from_secs(10);

/// A lease that nobody renews.
async fn lease(clock: &ManualClock) -> Lease {
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let backend = Arc::new(store.open(Namespace::default()).unwrap());
    let never = |task: BoxFuture<'static, ()>| drop(task);
    let leases = Leases::new(backend, Arc::new(clock.clone()), Arc::new(never));
    leases.acquire("lease", LeaseOptions::new(TTL)).await.unwrap()
}

fn fenced<T: std::fmt::Debug>(answer: Result<T>, outcome: Outcome) {
    let error = answer.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Fenced, outcome), "{error}");
}

#[tokio::test]
async fn work_is_not_begun_on_a_lost_lease() {
    let clock = ManualClock::new();
    let lease = lease(&clock).await;
    assert_eq!(lease.run(ready(1)).await.unwrap(), 1);
    clock.advance(TTL);
    let begun = AtomicU32::new(0);
    let work = async { begun.fetch_add(1, Ordering::Relaxed) };
    fenced(lease.run(work).await, Outcome::NotApplied);
    assert_eq!(begun.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn work_that_waits_is_dropped_at_the_deadline() {
    let clock = ManualClock::new();
    let lease = lease(&clock).await;
    let pass = async {
        clock.advance(TTL / 2);
        tokio::task::yield_now().await;
        assert!(!lease.is_lost());
        clock.advance(TTL / 2);
    };
    let both = join(lease.run(pending::<()>()), pass);
    let (ran, ()) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    fenced(ran, Outcome::Unknown);
}

#[tokio::test]
async fn no_step_of_the_work_is_made_after_the_deadline() {
    let clock = ManualClock::new();
    let lease = lease(&clock).await;
    let steps = AtomicU32::new(0);
    let work = poll_fn(|cx| {
        steps.fetch_add(1, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    let mut running = Box::pin(lease.run(work));
    assert!((&mut running).now_or_never().is_none());
    assert!((&mut running).now_or_never().is_none());
    // Work that could go on at once, and a deadline that has passed, at the same time.
    clock.advance(TTL);
    fenced((&mut running).now_or_never().unwrap(), Outcome::Unknown);
    assert_eq!(steps.load(Ordering::Relaxed), 2);
}
