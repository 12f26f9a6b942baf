//! The handle that keeps a lease, over the leases of the backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use state_core::{
    BoxFuture, Clock, ErrorKind, Lease, LeaseOptions, Leases, Outcome, OwnerId, SystemClock,
};

use super::{grant, held_by, leases, name, read};
use crate::Context;

/// What most handles are asked for.
fn options(cx: &Context) -> LeaseOptions {
    LeaseOptions::new(cx.lifetime())
}

fn handles(cx: &Context) -> Leases {
    Leases::new(Arc::clone(&cx.a), cx.clock(), cx.spawner())
}

async fn acquired(cx: &Context) -> Lease {
    handles(cx).acquire(name(), options(cx)).await.unwrap()
}

/// Waits until `holds`, without letting time pass where it can be moved: only for answers of the
/// store that are on their way.
async fn soon(cx: &Context, what: &str, holds: impl Fn() -> bool) {
    for _ in 0..5_000 {
        cx.settle().await;
        if holds() {
            return;
        }
        SystemClock::new().sleep(Duration::from_millis(1)).await;
    }
    panic!("{what}: it did not happen within 5 s");
}

/// Lets a third of the lifetime pass, after which the handle renews.
async fn pass_a_third(cx: &Context) {
    let slack = if cx.time_moves() { 0 } else { 20 };
    cx.advance(cx.lifetime() / 3 + Duration::from_millis(slack)).await;
}

/// Lets time pass until the handle has renewed its lease.
async fn pass_a_renewal(cx: &Context, lease: &Lease) {
    let before = lease.deadline();
    pass_a_third(cx).await;
    soon(cx, "the renewal", || lease.deadline() > before || lease.is_lost()).await;
}

/// Takes the lease away from its holder, as an administrator would, and gives it to another.
async fn pass_on(cx: &Context, lease: &Lease) -> OwnerId {
    let store = leases(&*cx.b);
    assert!(store.release_lease(&name(), lease.owner(), lease.token()).await.unwrap());
    let other = OwnerId::random();
    grant(&*cx.b, &name(), other, Duration::from_secs(600)).await;
    other
}

pub(super) async fn held(cx: Context) {
    let before = cx.clock().monotonic();
    let lease = acquired(&cx).await;
    held_by(&cx, &name(), lease.owner(), lease.token()).await;
    assert_eq!(lease.fence().token, lease.token());
    assert_eq!((lease.name(), &lease.fence().lease), (&name(), &name()));
    assert!(!lease.is_lost(), "the lease is lost already");
    assert!(lease.remaining() <= cx.lifetime() && !lease.remaining().is_zero());
    assert!(lease.deadline() <= before + cx.lifetime() + cx.tolerance(), "the deadline");
    let other = handles(&cx).try_acquire(name(), options(&cx)).await.unwrap();
    assert!(other.is_none(), "a second handle has got the lease");
}

pub(super) async fn renews(cx: Context) {
    let lease = acquired(&cx).await;
    for _ in 0..7 {
        pass_a_renewal(&cx, &lease).await;
        assert!(!lease.is_lost(), "the lease was lost");
    }
    held_by(&cx, &name(), lease.owner(), lease.token()).await;
}

pub(super) async fn taken_over(cx: Context) {
    let lease = acquired(&cx).await;
    pass_a_renewal(&cx, &lease).await;
    assert!(!lease.is_lost());
    let other = pass_on(&cx, &lease).await;
    pass_a_third(&cx).await;
    soon(&cx, "the loss", || lease.is_lost()).await;
    lease.lost().await;
    assert_eq!(lease.remaining(), Duration::ZERO);
    let holder = read(&*cx.a, &name()).await.map(|state| state.owner);
    assert_eq!(holder, Some(other), "the holder that took over");
}

pub(super) async fn too_late(cx: Context) {
    let never = |task: BoxFuture<'static, ()>| drop(task);
    let handles = Leases::new(Arc::clone(&cx.a), cx.clock(), Arc::new(never));
    let lease = handles.acquire(name(), options(&cx)).await.unwrap();
    assert!(!lease.is_lost());
    cx.outlive().await;
    assert!(lease.is_lost(), "the deadline has passed");
    let other = OwnerId::random();
    let token = grant(&*cx.b, &name(), other, Duration::from_secs(600)).await.token;
    assert!(token > lease.token(), "the token {token} came after {}", lease.token());
    assert!(!lease.release().await.unwrap(), "another holds it");
    held_by(&cx, &name(), other, token).await;
}

pub(super) async fn run_ends(cx: Context) {
    let lease = acquired(&cx).await;
    let work = async {
        for _ in 0..5 {
            pass_a_renewal(&cx, &lease).await;
        }
        "done"
    };
    assert_eq!(lease.run(work).await.unwrap(), "done");
    assert!(!lease.is_lost());
}

