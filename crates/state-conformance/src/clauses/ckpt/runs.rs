//! Deleting the checkpoints of runs.

use state_core::ErrorKind;
use state_core::checkpoint::{
    ChannelValue, CheckpointerExt, DeleteThread, HistoryOptions, Metadata, Ownership,
    PutCheckpoint, PutWrites,
};

use super::stage::{
    Cx, THREAD, absent, at, bare, got, id, ids, numbered, of, put, put_writes, shows, step, text,
    tuple_of_step, write, writes_at,
};
use crate::expect::refused;

/// The step `number` of `thread`, made by `run`.
fn by(run: &str, thread: &str, number: usize) -> PutCheckpoint {
    let put = step(thread, number);
    let metadata = put.metadata.clone().with("run_id", run);
    put.with_metadata(metadata)
}

/// Puts steps of a thread, each made by one of these runs.
async fn made_by(cx: &Cx, runs: &[&str]) {
    for (number, run) in runs.iter().enumerate() {
        put(&*cx.a, by(run, THREAD, number)).await;
    }
}

async fn delete(cx: &Cx, runs: &[&str]) -> u64 {
    let runs: Vec<String> = runs.iter().map(|run| (*run).to_owned()).collect();
    cx.b.delete_for_runs(&runs).await.unwrap()
}

pub(super) async fn single(cx: Cx) {
    made_by(&cx, &["run1", "run2"]).await;
    delete(&cx, &["run1"]).await;
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(ids(store, of(THREAD)).await, [id(1)]);
        assert_eq!(store.at(&at(THREAD, 0)).await.unwrap(), None);
    }
}

pub(super) async fn multiple(cx: Cx) {
    made_by(&cx, &["run1", "run2", "run3"]).await;
    assert_eq!(delete(&cx, &["run1", "run2"]).await, 2, "how many there were");
    assert_eq!(ids(&*cx.a, of(THREAD)).await, [id(2)]);
}

pub(super) async fn others(cx: Cx) {
    made_by(&cx, &["keep", "delete", "keep", "delete:1", "del"]).await;
    put(&*cx.a, step(THREAD, 5)).await;
    assert_eq!(delete(&cx, &["delete"]).await, 1, "how many there were");
    assert_eq!(ids(&*cx.a, of(THREAD)).await, numbered([5, 4, 3, 2, 0]));
    assert_eq!(got(&*cx.a, &at(THREAD, 5)).await, tuple_of_step(THREAD, 5));
}

pub(super) async fn writes(cx: Cx) {
    made_by(&cx, &["run1", "run2"]).await;
    put_writes(&*cx.a, &at(THREAD, 0), [write("t", 0, "x", "1")]).await;
    delete(&cx, &["run1"]).await;
    assert_eq!(cx.a.at(&at(THREAD, 0)).await.unwrap(), None, "the checkpoint");
    let reference = put(&*cx.a, bare(THREAD, id(0))).await;
    assert_eq!(writes_at(&*cx.b, &reference).await, [], "writes of the one that was deleted");
}

pub(super) async fn none(cx: Cx) {
    made_by(&cx, &["run1", ""]).await;
    put(&*cx.a, step(THREAD, 2)).await;
    assert_eq!(delete(&cx, &[]).await, 0);
    assert_eq!(ids(&*cx.a, of(THREAD)).await, numbered([2, 1, 0]));
}

pub(super) async fn unknown(cx: Cx) {
    made_by(&cx, &["run1"]).await;
    assert_eq!(delete(&cx, &["run", "run10", "RUN1"]).await, 0);
    assert_eq!(ids(&*cx.a, of(THREAD)).await, [id(0)]);
}

pub(super) async fn namespaces(cx: Cx) {
    for namespace in ["", "child:1", "child:2"] {
        put(&*cx.a, by("run1", THREAD, 0).with_namespace(namespace)).await;
    }
    assert_eq!(delete(&cx, &["run1"]).await, 3, "how many there were");
    assert_eq!(ids(&*cx.a, of(THREAD)).await, []);
}

pub(super) async fn threads(cx: Cx) {
    for thread in ["a", "b", "c"] {
        put(&*cx.a, by("run1", thread, 0)).await;
        put(&*cx.a, by("run2", thread, 1)).await;
    }
    assert_eq!(delete(&cx, &["run1", "run1"]).await, 3, "one in each thread");
    for thread in ["a", "b", "c"] {
        assert_eq!(ids(&*cx.a, of(thread)).await, [id(1)], "in `{thread}`");
    }
}

