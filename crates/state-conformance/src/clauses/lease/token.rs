//! The tokens that order the holders of a lease.

use std::time::Duration;

use state_core::{FenceToken, Key, OwnerId, StateBackendExt};

use super::{grant, leases, name};
use crate::Context;

pub(super) async fn grows(cx: Context) {
    let mut last = FenceToken::new(0);
    for round in 0..6 {
        let (store, owner) = (if round % 2 == 0 { &cx.a } else { &cx.b }, OwnerId::random());
        let token = grant(&**store, &name(), owner, cx.lifetime()).await.token;
        assert!(token > last, "the token {token} came after {last}");
        if round % 3 == 0 {
            cx.outlive().await;
        } else {
            assert!(leases(&*cx.a).release_lease(&name(), owner, token).await.unwrap());
        }
        last = token;
    }
}

pub(super) async fn same_owner(cx: Context) {
    let owner = OwnerId::random();
    let first = grant(&*cx.a, &name(), owner, cx.lifetime()).await.token;
    cx.outlive().await;
    let second = grant(&*cx.b, &name(), owner, cx.lifetime()).await.token;
    assert!(second > first, "after the expiry: {second} came after {first}");
    assert!(leases(&*cx.a).release_lease(&name(), owner, second).await.unwrap());
    let third = grant(&*cx.b, &name(), owner, cx.lifetime()).await.token;
    assert!(third > second, "after the release: {third} came after {second}");
}

pub(super) async fn after_clear(cx: Context) {
    let mut last = FenceToken::new(0);
    for _ in 0..3 {
        let owner = OwnerId::random();
        let token = grant(&*cx.a, &name(), owner, Duration::from_secs(60)).await.token;
        assert!(token > last, "the token {token} came after {last}");
        assert!(leases(&*cx.a).release_lease(&name(), owner, token).await.unwrap());
        cx.b.clear().await.unwrap();
        last = token;
    }
}

pub(super) async fn clock(cx: Context) {
    for _ in 0..2 {
        let owner = OwnerId::random();
        let token = grant(&*cx.a, &name(), owner, cx.lifetime()).await.token;
        let now_ms = cx.now().unix_ms() - cx.tolerance().as_secs() * 1_000;
        assert!(token.get() >= now_ms * 1_000, "the token {token} at {now_ms} ms");
        assert!(leases(&*cx.a).release_lease(&name(), owner, token).await.unwrap());
        cx.outlive().await;
    }
}

pub(super) async fn restart(mut cx: Context) {
    let free = Key::from("free");
    let mut last = FenceToken::new(0);
    // Several holders at one time of the clock, so that tokens are ahead of it.
    for _ in 0..3 {
        for _ in 0..5 {
            let owner = OwnerId::random();
            let token = grant(&*cx.a, &free, owner, Duration::from_secs(60)).await.token;
            assert!(token > last, "the token {token} came after {last}");
            assert!(leases(&*cx.b).release_lease(&free, owner, token).await.unwrap());
            last = token;
        }
        cx = cx.restart().await.unwrap();
    }
    let held = grant(&*cx.a, &name(), OwnerId::random(), cx.lifetime()).await.token;
    cx = cx.restart().await.unwrap();
    cx.outlive().await;
    let next = grant(&*cx.b, &name(), OwnerId::random(), cx.lifetime()).await.token;
    assert!(next > held, "the token {next} came after {held}");
}
