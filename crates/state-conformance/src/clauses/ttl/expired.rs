//! What has expired is absent everywhere.

use std::time::Duration;

use state_core::{
    DeleteOptions, ErrorKind, Expires, Expiry, GetOptions, Key, ListOptions, Precondition,
    PutOptions, StateBackendExt,
};

use crate::Context;
use crate::expect::{present, refused, value_is};

/// Writes `k`, which ends, and `stays`, which does not; `k` must be there first and is expired
/// in the end.
async fn expire(cx: &Context, value: &'static str) {
    cx.a.put("stays", "v").await.unwrap();
    cx.a.put_with_ttl("k", value, cx.lifetime()).await.unwrap();
    value_is(&*cx.b, "k", Some(value)).await;
    cx.outlive().await;
}

pub(super) async fn get(cx: Context) {
    expire(&cx, "v").await;
    value_is(&*cx.a, "k", None).await;
    value_is(&*cx.b, "k", None).await;
    assert!(!cx.a.contains("k").await.unwrap(), "an expired entry is contained");
    let asking = GetOptions::new().with_expiry(true);
    assert_eq!(cx.b.get_opts(&Key::from("k"), asking).await.unwrap(), None);
    value_is(&*cx.a, "stays", Some("v")).await;
}

pub(super) async fn exact(cx: Context) {
    let lifetime = Duration::from_secs(5);
    cx.a.put_with_ttl("k", "v", lifetime).await.unwrap();
    cx.advance(lifetime.saturating_sub(Duration::from_millis(1))).await;
    value_is(&*cx.a, "k", Some("v")).await;
    assert_eq!(cx.a.count("").await.unwrap(), 1, "1 ms before the deadline");
    cx.advance(Duration::from_millis(1)).await;
    value_is(&*cx.b, "k", None).await;
    assert_eq!(cx.b.count("").await.unwrap(), 0, "at the deadline");
    assert_eq!(cx.b.list_keys("").await.unwrap(), [], "at the deadline");
}

pub(super) async fn fraction(cx: Context) {
    cx.a.put_with_ttl("k", "v", Duration::from_micros(1_500)).await.unwrap();
    cx.advance(Duration::from_millis(1)).await;
    value_is(&*cx.b, "k", Some("v")).await;
    cx.advance(Duration::from_millis(1)).await;
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn list(cx: Context) {
    expire(&cx, "v").await;
    let page = cx.b.list_page(ListOptions::default()).await.unwrap();
    let listed: Vec<Key> = page.items.into_iter().map(|meta| meta.key).collect();
    assert_eq!(listed, [Key::from("stays")]);
}

pub(super) async fn count(cx: Context) {
    expire(&cx, "v").await;
    assert_eq!(cx.a.count("").await.unwrap(), 1, "all entries");
    assert_eq!(cx.b.count("k").await.unwrap(), 0, "entries under the prefix of the expired one");
}

pub(super) async fn get_many(cx: Context) {
    expire(&cx, "v").await;
    let values = cx.b.batch_get(["k", "stays", "k"]).await.unwrap();
    assert_eq!(values, [None, Some("v".into()), None]);
}

pub(super) async fn delete(cx: Context) {
    expire(&cx, "v").await;
    let asking = DeleteOptions::new().with_return_value(true);
    let deleted = cx.a.delete_opts(&Key::from("k"), asking).await.unwrap();
    assert!(!deleted.existed, "an expired entry existed");
    assert_eq!(deleted.previous, None, "an expired value was returned");
}

pub(super) async fn touch(cx: Context) {
    expire(&cx, "v").await;
    assert!(!cx.a.touch("k", cx.lifetime()).await.unwrap(), "an expired entry was touched");
    value_is(&*cx.b, "k", None).await;
    let touching = GetOptions::new().with_touch(Expiry::Never);
    assert_eq!(cx.a.get_opts(&Key::from("k"), touching).await.unwrap(), None);
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn increment(cx: Context) {
    expire(&cx, "41").await;
    assert_eq!(cx.b.increment("k", 1).await.unwrap(), 1, "an expired counter was added to");
}

pub(super) async fn precondition(cx: Context) {
    expire(&cx, "v").await;
    let key = Key::from("k");
    let on = |precondition| PutOptions::new().with_precondition(precondition);
    let answer = cx.a.put_opts(&key, "w".into(), on(Precondition::Present)).await;
    refused(answer, ErrorKind::Conflict, "a put on `Present`");
    let delete = DeleteOptions::new().with_precondition(Precondition::Present);
    let answer = cx.a.delete_opts(&key, delete).await;
    refused(answer, ErrorKind::Conflict, "a delete on `Present`");
    cx.a.put_opts(&key, "w".into(), on(Precondition::Absent)).await.unwrap();
    value_is(&*cx.b, "k", Some("w")).await;

    let written = cx.a.put_with_ttl("k", "x", cx.lifetime()).await.unwrap();
    cx.outlive().await;
    let answer = cx.b.put_opts(&key, "y".into(), on(written.version.into())).await;
    refused(answer, ErrorKind::Conflict, "a put on the version of the expired entry");
    value_is(&*cx.a, "k", None).await;
}

pub(super) async fn clear(cx: Context) {
    expire(&cx, "v").await;
    assert_eq!(cx.b.clear().await.unwrap(), 1, "entries cleared");
}

pub(super) async fn rewrite(cx: Context) {
    expire(&cx, "v").await;
    let keep = PutOptions::new().with_expiry(Expiry::Keep);
    cx.b.put_opts(&Key::from("k"), "w".into(), keep).await.unwrap();
    let entry = present(&*cx.a, "k").await;
    assert_eq!(entry.expires, Expires::Never, "the lifetime of the expired entry was kept");
    cx.outlive().await;
    value_is(&*cx.a, "k", Some("w")).await;
}

pub(super) async fn extended(cx: Context) {
    let long = cx.lifetime().saturating_mul(100);
    for key in ["touched", "written", "kept", "persisted"] {
        cx.a.put_with_ttl(key, "v", cx.lifetime()).await.unwrap();
    }
    assert!(cx.b.touch("touched", long).await.unwrap());
    cx.b.put_with_ttl("written", "v", long).await.unwrap();
    cx.b.put_opts(&"kept".into(), "v".into(), PutOptions::new().with_expiry(long)).await.unwrap();
    assert!(cx.b.touch("persisted", Expiry::Never).await.unwrap());
    cx.outlive().await;
    for key in ["touched", "written", "kept", "persisted"] {
        value_is(&*cx.a, key, Some("v")).await;
    }
    assert_eq!(cx.b.count("").await.unwrap(), 4, "entries that were given a later deadline");
}

pub(super) async fn together(cx: Context) {
    let keys: Vec<String> = (0..50).map(|number| format!("k{number:02}")).collect();
    let deadline = cx.now().checked_add(cx.lifetime()).unwrap();
    for key in &keys {
        let options = PutOptions::new().with_expiry(deadline);
        cx.a.put_opts(&key.into(), "v".into(), options).await.unwrap();
    }
    assert_eq!(cx.b.count("k").await.unwrap(), 50, "before the deadline");
    cx.outlive().await;
    assert_eq!(cx.b.count("k").await.unwrap(), 0, "after the deadline");
    let values = cx.a.batch_get(&keys).await.unwrap();
    assert!(values.iter().all(Option::is_none), "some entries outlived the others");
}
