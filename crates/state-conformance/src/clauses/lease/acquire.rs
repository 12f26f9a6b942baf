//! Asking for leases.

use std::sync::Arc;
use std::time::Duration;

use state_core::{
    Acks, AcquireOptions, Acquired, ErrorKind, Key, LeaseOptions, Leases, Limits, OwnerId,
    StateBackendExt,
};

use super::{ask, grant, held_by, leases, name, read};
use crate::Context;
use crate::contents::contents;
use crate::expect::{refused, value_is};

pub(super) async fn undeclared(cx: Context) {
    assert!(cx.a.as_lease().is_none(), "the role is handed out");
    let handles = Leases::new(Arc::clone(&cx.a), cx.clock(), cx.spawner());
    let options = LeaseOptions::new(cx.lifetime());
    refused(handles.try_acquire("lease", options).await, ErrorKind::Unsupported, "try_acquire");
    refused(handles.acquire("lease", options).await, ErrorKind::Unsupported, "acquire");
    assert_eq!(contents(&*cx.b).await.entries.len(), 0, "entries that are there now");
}

pub(super) async fn granted(cx: Context) {
    let owner = OwnerId::random();
    let grant = grant(&*cx.a, &name(), owner, cx.lifetime()).await;
    assert_eq!(grant.ttl, cx.lifetime(), "the lifetime that was granted");
    held_by(&cx, &name(), owner, grant.token).await;
    let left = read(&*cx.b, &name()).await.unwrap().remaining;
    assert!(left <= cx.lifetime(), "{left:?} are left of {:?}", cx.lifetime());
    assert!(left + cx.tolerance() >= cx.lifetime(), "only {left:?} are left");
}

pub(super) async fn held(cx: Context) {
    let ttl = Duration::from_secs(60);
    let owner = OwnerId::random();
    let grant = grant(&*cx.a, &name(), owner, ttl).await;
    for store in [&*cx.a, &*cx.b] {
        let answer = ask(store, &name(), OwnerId::random(), ttl).await;
        let Acquired::Held { remaining } = answer else {
            panic!("expected the lease to be held by another, got {answer:?}")
        };
        assert!(remaining <= ttl && remaining + cx.tolerance() >= ttl, "{remaining:?} are left");
    }
    held_by(&cx, &name(), owner, grant.token).await;
}

pub(super) async fn again(cx: Context) {
    let owner = OwnerId::random();
    let first = grant(&*cx.a, &name(), owner, cx.lifetime()).await;
    let longer = cx.lifetime() * 3;
    for store in [&*cx.b, &*cx.a] {
        let again = grant(store, &name(), owner, longer).await;
        assert_eq!(again.token, first.token, "the token of the same holder");
        assert_eq!(again.ttl, longer);
    }
    cx.outlive().await;
    held_by(&cx, &name(), owner, first.token).await;
}

pub(super) async fn names(cx: Context) {
    let longer = cx.open("-longer").await.unwrap();
    let names = ["a", "ab", "a*", "{a}"].map(Key::from);
    let names = names.into_iter().chain([Key::in_partition("p", "a"), Key::in_partition("a", "p")]);
    let ttl = Duration::from_secs(60);
    let mut held = Vec::new();
    for name in names {
        let owner = OwnerId::random();
        let token = grant(&*cx.a, &name, owner, ttl).await.token;
        let elsewhere = OwnerId::random();
        grant(&*longer, &name, elsewhere, ttl).await;
        held.push((name, owner, token));
    }
    for (name, owner, token) in &held {
        held_by(&cx, name, *owner, *token).await;
    }
    for (name, owner, token) in held {
        assert!(leases(&*cx.a).release_lease(&name, owner, token).await.unwrap(), "{name:?}");
        assert!(read(&*longer, &name).await.is_some(), "released in another namespace: {name:?}");
    }
}

