//! How leases go on, and how they end.

use std::time::Duration;

use state_core::{AcquireOptions, Acquired, ErrorKind, FenceToken, OwnerId};

use super::{ask, grant, held_by, leases, name, read};
use crate::Context;
use crate::expect::refused;

const LONG: Duration = Duration::from_secs(60);

pub(super) async fn renew_extends(cx: Context) {
    let owner = OwnerId::random();
    let first = grant(&*cx.a, &name(), owner, cx.lifetime()).await;
    let longer = cx.lifetime() * 3;
    let options = AcquireOptions::new(owner, longer);
    let renewed = leases(&*cx.b).renew_lease(&name(), first.token, options).await.unwrap();
    assert_eq!((renewed.token, renewed.ttl), (first.token, longer));
    cx.outlive().await;
    held_by(&cx, &name(), owner, first.token).await;
    let shorter = AcquireOptions::new(owner, cx.lifetime() / 2);
    leases(&*cx.a).renew_lease(&name(), first.token, shorter).await.unwrap();
    cx.outlive().await;
    assert_eq!(read(&*cx.b, &name()).await, None, "a renewal may also shorten a lease");
}

pub(super) async fn renew_stranger(cx: Context) {
    let owner = OwnerId::random();
    let token = grant(&*cx.a, &name(), owner, LONG).await.token;
    let (less, more) = (FenceToken::new(token.get() - 1), FenceToken::new(token.get() + 1));
    for (who, under, what) in [
        (OwnerId::random(), token, "another owner"),
        (owner, less, "a smaller token"),
        (owner, more, "a greater token"),
    ] {
        let options = AcquireOptions::new(who, LONG * 10);
        let answer = leases(&*cx.b).renew_lease(&name(), under, options).await;
        refused(answer, ErrorKind::Fenced, what);
        held_by(&cx, &name(), owner, token).await;
        let left = read(&*cx.a, &name()).await.unwrap().remaining;
        assert!(left <= LONG, "{what} has renewed the lease: {left:?} are left");
    }
}

pub(super) async fn renew_lost(cx: Context) {
    let owner = OwnerId::random();
    let options = AcquireOptions::new(owner, LONG);
    let renew = async |token, what| {
        let answer = leases(&*cx.a).renew_lease(&name(), token, options).await;
        refused(answer, ErrorKind::Fenced, what);
    };
    renew(FenceToken::new(1), "a lease that was never granted").await;
    let token = grant(&*cx.a, &name(), owner, cx.lifetime()).await.token;
    cx.outlive().await;
    renew(token, "after the lease has expired").await;
    assert_eq!(read(&*cx.b, &name()).await, None, "the renewal has brought the lease back");
    let token = grant(&*cx.a, &name(), owner, LONG).await.token;
    assert!(leases(&*cx.b).release_lease(&name(), owner, token).await.unwrap());
    renew(token, "after the lease was released").await;
    assert_eq!(read(&*cx.b, &name()).await, None, "the renewal has brought the lease back");
    let other = OwnerId::random();
    let theirs = grant(&*cx.b, &name(), other, LONG).await.token;
    renew(token, "after the lease has passed to another").await;
    held_by(&cx, &name(), other, theirs).await;
}

pub(super) async fn release_frees(cx: Context) {
    let owner = OwnerId::random();
    let token = grant(&*cx.a, &name(), owner, LONG).await.token;
    assert!(leases(&*cx.b).release_lease(&name(), owner, token).await.unwrap(), "it was held");
    assert_eq!(read(&*cx.a, &name()).await, None, "the holder after the release");
    let other = OwnerId::random();
    let theirs = grant(&*cx.b, &name(), other, LONG).await.token;
    held_by(&cx, &name(), other, theirs).await;
}

pub(super) async fn release_stranger(cx: Context) {
    let owner = OwnerId::random();
    let release = async |who, token: FenceToken, what: &str| {
        let released = leases(&*cx.b).release_lease(&name(), who, token).await.unwrap();
        assert!(!released, "{what} has released the lease");
    };
    release(owner, FenceToken::new(1), "who never held it").await;
    let old = grant(&*cx.a, &name(), owner, cx.lifetime()).await.token;
    release(OwnerId::random(), old, "another owner").await;
    release(owner, FenceToken::new(old.get() - 1), "a smaller token").await;
    release(owner, FenceToken::new(old.get() + 1), "a greater token").await;
    held_by(&cx, &name(), owner, old).await;
    cx.outlive().await;
    release(owner, old, "who held it until it expired").await;
    let new = grant(&*cx.a, &name(), owner, LONG).await.token;
    release(owner, old, "the token of an earlier lease").await;
    held_by(&cx, &name(), owner, new).await;
}

pub(super) async fn expiry(cx: Context) {
    grant(&*cx.a, &name(), OwnerId::random(), cx.lifetime()).await;
    cx.outlive().await;
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(read(store, &name()).await, None, "the holder after the lifetime");
    }
    let other = OwnerId::random();
    let token = grant(&*cx.b, &name(), other, LONG).await.token;
    held_by(&cx, &name(), other, token).await;
}

pub(super) async fn expiry_exact(cx: Context) {
    let owner = OwnerId::random();
    let (ttl, last) = (Duration::from_secs(10), Duration::from_millis(1));
    let token = grant(&*cx.a, &name(), owner, ttl).await.token;
    cx.advance(ttl.saturating_sub(last)).await;
    held_by(&cx, &name(), owner, token).await;
    assert_eq!(read(&*cx.b, &name()).await.unwrap().remaining, last);
    let answer = ask(&*cx.b, &name(), OwnerId::random(), ttl).await;
    assert_eq!(answer, Acquired::Held { remaining: last });
    cx.advance(last).await;
    assert_eq!(read(&*cx.a, &name()).await, None);
    grant(&*cx.b, &name(), OwnerId::random(), ttl).await;
}

pub(super) async fn restart(cx: Context) {
    let owner = OwnerId::random();
    let token = grant(&*cx.a, &name(), owner, LONG).await.token;
    cx.advance(cx.lifetime()).await;
    let before = read(&*cx.a, &name()).await.unwrap().remaining;
    let cx = cx.restart().await.unwrap();
    held_by(&cx, &name(), owner, token).await;
    let after = read(&*cx.a, &name()).await.unwrap().remaining;
    let (most, least) = (before + cx.tolerance(), before.saturating_sub(cx.tolerance()));
    assert!(after >= least && after <= most, "{after:?} are left after {before:?}");
    let other = ask(&*cx.b, &name(), OwnerId::random(), LONG).await;
    assert!(matches!(other, Acquired::Held { .. }), "another owner got {other:?}");
    let options = AcquireOptions::new(owner, LONG);
    let renewed = leases(&*cx.b).renew_lease(&name(), token, options).await.unwrap();
    assert_eq!(renewed.token, token, "the token of a lease that was renewed");
}
