//! Which checkpoints a listing shows, and in which order.

use std::collections::BTreeMap;
use std::sync::Arc;

use state_core::ErrorKind;
use state_core::checkpoint::{
    CheckpointNamespace, CheckpointTuple, CheckpointerExt, ListCheckpoints, Metadata,
    MetadataValue, Scalar,
};

use super::stage::{
    Cx, THREAD, at, bare, holding, id, ids, listed, numbered, of, put, put_writes, steps, threads,
    tuple_of, tuple_of_step, tuples_of_steps, write,
};
use crate::expect::refused;

pub(super) async fn all(cx: Cx) {
    steps(&*cx.a, THREAD, 4).await;
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(listed(store, of(THREAD)).await, tuples_of_steps(THREAD, 4));
    }
}

pub(super) async fn by_thread(cx: Cx) {
    steps(&*cx.a, THREAD, 4).await;
    steps(&*cx.a, "thread2", 2).await;
    assert_eq!(listed(&*cx.b, of("absent")).await, []);
    assert_eq!(listed(&*cx.b, of(THREAD)).await, tuples_of_steps(THREAD, 4));
    assert_eq!(listed(&*cx.b, of("thread2")).await, tuples_of_steps("thread2", 2));
}

/// Puts a checkpoint into each of these namespaces, with rising ids.
async fn one_each(cx: &Cx, namespaces: &[&str]) {
    for (number, namespace) in namespaces.iter().enumerate() {
        put(&*cx.a, bare(THREAD, id(number)).with_namespace(namespace)).await;
    }
}

fn within(namespace: &str) -> ListCheckpoints {
    of(THREAD).with_namespace(CheckpointNamespace::new(namespace))
}

pub(super) async fn by_namespace(cx: Cx) {
    one_each(&cx, &["", "child:1", "child:1:2", "child"]).await;
    for (number, namespace) in ["", "child:1", "child:1:2", "child"].into_iter().enumerate() {
        assert_eq!(ids(&*cx.b, within(namespace)).await, [id(number)], "of `{namespace}`");
    }
    assert_eq!(ids(&*cx.b, within("chi")).await, []);
}

pub(super) async fn ordering(cx: Cx) {
    for number in [3, 0, 5, 1, 4, 2] {
        put(&*cx.a, bare(THREAD, id(number))).await;
    }
    assert_eq!(ids(&*cx.b, of(THREAD)).await, numbered((0..6).rev()));
}

/// The steps of four that a filter lets through.
async fn filtered(cx: &Cx, filter: Metadata) -> Vec<CheckpointTuple> {
    steps(&*cx.a, THREAD, 4).await;
    listed(&*cx.b, of(THREAD).with_filter(filter)).await
}

pub(super) async fn filter_one(cx: Cx) {
    let found = filtered(&cx, Metadata::new().with("source", "input")).await;
    assert_eq!(found, [tuple_of_step(THREAD, 2), tuple_of_step(THREAD, 0)]);
}

pub(super) async fn filter_step(cx: Cx) {
    let found = filtered(&cx, Metadata::new().with("step", 1)).await;
    assert_eq!(found, [tuple_of_step(THREAD, 1)]);
}

pub(super) async fn filter_many(cx: Cx) {
    for (number, (source, step)) in
        [("input", 1), ("loop", 1), ("input", 2), ("loop", 2)].into_iter().enumerate()
    {
        let metadata = Metadata::new().with("source", source).with("step", step);
        put(&*cx.a, bare(THREAD, id(number)).with_metadata(metadata)).await;
    }
    let filter = Metadata::new().with("source", "input").with("step", 2);
    assert_eq!(ids(&*cx.b, of(THREAD).with_filter(filter)).await, [id(2)]);
}

pub(super) async fn filter_none(cx: Cx) {
    let found = filtered(&cx, Metadata::new().with("source", "update").with("step", 99)).await;
    assert_eq!(found, []);
    let half = Metadata::new().with("source", "input").with("step", 1);
    assert_eq!(ids(&*cx.b, of(THREAD).with_filter(half)).await, [], "each half matches one");
}

