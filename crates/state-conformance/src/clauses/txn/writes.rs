//! What a transaction writes, and what it answers.

use std::time::Duration;

use state_core::{
    DeleteOptions, ErrorKind, Expires, Expiry, IncrementOptions, LifetimeOn, Limits, PutOptions,
    StateBackendExt, Transaction, WriteOp, WriteOutcome,
};

use super::{p, refused_whole, transact};
use crate::Context;
use crate::contents::contents;
use crate::expect::present;

/// A put that names a lifetime.
fn living(name: &'static str, expiry: impl Into<Expiry>) -> WriteOp {
    WriteOp::put_opts(p(name), "v", PutOptions::new().with_expiry(expiry))
}

pub(super) async fn all_of_them(cx: Context) {
    for name in ["changed", "deleted", "counted", "kept"] {
        cx.a.put(p(name), "1").await.unwrap();
    }
    cx.a.put("changed", "outside").await.unwrap();
    let before = contents(&*cx.b).await;
    let transaction = Transaction::new()
        .op(WriteOp::put(p("changed"), "2"))
        .op(WriteOp::put(p("created"), ""))
        .op(WriteOp::delete(p("deleted")))
        .op(WriteOp::increment(p("counted"), 41))
        .op(WriteOp::increment(p("counter"), -1));
    transact(&*cx.a, transaction).await.unwrap();
    let after = contents(&*cx.b).await;
    for (name, value) in [("changed", "2"), ("created", ""), ("counted", "42"), ("counter", "-1")] {
        let found = after.entries.get(&p(name)).map(|(value, ..)| value.clone());
        assert_eq!(found.as_deref(), Some(value.as_bytes()), "`{name}`");
    }
    assert!(!after.entries.contains_key(&p("deleted")), "`deleted` is still there");
    for key in [p("kept"), "changed".into()] {
        assert_eq!(after.entries.get(&key), before.entries.get(&key), "`{key}` was not named");
    }
    assert_eq!(after.entries.len(), 6, "entries");
}

pub(super) async fn receipts(cx: Context) {
    let before = cx.a.put(p("put"), "1").await.unwrap().version;
    let counted_before = cx.a.put(p("count"), "1").await.unwrap().version;
    cx.a.put(p("del"), "1").await.unwrap();
    let transaction = Transaction::new()
        .op(WriteOp::increment(p("count"), 2))
        .op(WriteOp::delete(p("del")))
        .op(WriteOp::put(p("put"), "1"))
        .op(WriteOp::delete(p("gone")));
    let receipts = transact(&*cx.a, transaction).await.unwrap();
    let [counted, deleted, put, gone] = receipts.as_slice() else {
        panic!("expected four receipts, got {receipts:?}")
    };
    let WriteOutcome::Incremented(counted) = counted else {
        panic!("of an increment: {counted:?}")
    };
    assert_eq!(counted.value, 3, "the sum");
    assert_eq!(counted.version, present(&*cx.b, p("count")).await.version);
    assert_ne!(counted.version, counted_before);
    let WriteOutcome::Written(put) = put else { panic!("of a put: {put:?}") };
    assert_eq!(put.version, present(&*cx.b, p("put")).await.version);
    assert_ne!(put.version, before);
    let WriteOutcome::Deleted(deleted) = deleted else { panic!("of a delete: {deleted:?}") };
    assert!(deleted.existed && deleted.previous.is_none(), "got {deleted:?}");
    let WriteOutcome::Deleted(gone) = gone else { panic!("of a delete: {gone:?}") };
    assert!(!gone.existed, "there was nothing to delete");
}

pub(super) async fn increment_invalid(cx: Context) {
    cx.a.put(p("max"), i64::MAX.to_string()).await.unwrap();
    cx.a.put(p("min"), i64::MIN.to_string()).await.unwrap();
    cx.a.put(p("text"), "five").await.unwrap();
    cx.a.put(p("changed"), "1").await.unwrap();
    for (name, by) in [("max", 1), ("min", -1), ("text", 1), ("text", 0)] {
        for last in [true, false] {
            let bad = WriteOp::increment(p(name), by);
            let mut transaction = Transaction::new();
            transaction.ops.push(WriteOp::put(p("changed"), "2"));
            transaction.ops.push(WriteOp::put(p("created"), "2"));
            transaction.ops.insert(if last { 2 } else { 0 }, bad);
            let what = format!("adding {by} to `{name}`, last: {last}");
            refused_whole(&cx, transaction, ErrorKind::Invalid, &what).await;
        }
    }
    let exact = Transaction::new()
        .op(WriteOp::increment(p("max"), -1))
        .op(WriteOp::increment(p("min"), i64::MAX));
    transact(&*cx.a, exact).await.unwrap();
    assert_eq!(present(&*cx.b, p("max")).await.value, (i64::MAX - 1).to_string());
    assert_eq!(present(&*cx.b, p("min")).await.value, "-1");
}

