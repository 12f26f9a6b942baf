//! Writes that happen only when something holds.

use state_core::{
    Bytes, DeleteOptions, Deleted, ErrorKind, Expires, Expiry, Key, Precondition, PutOptions,
    Result, StateBackend, StateBackendExt, UpdateAction, Version, Written,
};

use crate::Context;
use crate::expect::{present, refused, value_is};

/// Writes `value` under `k` if `precondition` holds.
async fn put_if(
    store: &dyn StateBackend,
    precondition: impl Into<Precondition>,
    value: &'static str,
) -> Result<Written> {
    let options = PutOptions::new().with_precondition(precondition);
    store.put_opts(&Key::from("k"), value.into(), options).await
}

/// Deletes `k` if `precondition` holds.
async fn delete_if(
    store: &dyn StateBackend,
    precondition: impl Into<Precondition>,
) -> Result<Deleted> {
    let options = DeleteOptions::new().with_precondition(precondition);
    store.delete_opts(&Key::from("k"), options).await
}

/// The answer must be a conflict, and `k` must be as it was.
#[track_caller]
fn conflict<T: std::fmt::Debug>(answer: Result<T>, what: &str) {
    refused(answer, ErrorKind::Conflict, what);
}

/// The entry `k` must have this value and this version.
async fn unchanged(cx: &Context, value: &'static str, version: Version) {
    let entry = present(&*cx.a, "k").await;
    assert_eq!((entry.value, entry.version), (Bytes::from(value), version), "it was changed");
}

pub(super) async fn absent_creates(cx: Context) {
    put_if(&*cx.a, Precondition::Absent, "1").await.unwrap();
    value_is(&*cx.b, "k", Some("1")).await;
    cx.b.delete("k").await.unwrap();
    put_if(&*cx.a, Precondition::Absent, "2").await.unwrap();
    value_is(&*cx.b, "k", Some("2")).await;
}

pub(super) async fn absent_conflict(cx: Context) {
    for value in ["v", ""] {
        let written = cx.a.put("k", value).await.unwrap();
        conflict(put_if(&*cx.b, Precondition::Absent, "w").await, "put on `Absent`");
        unchanged(&cx, value, written.version).await;
    }
}

pub(super) async fn present_overwrites(cx: Context) {
    cx.a.put("k", "").await.unwrap();
    put_if(&*cx.b, Precondition::Present, "w").await.unwrap();
    value_is(&*cx.a, "k", Some("w")).await;
}

