//! What belongs to a transaction as a whole: acks, and operation ids.

use state_core::{
    Acks, DeleteOptions, ErrorKind, Fence, FenceToken, IncrementOptions, OpId, Precondition,
    PutOptions, Resend, StateBackendExt, Transaction, WriteOp, WriteOutcome,
};

use super::{p, refused_whole, transact};
use crate::Context;
use crate::contents::contents;

pub(super) async fn on_single_writes(cx: Context) {
    cx.a.put(p("k"), "1").await.unwrap();
    let fence = || Fence::new("lease", FenceToken::new(7));
    let id = OpId::from_bytes(cx.random_bytes());
    let acks = Acks::Replicas(1);
    let puts = [
        PutOptions::new().with_acks(acks),
        PutOptions::new().with_fence(fence()),
        PutOptions::new().with_op_id(id),
        PutOptions::new().with_resend(Resend::Never),
    ];
    let deletes = [
        DeleteOptions::new().with_acks(acks),
        DeleteOptions::new().with_fence(fence()),
        DeleteOptions::new().with_op_id(id),
        DeleteOptions::new().with_resend(Resend::Never),
    ];
    let increments = [
        IncrementOptions::new().with_acks(acks),
        IncrementOptions::new().with_fence(fence()),
        IncrementOptions::new().with_op_id(id),
        IncrementOptions::new().with_resend(Resend::Never),
    ];
    let writes = puts.into_iter().map(|options| WriteOp::put_opts(p("k"), "2", options));
    let deletes = deletes.into_iter().map(|options| WriteOp::delete_opts(p("k"), options));
    let increments =
        increments.into_iter().map(|options| WriteOp::increment_opts(p("k"), 1, options));
    for bad in writes.chain(deletes).chain(increments) {
        let what = format!("{bad:?}");
        let transaction = Transaction::new().op(WriteOp::put(p("new"), "1")).op(bad);
        refused_whole(&cx, transaction, ErrorKind::Invalid, &what).await;
    }
    let fenced = PutOptions::new().with_fence(Fence::new("lease", FenceToken::new(1)));
    cx.a.put_opts(&p("k"), "2".into(), fenced).await.unwrap();
}

/// A transaction that cannot be made twice.
fn once(id: OpId) -> Transaction {
    Transaction::new()
        .with_op_id(id)
        .check(p("created"), Precondition::Absent)
        .op(WriteOp::increment(p("n"), 1))
        .op(WriteOp::put(p("created"), "1"))
        .op(WriteOp::delete_opts(p("taken"), DeleteOptions::new().with_return_value(true)))
}

pub(super) async fn op_id_replay(cx: Context) {
    cx.a.put(p("taken"), "value").await.unwrap();
    let id = OpId::from_bytes(cx.random_bytes());
    let first = transact(&*cx.a, once(id)).await.unwrap();
    let after = contents(&*cx.a).await;
    for store in [&*cx.b, &*cx.a] {
        let again = transact(store, once(id)).await.unwrap();
        assert_eq!(again, first, "the receipts when it is sent again");
        assert_eq!(contents(&*cx.b).await, after, "sending it again has had an effect");
    }
    cx.a.delete(p("created")).await.unwrap();
    let other = OpId::from_bytes(cx.random_bytes());
    let second = transact(&*cx.a, once(other)).await.unwrap();
    let Some(WriteOutcome::Incremented(counted)) = second.first() else {
        panic!("expected the receipt of an increment, got {second:?}")
    };
    assert_eq!(counted.value, 2, "another id is another transaction");
}

pub(super) async fn op_id_reused(cx: Context) {
    let id = OpId::from_bytes(cx.random_bytes());
    let adding = |by| Transaction::new().with_op_id(id).op(WriteOp::increment(p("n"), by));
    transact(&*cx.a, adding(1)).await.unwrap();
    refused_whole(&cx, adding(2), ErrorKind::Invalid, "another increment under the id").await;
    let put = Transaction::new().with_op_id(id).op(WriteOp::put(p("n"), "1"));
    refused_whole(&cx, put, ErrorKind::Invalid, "another write under the id").await;
    let checked = adding(1).check(p("n"), Precondition::Present);
    refused_whole(&cx, checked, ErrorKind::Invalid, "another check under the id").await;
}

/// A transaction of two writes.
fn two_writes() -> Transaction {
    Transaction::new().op(WriteOp::put(p("k"), "2")).op(WriteOp::increment(p("new"), 1))
}

pub(super) async fn op_id_undeclared(cx: Context) {
    cx.a.put(p("k"), "1").await.unwrap();
    let named = two_writes().with_op_id(OpId::from_bytes(cx.random_bytes()));
    refused_whole(&cx, named, ErrorKind::Unsupported, "an operation id").await;
}

pub(super) async fn replicas_undeclared(cx: Context) {
    cx.a.put(p("k"), "1").await.unwrap();
    let asking = two_writes().with_acks(Acks::Replicas(1));
    refused_whole(&cx, asking, ErrorKind::Unsupported, "waiting for a replica").await;
}

pub(super) async fn fsync_undeclared(cx: Context) {
    cx.a.put(p("k"), "1").await.unwrap();
    let asking = two_writes().with_acks(Acks::Fsynced);
    refused_whole(&cx, asking, ErrorKind::Unsupported, "waiting for the disk").await;
}

pub(super) async fn fsync_reached(cx: Context) {
    let asking = two_writes().op(WriteOp::delete(p("gone"))).with_acks(Acks::Fsynced);
    let receipts = transact(&*cx.a, asking).await.unwrap();
    assert_eq!(receipts.len(), 3);
    for receipt in receipts {
        let reached = match &receipt {
            WriteOutcome::Written(written) => written.acks,
            WriteOutcome::Deleted(deleted) => deleted.acks,
            WriteOutcome::Incremented(counted) => counted.acks,
            other => panic!("a receipt of no known kind: {other:?}"),
        };
        assert!(reached.fsynced, "expected a synced write, got {receipt:?}");
    }
}