pub(super) async fn delete(cx: Context) {
    let version = cx.a.put(p("k"), "value").await.unwrap().version;
    let asking = || DeleteOptions::new().with_return_value(true);
    let transaction = Transaction::new()
        .op(WriteOp::delete_opts(p("k"), asking()))
        .op(WriteOp::delete_opts(p("gone"), asking()));
    let receipts = transact(&*cx.a, transaction).await.unwrap();
    let [WriteOutcome::Deleted(taken), WriteOutcome::Deleted(gone)] = receipts.as_slice() else {
        panic!("expected two receipts of deletes, got {receipts:?}")
    };
    let previous = taken.previous.as_ref().map(|entry| (entry.value.as_ref(), entry.version));
    assert_eq!(previous, Some((b"value".as_ref(), version)), "what was removed");
    assert!(taken.existed && !gone.existed && gone.previous.is_none(), "got {receipts:?}");
    assert_eq!(contents(&*cx.b).await.entries.len(), 0, "entries that are left");
}

pub(super) async fn lifetime(cx: Context) {
    let long = cx.lifetime() * 3;
    let at = cx.now().checked_add(long).unwrap();
    cx.a.put_with_ttl(p("kept"), "1", long).await.unwrap();
    cx.a.put_with_ttl(p("freed"), "1", cx.lifetime()).await.unwrap();
    let kept = present(&*cx.a, p("kept")).await.expires.deadline();
    let counting =
        IncrementOptions::new().with_expiry(cx.lifetime()).with_lifetime_on(LifetimeOn::Every);
    let transaction = Transaction::new()
        .op(living("short", cx.lifetime()))
        .op(living("at", at))
        .op(living("kept", Expiry::Keep))
        .op(living("freed", Expiry::Never))
        .op(WriteOp::increment_opts(p("count"), 1, counting));
    transact(&*cx.a, transaction).await.unwrap();
    let deadline = async |name| present(&*cx.b, p(name)).await.expires.deadline();
    assert_eq!(deadline("kept").await, kept, "a lifetime that was to be kept");
    assert_eq!(deadline("at").await, Some(at), "a deadline that was named");
    assert_eq!(present(&*cx.b, p("freed")).await.expires, Expires::Never);
    assert!(deadline("short").await.is_some() && deadline("count").await.is_some());
    cx.outlive().await;
    for (name, there) in
        [("short", false), ("count", false), ("freed", true), ("at", true), ("kept", true)]
    {
        assert_eq!(cx.b.contains(p(name)).await.unwrap(), there, "`{name}` after the lifetime");
    }
}

pub(super) async fn lifetime_invalid(cx: Context) {
    cx.a.put(p("k"), "v").await.unwrap();
    for bad in [
        Expiry::After(Duration::ZERO),
        Expiry::After(Duration::from_micros(999)),
        Expiry::After(Limits::LIFETIME_MAX + Duration::from_millis(1)),
        Expiry::After(Duration::MAX),
        Expiry::At(state_core::Timestamp::from_unix_ms(1)),
        Expiry::At(state_core::Timestamp::from_unix_ms(u64::MAX)),
    ] {
        let put = Transaction::new().op(WriteOp::put(p("new"), "1")).op(living("k", bad));
        refused_whole(&cx, put, ErrorKind::Invalid, &format!("a put with {bad:?}")).await;
        let counting = IncrementOptions::new().with_expiry(bad);
        let counted = Transaction::new()
            .op(WriteOp::put(p("new"), "1"))
            .op(WriteOp::increment_opts(p("n"), 1, counting));
        refused_whole(&cx, counted, ErrorKind::Invalid, &format!("a count with {bad:?}")).await;
    }
}

pub(super) async fn lifetime_undeclared(cx: Context) {
    cx.a.put(p("k"), "v").await.unwrap();
    let transaction =
        Transaction::new().op(WriteOp::put(p("new"), "1")).op(living("k", cx.lifetime()));
    refused_whole(&cx, transaction, ErrorKind::Unsupported, "a lifetime").await;
}
