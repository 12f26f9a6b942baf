//! Who may write to a thread.

use state_core::checkpoint::{
    CheckpointerExt, DeleteRuns, DeleteThread, Metadata, Ownership, PruneOptions, PutCheckpoint,
    PutWrites, Retention, TouchThread,
};
use state_core::{ErrorKind, Fence, FenceToken};

use super::stage::{
    Cx, THREAD, absent, at, bare, holding, id, ids, latest_id, listed, of, put, shows, step, steps,
    tuple_of, tuples_of_steps, write,
};
use crate::expect::refused;

/// The holder of the lease that guards threads here, under `token`.
fn holder(token: u64) -> Ownership {
    Ownership::Holder(Fence::new("lease", FenceToken::new(token)))
}

/// The step `number`, put by the holder under `token`.
fn held(number: usize, token: u64) -> PutCheckpoint {
    step(THREAD, number).with_ownership(holder(token))
}

pub(super) async fn stale_put(cx: Cx) {
    put(&*cx.a, held(0, 7)).await;
    for token in [6, 1, 0] {
        let answer = cx.b.put_checkpoint(held(1, token)).await;
        refused(answer, ErrorKind::Fenced, "a put under a smaller token");
    }
    shows(&cx, THREAD, tuples_of_steps(THREAD, 1), "after stale puts").await;
}

pub(super) async fn fresh(cx: Cx) {
    for (number, token) in [7, 7, 9, u64::MAX].into_iter().enumerate() {
        put(&*cx.b, held(number, token)).await;
    }
    shows(&cx, THREAD, tuples_of_steps(THREAD, 4), "put under growing tokens").await;
}

pub(super) async fn stale_writes(cx: Cx) {
    steps(&*cx.a, THREAD, 1).await;
    let writes = |token, value| {
        let put = PutWrites::new(at(THREAD, 0), vec![write("t", 0, "x", value)]);
        put.with_ownership(holder(token))
    };
    put(&*cx.a, held(1, 7)).await;
    let answer = cx.b.put_writes(writes(6, "stale")).await;
    refused(answer, ErrorKind::Fenced, "writes under a smaller token");
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after stale writes").await;
    assert_eq!(cx.b.put_writes(writes(8, "fresh")).await.unwrap().written, 1);
    let answer = cx.a.put_checkpoint(held(2, 7)).await;
    refused(answer, ErrorKind::Fenced, "a put under a token smaller than that of writes");
}

pub(super) async fn stale_removal(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    put(&*cx.a, held(2, 7)).await;
    let delete = DeleteThread::new(THREAD).with_ownership(holder(6));
    refused(cx.b.delete_thread_opts(delete).await, ErrorKind::Fenced, "a stale deletion");
    let options = PruneOptions::new(Retention::KeepLatest).with_ownership(holder(6));
    let answer = cx.b.prune(&[THREAD.into()], options).await;
    refused(answer, ErrorKind::Fenced, "a stale pruning");
    let runs = DeleteRuns::new(["run"]).with_ownership(holder(6));
    let of_run = bare("of a run", id(0)).with_metadata(Metadata::new().with("run_id", "run"));
    put(&*cx.a, of_run.clone().with_ownership(holder(7))).await;
    let answer = cx.b.delete_for_runs_opts(runs.clone()).await;
    refused(answer, ErrorKind::Fenced, "a stale deletion of runs");
    shows(&cx, "of a run", vec![tuple_of(&of_run)], "after a stale deletion of runs").await;
    let runs = runs.with_ownership(holder(7));
    assert_eq!(cx.b.delete_for_runs_opts(runs).await.unwrap(), 1, "under the same token");
    shows(&cx, THREAD, tuples_of_steps(THREAD, 3), "after stale removals").await;
    let options = PruneOptions::new(Retention::KeepLatest).with_ownership(holder(8));
    cx.b.prune(&[THREAD.into()], options).await.unwrap();
    refused(cx.a.put_checkpoint(held(3, 7)).await, ErrorKind::Fenced, "after a pruning under 8");
    let delete = DeleteThread::new(THREAD).with_ownership(holder(8));
    assert!(cx.b.delete_thread_opts(delete).await.unwrap(), "under the same token");
    absent(&cx, THREAD, "after its holder has deleted it").await;
}

