//! Writes beside checkpoints.

use state_core::checkpoint::{
    CheckpointRef, CheckpointerExt, PendingWrite, WriteIndex, WritesReceipt,
};

use super::stage::{
    Cx, THREAD, at, bare, got, id, listed, of, put, put_writes, step, steps, text, tuple_of, write,
    writes_at,
};

/// A checkpoint to put writes beside.
async fn beside(cx: &Cx) -> CheckpointRef {
    put(&*cx.a, step(THREAD, 0)).await
}

pub(super) async fn basic(cx: Cx) {
    let at = beside(&cx).await;
    put_writes(&*cx.a, &at, [write("task", 0, "x", "1")]).await;
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(writes_at(store, &at).await, [write("task", 0, "x", "1")]);
    }
}

pub(super) async fn same_task(cx: Cx) {
    let at = beside(&cx).await;
    let writes = [write("t", 0, "x", "1"), write("t", 1, "y", "2"), write("t", 2, "x", "3")];
    let receipt = put_writes(&*cx.a, &at, writes.clone()).await;
    assert_eq!(receipt, WritesReceipt::new(3, 0, 0));
    assert_eq!(writes_at(&*cx.b, &at).await, writes);
}

pub(super) async fn tasks(cx: Cx) {
    let at = beside(&cx).await;
    put_writes(&*cx.a, &at, [write("t1", 0, "x", "of t1")]).await;
    put_writes(&*cx.b, &at, [write("t2", 0, "x", "of t2")]).await;
    let both = [write("t1", 0, "x", "of t1"), write("t2", 0, "x", "of t2")];
    assert_eq!(writes_at(&*cx.b, &at).await, both);
}

pub(super) async fn task_id(cx: Cx) {
    let at = beside(&cx).await;
    let task = "9f1c:*|é";
    put_writes(&*cx.a, &at, [write(task, 0, "x", "1")]).await;
    assert_eq!(&*writes_at(&*cx.b, &at).await.first().unwrap().task, task);
}

pub(super) async fn value(cx: Cx) {
    let at = beside(&cx).await;
    let bytes: Vec<u8> = (0..=255).rev().collect();
    let value = state_core::checkpoint::Payload::new("a kind", bytes);
    put_writes(&*cx.a, &at, [PendingWrite::new("t", 0, "my channel", value.clone())]).await;
    let found = writes_at(&*cx.b, &at).await;
    let found = found.first().unwrap();
    assert_eq!((&*found.channel, &found.value), ("my channel", &value));
}

pub(super) async fn task_path(cx: Cx) {
    let at = beside(&cx).await;
    put_writes(&*cx.a, &at, [write("t", 0, "x", "1").with_task_path("a:b:c")]).await;
    assert_eq!(&*writes_at(&*cx.b, &at).await.first().unwrap().task_path, "a:b:c");
}

pub(super) async fn again(cx: Cx) {
    let at = beside(&cx).await;
    let writes = [write("t", 0, "x", "1"), write("t", 1, "y", "2")];
    put_writes(&*cx.a, &at, writes.clone()).await;
    let receipt = put_writes(&*cx.b, &at, writes.clone()).await;
    assert_eq!(receipt, WritesReceipt::new(0, 0, 2), "they were there already");
    assert_eq!(writes_at(&*cx.b, &at).await, writes);
}

pub(super) async fn special(cx: Cx) {
    let at = beside(&cx).await;
    let places =
        [WriteIndex::RESUME, WriteIndex::INTERRUPT, WriteIndex::SCHEDULED, WriteIndex::ERROR];
    let writes: Vec<_> = places
        .into_iter()
        .map(|place| PendingWrite::new("t", place, format!("c{}", place.get()), text("special")))
        .collect();
    put_writes(&*cx.a, &at, writes.iter().rev().cloned()).await;
    assert_eq!(writes_at(&*cx.b, &at).await, writes);
}

pub(super) async fn namespaces(cx: Cx) {
    let mut places = Vec::new();
    for namespace in ["", "child:1"] {
        let at = put(&*cx.a, step(THREAD, 0).with_namespace(namespace)).await;
        put_writes(&*cx.a, &at, [write("t", 0, "x", namespace)]).await;
        places.push(at);
    }
    for at in places {
        let own = write("t", 0, "x", at.namespace.as_str());
        assert_eq!(writes_at(&*cx.b, &at).await, [own]);
    }
}

