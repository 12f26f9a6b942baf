//! What must hold for a transaction to be made.

use state_core::{
    DeleteOptions, ErrorKind, Precondition, PutOptions, StateBackendExt, Transaction, WriteOp,
};

use super::{p, refused_whole, transact};
use crate::Context;
use crate::contents::contents;
use crate::expect::refused;

pub(super) async fn kinds(cx: Context) {
    let here = cx.a.put(p("here"), "1").await.unwrap().version;
    let other = cx.a.put(p("other"), "1").await.unwrap().version;
    let table = [
        ("gone", Precondition::Always, true),
        ("here", Precondition::Always, true),
        ("gone", Precondition::Absent, true),
        ("here", Precondition::Absent, false),
        ("gone", Precondition::Present, false),
        ("here", Precondition::Present, true),
        ("gone", Precondition::Matches(here), false),
        ("here", Precondition::Matches(here), true),
        ("here", Precondition::Matches(other), false),
    ];
    for (number, (name, precondition, holds)) in table.into_iter().enumerate() {
        let what = format!("a check of `{name}` for {precondition:?}");
        let mark = number.to_string();
        let transaction = Transaction::new()
            .check(p(name), precondition)
            .op(WriteOp::put(p("mark"), mark.clone()));
        let answer = transact(&*cx.a, transaction).await;
        if holds {
            assert_eq!(answer.map(|receipts| receipts.len()).unwrap(), 1, "{what}");
        } else {
            refused(answer, ErrorKind::Conflict, &what);
        }
        let written = cx.b.get(p("mark")).await.unwrap().is_some_and(|value| value == mark);
        assert_eq!(written, holds, "{what}: whether the write was made");
    }
}

pub(super) async fn checks_only(cx: Context) {
    let version = cx.a.put(p("k"), "v").await.unwrap().version;
    let before = contents(&*cx.b).await;
    let holding = Transaction::new()
        .check(p("k"), version)
        .check(p("gone"), Precondition::Absent)
        .check(p("k"), Precondition::Present);
    assert_eq!(transact(&*cx.a, holding).await.unwrap(), [], "there was nothing to write");
    assert_eq!(contents(&*cx.b).await, before, "a check has changed something");
    let failing = Transaction::new().check(p("k"), version).check(p("k"), Precondition::Absent);
    refused_whole(&cx, failing, ErrorKind::Conflict, "a check that does not hold").await;
}

/// Writes of every kind, over keys that are there and keys that are not.
fn every_write() -> Transaction {
    Transaction::new()
        .op(WriteOp::put(p("changed"), "2"))
        .op(WriteOp::put(p("created"), "2"))
        .op(WriteOp::delete(p("deleted")))
        .op(WriteOp::increment(p("counted"), 1))
        .op(WriteOp::increment(p("counter"), 1))
}

pub(super) async fn conflict_changes_nothing(cx: Context) {
    for name in ["changed", "deleted", "counted"] {
        cx.a.put(p(name), "1").await.unwrap();
    }
    let failing = every_write().check(p("changed"), Precondition::Absent);
    refused_whole(&cx, failing, ErrorKind::Conflict, "a check that does not hold").await;
    let receipts = transact(&*cx.a, every_write()).await.unwrap();
    assert_eq!(receipts.len(), 5, "the same writes without the check");
}

pub(super) async fn of_write(cx: Context) {
    for name in ["changed", "deleted", "counted"] {
        cx.a.put(p(name), "1").await.unwrap();
    }
    let create = PutOptions::new().with_precondition(Precondition::Absent);
    let failing = every_write().op(WriteOp::put_opts(p("counted-too"), "1", create.clone()));
    let failing = failing.op(WriteOp::delete_opts(
        p("gone"),
        DeleteOptions::new().with_precondition(Precondition::Present),
    ));
    refused_whole(&cx, failing, ErrorKind::Conflict, "the precondition of a delete").await;
    let failing = Transaction::new().op(WriteOp::put(p("created"), "1")).op(WriteOp::put_opts(
        p("changed"),
        "2",
        create.clone(),
    ));
    refused_whole(&cx, failing, ErrorKind::Conflict, "the precondition of a put").await;
    let holding =
        Transaction::new().op(WriteOp::put_opts(p("new"), "1", create)).op(WriteOp::put_opts(
            p("changed"),
            "2",
            PutOptions::new().with_precondition(Precondition::Present),
        ));
    transact(&*cx.a, holding).await.unwrap();
    assert_eq!(cx.b.get(p("new")).await.unwrap().as_deref(), Some(b"1".as_ref()));
    assert_eq!(cx.b.get(p("changed")).await.unwrap().as_deref(), Some(b"2".as_ref()));
}