pub(super) async fn values_kept(cx: Cx) {
    made_by(&cx, &["run1", "run1", "run2"]).await;
    delete(&cx, &["run1"]).await;
    let mut wanted = tuple_of_step(THREAD, 2);
    wanted.metadata = by("run2", THREAD, 2).metadata;
    shows(&cx, THREAD, vec![wanted], "after the run that put `same` was deleted").await;
}

/// Steps of which the channel `log` has a value at step 1 and is rebuilt from writes elsewhere: all
/// but the last made by the run `old`, that by `new`.
async fn logged(cx: &Cx) {
    for number in 0..5 {
        let version = i64::try_from(number).unwrap();
        let value =
            if number == 1 { ChannelValue::from(text("seed")) } else { ChannelValue::Empty };
        let mut next = by(if number < 4 { "old" } else { "new" }, THREAD, number);
        next.checkpoint = next.checkpoint.with_channel("log", version);
        put(&*cx.a, next.with_value("log", value)).await;
        put_writes(&*cx.a, &at(THREAD, number), [write("t", 0, "log", &number.to_string())]).await;
    }
}

pub(super) async fn histories(cx: Cx) {
    logged(&cx).await;
    let options = || HistoryOptions::new(at(THREAD, 4), ["log"]);
    let before = cx.b.channel_history(options()).await.unwrap();
    assert_eq!(before.get("log").unwrap().writes.len(), 3, "{before:?}");
    for (deleted, when) in [(4, "the first deletion"), (0, "the same once more")] {
        assert_eq!(delete(&cx, &["old"]).await, deleted, "{when}");
        assert_eq!(cx.a.channel_history(options()).await.unwrap(), before, "after {when}");
        assert_eq!(ids(&*cx.a, of(THREAD)).await, [id(4)], "after {when}");
        for number in 0..4 {
            assert_eq!(cx.b.at(&at(THREAD, number)).await.unwrap(), None, "after {when}");
        }
    }
    assert_eq!(delete(&cx, &["new"]).await, 1);
    absent(&cx, THREAD, "after its last run was deleted").await;
}

pub(super) async fn refused_no_records(cx: Cx) {
    let onto_nothing = by("run1", THREAD, 1).with_ownership(Ownership::ParentIsLatest);
    refused(cx.a.put_checkpoint(onto_nothing).await, ErrorKind::Conflict, "onto what is not there");
    assert_eq!(cx.records().await.unwrap(), 0, "records of a thread that was not made");
    put(&*cx.a, step(THREAD, 0)).await;
    let bury = DeleteThread::new(THREAD).with_tombstone(DeleteThread::TOMBSTONE);
    assert!(cx.b.delete_thread_opts(bury).await.unwrap());
    let mark = cx.records().await.unwrap();
    for (store, number) in [(&cx.a, 1), (&cx.b, 0)] {
        let late = store.put_checkpoint(by("run1", THREAD, number)).await;
        refused(late, ErrorKind::Conflict, "a late put");
    }
    let late = PutWrites::new(at(THREAD, 0), vec![write("t", 0, "x", "v")]);
    refused(cx.a.put_writes(late).await, ErrorKind::Conflict, "late writes");
    assert_eq!(cx.records().await.unwrap(), mark, "records beside the mark of the deleted thread");
    assert_eq!(delete(&cx, &["run1"]).await, 0, "nothing was made by the run");
    cx.a.put_checkpoint(bare(THREAD, id(0)).with_recreate(true)).await.unwrap();
    assert!(cx.a.delete_thread(THREAD).await.unwrap());
}

pub(super) async fn by_text(cx: Cx) {
    let number = bare(THREAD, id(0)).with_metadata(Metadata::new().with("run_id", 1));
    put(&*cx.a, number).await;
    let other = bare(THREAD, id(1)).with_metadata(Metadata::new().with("other", "1"));
    put(&*cx.a, other).await;
    assert_eq!(delete(&cx, &["1"]).await, 0, "a number, and another name");
    assert_eq!(ids(&*cx.a, of(THREAD)).await, [id(1), id(0)]);
}