pub(super) async fn filter_custom(cx: Cx) {
    for (number, score) in [42, 99].into_iter().enumerate() {
        let metadata = Metadata::new().with("score", score).with("run_id", "run");
        put(&*cx.a, bare(THREAD, id(number)).with_metadata(metadata)).await;
    }
    let list = of(THREAD).with_filter(Metadata::new().with("score", 42));
    let found = listed(&*cx.b, list).await;
    assert_eq!(found.len(), 1);
    let metadata = found.first().map(|tuple| &tuple.metadata).unwrap();
    assert_eq!((metadata.get("score"), metadata.run_id()), (Some(&42.into()), Some("run")));
}

pub(super) async fn filter_kinds(cx: Cx) {
    let map = MetadataValue::Map(BTreeMap::from([(Arc::from("a"), 1.into())]));
    let values: [MetadataValue; 9] = [
        Scalar::Null.into(),
        true.into(),
        1.into(),
        1.0.into(),
        "1".into(),
        1.5.into(),
        "true".into(),
        MetadataValue::List(vec![1.into()]),
        map,
    ];
    for (number, value) in values.iter().enumerate() {
        let metadata = Metadata::new().with("k", value.clone());
        put(&*cx.a, bare(THREAD, id(number)).with_metadata(metadata)).await;
    }
    put(&*cx.a, bare(THREAD, id(9))).await;
    let wanted: [&[usize]; 7] = [&[0], &[1], &[3, 2], &[3, 2], &[4], &[5], &[6]];
    for (value, wanted) in values.into_iter().zip(wanted) {
        let list = of(THREAD).with_filter(Metadata::new().with("k", value.clone()));
        let found = ids(&*cx.b, list).await;
        assert_eq!(found, numbered(wanted.iter().copied()), "filter {value:?}");
    }
}

pub(super) async fn filter_parts(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let parts = [MetadataValue::List(vec![]), MetadataValue::Map(BTreeMap::new())];
    for part in parts {
        for list in [of(THREAD), ListCheckpoints::all(), of("absent")] {
            let filter = Metadata::new().with("absent", 1).with("parents", part.clone());
            let answer = cx.b.list_checkpoints(list.with_filter(filter)).await;
            refused(answer, ErrorKind::Invalid, "a filter that is no single value");
        }
    }
}

pub(super) async fn before(cx: Cx) {
    steps(&*cx.a, THREAD, 4).await;
    let list = of(THREAD).with_before(id(2));
    assert_eq!(ids(&*cx.b, list).await, [id(1), id(0)]);
}

pub(super) async fn before_absent(cx: Cx) {
    for number in [0, 2, 4] {
        put(&*cx.a, bare(THREAD, id(number))).await;
    }
    for (before, wanted) in [(3, vec![2, 0]), (9, vec![4, 2, 0]), (0, vec![])] {
        let found = ids(&*cx.b, of(THREAD).with_before(id(before))).await;
        assert_eq!(found, numbered(wanted), "before {before}");
    }
}

/// The first page of a listing.
async fn page(cx: &Cx, list: ListCheckpoints) -> Vec<CheckpointTuple> {
    cx.b.list_checkpoints(list).await.unwrap().items
}

pub(super) async fn limit(cx: Cx) {
    steps(&*cx.a, THREAD, 4).await;
    for most in [1, 2, 4, 9] {
        let found = page(&cx, of(THREAD).with_limit(most)).await;
        let wanted: Vec<_> = tuples_of_steps(THREAD, 4).into_iter().take(most).collect();
        assert_eq!(found, wanted, "at most {most}");
    }
}

pub(super) async fn limit_before(cx: Cx) {
    steps(&*cx.a, THREAD, 4).await;
    let found = page(&cx, of(THREAD).with_before(id(3)).with_limit(1)).await;
    assert_eq!(found, [tuple_of_step(THREAD, 2)]);
}

pub(super) async fn limit_filter(cx: Cx) {
    steps(&*cx.a, THREAD, 40).await;
    let list = of(THREAD).with_filter(Metadata::new().with("source", "input"));
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let asked = list.clone().with_limit(3).with_token(token);
        let page = cx.b.list_checkpoints(asked).await.unwrap();
        assert!(page.items.len() <= 3, "a page of {} where 3 were asked for", page.items.len());
        found.extend(page.items.into_iter().map(|tuple| tuple.reference.id));
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, numbered((0..40).rev().filter(|number| number % 2 == 0)));
}

