//! Deleting threads, and the marks that deletions leave.

use std::time::Duration;

use state_core::checkpoint::{CheckpointerExt, DeleteThread, Ownership, PutWrites, Retention};
use state_core::{ErrorKind, Fence, FenceToken};

use super::stage::{
    Cx, THREAD, absent, at, bare, got, holding, id, latest_id, put, put_writes, shows, step, steps,
    tuple_of, tuples_of_steps, write,
};
use crate::expect::refused;

pub(super) async fn checkpoints(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    cx.b.delete_thread(THREAD).await.unwrap();
    absent(&cx, THREAD, "after its deletion").await;
    for number in 0..3 {
        assert_eq!(cx.a.at(&at(THREAD, number)).await.unwrap(), None);
    }
}

pub(super) async fn writes(cx: Cx) {
    steps(&*cx.a, THREAD, 1).await;
    put_writes(&*cx.a, &at(THREAD, 0), [write("t", 0, "x", "old")]).await;
    put_writes(&*cx.a, &at(THREAD, 1), [write("t", 0, "x", "early")]).await;
    cx.b.delete_thread(THREAD).await.unwrap();
    steps(&*cx.a, THREAD, 2).await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "made anew").await;
}

pub(super) async fn values(cx: Cx) {
    put(&*cx.a, holding(THREAD, id(0), "v")).await;
    cx.b.delete_thread(THREAD).await.unwrap();
    let mut naming = holding(THREAD, id(1), "v");
    naming.values.clear();
    put(&*cx.a, naming.clone()).await;
    shows(&cx, THREAD, vec![tuple_of(&naming)], "made anew").await;
}

pub(super) async fn namespaces(cx: Cx) {
    for namespace in ["", "child:1", "child:2"] {
        put(&*cx.a, step(THREAD, 0).with_namespace(namespace)).await;
    }
    cx.b.delete_thread(THREAD).await.unwrap();
    absent(&cx, THREAD, "after its deletion").await;
    for namespace in ["", "child:1", "child:2"] {
        let place = at(THREAD, 0).with_namespace(namespace);
        assert_eq!(cx.a.at(&place).await.unwrap(), None, "in `{namespace}`");
    }
}

pub(super) async fn other_threads(cx: Cx) {
    for thread in [THREAD, "thread2", "thread:1"] {
        steps(&*cx.a, thread, 2).await;
    }
    cx.b.delete_thread(THREAD).await.unwrap();
    for thread in ["thread2", "thread:1"] {
        shows(&cx, thread, tuples_of_steps(thread, 2), "after another was deleted").await;
    }
}

pub(super) async fn nothing(cx: Cx) {
    assert!(!cx.a.delete_thread(THREAD).await.unwrap(), "there is no such thread");
    steps(&*cx.a, "another", 1).await;
    assert!(!cx.b.delete_thread(THREAD).await.unwrap(), "there is no such thread");
}

pub(super) async fn existed(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    assert!(cx.b.delete_thread(THREAD).await.unwrap(), "there was one");
    assert!(!cx.b.delete_thread(THREAD).await.unwrap(), "it is gone already");
    assert!(!cx.a.delete_thread(THREAD).await.unwrap(), "it is gone already");
}

/// Makes a thread with 12,000 writes in it.
async fn twelve_thousand(cx: &Cx) {
    steps(&*cx.a, THREAD, 3).await;
    for number in 0..3 {
        for part in 0..4 {
            let writes = (0..1_000).map(|index| write("task", part * 1_000 + index, "x", "v"));
            let receipt = put_writes(&*cx.a, &at(THREAD, number), writes).await;
            assert_eq!(receipt.written, 1_000);
        }
    }
    let found = got(&*cx.b, &at(THREAD, 1)).await.pending_writes;
    assert_eq!(found.len(), 4_000, "the writes beside one checkpoint");
}

pub(super) async fn large(cx: Cx) {
    twelve_thousand(&cx).await;
    assert!(cx.b.delete_thread(THREAD).await.unwrap());
    absent(&cx, THREAD, "after its deletion").await;
    steps(&*cx.a, THREAD, 3).await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 3), "made anew").await;
}

pub(super) async fn no_records(cx: Cx) {
    assert_eq!(cx.records().await.unwrap(), 0, "records of a fresh store");
    twelve_thousand(&cx).await;
    put(&*cx.a, step(THREAD, 0).with_namespace("child")).await;
    put_writes(&*cx.a, &at(THREAD, 9), [write("t", 0, "x", "early")]).await;
    assert!(cx.records().await.unwrap() > 0, "a thread has records");
    assert!(cx.b.delete_thread(THREAD).await.unwrap());
    assert_eq!(cx.records().await.unwrap(), 0, "records that a deleted thread leaves");
}

/// Deletes the thread and leaves a mark.
async fn bury(cx: &Cx) {
    let delete = DeleteThread::new(THREAD).with_tombstone(DeleteThread::TOMBSTONE);
    assert!(cx.a.delete_thread_opts(delete).await.unwrap(), "there was a thread");
}