pub(super) async fn present_conflict(cx: Context) {
    conflict(put_if(&*cx.a, Precondition::Present, "w").await, "put on `Present`, never written");
    value_is(&*cx.b, "k", None).await;
    cx.a.put("k", "v").await.unwrap();
    cx.a.delete("k").await.unwrap();
    conflict(put_if(&*cx.a, Precondition::Present, "w").await, "put on `Present`, deleted");
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn matches_overwrites(cx: Context) {
    let first = cx.a.put("k", "1").await.unwrap();
    let second = put_if(&*cx.b, first.version, "2").await.unwrap();
    put_if(&*cx.a, present(&*cx.b, "k").await.version, "3").await.unwrap();
    assert_ne!(first.version, second.version);
    value_is(&*cx.b, "k", Some("3")).await;
}

pub(super) async fn stale_conflict(cx: Context) {
    let first = cx.a.put("k", "1").await.unwrap();
    let second = cx.b.put("k", "2").await.unwrap();
    conflict(put_if(&*cx.a, first.version, "3").await, "put on the first version");
    unchanged(&cx, "2", second.version).await;
}

pub(super) async fn matches_absent(cx: Context) {
    let written = cx.a.put("k", "v").await.unwrap();
    cx.a.delete("k").await.unwrap();
    conflict(put_if(&*cx.a, written.version, "w").await, "put on the version before the delete");
    value_is(&*cx.b, "k", None).await;
    let never = Version::from_bytes([0; 16]);
    conflict(put_if(&*cx.a, never, "w").await, "put on a version that nothing has");
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn matches_other_key(cx: Context) {
    let written = cx.a.put("k", "v").await.unwrap();
    let other = cx.a.put("other", "v").await.unwrap();
    conflict(put_if(&*cx.a, other.version, "w").await, "put on the version of another key");
    unchanged(&cx, "v", written.version).await;
}

pub(super) async fn matches_once(cx: Context) {
    let seen = cx.a.put("k", "0").await.unwrap();
    let won = put_if(&*cx.a, seen.version, "a").await.unwrap();
    conflict(put_if(&*cx.b, seen.version, "b").await, "the second put");
    unchanged(&cx, "a", won.version).await;
}

pub(super) async fn aba_delete(cx: Context) {
    let before = cx.a.put("k", "v").await.unwrap();
    cx.b.delete("k").await.unwrap();
    let after = cx.b.put("k", "v").await.unwrap();
    conflict(put_if(&*cx.a, before.version, "w").await, "put on the version before the delete");
    unchanged(&cx, "v", after.version).await;
}

pub(super) async fn aba_expiry(cx: Context) {
    let before = cx.a.put_with_ttl("k", "v", cx.lifetime()).await.unwrap();
    cx.outlive().await;
    let after = cx.b.put("k", "v").await.unwrap();
    conflict(put_if(&*cx.a, before.version, "w").await, "put on the version before the expiry");
    unchanged(&cx, "v", after.version).await;
}

pub(super) async fn aba_increment(cx: Context) {
    let before = cx.a.put("k", "1").await.unwrap();
    cx.b.increment("k", 1).await.unwrap();
    cx.b.increment("k", -1).await.unwrap();
    conflict(put_if(&*cx.a, before.version, "9").await, "put on the version before increments");
    value_is(&*cx.b, "k", Some("1")).await;
}

pub(super) async fn delete_matches(cx: Context) {
    let written = cx.a.put("k", "v").await.unwrap();
    assert!(delete_if(&*cx.b, written.version).await.unwrap().existed);
    value_is(&*cx.a, "k", None).await;
    cx.a.put("k", "v").await.unwrap();
    assert!(delete_if(&*cx.b, Precondition::Present).await.unwrap().existed);
    value_is(&*cx.a, "k", None).await;
}

pub(super) async fn delete_stale(cx: Context) {
    let first = cx.a.put("k", "1").await.unwrap();
    let second = cx.a.put("k", "2").await.unwrap();
    conflict(delete_if(&*cx.b, first.version).await, "delete on the first version");
    unchanged(&cx, "2", second.version).await;
}

pub(super) async fn delete_missing(cx: Context) {
    conflict(delete_if(&*cx.a, Precondition::Present).await, "delete on `Present`");
    let written = cx.a.put("k", "v").await.unwrap();
    cx.a.delete("k").await.unwrap();
    conflict(delete_if(&*cx.b, written.version).await, "delete on a version");
}

pub(super) async fn delete_absent(cx: Context) {
    let what = "delete on `Absent`";
    refused(delete_if(&*cx.a, Precondition::Absent).await, ErrorKind::Invalid, what);
    let written = cx.a.put("k", "v").await.unwrap();
    refused(delete_if(&*cx.a, Precondition::Absent).await, ErrorKind::Invalid, what);
    unchanged(&cx, "v", written.version).await;
}

pub(super) async fn conflict_lifetime(cx: Context) {
    cx.a.put_with_ttl("k", "v", cx.lifetime()).await.unwrap();
    let before = present(&*cx.a, "k").await.expires.deadline();
    let options = PutOptions::new()
        .with_precondition(Precondition::Absent)
        .with_expiry(cx.lifetime().saturating_mul(10));
    conflict(cx.b.put_opts(&Key::from("k"), "w".into(), options).await, "put on `Absent`");
    assert_eq!(present(&*cx.a, "k").await.expires.deadline(), before, "the end of its lifetime");
}

pub(super) async fn set_if_not_exists(cx: Context) {
    assert!(cx.a.set_if_not_exists("k", "1", Expiry::Default).await.unwrap(), "the first");
    assert!(!cx.b.set_if_not_exists("k", "2", Expiry::Default).await.unwrap(), "the second");
    value_is(&*cx.a, "k", Some("1")).await;
}

pub(super) async fn compare_and_set_lifetime(cx: Context) {
    let written = cx.a.put_with_ttl("k", "1", cx.lifetime()).await.unwrap();
    let before = present(&*cx.a, "k").await.expires.deadline();
    cx.b.compare_and_set("k", written.version, "2").await.unwrap();
    let after = present(&*cx.a, "k").await;
    assert_eq!(after.value, "2");
    assert_eq!(after.expires.deadline(), before, "the end of its lifetime");
}

pub(super) async fn update_actions(cx: Context) {
    let store = &*cx.a;
    let keep = store.update("k", |_| UpdateAction::Keep).await.unwrap();
    assert_eq!(keep, None, "keeping what is absent");
    let gone = store.update("k", |_| UpdateAction::Delete).await.unwrap();
    assert_eq!(gone, None, "deleting what is absent");
    let put = store.update("k", |seen| {
        assert_eq!(seen, None, "what an update of an absent entry sees");
        UpdateAction::put("1")
    });
    assert_eq!(put.await.unwrap(), Some(Bytes::from("1")));
    value_is(&*cx.b, "k", Some("1")).await;
    let put = store.update("k", |seen| {
        assert_eq!(seen, Some(&Bytes::from("1")), "what an update sees");
        UpdateAction::put("2")
    });
    assert_eq!(put.await.unwrap(), Some(Bytes::from("2")));
    let keep = store.update("k", |_| UpdateAction::Keep).await.unwrap();
    assert_eq!(keep, Some(Bytes::from("2")), "keeping what is there");
    value_is(&*cx.b, "k", Some("2")).await;
    let gone = store.update("k", |_| UpdateAction::Delete).await.unwrap();
    assert_eq!(gone, None, "deleting what is there");
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn update_lifetime(cx: Context) {
    cx.a.put_with_ttl("k", "1", cx.lifetime()).await.unwrap();
    let before = present(&*cx.a, "k").await.expires;
    assert_ne!(before, Expires::Never, "the entry has no lifetime");
    cx.b.update("k", |_| UpdateAction::put("2")).await.unwrap();
    let after = present(&*cx.a, "k").await.expires;
    assert_eq!(after.deadline(), before.deadline(), "the end of its lifetime");
}

pub(super) async fn update_concurrent(cx: Context) {
    const UPDATES_EACH: u64 = 25;
    let tasks: Vec<_> = [&cx.a, &cx.b, &cx.a, &cx.b]
        .map(|store| {
            let store = std::sync::Arc::clone(store);
            cx.spawn(async move {
                for _ in 0..UPDATES_EACH {
                    store.update("n", |seen| UpdateAction::put(one_more(seen))).await.unwrap();
                }
            })
        })
        .into();
    let expected = tasks.len() as u64 * UPDATES_EACH;
    for task in tasks {
        task.await;
    }
    let counted = present(&*cx.a, "n").await.value;
    assert_eq!(counted, expected.to_string(), "updates that were made");
}

fn one_more(seen: Option<&Bytes>) -> String {
    let number = seen.map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap());
    (number + 1_u64).to_string()
}