pub(super) async fn next(cx: Cx) {
    let before = beside(&cx).await;
    put_writes(&*cx.a, &before, [write("t", 0, "x", "old")]).await;
    let after = put(&*cx.a, step(THREAD, 1)).await;
    assert_eq!(writes_at(&*cx.b, &after).await, [], "beside the next checkpoint");
    assert_eq!(writes_at(&*cx.b, &before).await.len(), 1, "beside the one before");
}

pub(super) async fn order(cx: Cx) {
    let at = beside(&cx).await;
    let path =
        |path: &str, task: &str, index: i32| write(task, index, "x", "v").with_task_path(path);
    let ordered = [
        path("", "z", 3),
        path("a", "t1", -3),
        path("a", "t1", -1),
        path("a", "t1", 0),
        path("a", "t1", 2),
        path("a", "t1", 10),
        path("a", "t10", 1),
        path("a", "t2", 0),
        path("a:b", "t0", 0),
        path("b", "t00", 0),
    ];
    for place in [4, 0, 9, 2, 7, 1, 8, 3, 6, 5] {
        put_writes(&*cx.a, &at, ordered.get(place).cloned()).await;
    }
    assert_eq!(writes_at(&*cx.b, &at).await, ordered);
}

pub(super) async fn first_wins(cx: Cx) {
    let at = beside(&cx).await;
    put_writes(&*cx.a, &at, [write("t", 0, "x", "first")]).await;
    let receipt = put_writes(&*cx.b, &at, [write("t", 0, "y", "second")]).await;
    assert_eq!(receipt, WritesReceipt::new(0, 0, 1));
    assert_eq!(writes_at(&*cx.a, &at).await, [write("t", 0, "x", "first")]);
}

pub(super) async fn special_last_wins(cx: Cx) {
    let at = beside(&cx).await;
    let special =
        |value| PendingWrite::new("t", WriteIndex::INTERRUPT, "__interrupt__", text(value));
    put_writes(&*cx.a, &at, [special("first")]).await;
    let receipt = put_writes(&*cx.b, &at, [special("second")]).await;
    assert_eq!(receipt, WritesReceipt::new(0, 1, 0));
    assert_eq!(writes_at(&*cx.a, &at).await, [special("second")]);
}

pub(super) async fn mixed(cx: Cx) {
    let at = beside(&cx).await;
    let batch = |value: &str, more: i32| {
        [write("t", -1, "e", value), write("t", 0, "x", value), write("t", more, "y", value)]
    };
    assert_eq!(put_writes(&*cx.a, &at, batch("1", 1)).await, WritesReceipt::new(3, 0, 0));
    assert_eq!(put_writes(&*cx.a, &at, batch("2", 2)).await, WritesReceipt::new(1, 1, 1));
    let wanted = [
        write("t", -1, "e", "2"),
        write("t", 0, "x", "1"),
        write("t", 1, "y", "1"),
        write("t", 2, "y", "2"),
    ];
    assert_eq!(writes_at(&*cx.b, &at).await, wanted);
}

pub(super) async fn before_put(cx: Cx) {
    steps(&*cx.a, THREAD, 1).await;
    put_writes(&*cx.a, &at(THREAD, 1), [write("t", 0, "x", "early")]).await;
    let reference = put(&*cx.b, step(THREAD, 1)).await;
    for store in [&*cx.a, &*cx.b] {
        let found = got(store, &reference).await;
        assert_eq!(found.pending_writes, [write("t", 0, "x", "early")]);
        assert_eq!(found.metadata, step(THREAD, 1).metadata);
    }
}

pub(super) async fn before_put_no_checkpoint(cx: Cx) {
    put_writes(&*cx.a, &at("early", 5), [write("t", 0, "x", "1")]).await;
    assert_eq!(cx.b.latest("early").await.unwrap(), None, "only writes are there");
    let wanted = bare(THREAD, id(0));
    put(&*cx.a, wanted.clone()).await;
    put_writes(&*cx.a, &at(THREAD, 5), [write("t", 0, "x", "1")]).await;
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(store.at(&at(THREAD, 5)).await.unwrap(), None, "it was never put");
        let latest = store.latest(THREAD).await.unwrap();
        assert_eq!(latest, Some(tuple_of(&wanted)), "the latest that was put");
        assert_eq!(listed(store, of(THREAD)).await, [tuple_of(&wanted)]);
        assert_eq!(listed(store, of("early")).await, []);
    }
}