/// Says so when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub(super) async fn run_stopped(cx: Context) {
    let lease = Arc::new(acquired(&cx).await);
    let dropped = Arc::new(AtomicBool::new(false));
    let running = {
        let (lease, guard) = (Arc::clone(&lease), Dropped(Arc::clone(&dropped)));
        cx.spawn(async move {
            lease
                .run(async move {
                    std::future::pending::<()>().await;
                    drop(guard);
                })
                .await
        })
    };
    pass_a_renewal(&cx, &lease).await;
    assert!(!dropped.load(Ordering::SeqCst), "the work was stopped while the lease was held");
    pass_on(&cx, &lease).await;
    pass_a_third(&cx).await;
    let error = running.await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Fenced, Outcome::Unknown), "{error}");
    assert!(dropped.load(Ordering::SeqCst), "the work goes on");
}

pub(super) async fn run_too_late(cx: Context) {
    let never = |task: BoxFuture<'static, ()>| drop(task);
    let handles = Leases::new(Arc::clone(&cx.a), cx.clock(), Arc::new(never));
    let lease = Arc::new(handles.acquire(name(), options(&cx)).await.unwrap());
    let running = {
        let lease = Arc::clone(&lease);
        cx.spawn(async move { lease.run(std::future::pending::<()>()).await })
    };
    cx.settle().await;
    cx.outlive().await;
    let Ok(ended) = tokio::time::timeout(Duration::from_secs(5), running).await else {
        panic!("the work goes on after the deadline");
    };
    let error = ended.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Fenced, Outcome::Unknown), "{error}");
    let begun = AtomicBool::new(false);
    let error = lease.run(async { begun.store(true, Ordering::SeqCst) }).await.unwrap_err();
    let said = (error.kind(), error.outcome());
    assert_eq!(said, (ErrorKind::Fenced, Outcome::NotApplied), "{error}");
    assert!(!begun.load(Ordering::SeqCst), "work was begun on a lost lease");
}

pub(super) async fn release(cx: Context) {
    let lease = acquired(&cx).await;
    let first = lease.token();
    assert!(lease.release().await.unwrap(), "it was held");
    assert_eq!(read(&*cx.b, &name()).await, None, "the holder after the release");
    let lease = handles(&cx).try_acquire(name(), options(&cx)).await.unwrap().unwrap();
    assert!(lease.token() > first);
    let other = pass_on(&cx, &lease).await;
    assert!(!lease.release().await.unwrap(), "another held it");
    let holder = read(&*cx.b, &name()).await.map(|state| state.owner);
    assert_eq!(holder, Some(other), "the holder that took over");
}

pub(super) async fn dropped(cx: Context) {
    let lease = acquired(&cx).await;
    drop(lease);
    for _ in 0..5_000 {
        cx.settle().await;
        if read(&*cx.b, &name()).await.is_none() {
            return;
        }
        SystemClock::new().sleep(Duration::from_millis(1)).await;
    }
    panic!("the lease was not released within 5 s");
}

pub(super) async fn waits(cx: Context) {
    // Where time cannot be moved, no lease ends here however slow the machine is.
    let ttl = if cx.time_moves() { cx.lifetime() } else { Duration::from_secs(600) };
    let (handles, options) = (handles(&cx), LeaseOptions::new(ttl));
    let lease = handles.acquire(name(), options).await.unwrap();
    let waiting = cx.spawn(async move { handles.acquire(name(), options).await });
    for _ in 0..2 {
        if cx.time_moves() {
            pass_a_renewal(&cx, &lease).await;
        } else {
            cx.advance(Duration::from_millis(100)).await;
        }
        held_by(&cx, &name(), lease.owner(), lease.token()).await;
    }
    let first = lease.token();
    assert!(lease.release().await.unwrap());
    cx.settle().await;
    cx.advance(Duration::from_secs(1)).await;
    let second = waiting.await.unwrap();
    assert!(second.token() > first, "{} came after {first}", second.token());
    held_by(&cx, &name(), second.owner(), second.token()).await;
}

pub(super) async fn timeout(cx: Context) {
    let holder = OwnerId::random();
    let token = grant(&*cx.b, &name(), holder, Duration::from_secs(600)).await.token;
    let options = options(&cx).with_wait_max(Duration::from_millis(300));
    let handles = handles(&cx);
    let waiting = cx.spawn(async move { handles.acquire(name(), options).await });
    for _ in 0..30 {
        cx.settle().await;
        cx.advance(Duration::from_millis(20)).await;
    }
    let error = waiting.await.unwrap_err();
    let said = (error.kind(), error.outcome());
    assert_eq!(said, (ErrorKind::Timeout, Outcome::NotApplied), "{error}");
    held_by(&cx, &name(), holder, token).await;
}