pub(super) async fn index(cx: Context) {
    cx.a.put(p("here"), "1").await.unwrap();
    let create = || PutOptions::new().with_precondition(Precondition::Absent);
    let transaction = |checks: [Precondition; 2]| {
        Transaction::new()
            .op(WriteOp::put(p("first"), "1"))
            .op(WriteOp::put_opts(p("here"), "2", create()))
            .check(p("here"), checks[0])
            .check(p("gone"), checks[1])
    };
    let (yes, no) = (Precondition::Present, Precondition::Absent);
    for (checks, first) in [([no, no], 0), ([no, yes], 0), ([yes, yes], 1), ([yes, no], 3)] {
        let what = format!("the checks {checks:?}");
        let error = refused_whole(&cx, transaction(checks), ErrorKind::Conflict, &what).await;
        assert_eq!(error.index(), Some(first), "{what}: the item that does not hold");
    }
}

pub(super) async fn before_writes(cx: Context) {
    let old = cx.a.put(p("old"), "1").await.unwrap().version;
    let transaction = Transaction::new()
        .op(WriteOp::put(p("new"), "1"))
        .op(WriteOp::delete(p("old")))
        .check(p("new"), Precondition::Absent)
        .check(p("old"), old);
    transact(&*cx.a, transaction).await.unwrap();
    assert_eq!(cx.b.get(p("new")).await.unwrap().as_deref(), Some(b"1".as_ref()));
    assert_eq!(cx.b.get(p("old")).await.unwrap(), None);
    let contradictory =
        Transaction::new().op(WriteOp::put(p("late"), "1")).check(p("late"), Precondition::Present);
    refused_whole(&cx, contradictory, ErrorKind::Conflict, "a check of what it writes").await;
}

pub(super) async fn expired(cx: Context) {
    let written = cx.a.put_with_ttl(p("k"), "v", cx.lifetime()).await.unwrap();
    let checking = |precondition: Precondition| {
        Transaction::new().check(p("k"), precondition).op(WriteOp::put(p("mark"), "1"))
    };
    transact(&*cx.a, checking(written.version.into())).await.unwrap();
    cx.outlive().await;
    for precondition in [Precondition::Present, written.version.into()] {
        let what = format!("{precondition:?} of an expired entry");
        refused_whole(&cx, checking(precondition), ErrorKind::Conflict, &what).await;
    }
    transact(&*cx.a, checking(Precondition::Absent)).await.unwrap();
    let counting = Transaction::new().op(WriteOp::increment(p("k"), 5));
    transact(&*cx.a, counting).await.unwrap();
    assert_eq!(cx.b.get(p("k")).await.unwrap().as_deref(), Some(b"5".as_ref()));
}

pub(super) async fn old_version(cx: Context) {
    let first = cx.a.put(p("k"), "v").await.unwrap().version;
    transact(&*cx.a, Transaction::new().op(WriteOp::delete(p("k")))).await.unwrap();
    let checking = || Transaction::new().check(p("k"), first).op(WriteOp::put(p("mark"), "1"));
    refused_whole(&cx, checking(), ErrorKind::Conflict, "after a delete").await;
    transact(&*cx.a, Transaction::new().op(WriteOp::put(p("k"), "v"))).await.unwrap();
    refused_whole(&cx, checking(), ErrorKind::Conflict, "after the same value came back").await;
}
