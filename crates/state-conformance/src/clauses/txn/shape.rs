//! Which transactions there can be: their keys, their size, their form.

use state_core::{
    Bytes, DeleteOptions, ErrorKind, Key, Precondition, StateBackendExt, Transaction, WriteOp,
};

use super::{p, refused_whole, transact};
use crate::Context;
use crate::contents::contents;

pub(super) async fn undeclared(cx: Context) {
    assert!(cx.a.as_transact().is_none(), "the first instance hands the role out");
    assert!(cx.b.as_transact().is_none(), "the second instance hands the role out");
}

pub(super) async fn empty(cx: Context) {
    cx.a.put(p("k"), "v").await.unwrap();
    let before = contents(&*cx.b).await;
    assert_eq!(transact(&*cx.a, Transaction::new()).await.unwrap(), []);
    assert_eq!(contents(&*cx.b).await, before);
}

pub(super) async fn one_key(cx: Context) {
    let create =
        |key: &Key| Transaction::new().check(key, Precondition::Absent).op(WriteOp::put(key, "1"));
    for key in [Key::from("k"), p("k"), Key::from("p"), Key::from("{a}b")] {
        transact(&*cx.a, create(&key)).await.unwrap();
        assert_eq!(cx.b.get(&key).await.unwrap().as_deref(), Some(b"1".as_ref()), "{key:?}");
        refused_whole(&cx, create(&key), ErrorKind::Conflict, "the second time").await;
    }
}

/// Two keys that are not in one partition.
fn apart() -> [(Key, Key); 5] {
    [
        (Key::from("a"), Key::from("b")),
        (p("a"), Key::in_partition("q", "a")),
        (p("a"), Key::from("a")),
        (Key::from("a"), p("a")),
        (Key::from("{p}a"), Key::from("{p}b")),
    ]
}

pub(super) async fn not_colocated(cx: Context) {
    for (one, other) in apart() {
        let what = format!("{one:?} and {other:?}");
        let writes =
            Transaction::new().op(WriteOp::put(&one, "1")).op(WriteOp::increment(&other, 1));
        refused_whole(&cx, writes, ErrorKind::NotColocated, &what).await;
        let checked =
            Transaction::new().check(&other, Precondition::Absent).op(WriteOp::put(&one, "1"));
        refused_whole(&cx, checked, ErrorKind::NotColocated, &what).await;
        let checks = Transaction::new()
            .check(&one, Precondition::Absent)
            .check(&other, Precondition::Absent);
        refused_whole(&cx, checks, ErrorKind::NotColocated, &what).await;
    }
}

pub(super) async fn cross_partition(cx: Context) {
    for (one, other) in apart() {
        cx.a.clear().await.unwrap();
        let transaction = || {
            Transaction::new()
                .check(&other, Precondition::Absent)
                .op(WriteOp::put(&one, "1"))
                .op(WriteOp::increment(&other, 1))
        };
        transact(&*cx.a, transaction()).await.unwrap();
        for key in [&one, &other] {
            assert_eq!(cx.b.get(key).await.unwrap().as_deref(), Some(b"1".as_ref()), "{key:?}");
        }
        refused_whole(&cx, transaction(), ErrorKind::Conflict, "the second time").await;
    }
}

pub(super) async fn written_twice(cx: Context) {
    cx.a.put(p("k"), "1").await.unwrap();
    let writes =
        || [WriteOp::put(p("k"), "2"), WriteOp::delete(p("k")), WriteOp::increment(p("k"), 1)];
    for first in writes() {
        for second in writes() {
            let what = format!("{first:?} and {second:?}");
            let transaction =
                Transaction::new().op(first.clone()).op(WriteOp::put(p("new"), "1")).op(second);
            refused_whole(&cx, transaction, ErrorKind::Invalid, &what).await;
        }
    }
    let checked_and_written =
        Transaction::new().check(p("k"), Precondition::Present).op(WriteOp::put(p("k"), "2"));
    transact(&*cx.a, checked_and_written).await.unwrap();
}

pub(super) async fn bad_input(cx: Context) {
    cx.a.put(p("k"), "v").await.unwrap();
    let limits = cx.capabilities().limits;
    let good = || Transaction::new().op(WriteOp::put(p("k"), "2")).op(WriteOp::put(p("new"), "1"));
    let long = Key::in_partition("p", vec![b'x'; limits.key_bytes_max]);
    for (key, kind) in [
        (p(""), ErrorKind::Invalid),
        (Key::in_partition("", "k"), ErrorKind::Invalid),
        (long, ErrorKind::TooLarge),
    ] {
        let what = format!("a key of {} bytes", key.len_bytes());
        for bad in [
            good().op(WriteOp::put(&key, "1")),
            good().op(WriteOp::delete(&key)),
            good().op(WriteOp::increment(&key, 1)),
            good().check(&key, Precondition::Absent),
        ] {
            refused_whole(&cx, bad, kind, &what).await;
        }
    }
    let over = Bytes::from(vec![0; limits.value_bytes_max + 1]);
    let large = good().op(WriteOp::put(p("large"), over));
    refused_whole(&cx, large, ErrorKind::TooLarge, "a value over the limit").await;
    let absent = DeleteOptions::new().with_precondition(Precondition::Absent);
    let contradictory = good().op(WriteOp::delete_opts(p("gone"), absent));
    refused_whole(&cx, contradictory, ErrorKind::Invalid, "a delete of what is absent").await;
}

pub(super) async fn limit(cx: Context) {
    let most = cx.capabilities().limits.transaction_ops_max;
    let sized = |checks: usize, writes: usize| {
        let key = |number: usize| Key::in_partition("p", number.to_string());
        let transaction = (0..writes).fold(Transaction::new(), |transaction, number| {
            transaction.op(WriteOp::put(key(number), "1"))
        });
        (0..checks)
            .fold(transaction, |transaction, _| transaction.check(p("gone"), Precondition::Absent))
    };
    for (checks, writes) in [(0, most + 1), (1, most), (most + 1, 0)] {
        let what = format!("{checks} checks and {writes} writes");
        refused_whole(&cx, sized(checks, writes), ErrorKind::TooLarge, &what).await;
    }
    let receipts = transact(&*cx.a, sized(1, most - 1)).await.unwrap();
    assert_eq!(receipts.len(), most - 1, "as many as are allowed");
    assert_eq!(cx.b.count("").await.unwrap(), (most - 1) as u64);
}