pub(super) async fn bad_input(cx: Context) {
    let owner = OwnerId::random();
    let store = leases(&*cx.a);
    let token = grant(&*cx.a, &Key::from("held"), owner, cx.lifetime() * 5).await.token;
    let before = read(&*cx.b, &Key::from("held")).await.unwrap();
    for ttl in [
        Duration::ZERO,
        Duration::from_micros(999),
        Limits::LIFETIME_MAX + Duration::from_millis(1),
        Duration::MAX,
    ] {
        let what = format!("a lifetime of {ttl:?}");
        let options = AcquireOptions::new(owner, ttl);
        refused(store.acquire_lease(&name(), options).await, ErrorKind::Invalid, &what);
        let renewed = store.renew_lease(&Key::from("held"), token, options).await;
        refused(renewed, ErrorKind::Invalid, &what);
    }
    let long = Key::from(vec![b'x'; cx.capabilities().limits.key_bytes_max + 1]);
    let options = AcquireOptions::new(owner, cx.lifetime());
    for (bad, kind) in [
        (Key::from(""), ErrorKind::Invalid),
        (Key::in_partition("", "k"), ErrorKind::Invalid),
        (long, ErrorKind::TooLarge),
    ] {
        let what = format!("a name of {} bytes", bad.len_bytes());
        refused(store.acquire_lease(&bad, options).await, kind, &what);
        refused(store.renew_lease(&bad, token, options).await, kind, &what);
        refused(store.release_lease(&bad, owner, token).await, kind, &what);
        refused(store.read_lease(&bad).await, kind, &what);
    }
    assert_eq!(read(&*cx.b, &name()).await, None, "what was refused has been granted");
    let after = read(&*cx.b, &Key::from("held")).await.unwrap();
    assert!(after.remaining <= before.remaining, "what was refused has renewed the lease");
}

pub(super) async fn replicas_undeclared(cx: Context) {
    let options = AcquireOptions::new(OwnerId::random(), cx.lifetime());
    let asking = options.with_acks(Acks::Replicas(1));
    let answer = leases(&*cx.a).acquire_lease(&name(), asking).await;
    refused(answer, ErrorKind::Unsupported, "waiting for a replica");
    assert_eq!(read(&*cx.b, &name()).await, None, "what was refused has been granted");
}

pub(super) async fn read_nobody(cx: Context) {
    assert_eq!(read(&*cx.a, &name()).await, None);
    grant(&*cx.a, &Key::from("other"), OwnerId::random(), cx.lifetime()).await;
    assert_eq!(read(&*cx.a, &name()).await, None, "another lease was asked for");
}

pub(super) async fn apart(cx: Context) {
    let owner = OwnerId::random();
    let ttl = Duration::from_secs(60);
    let token = grant(&*cx.a, &Key::from("k"), owner, ttl).await.token;
    value_is(&*cx.b, "k", None).await;
    assert_eq!(cx.b.count("").await.unwrap(), 0, "leases are counted");
    assert_eq!(contents(&*cx.b).await, crate::contents::Contents::default());
    let mut records = cx.b.snapshot().await.unwrap();
    let record = futures_util::StreamExt::next(&mut records).await;
    assert!(record.is_none(), "leases are in snapshots: {record:?}");
    assert!(!cx.a.delete("k").await.unwrap(), "a delete has met a lease");
    cx.a.put("k", "v").await.unwrap();
    held_by(&cx, &Key::from("k"), owner, token).await;
    assert!(cx.a.delete("k").await.unwrap());
    held_by(&cx, &Key::from("k"), owner, token).await;
}

pub(super) async fn kept_by_clear(cx: Context) {
    let owner = OwnerId::random();
    let token = grant(&*cx.a, &name(), owner, Duration::from_secs(60)).await.token;
    cx.a.put("k", "v").await.unwrap();
    assert_eq!(cx.a.clear().await.unwrap(), 1, "one entry was there to remove");
    held_by(&cx, &name(), owner, token).await;
}
