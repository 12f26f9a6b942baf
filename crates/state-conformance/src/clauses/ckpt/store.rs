//! The store as a whole: its threads, its instances, and what survives.

use std::time::Duration;

use state_core::checkpoint::{
    CheckpointRef, CheckpointerExt, DeleteThread, HistoryOptions, ListCheckpoints, ListThreads,
    Ownership, PruneOptions, PutWrites, Retention, ThreadLifetime, TouchThread,
};
use state_core::{Error, ErrorKind, Expires, Fence, FenceToken, PageToken, Result};

use super::stage::{
    Cx, THREAD, absent, at, bare, got, holding, id, ids, listed, numbered, of, put, put_writes,
    shows, step, steps, summary, text, threads, tuple_of, tuple_of_step, tuples_of_steps, write,
    writes_at,
};
use crate::expect::refused;

pub(super) async fn info(cx: Cx) {
    let info = cx.a.info();
    assert!(!info.scheme.is_empty(), "the kind of the store");
    assert_eq!(info.namespace, *cx.namespace());
}

pub(super) async fn instances(cx: Cx) {
    let later = cx.open("").await.unwrap();
    for (number, store) in [&cx.a, &cx.b, &later, &cx.a].into_iter().enumerate() {
        put(&**store, step(THREAD, number)).await;
        for other in [&cx.a, &cx.b, &later] {
            let latest = other.latest(THREAD).await.unwrap();
            assert_eq!(latest, Some(tuple_of_step(THREAD, number)));
        }
    }
}

pub(super) async fn apart(cx: Cx) {
    let neighbour = cx.open("b").await.unwrap();
    let run = |value| {
        let put = holding(THREAD, id(0), value);
        let metadata = put.metadata.clone().with("run_id", "run");
        put.with_metadata(metadata)
    };
    put(&*cx.a, run("own")).await;
    put(&*neighbour, run("the neighbour's")).await;
    put(&*neighbour, holding("other", id(1), "v")).await;
    assert_eq!(got(&*cx.b, &at(THREAD, 0)).await, tuple_of(&run("own")));
    assert_eq!(listed(&*cx.b, ListCheckpoints::all()).await, [tuple_of(&run("own"))]);
    assert_eq!(threads(&*cx.b).await.len(), 1);
    assert_eq!(cx.a.delete_for_runs(&["run".to_owned()]).await.unwrap(), 1, "its own alone");
    cx.a.delete_thread(THREAD).await.unwrap();
    assert!(!cx.a.delete_thread("other").await.unwrap(), "the neighbour's");
    assert_eq!(listed(&*neighbour, ListCheckpoints::all()).await.len(), 2);
}

pub(super) async fn each_thread_once(cx: Cx) {
    for number in 0..3 {
        for thread in ["b", "a", "c"] {
            put(&*cx.a, step(thread, number)).await;
        }
    }
    for store in [&*cx.a, &*cx.b] {
        let mut found: Vec<_> = threads(store).await.into_iter().map(|s| s.thread).collect();
        found.sort();
        assert_eq!(found, ["a", "b", "c"].map(Into::into));
    }
}

pub(super) async fn counted(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    put(&*cx.a, step(THREAD, 0).with_namespace("child")).await;
    put_writes(&*cx.a, &at(THREAD, 8), [write("t", 0, "x", "early")]).await;
    steps(&*cx.a, "other", 1).await;
    let found = summary(&*cx.b, THREAD).await.unwrap();
    assert_eq!(found.checkpoints, 4, "in all its namespaces");
    assert_eq!(summary(&*cx.b, "other").await.unwrap().checkpoints, 1);
}

pub(super) async fn last_write(cx: Cx) {
    let close = async |when: &str| {
        let found = summary(&*cx.b, THREAD).await.unwrap().last_write;
        let now = cx.now();
        let (early, late) = (now.saturating_since(found), found.saturating_since(now));
        assert!(early.max(late) <= cx.tolerance(), "{when}: {found} at {now}");
    };
    // Long enough that the time of the write before would not do.
    let pause = if cx.time_moves() { Duration::from_secs(60) } else { cx.tolerance() * 3 / 2 };
    put(&*cx.a, step(THREAD, 0)).await;
    close("after a put").await;
    cx.advance(pause).await;
    put(&*cx.a, step(THREAD, 1)).await;
    close("after another put").await;
    cx.advance(pause).await;
    put_writes(&*cx.a, &at(THREAD, 1), [write("t", 0, "x", "v")]).await;
    close("after writes").await;
}

