//! Copies of threads, forks, and what differs.

use std::time::Duration;

use state_core::checkpoint::{
    ChannelChange, CheckpointNamespace, CheckpointRef, CheckpointTuple, CheckpointerExt,
    CopyOptions, HistoryOptions, ThreadLifetime,
};
use state_core::{ErrorKind, Expires};

use super::stage::{
    Cx, THREAD, absent, at, bare, holding, id, ids, listed, of, put, put_writes, shows, step,
    steps, summary, text, tuple_of_step, tuples_of_steps, write,
};
use crate::expect::refused;

const COPY: &str = "copy";

/// Copies the thread and returns what both show, the copy as if it were the thread.
async fn copied(cx: &Cx) -> (Vec<CheckpointTuple>, Vec<CheckpointTuple>) {
    cx.b.copy_thread(THREAD, COPY).await.unwrap();
    let mut copy = listed(&*cx.a, of(COPY)).await;
    for tuple in &mut copy {
        assert_eq!(tuple.reference.thread.as_str(), COPY);
        tuple.reference.thread = THREAD.into();
    }
    (listed(&*cx.a, of(THREAD)).await, copy)
}

pub(super) async fn basic(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    assert_eq!(cx.b.copy_thread(THREAD, COPY).await.unwrap(), 3, "checkpoints of the copy");
    for number in 0..3 {
        let found = cx.a.at(&at(COPY, number)).await.unwrap();
        assert_eq!(found, Some(tuple_of_step(COPY, number)));
    }
}

pub(super) async fn all(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    let (thread, copy) = copied(&cx).await;
    assert_eq!((copy.len(), copy), (3, thread));
}

pub(super) async fn metadata(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let (thread, copy) = copied(&cx).await;
    let of = |all: &[CheckpointTuple]| all.iter().map(|t| t.metadata.clone()).collect::<Vec<_>>();
    assert_eq!(of(&copy), of(&thread));
    assert_eq!(copy.first().unwrap().metadata, step(THREAD, 1).metadata);
}

pub(super) async fn namespaces(cx: Cx) {
    for namespace in ["", "child:1"] {
        put(&*cx.a, step(THREAD, 0).with_namespace(namespace)).await;
    }
    copied(&cx).await;
    for namespace in ["", "child:1"] {
        let list = of(COPY).with_namespace(CheckpointNamespace::new(namespace));
        assert_eq!(ids(&*cx.a, list).await, [id(0)], "in `{namespace}`");
    }
}

pub(super) async fn writes(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    for number in 0..2 {
        let writes = [write("t", -1, "e", "v"), write("t", 0, "x", "v").with_task_path("p")];
        put_writes(&*cx.a, &at(THREAD, number), writes).await;
    }
    let (thread, copy) = copied(&cx).await;
    assert_eq!(copy.first().unwrap().pending_writes.len(), 2);
    assert_eq!(copy, thread);
}

pub(super) async fn ordering(cx: Cx) {
    for number in [3, 0, 2, 1] {
        put(&*cx.a, bare(THREAD, id(number))).await;
    }
    copied(&cx).await;
    let wanted: Vec<_> = (0..4).rev().map(id).collect();
    assert_eq!(ids(&*cx.a, of(COPY)).await, wanted);
}

pub(super) async fn source(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    copied(&cx).await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after it was copied").await;
}

pub(super) async fn nothing(cx: Cx) {
    assert_eq!(cx.a.copy_thread(THREAD, COPY).await.unwrap(), 0);
    absent(&cx, COPY, "a copy of nothing").await;
    absent(&cx, THREAD, "which was copied and is not there").await;
}

pub(super) async fn exists(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    put(&*cx.a, holding(COPY, id(7), "own")).await;
    let before = listed(&*cx.a, of(COPY)).await;
    refused(cx.b.copy_thread(THREAD, COPY).await, ErrorKind::Conflict, "a copy onto a thread");
    let fork = cx.b.fork(&at(THREAD, 0), COPY).await;
    refused(fork, ErrorKind::Conflict, "a fork onto a thread");
    shows(&cx, COPY, before, "after the refused copy").await;
}

pub(super) async fn same(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    refused(cx.b.copy_thread(THREAD, THREAD).await, ErrorKind::Invalid, "a copy onto itself");
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after the refused copy").await;
}

pub(super) async fn independent(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    copied(&cx).await;
    put(&*cx.a, step(COPY, 2)).await;
    put_writes(&*cx.a, &at(THREAD, 1), [write("t", 0, "x", "v")]).await;
    shows(&cx, COPY, tuples_of_steps(COPY, 3), "after the source was written to").await;
    assert_eq!(ids(&*cx.b, of(THREAD)).await, [id(1), id(0)], "after the copy was written to");
    cx.a.delete_thread(THREAD).await.unwrap();
    shows(&cx, COPY, tuples_of_steps(COPY, 3), "after the source was deleted").await;
}

