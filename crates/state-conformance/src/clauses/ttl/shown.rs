//! How lifetimes are shown, and which are legal.

use std::time::Duration;

use state_core::{Expires, Expiry, Limits, ListOptions, PutOptions, StateBackendExt, Ttl};

use crate::Context;
use crate::expect::{present, value_is};

const LIFETIME: Duration = Duration::from_secs(100);

pub(super) async fn get(cx: Context) {
    cx.a.put_opts(&"never".into(), "v".into(), PutOptions::new().with_expiry(Expiry::Never))
        .await
        .unwrap();
    assert_eq!(present(&*cx.b, "never").await.expires, Expires::Never);
    let named = cx.now().checked_add(LIFETIME).unwrap();
    cx.a.put_opts(&"ends".into(), "v".into(), PutOptions::new().with_expiry(named)).await.unwrap();
    let Expires::At { deadline, remaining } = present(&*cx.b, "ends").await.expires else {
        panic!("the lifetime was asked for and not told");
    };
    assert_eq!(deadline, named);
    assert!(LIFETIME.abs_diff(remaining) <= cx.tolerance(), "{remaining:?} are left");
}

pub(super) async fn remaining(cx: Context) {
    cx.a.put_with_ttl("k", "v", LIFETIME).await.unwrap();
    let before = present(&*cx.b, "k").await.expires;
    let passed = Duration::from_millis(300);
    cx.advance(passed).await;
    let after = present(&*cx.b, "k").await.expires;
    assert_eq!(after.deadline(), before.deadline(), "the deadline moved");
    let (Expires::At { remaining: before, .. }, Expires::At { remaining: after, .. }) =
        (before, after)
    else {
        panic!("the lifetime was asked for and not told");
    };
    let shrunk = before.checked_sub(after).unwrap_or_default();
    assert!(shrunk >= passed, "{before:?} shrank to {after:?} within {passed:?}");
    assert!(shrunk.saturating_sub(passed) <= cx.tolerance(), "{before:?} shrank to {after:?}");
}

pub(super) async fn list(cx: Context) {
    cx.a.put_with_ttl("ends", "v", LIFETIME).await.unwrap();
    let never = PutOptions::new().with_expiry(Expiry::Never);
    cx.a.put_opts(&"never".into(), "v".into(), never).await.unwrap();
    let asking = ListOptions::default().with_expiry(true);
    let listed = cx.b.list_page(asking).await.unwrap().items;
    assert_eq!(listed.len(), 2, "entries listed");
    for meta in listed {
        let deadline = present(&*cx.a, &meta.key).await.expires.deadline();
        assert_ne!(meta.expires, Expires::Unknown, "the lifetime of `{}`", meta.key);
        assert_eq!(meta.expires.deadline(), deadline, "the deadline of `{}`", meta.key);
    }
}

pub(super) async fn ttl(cx: Context) {
    assert_eq!(cx.a.ttl("k").await.unwrap(), Ttl::Absent);
    cx.a.put_with_ttl("k", "v", LIFETIME).await.unwrap();
    let Ttl::Remaining(left) = cx.b.ttl("k").await.unwrap() else { panic!("it has a lifetime") };
    assert!(LIFETIME.abs_diff(left) <= cx.tolerance(), "{left:?} are left");
    cx.a.touch("k", Expiry::Never).await.unwrap();
    assert_eq!(cx.b.ttl("k").await.unwrap(), Ttl::Forever);
    cx.a.touch("k", cx.lifetime()).await.unwrap();
    cx.outlive().await;
    assert_eq!(cx.b.ttl("k").await.unwrap(), Ttl::Absent);
}

pub(super) async fn edges(cx: Context) {
    cx.a.put_with_ttl("short", "v", Limits::LIFETIME_MIN).await.unwrap();
    cx.a.put_with_ttl("long", "v", Limits::LIFETIME_MAX).await.unwrap();
    value_is(&*cx.b, "short", Some("v")).await;
    cx.advance(Limits::LIFETIME_MIN).await;
    value_is(&*cx.b, "short", None).await;
    cx.advance(Limits::LIFETIME_MAX.saturating_sub(Duration::from_millis(2))).await;
    value_is(&*cx.b, "long", Some("v")).await;
    cx.advance(Duration::from_millis(1)).await;
    value_is(&*cx.b, "long", None).await;
}