pub(super) async fn sized(cx: Cx) {
    put(&*cx.a, holding(THREAD, id(0), "small")).await;
    let small = summary(&*cx.b, THREAD).await.unwrap().bytes;
    assert!(small > 0, "a thread takes some space");
    let mut state = 1_u32;
    let noise: String = (0..200_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + state.to_be_bytes()[0] % 26)
        })
        .collect();
    put(&*cx.a, holding(THREAD, id(1), "large").with_value("x", text(noise))).await;
    let large = summary(&*cx.b, THREAD).await.unwrap().bytes;
    // 26 letters are under 5 bits each, and a store may compress.
    assert!(large >= small + 100_000, "{small} bytes, and {large} with 200,000 letters more");
}

pub(super) async fn thread_pages(cx: Cx) {
    let names: Vec<String> = (0..11).map(|number| format!("thread {number}")).collect();
    for name in &names {
        put(&*cx.a, bare(name, id(0))).await;
    }
    for most in [1, 3, 11, 12] {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let list = ListThreads::new().with_limit(most).with_token(token);
            let page = cx.b.list_threads(list).await.unwrap();
            assert!(page.items.len() <= most, "{} of at most {most}", page.items.len());
            found.extend(page.items.into_iter().map(|summary| summary.thread));
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        found.sort();
        let mut wanted: Vec<_> = names.iter().map(Into::into).collect();
        wanted.sort();
        assert_eq!(found, wanted, "in pages of {most}");
    }
}

pub(super) async fn bad_thread_pages(cx: Cx) {
    for number in 0..3 {
        put(&*cx.a, bare(&format!("t{number}"), id(0))).await;
    }
    let answer = cx.b.list_threads(ListThreads::new().with_limit(0)).await;
    refused(answer, ErrorKind::Invalid, "a limit of 0");
    let token = PageToken::from_bytes("forged");
    let answer = cx.b.list_threads(ListThreads::new().with_token(token)).await;
    refused(answer, ErrorKind::Invalid, "a forged token");
}

/// A store that cannot be reached must say so.
#[track_caller]
fn down<T: std::fmt::Debug>(answer: &Result<T>, what: &str) {
    let kind = answer.as_ref().map_err(Error::kind);
    let down = matches!(kind, Err(ErrorKind::Unavailable | ErrorKind::Timeout));
    assert!(down, "{what} of a store that cannot be reached: {answer:?}");
}

pub(super) async fn unreachable_reads(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    cx.b.latest(THREAD).await.unwrap();
    cx.reach(false).await.unwrap();
    for store in [&cx.a, &cx.b] {
        down(&store.latest(THREAD).await, "reading the latest");
        down(&store.latest("absent").await, "reading what is not there");
        down(&store.at(&at(THREAD, 0)).await, "reading by id");
        down(&store.list_checkpoints(of(THREAD)).await, "listing");
        down(&store.list_checkpoints(ListCheckpoints::all()).await, "listing all");
        down(&store.list_threads(ListThreads::new()).await, "listing threads");
        let asked = HistoryOptions::new(at(THREAD, 1), ["count"]);
        down(&store.channel_history(asked).await, "reading a history");
    }
    cx.reach(true).await.unwrap();
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after it can be reached again").await;
}