pub(super) async fn claim(cx: Cx) {
    let under = |token| TouchThread::new(THREAD).with_ownership(holder(token));
    assert!(!cx.b.touch_thread(under(9)).await.unwrap(), "there is no thread to take over");
    absent(&cx, THREAD, "after it was to be taken over").await;
    put(&*cx.a, held(0, 7)).await;
    assert!(cx.b.touch_thread(under(8)).await.unwrap(), "there is a thread");
    let answer = cx.a.put_checkpoint(held(1, 7)).await;
    refused(answer, ErrorKind::Fenced, "a put of the one whom the thread was taken from");
    for token in [7, 0] {
        let answer = cx.a.touch_thread(under(token)).await;
        refused(answer, ErrorKind::Fenced, "taking over under a smaller token");
    }
    shows(&cx, THREAD, tuples_of_steps(THREAD, 1), "after it was taken over").await;
    put(&*cx.b, held(1, 8)).await;
    assert!(cx.a.touch_thread(TouchThread::new(THREAD)).await.unwrap(), "under no token");
    let bound = TouchThread::new(THREAD).with_ownership(Ownership::ParentIsLatest);
    refused(cx.a.touch_thread(bound).await, ErrorKind::Invalid, "there is no parent");
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "in the end").await;
}

pub(super) async fn of_each_thread(cx: Cx) {
    put(&*cx.a, held(0, 7)).await;
    put(&*cx.a, step("other", 0).with_ownership(holder(3))).await;
    refused(cx.b.put_checkpoint(held(1, 3)).await, ErrorKind::Fenced, "3 is stale here");
    put(&*cx.b, step("other", 1).with_ownership(holder(4))).await;
    let child = held(0, 6).with_namespace("child");
    refused(cx.b.put_checkpoint(child).await, ErrorKind::Fenced, "of the same thread");
}

pub(super) async fn nobody(cx: Cx) {
    put(&*cx.a, held(0, 7)).await;
    put(&*cx.b, step(THREAD, 1)).await;
    put(&*cx.b, held(2, 7)).await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 3), "put with and without a token").await;
}

/// The checkpoint `name`, put only if its parent is the latest.
fn guarded(name: usize, parent: Option<usize>) -> PutCheckpoint {
    holding(THREAD, id(name), &name.to_string())
        .with_parent(parent.map(id))
        .with_ownership(Ownership::ParentIsLatest)
}

pub(super) async fn parent_latest(cx: Cx) {
    for (name, parent) in [(1, None), (2, Some(1)), (5, Some(2))] {
        let put_by = if name == 2 { &cx.b } else { &cx.a };
        put(&**put_by, guarded(name, parent)).await;
    }
    assert_eq!(ids(&*cx.b, of(THREAD)).await, [id(5), id(2), id(1)]);
}

pub(super) async fn parent_stale(cx: Cx) {
    for (name, parent) in [(1, None), (2, Some(1))] {
        put(&*cx.a, guarded(name, parent)).await;
    }
    let before = listed(&*cx.a, of(THREAD)).await;
    for (parent, what) in [(Some(1), "a parent that is not the latest"), (None, "no parent")] {
        let answer = cx.b.put_checkpoint(guarded(3, parent)).await;
        refused(answer, ErrorKind::Conflict, what);
        shows(&cx, THREAD, before.clone(), what).await;
    }
}

pub(super) async fn parent_missing(cx: Cx) {
    let answer = cx.b.put_checkpoint(guarded(3, Some(2))).await;
    refused(answer, ErrorKind::Conflict, "a parent that does not exist");
    absent(&cx, THREAD, "after the refused put").await;
    put(&*cx.a, guarded(1, None)).await;
    let answer = cx.b.put_checkpoint(guarded(3, Some(2))).await;
    refused(answer, ErrorKind::Conflict, "a parent that does not exist");
    assert_eq!(ids(&*cx.a, of(THREAD)).await, [id(1)]);
}

