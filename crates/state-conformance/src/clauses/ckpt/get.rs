//! Reading one checkpoint.

use state_core::checkpoint::{CheckpointRef, CheckpointerExt, GetCheckpoint};

use super::stage::{
    Cx, THREAD, at, bare, got, holding, id, latest_id, put, put_writes, step, steps, text,
    tuple_of, tuple_of_step, write,
};

pub(super) async fn absent(cx: Cx) {
    put(&*cx.a, step("other", 0)).await;
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(store.latest(THREAD).await.unwrap(), None);
        assert_eq!(store.at(&at(THREAD, 0)).await.unwrap(), None);
    }
}

pub(super) async fn latest(cx: Cx) {
    for number in 0..3 {
        put(&*cx.a, step(THREAD, number)).await;
        for store in [&*cx.a, &*cx.b] {
            let found = store.latest(THREAD).await.unwrap().unwrap();
            assert_eq!(found, tuple_of_step(THREAD, number));
        }
    }
}

pub(super) async fn by_id(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    assert_eq!(got(&*cx.b, &at(THREAD, 0)).await, tuple_of_step(THREAD, 0));
}

pub(super) async fn reference(cx: Cx) {
    let wanted = CheckpointRef::new(THREAD, id(3)).with_namespace("ns");
    put(&*cx.a, bare(THREAD, id(3)).with_namespace("ns")).await;
    let get = GetCheckpoint::latest(THREAD).with_namespace("ns");
    let found = cx.b.get_checkpoint(get).await.unwrap().unwrap();
    assert_eq!(found.reference, wanted);
    assert_eq!(found.checkpoint.id, wanted.id);
}

pub(super) async fn fields(cx: Cx) {
    let mut wanted = step(THREAD, 0);
    wanted.checkpoint = wanted
        .checkpoint
        .with_seen("node", "count", 0)
        .with_updated(["count"])
        .with_body(text("body"));
    let reference = put(&*cx.a, wanted.clone()).await;
    assert_eq!(got(&*cx.b, &reference).await.checkpoint, wanted.checkpoint);
}

pub(super) async fn metadata(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    for number in 0..2 {
        let found = got(&*cx.b, &at(THREAD, number)).await;
        assert_eq!(found.metadata, step(THREAD, number).metadata);
    }
}

pub(super) async fn parent(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    assert_eq!(got(&*cx.b, &at(THREAD, 0)).await.parent, None, "of the first");
    assert_eq!(got(&*cx.b, &at(THREAD, 1)).await.parent, Some(id(0)), "of the second");
}

pub(super) async fn writes(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let wanted = [write("t", 0, "x", "1")];
    put_writes(&*cx.a, &at(THREAD, 1), wanted.clone()).await;
    let latest = cx.b.latest(THREAD).await.unwrap().unwrap();
    assert_eq!(latest.pending_writes, wanted, "of the latest");
    assert_eq!(got(&*cx.b, &at(THREAD, 1)).await.pending_writes, wanted, "by id");
    assert_eq!(got(&*cx.b, &at(THREAD, 0)).await.pending_writes, [], "of the other");
}

pub(super) async fn namespace(cx: Cx) {
    let root = holding(THREAD, id(1), "root");
    let child = holding(THREAD, id(2), "child").with_namespace("child:1");
    put(&*cx.a, root.clone()).await;
    put(&*cx.a, child.clone()).await;
    assert_eq!(cx.b.latest(THREAD).await.unwrap(), Some(tuple_of(&root)));
    let get = GetCheckpoint::latest(THREAD).with_namespace("child:1");
    assert_eq!(cx.b.get_checkpoint(get).await.unwrap(), Some(tuple_of(&child)));
    let get = GetCheckpoint::latest(THREAD).with_namespace("child");
    assert_eq!(cx.b.get_checkpoint(get).await.unwrap(), None, "of another namespace");
    assert_eq!(cx.b.at(&at(THREAD, 2)).await.unwrap(), None, "in the wrong namespace");
}

pub(super) async fn absent_id(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    for missing in ["0", "1ef0-0000005", "1ef0-000001x", "zzz"] {
        let found = cx.b.at(&CheckpointRef::new(THREAD, missing)).await.unwrap();
        assert_eq!(found, None, "there is no `{missing}`");
    }
    assert_eq!(latest_id(&*cx.b, THREAD).await, Some(id(1)));
}