pub(super) async fn unreachable_writes(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    cx.reach(false).await.unwrap();
    for store in [&cx.a, &cx.b] {
        down(&store.put_checkpoint(step(THREAD, 2)).await, "putting");
        let writes = PutWrites::new(at(THREAD, 1), vec![write("t", 0, "x", "v")]);
        down(&store.put_writes(writes).await, "putting writes");
        down(&store.copy_thread(THREAD, "copy").await, "copying");
        let options = PruneOptions::new(Retention::KeepLatest);
        down(&store.prune(&[THREAD.into()], options).await, "pruning");
        down(&store.delete_for_runs(&["run".to_owned()]).await, "deleting runs");
        let touch = TouchThread::new("absent").with_lifetime(ThreadLifetime::Pinned);
        down(&store.touch_thread(touch).await, "setting the lifetime of what is not there");
        down(&store.delete_thread("absent").await, "deleting what is not there");
    }
    cx.reach(true).await.unwrap();
    let found = ids(&*cx.b, of(THREAD)).await;
    assert!(!found.is_empty(), "the thread is there");
    // Whatever was refused may have been applied, and can be sent again.
    cx.a.put_checkpoint(step(THREAD, 2)).await.unwrap();
    assert_eq!(ids(&*cx.b, of(THREAD)).await.first(), Some(&id(2)));
}

pub(super) async fn durable(cx: Cx) {
    steps(&*cx.a, THREAD, 5).await;
    let child = step(THREAD, 0).with_namespace("child");
    put(&*cx.b, child.clone()).await;
    put_writes(&*cx.a, &at(THREAD, 4), [write("t", -1, "e", "v"), write("t", 0, "x", "v")]).await;
    put_writes(&*cx.a, &at(THREAD, 5), [write("t", 0, "x", "early")]).await;
    steps(&*cx.a, "deleted", 2).await;
    cx.a.delete_thread("deleted").await.unwrap();
    let before = listed(&*cx.a, ListCheckpoints::all()).await;
    let cx = cx.restart().await.unwrap();
    shows(&cx, THREAD, before, "after the restart").await;
    absent(&cx, "deleted", "which was deleted before the restart").await;
    let reference = put(&*cx.a, step(THREAD, 5)).await;
    assert_eq!(got(&*cx.b, &reference).await.values, tuple_of_step(THREAD, 5).values);
    assert_eq!(writes_at(&*cx.b, &reference).await, [write("t", 0, "x", "early")]);
    assert!(cx.b.put_checkpoint(step(THREAD, 2)).await.unwrap().existed, "a retried put");
    assert_eq!(threads(&*cx.b).await.len(), 1);
}

pub(super) async fn durable_lives(cx: Cx) {
    let life = Duration::from_secs(100);
    put(&*cx.a, step("ends", 0).with_lifetime(ThreadLifetime::After(life))).await;
    put(&*cx.a, step("pinned", 0).with_lifetime(ThreadLifetime::Pinned)).await;
    let before = summary(&*cx.a, "ends").await.unwrap().expires.deadline();
    let cx = cx.restart().await.unwrap();
    let ends = summary(&*cx.b, "ends").await.unwrap().expires;
    assert!(matches!(ends, Expires::At { .. }), "it has an end: {ends:?}");
    assert_eq!(ends.deadline(), before, "the end of the lifetime");
    assert!(summary(&*cx.b, "pinned").await.unwrap().pinned, "a pinned thread");
}

pub(super) async fn durable_guards(cx: Cx) {
    let holder = |token| Ownership::Holder(Fence::new("lease", FenceToken::new(token)));
    put(&*cx.a, step(THREAD, 0).with_ownership(holder(7))).await;
    steps(&*cx.a, "buried", 1).await;
    let delete = DeleteThread::new("buried").with_tombstone(DeleteThread::TOMBSTONE);
    cx.a.delete_thread_opts(delete).await.unwrap();
    let cx = cx.restart().await.unwrap();
    let stale = cx.a.put_checkpoint(step(THREAD, 1).with_ownership(holder(6))).await;
    refused(stale, ErrorKind::Fenced, "a smaller token after the restart");
    let late = cx.b.put_checkpoint(step("buried", 1)).await;
    refused(late, ErrorKind::Conflict, "a late put after the restart");
    cx.a.put_checkpoint(step("buried", 0).with_recreate(true)).await.unwrap();
    assert_eq!(ids(&*cx.b, of("buried")).await, numbered([0]));
    assert_eq!(cx.b.at(&CheckpointRef::new(THREAD, id(1))).await.unwrap(), None);
}