pub(super) async fn parent_order(cx: Cx) {
    for (name, parent) in [(3, 3), (1, 2)] {
        let answer = cx.b.put_checkpoint(guarded(name, Some(parent))).await;
        refused(answer, ErrorKind::Invalid, "an id that is not greater than its parent's");
    }
    absent(&cx, THREAD, "after refused puts").await;
    put(&*cx.a, guarded(5, None)).await;
    let before = listed(&*cx.a, of(THREAD)).await;
    for name in [5, 4, 0] {
        let answer = cx.b.put_checkpoint(guarded(name, Some(5))).await;
        refused(answer, ErrorKind::Invalid, "an id that would not be the latest");
        shows(&cx, THREAD, before.clone(), "after a refused put").await;
    }
    put(&*cx.b, holding(THREAD, id(4), "4").with_parent(id(5))).await;
    assert_eq!(ids(&*cx.a, of(THREAD)).await, [id(5), id(4)], "who asks for nothing may");
}

pub(super) async fn parent_retry(cx: Cx) {
    put(&*cx.a, guarded(1, None)).await;
    put(&*cx.a, guarded(2, Some(1))).await;
    let receipt = cx.b.put_checkpoint(guarded(2, Some(1))).await.unwrap();
    assert!(receipt.existed, "the same put, sent again");
    assert_eq!(ids(&*cx.a, of(THREAD)).await, [id(2), id(1)]);
}

pub(super) async fn parent_namespaces(cx: Cx) {
    put(&*cx.a, guarded(5, None)).await;
    put(&*cx.b, guarded(1, None).with_namespace("child")).await;
    put(&*cx.b, guarded(2, Some(1)).with_namespace("child")).await;
    put(&*cx.b, guarded(6, Some(5))).await;
    let answer = cx.a.put_checkpoint(guarded(7, Some(2))).await;
    refused(answer, ErrorKind::Conflict, "the latest of another namespace");
}

pub(super) async fn parent_writes(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let writes = |number| {
        let put = PutWrites::new(at(THREAD, number), vec![write("t", 0, "x", "v")]);
        put.with_ownership(Ownership::ParentIsLatest)
    };
    refused(cx.b.put_writes(writes(0)).await, ErrorKind::Conflict, "beside an older one");
    refused(cx.b.put_writes(writes(2)).await, ErrorKind::Conflict, "beside one that is not there");
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after refused writes").await;
    assert_eq!(cx.b.put_writes(writes(1)).await.unwrap().written, 1);
}

pub(super) async fn parent_of_nothing(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let owner = Ownership::ParentIsLatest;
    let delete = DeleteThread::new(THREAD).with_ownership(owner.clone());
    refused(cx.b.delete_thread_opts(delete).await, ErrorKind::Invalid, "a deletion");
    let options = PruneOptions::new(Retention::KeepLatest).with_ownership(owner);
    let answer = cx.b.prune(&[THREAD.into()], options).await;
    refused(answer, ErrorKind::Invalid, "a pruning");
    let runs = DeleteRuns::new(["run"]).with_ownership(Ownership::ParentIsLatest);
    refused(cx.b.delete_for_runs_opts(runs).await, ErrorKind::Invalid, "a deletion of runs");
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after refused removals").await;
}

pub(super) async fn forks(cx: Cx) {
    put(&*cx.a, bare(THREAD, id(0))).await;
    let left = holding(THREAD, id(1), "left").with_parent(id(0));
    let right = holding(THREAD, id(2), "right").with_parent(id(0));
    put(&*cx.b, right.clone()).await;
    put(&*cx.a, left.clone()).await;
    let wanted = [tuple_of(&right), tuple_of(&left), tuple_of(&bare(THREAD, id(0)))];
    shows(&cx, THREAD, wanted.to_vec(), "two branches").await;
    assert_eq!(latest_id(&*cx.a, THREAD).await, Some(id(2)));
    assert!(cx.a.latest(THREAD).await.unwrap().is_some());
}