/// A thread that stands where the mark was leaves nothing when it goes.
async fn unbury(cx: &Cx) {
    cx.a.put_checkpoint(bare(THREAD, id(0)).with_recreate(true)).await.unwrap();
    assert!(cx.a.delete_thread(THREAD).await.unwrap());
}

pub(super) async fn tombstone(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    bury(&cx).await;
    for store in [&cx.a, &cx.b] {
        let late = store.put_checkpoint(step(THREAD, 2)).await;
        refused(late, ErrorKind::Conflict, "a late put");
        let child = store.put_checkpoint(step(THREAD, 0).with_namespace("child")).await;
        refused(child, ErrorKind::Conflict, "a late put into another namespace");
    }
    absent(&cx, THREAD, "after late puts").await;
    unbury(&cx).await;
}

pub(super) async fn tombstone_writes(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    bury(&cx).await;
    let late = PutWrites::new(at(THREAD, 1), vec![write("t", 0, "x", "late")]);
    refused(cx.b.put_writes(late).await, ErrorKind::Conflict, "a late write");
    cx.b.put_checkpoint(bare(THREAD, id(1)).with_recreate(true)).await.unwrap();
    assert_eq!(got(&*cx.b, &at(THREAD, 1)).await.pending_writes, [], "a late write was kept");
    cx.a.delete_thread(THREAD).await.unwrap();
}

pub(super) async fn tombstone_recreate(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    bury(&cx).await;
    let writes = PutWrites::new(at(THREAD, 5), vec![write("t", 0, "x", "v")]);
    cx.b.put_writes(writes.with_recreate(true)).await.unwrap();
    put(&*cx.a, bare(THREAD, id(5))).await;
    assert_eq!(latest_id(&*cx.b, THREAD).await, Some(id(5)), "the mark is gone");
    bury(&cx).await;
    put(&*cx.b, holding(THREAD, id(0), "v").with_recreate(true)).await;
    put(&*cx.a, holding(THREAD, id(1), "w")).await;
    let wanted = [holding(THREAD, id(1), "w"), holding(THREAD, id(0), "v")];
    shows(&cx, THREAD, wanted.iter().map(tuple_of).collect(), "made anew").await;
    cx.a.delete_thread(THREAD).await.unwrap();
}

/// A thread with namespaces, runs, a token, writes and records out of sight.
async fn of_everything(cx: &Cx) {
    let owner = Ownership::Holder(Fence::new("lease", FenceToken::new(7)));
    for number in 0..4 {
        let mut next = step(THREAD, number).with_ownership(owner.clone()).with_recreate(true);
        next.metadata = next.metadata.with("run_id", format!("run {number}"));
        next.checkpoint = next.checkpoint.with_channel("log", i64::try_from(number).unwrap());
        put(&*cx.a, next).await;
        put_writes(&*cx.a, &at(THREAD, number), [write("t", 0, "log", "entry")]).await;
    }
    put(&*cx.b, step(THREAD, 0).with_namespace("child")).await;
    let report = cx.b.prune_thread(THREAD, Retention::KeepLatest).await.unwrap();
    assert!(report.hidden > 0, "what the log is rebuilt from is out of sight: {report:?}");
}

pub(super) async fn tombstone_one_record(cx: Cx) {
    of_everything(&cx).await;
    assert!(cx.b.delete_thread(THREAD).await.unwrap());
    assert_eq!(cx.records().await.unwrap(), 0, "records that a deleted thread leaves");
    of_everything(&cx).await;
    bury(&cx).await;
    assert_eq!(cx.records().await.unwrap(), 1, "records beside the mark");
    unbury(&cx).await;
    assert_eq!(cx.records().await.unwrap(), 0, "records in the end");
}

pub(super) async fn tombstone_ends(cx: Cx) {
    let (life, last) = (Duration::from_secs(60), Duration::from_millis(1));
    steps(&*cx.a, THREAD, 1).await;
    let delete = DeleteThread::new(THREAD).with_tombstone(life);
    assert!(cx.a.delete_thread_opts(delete).await.unwrap());
    cx.advance(life.saturating_sub(last)).await;
    refused(cx.b.put_checkpoint(step(THREAD, 0)).await, ErrorKind::Conflict, "1 ms before");
    cx.advance(last).await;
    put(&*cx.b, step(THREAD, 0)).await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 1), "after the mark has ended").await;
}

pub(super) async fn tombstone_only_asked(cx: Cx) {
    steps(&*cx.a, THREAD, 1).await;
    cx.a.delete_thread(THREAD).await.unwrap();
    put(&*cx.b, step(THREAD, 0)).await;
    steps(&*cx.a, "another", 1).await;
    bury(&cx).await;
    put(&*cx.b, step("another", 1)).await;
    shows(&cx, "another", tuples_of_steps("another", 2), "beside a mark").await;
    unbury(&cx).await;
}