pub(super) async fn lifetime(cx: Cx) {
    steps(&*cx.a, THREAD, 1).await;
    let life = Duration::from_secs(100);
    let options = CopyOptions::new().with_lifetime(ThreadLifetime::After(life));
    cx.a.copy_thread_opts(&THREAD.into(), &COPY.into(), options).await.unwrap();
    let options = CopyOptions::new().with_lifetime(ThreadLifetime::Pinned);
    cx.a.copy_thread_opts(&THREAD.into(), &"pinned".into(), options).await.unwrap();
    let copy = summary(&*cx.b, COPY).await.unwrap();
    let Expires::At { remaining, .. } = copy.expires else {
        panic!("the copy has a lifetime: {copy:?}")
    };
    assert!(remaining <= life && remaining + cx.tolerance() >= life, "{remaining:?} are left");
    assert!(summary(&*cx.b, "pinned").await.unwrap().pinned, "the copy that was pinned");
    assert!(!summary(&*cx.b, THREAD).await.unwrap().pinned, "the source was not pinned");
}

/// Three steps whose channel `log` is rebuilt from writes.
async fn logged(cx: &Cx) {
    for number in 0..3 {
        put(&*cx.a, step(THREAD, number)).await;
        let wrote = write("t", 0, "log", &number.to_string());
        put_writes(&*cx.a, &at(THREAD, number), [wrote]).await;
    }
}

async fn history(cx: &Cx, reference: CheckpointRef) -> Vec<String> {
    let histories = cx.b.channel_history(HistoryOptions::new(reference, ["log"])).await.unwrap();
    let history = histories.get("log").unwrap();
    assert_eq!(history.seed, None);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    history.writes.iter().map(|write| shown(write.value.bytes())).collect()
}

pub(super) async fn histories(cx: Cx) {
    logged(&cx).await;
    copied(&cx).await;
    cx.a.delete_thread(THREAD).await.unwrap();
    assert_eq!(history(&cx, at(COPY, 2)).await, ["0", "1"]);
}

pub(super) async fn fork(cx: Cx) {
    logged(&cx).await;
    put(&*cx.a, step(THREAD, 0).with_namespace("child")).await;
    let branch = bare(THREAD, id(5)).with_parent(id(0));
    put(&*cx.a, branch).await;
    assert_eq!(cx.b.fork(&at(THREAD, 1), COPY).await.unwrap(), 2, "checkpoints of the fork");
    assert_eq!(ids(&*cx.a, of(COPY)).await, [id(1), id(0)], "it and what it descends from");
    for number in 0..2 {
        let mut wanted = tuple_of_step(COPY, number);
        wanted.pending_writes = vec![write("t", 0, "log", &number.to_string())];
        assert_eq!(cx.a.at(&at(COPY, number)).await.unwrap(), Some(wanted));
    }
    assert_eq!(history(&cx, at(COPY, 1)).await, ["0"]);
    put(&*cx.a, step(COPY, 2)).await;
    assert_eq!(ids(&*cx.a, of(THREAD)).await.len(), 5, "the source is as it was");
}

pub(super) async fn fork_namespace(cx: Cx) {
    for number in 0..2 {
        put(&*cx.a, step(THREAD, number)).await;
        put(&*cx.a, step(THREAD, number).with_namespace("child")).await;
    }
    let from = at(THREAD, 1).with_namespace("child");
    assert_eq!(cx.b.fork(&from, COPY).await.unwrap(), 2);
    let found = listed(&*cx.a, of(COPY)).await;
    let namespaces: Vec<_> = found.iter().map(|t| t.reference.namespace.as_str()).collect();
    assert_eq!(namespaces, ["child", "child"]);
}

pub(super) async fn fork_of_nothing(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    for from in [at(THREAD, 7), at("absent", 0), at(THREAD, 1).with_namespace("child")] {
        if let Ok(count) = cx.b.fork(&from, COPY).await {
            assert_eq!(count, 0, "checkpoints of a fork of nothing");
        }
        absent(&cx, COPY, "a fork of nothing").await;
    }
}

pub(super) async fn diff(cx: Cx) {
    let mut from = bare(THREAD, id(0));
    let mut to = bare(THREAD, id(1));
    for (channel, value) in [("gone", "1"), ("same", "2"), ("other", "3")] {
        from.checkpoint = from.checkpoint.with_channel(channel, 1);
        from = from.with_value(channel, text(value));
    }
    for (channel, version, value) in [("same", 2, "2"), ("other", 2, "4"), ("new", 1, "5")] {
        to.checkpoint = to.checkpoint.with_channel(channel, version);
        to = to.with_value(channel, text(value));
    }
    let (from, to) = (put(&*cx.a, from).await, put(&*cx.a, to).await);
    let diff = cx.b.diff(&from, &to).await.unwrap();
    let changes: Vec<_> = diff.channels.iter().map(|(name, change)| (&**name, change)).collect();
    let other = ChannelChange::Changed { from: text("3").into(), to: text("4").into() };
    let wanted = [
        ("gone", &ChannelChange::Removed(text("1").into())),
        ("new", &ChannelChange::Added(text("5").into())),
        ("other", &other),
    ];
    assert_eq!(changes, wanted);
    assert!(cx.b.diff(&to, &to).await.unwrap().is_empty(), "from a checkpoint to itself");
    refused(cx.b.diff(&from, &at(THREAD, 9)).await, ErrorKind::Invalid, "from it to nothing");
    refused(cx.b.diff(&at("absent", 0), &to).await, ErrorKind::Invalid, "from nothing to it");
}
