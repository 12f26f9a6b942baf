//! The one lifetime that all fields of a hash have.

use std::time::Duration;

use state_core::{
    ErrorKind, Expires, Expiry, HashWriteOptions, Key, Limits, StateBackend, StateBackendExt,
};

use super::{expires, hashes, holds, pairs, set};
use crate::Context;
use crate::contents::contents;
use crate::expect::refused;

/// Writes fields of the hash `h` and names a lifetime.
async fn set_living(store: &dyn StateBackend, fields: &[(&str, &str)], expiry: impl Into<Expiry>) {
    let options = HashWriteOptions::new().with_expiry(expiry);
    hashes(store).hash_set(&Key::from("h"), pairs(fields), options).await.unwrap();
}

pub(super) async fn ends(cx: Context) {
    set_living(&*cx.a, &[("f", "1"), ("g", "2")], cx.lifetime()).await;
    set(&*cx.a, "other", &[("f", "1")]).await;
    holds(&*cx.b, "h", &[("f", "1"), ("g", "2")]).await;
    cx.outlive().await;
    holds(&*cx.a, "h", &[]).await;
    holds(&*cx.b, "h", &[]).await;
    assert!(!cx.a.delete_field("h", "f").await.unwrap(), "a field was there to remove");
    let removed = hashes(&*cx.a).hash_remove(&Key::from("h"), HashWriteOptions::new()).await;
    assert!(!removed.unwrap(), "there was a hash to remove");
    let left = contents(&*cx.b).await.hashes;
    assert_eq!(left.into_keys().collect::<Vec<_>>(), [Key::from("other")], "in a snapshot");
    assert_eq!(cx.a.clear().await.unwrap(), 1, "expired hashes are not counted");
}

pub(super) async fn kept(cx: Context) {
    set(&*cx.a, "h", &[("f", "1")]).await;
    assert_eq!(expires(&*cx.b, "h").await, Expires::Never, "of a hash that is new");
    set_living(&*cx.a, &[("f", "2")], cx.lifetime()).await;
    let deadline = expires(&*cx.b, "h").await.deadline();
    assert!(deadline.is_some(), "the hash has no lifetime");
    set(&*cx.a, "h", &[("f", "3"), ("g", "1")]).await;
    cx.b.increment_field("h", "n", 1).await.unwrap();
    cx.b.delete_field("h", "g").await.unwrap();
    assert_eq!(expires(&*cx.a, "h").await.deadline(), deadline, "after writes that name none");
    cx.outlive().await;
    holds(&*cx.b, "h", &[]).await;
}

pub(super) async fn set_anew(cx: Context) {
    set(&*cx.a, "h", &[("f", "1")]).await;
    let at = cx.now().checked_add(cx.lifetime() * 4).unwrap();
    set_living(&*cx.b, &[("g", "2")], at).await;
    assert_eq!(expires(&*cx.a, "h").await.deadline(), Some(at), "a deadline that was named");
    let counting = HashWriteOptions::new().with_expiry(cx.lifetime() * 2);
    hashes(&*cx.a).hash_increment(&Key::from("h"), &"n".into(), 1, counting).await.unwrap();
    let sooner = expires(&*cx.b, "h").await.deadline();
    assert!(sooner.is_some_and(|sooner| sooner < at), "{sooner:?} is not before {at:?}");
    cx.outlive().await;
    holds(&*cx.a, "h", &[("f", "1"), ("g", "2"), ("n", "1")]).await;
    set_living(&*cx.a, &[("f", "2")], Expiry::Never).await;
    assert_eq!(expires(&*cx.b, "h").await, Expires::Never, "freed from its lifetime");
    cx.outlive().await;
    holds(&*cx.b, "h", &[("f", "2"), ("g", "2"), ("n", "1")]).await;
}

pub(super) async fn gone(cx: Context) {
    let old = [("f", "1"), ("n", "41"), ("only-old", "1")];
    set_living(&*cx.a, &old, cx.lifetime()).await;
    cx.outlive().await;
    assert_eq!(set(&*cx.b, "h", &[("f", "2")]).await, 1, "the field is new");
    holds(&*cx.a, "h", &[("f", "2")]).await;
    assert_eq!(expires(&*cx.a, "h").await, Expires::Never, "the old lifetime is gone too");
    set_living(&*cx.a, &old, cx.lifetime()).await;
    cx.outlive().await;
    assert_eq!(cx.b.increment_field("h", "n", 1).await.unwrap(), 1, "absent is 0");
    holds(&*cx.a, "h", &[("n", "1")]).await;
}

pub(super) async fn restart(cx: Context) {
    set_living(&*cx.a, &[("f", "1")], cx.lifetime()).await;
    let options = HashWriteOptions::new().with_expiry(Duration::from_secs(3_600));
    hashes(&*cx.a).hash_set(&Key::from("long"), pairs(&[("f", "1")]), options).await.unwrap();
    set(&*cx.a, "for-ever", &[("f", "1")]).await;
    let deadline = expires(&*cx.a, "long").await.deadline();
    assert!(deadline.is_some(), "the hash has no lifetime");
    let cx = cx.restart().await.unwrap();
    assert_eq!(expires(&*cx.a, "long").await.deadline(), deadline, "after a restart");
    assert_eq!(expires(&*cx.b, "for-ever").await, Expires::Never, "after a restart");
    cx.outlive().await;
    let cx = cx.restart().await.unwrap();
    holds(&*cx.a, "h", &[]).await;
    holds(&*cx.b, "long", &[("f", "1")]).await;
}

pub(super) async fn invalid(cx: Context) {
    set(&*cx.a, "h", &[("f", "1")]).await;
    let before = contents(&*cx.b).await;
    let (store, key) = (hashes(&*cx.a), Key::from("h"));
    for bad in [
        Expiry::After(Duration::ZERO),
        Expiry::After(Duration::from_micros(999)),
        Expiry::After(Limits::LIFETIME_MAX + Duration::from_millis(1)),
        Expiry::After(Duration::MAX),
        Expiry::At(state_core::Timestamp::from_unix_ms(1)),
    ] {
        let what = format!("a lifetime of {bad:?}");
        let living = || HashWriteOptions::new().with_expiry(bad);
        let answer = store.hash_set(&key, pairs(&[("f", "2")]), living()).await;
        refused(answer, ErrorKind::Invalid, &what);
        let answer = store.hash_increment(&key, &"f".into(), 1, living()).await;
        refused(answer, ErrorKind::Invalid, &what);
        assert_eq!(contents(&*cx.b).await, before, "{what}: it has had an effect");
    }
}

pub(super) async fn undeclared(cx: Context) {
    set(&*cx.a, "h", &[("f", "1")]).await;
    let before = contents(&*cx.b).await;
    let (store, key) = (hashes(&*cx.a), Key::from("h"));
    let living = || HashWriteOptions::new().with_expiry(cx.lifetime());
    let answer = store.hash_set(&key, pairs(&[("f", "2")]), living()).await;
    refused(answer, ErrorKind::Unsupported, "a lifetime");
    let answer = store.hash_increment(&key, &"f".into(), 1, living()).await;
    refused(answer, ErrorKind::Unsupported, "a lifetime");
    assert_eq!(contents(&*cx.b).await, before, "what was refused has had an effect");
}
