//! Deleting the checkpoints of runs.

use state_core::checkpoint::{CheckpointerExt, Metadata, PutCheckpoint};

use super::stage::{
    Cx, THREAD, at, bare, got, id, ids, numbered, of, put, put_writes, shows, step, tuple_of_step,
    write, writes_at,
};

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

pub(super) async fn by_text(cx: Cx) {
    let number = bare(THREAD, id(0)).with_metadata(Metadata::new().with("run_id", 1));
    put(&*cx.a, number).await;
    let other = bare(THREAD, id(1)).with_metadata(Metadata::new().with("other", "1"));
    put(&*cx.a, other).await;
    assert_eq!(delete(&cx, &["1"]).await, 0, "a number, and another name");
    assert_eq!(ids(&*cx.a, of(THREAD)).await, [id(1), id(0)]);
}