pub(super) async fn thread_and_filter(cx: Cx) {
    steps(&*cx.a, "another", 4).await;
    let found = filtered(&cx, Metadata::new().with("source", "loop")).await;
    assert_eq!(found, [tuple_of_step(THREAD, 3), tuple_of_step(THREAD, 1)]);
}

pub(super) async fn empty(cx: Cx) {
    steps(&*cx.a, "another", 2).await;
    let list = of(THREAD).with_filter(Metadata::new().with("source", "nobody"));
    let page = cx.b.list_checkpoints(list).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
}

pub(super) async fn writes(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let writes = vec![write("t", 0, "x", "1"), write("t", 1, "y", "2")];
    put_writes(&*cx.a, &at(THREAD, 0), writes.clone()).await;
    let mut wanted = tuples_of_steps(THREAD, 2);
    wanted.last_mut().unwrap().pending_writes = writes;
    assert_eq!(listed(&*cx.b, of(THREAD)).await, wanted);
}

pub(super) async fn root_alone(cx: Cx) {
    one_each(&cx, &["child:1", "", "child:2"]).await;
    assert_eq!(ids(&*cx.b, within("")).await, [id(1)]);
}

pub(super) async fn namespaces(cx: Cx) {
    for (number, namespace) in
        [(4, ""), (1, "b"), (3, "b"), (2, "a"), (3, ""), (3, "a"), (0, "a"), (5, "c")]
    {
        put(&*cx.a, bare(THREAD, id(number)).with_namespace(namespace)).await;
    }
    let found = listed(&*cx.b, of(THREAD)).await;
    let found: Vec<_> = found
        .iter()
        .map(|tuple| (tuple.reference.id.clone(), tuple.reference.namespace.as_str()))
        .collect();
    let wanted = [(5, "c"), (4, ""), (3, ""), (3, "a"), (3, "b"), (2, "a"), (1, "b"), (0, "a")];
    assert_eq!(found, wanted.map(|(number, namespace)| (id(number), namespace)));
}

pub(super) async fn all_threads(cx: Cx) {
    for number in 0..3 {
        for thread in ["b", "a:b", "a", "é"] {
            put(&*cx.a, holding(thread, id(number), thread)).await;
        }
    }
    let order: Vec<_> = threads(&*cx.b).await.into_iter().map(|summary| summary.thread).collect();
    assert_eq!(order.len(), 4, "{order:?}");
    let mut wanted = Vec::new();
    for thread in &order {
        for number in (0..3).rev() {
            wanted.push(tuple_of(&holding(thread.as_str(), id(number), thread.as_str())));
        }
    }
    assert_eq!(listed(&*cx.b, ListCheckpoints::all()).await, wanted);
}

pub(super) async fn by_id(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    put(&*cx.a, bare(THREAD, id(1)).with_namespace("child")).await;
    let found = listed(&*cx.b, of(THREAD).with_id(id(1))).await;
    let child = tuple_of(&bare(THREAD, id(1)).with_namespace("child"));
    assert_eq!(found, [tuple_of_step(THREAD, 1), child]);
    assert_eq!(ids(&*cx.b, of(THREAD).with_id(id(7))).await, []);
}

pub(super) async fn without_values(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    put_writes(&*cx.a, &at(THREAD, 2), [write("t", 0, "x", "1")]).await;
    let found = listed(&*cx.b, of(THREAD).with_values(false)).await;
    let mut wanted = tuples_of_steps(THREAD, 3);
    for tuple in &mut wanted {
        tuple.values.clear();
    }
    assert_eq!(found, wanted, "neither values nor writes, and all else");
}

pub(super) async fn latest_of_many(cx: Cx) {
    for thread in ["a", "b"] {
        steps(&*cx.a, thread, 3).await;
    }
    for thread in ["a", "b"] {
        let first = cx.b.list_checkpoints(of(thread).with_limit(2)).await.unwrap().items;
        let latest = cx.b.latest(thread).await.unwrap();
        assert_eq!(first.first(), latest.as_ref(), "the first of the list is the latest");
    }
}
