//! What a put keeps, and what a put may not do.

use std::collections::BTreeMap;
use std::sync::Arc;

use state_core::ErrorKind;
use state_core::checkpoint::{
    ChannelValue, ChannelVersion, Checkpoint, CheckpointNamespace, CheckpointerExt, Metadata,
    MetadataValue, Payload, PutCheckpoint, Scalar,
};

use super::stage::{
    Cx, THREAD, TIME, at, bare, got, holding, id, ids, latest_id, of, put, shows, step, steps,
    text, tuple_of, tuple_of_step, tuples_of_steps,
};
use crate::expect::refused;

pub(super) async fn receipt(cx: Cx) {
    for put in [step(THREAD, 0), step(THREAD, 1).with_namespace("child")] {
        let wanted = put.reference();
        let receipt = cx.a.put_checkpoint(put).await.unwrap();
        assert_eq!(receipt.reference, wanted, "the place that the receipt names");
        assert!(!receipt.existed, "it was not there before");
    }
}

pub(super) async fn roundtrip(cx: Cx) {
    let wanted = step(THREAD, 0);
    let reference = put(&*cx.a, wanted.clone()).await;
    assert_eq!(got(&*cx.b, &reference).await, tuple_of(&wanted));
}

pub(super) async fn values(cx: Cx) {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let values = [
        ("empty", Payload::new("", "")),
        ("kind alone", Payload::new("null", "")),
        ("text", Payload::new("json", "\"hello\"")),
        ("number", Payload::new("json", "42")),
        ("bytes", Payload::new("bytes", all_bytes)),
        ("odd kind", Payload::new("a b\0é/*", "x")),
    ];
    let mut wanted = bare(THREAD, id(0));
    for (channel, value) in values {
        wanted.checkpoint = wanted.checkpoint.with_channel(channel, 1);
        wanted = wanted.with_value(channel, value);
    }
    let reference = put(&*cx.a, wanted.clone()).await;
    assert_eq!(got(&*cx.b, &reference).await.values, wanted.values);
}

pub(super) async fn versions(cx: Cx) {
    let checkpoint = Checkpoint::new(id(0), TIME).with_channel("a", 1).with_channel("b", "2.x");
    let wanted = PutCheckpoint::new(THREAD, checkpoint).with_value("a", text("of a"));
    let reference = put(&*cx.a, wanted.clone()).await;
    let found = got(&*cx.b, &reference).await.checkpoint.channel_versions;
    assert_eq!(found, wanted.checkpoint.channel_versions);
}

/// A checkpoint whose nodes have seen versions of channels.
fn seen() -> PutCheckpoint {
    let checkpoint = Checkpoint::new(id(0), TIME)
        .with_seen("node1", "a", 1)
        .with_seen("node1", "b", "2")
        .with_seen("node2", "a", 3.5);
    let mut put = PutCheckpoint::new(THREAD, checkpoint);
    put.checkpoint.versions_seen.insert(Arc::from("saw nothing"), BTreeMap::new());
    put
}

pub(super) async fn seen_nodes(cx: Cx) {
    let reference = put(&*cx.a, seen()).await;
    let found = got(&*cx.b, &reference).await.checkpoint.versions_seen;
    let nodes: Vec<&str> = found.keys().map(|node| &**node).collect();
    assert_eq!(nodes, ["node1", "node2", "saw nothing"]);
}

pub(super) async fn seen_versions(cx: Cx) {
    let reference = put(&*cx.a, seen()).await;
    let found = got(&*cx.b, &reference).await.checkpoint.versions_seen;
    assert_eq!(found, seen().checkpoint.versions_seen);
}

pub(super) async fn metadata(cx: Cx) {
    let parents = MetadataValue::Map(BTreeMap::from([(Arc::from(""), "1ef0".into())]));
    let metadata = Metadata::new()
        .with("source", "loop")
        .with("step", 3)
        .with("parents", parents)
        .with("custom_key", "custom value");
    let wanted = bare(THREAD, id(0)).with_metadata(metadata.clone());
    let reference = put(&*cx.a, wanted).await;
    let found = got(&*cx.b, &reference).await.metadata;
    assert_eq!(found, metadata);
    assert_eq!((found.source(), found.step()), (Some("loop"), Some(3)));
}

pub(super) async fn metadata_kinds(cx: Cx) {
    let floats = [0.1, -0.0, 3.0, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NAN];
    let mut row: Vec<MetadataValue> = floats.into_iter().map(MetadataValue::from).collect();
    row.extend([i64::MIN, -1, 0, 3, i64::MAX].map(MetadataValue::from));
    row.extend([true, false].map(MetadataValue::from));
    row.extend(["", "3", "null", "é\0\n\"'{}"].map(MetadataValue::from));
    row.push(MetadataValue::Scalar(Scalar::Null));
    row.push(MetadataValue::List(vec![]));
    row.push(MetadataValue::Map(BTreeMap::new()));
    let mut metadata: Metadata =
        row.iter().enumerate().map(|(place, value)| (place.to_string(), value.clone())).collect();
    let mut nested = MetadataValue::List(row);
    for _ in 0..8 {
        nested = MetadataValue::Map(BTreeMap::from([(Arc::from("in it"), nested)]));
    }
    metadata = metadata.with("nested", nested).with("", "no name").with("a.b $*", "odd name");
    let reference = put(&*cx.a, bare(THREAD, id(0)).with_metadata(metadata.clone())).await;
    let found = got(&*cx.b, &reference).await.metadata;
    // Equal numbers of different kinds compare as equal; what is shown tells them apart.
    assert_eq!(format!("{found:?}"), format!("{metadata:?}"));
}

async fn kept_in(cx: Cx, namespace: &str) {
    let wanted = step(THREAD, 0).with_namespace(namespace);
    let reference = put(&*cx.a, wanted.clone()).await;
    assert_eq!(reference.namespace, CheckpointNamespace::new(namespace));
    assert_eq!(got(&*cx.b, &reference).await, tuple_of(&wanted));
}

pub(super) async fn root_namespace(cx: Cx) {
    kept_in(cx, "").await;
}

pub(super) async fn child_namespace(cx: Cx) {
    kept_in(cx, "child:abc|inner:1").await;
}

pub(super) async fn default_namespace(cx: Cx) {
    let reference = put(&*cx.a, step(THREAD, 0)).await;
    assert!(reference.namespace.is_root(), "{reference:?}");
    assert_eq!(latest_id(&*cx.b, THREAD).await, Some(id(0)));
}

pub(super) async fn many(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    for number in [0, 2, 1] {
        let found = got(&*cx.b, &at(THREAD, number)).await;
        assert_eq!(found, tuple_of_step(THREAD, number));
    }
}

pub(super) async fn threads(cx: Cx) {
    for thread in ["one", "two"] {
        put(&*cx.a, holding(thread, id(0), thread)).await;
    }
    for thread in ["one", "two"] {
        let found = cx.b.latest(thread).await.unwrap().unwrap();
        assert_eq!(found, tuple_of(&holding(thread, id(0), thread)));
    }
}

pub(super) async fn parent(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    assert_eq!(got(&*cx.b, &at(THREAD, 1)).await.parent, Some(id(0)));
}

pub(super) async fn parent_absent(cx: Cx) {
    let wanted = bare(THREAD, id(5)).with_parent(id(4));
    let reference = put(&*cx.a, wanted.clone()).await;
    assert_eq!(got(&*cx.b, &reference).await, tuple_of(&wanted));
    assert_eq!(cx.b.at(&at(THREAD, 4)).await.unwrap(), None, "the parent that was never put");
}

pub(super) async fn changed_only(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    for store in [&*cx.a, &*cx.b] {
        for number in 0..3 {
            let found = got(store, &at(THREAD, number)).await;
            assert_eq!(found.values, tuple_of_step(THREAD, number).values, "of step {number}");
        }
    }
}

/// The checkpoint `number`, which names these versions of channels.
fn naming(number: usize, versions: &[(&str, i64)]) -> PutCheckpoint {
    let mut put = bare(THREAD, id(number));
    for (channel, version) in versions {
        put.checkpoint = put.checkpoint.with_channel(channel, *version);
    }
    put.with_parent(number.checked_sub(1).map(id))
}

/// What the channels of the checkpoint `number` hold, as text.
async fn held(cx: &Cx, number: usize) -> Vec<(String, Option<String>)> {
    let shown = |value: &ChannelValue| {
        value.payload().map(|payload| String::from_utf8_lossy(payload.bytes()).into_owned())
    };
    let found = got(&*cx.b, &at(THREAD, number)).await.values;
    found.iter().map(|(channel, value)| (channel.to_string(), shown(value))).collect()
}

fn holds(values: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    values
        .iter()
        .map(|(channel, value)| ((*channel).to_owned(), Some((*value).to_owned())))
        .collect()
}

pub(super) async fn new_channel(cx: Cx) {
    put(&*cx.a, naming(0, &[("a", 1)]).with_value("a", text("old"))).await;
    put(&*cx.a, naming(1, &[("a", 1), ("b", 1)]).with_value("b", text("new"))).await;
    assert_eq!(held(&cx, 1).await, holds(&[("a", "old"), ("b", "new")]));
    assert_eq!(held(&cx, 0).await, holds(&[("a", "old")]));
}

pub(super) async fn removed_channel(cx: Cx) {
    let both = naming(0, &[("a", 1), ("b", 1)]);
    put(&*cx.a, both.with_value("a", text("a1")).with_value("b", text("b1"))).await;
    put(&*cx.a, naming(1, &[("a", 2)]).with_value("a", text("a2"))).await;
    put(&*cx.a, naming(2, &[("a", 2), ("b", 1)])).await;
    assert_eq!(held(&cx, 1).await, holds(&[("a", "a2")]), "`b` is absent");
    assert_eq!(held(&cx, 2).await, holds(&[("a", "a2"), ("b", "b1")]), "`b` is there again");
}

pub(super) async fn run_id(cx: Cx) {
    let wanted = bare(THREAD, id(0)).with_metadata(Metadata::new().with("run_id", "run-1"));
    let reference = put(&*cx.a, wanted).await;
    assert_eq!(got(&*cx.b, &reference).await.metadata.run_id(), Some("run-1"));
}

/// Versions of every kind, which differ from each other.
fn strange_versions() -> Vec<ChannelVersion> {
    let ints = [i64::MIN, -1, 0, 1, i64::MAX].map(ChannelVersion::from);
    let floats = [0.0, -0.0, 1.0, 1.5, f64::MAX, f64::INFINITY, f64::NAN];
    let texts = ["", "0", "1", "1.0", "1.5", "null", "__empty__", "é\0:|"];
    let floats = floats.map(ChannelVersion::from).into_iter();
    ints.into_iter().chain(floats).chain(texts.map(ChannelVersion::from)).collect()
}

pub(super) async fn version_kinds(cx: Cx) {
    let mut wanted = bare(THREAD, id(0));
    for (place, version) in strange_versions().into_iter().enumerate() {
        let channel = format!("c{place}");
        wanted.checkpoint = wanted.checkpoint.with_channel(&channel, version.clone());
        wanted.checkpoint = wanted.checkpoint.with_seen("node", &channel, version);
    }
    let reference = put(&*cx.a, wanted.clone()).await;
    assert_eq!(got(&*cx.b, &reference).await, tuple_of(&wanted));
}

pub(super) async fn version_kinds_apart(cx: Cx) {
    let versions = strange_versions();
    for (number, version) in versions.iter().enumerate() {
        let mut wanted = bare(THREAD, id(number)).with_parent(number.checked_sub(1).map(id));
        wanted.checkpoint = wanted.checkpoint.with_channel("x", version.clone());
        put(&*cx.a, wanted.with_value("x", text(number.to_string()))).await;
    }
    for (number, version) in versions.iter().enumerate() {
        let found = held(&cx, number).await;
        assert_eq!(found, holds(&[("x", &number.to_string())]), "at the version {version:?}");
    }
}

pub(super) async fn older_version(cx: Cx) {
    put(&*cx.a, naming(0, &[("x", 1)]).with_value("x", text("first"))).await;
    put(&*cx.a, naming(1, &[("x", 2)]).with_value("x", text("second"))).await;
    put(&*cx.a, naming(2, &[("x", 1)])).await;
    put(&*cx.a, naming(3, &[("x", 2)]).with_parent(None)).await;
    assert_eq!(held(&cx, 2).await, holds(&[("x", "first")]), "older than the parent's");
    assert_eq!(held(&cx, 3).await, holds(&[("x", "second")]), "without a parent");
}

pub(super) async fn never_put(cx: Cx) {
    put(&*cx.a, naming(0, &[("x", 1), ("y", 1)]).with_value("x", text("first"))).await;
    put(&*cx.a, naming(1, &[("x", 2), ("y", 1)])).await;
    assert_eq!(held(&cx, 0).await, holds(&[("x", "first")]));
    assert_eq!(held(&cx, 1).await, [], "no value was ever put at these versions");
}

pub(super) async fn empty(cx: Cx) {
    put(&*cx.a, naming(0, &[("x", 1)]).with_value("x", text("first"))).await;
    put(&*cx.a, naming(1, &[("x", 2)]).with_value("x", ChannelValue::Empty)).await;
    put(&*cx.a, naming(2, &[("x", 2)])).await;
    put(&*cx.a, naming(3, &[("x", 3)]).with_value("x", text(""))).await;
    let emptied = [("x".to_owned(), None)];
    assert_eq!(held(&cx, 1).await, emptied, "a version without a value");
    assert_eq!(held(&cx, 2).await, emptied, "the same version again");
    assert_eq!(held(&cx, 3).await, holds(&[("x", "")]), "an empty payload is a value");
    let found = cx.b.latest(THREAD).await.unwrap().unwrap();
    assert_eq!(found.value("x"), Some(&text("")));
}

pub(super) async fn fields(cx: Cx) {
    let updated: [&[&str]; 3] = [&[], &["x"], &["y", "x", "y"]];
    for (number, channels) in updated.into_iter().enumerate() {
        let mut wanted = bare(THREAD, id(number));
        wanted.checkpoint = wanted.checkpoint.with_updated(channels);
        wanted.checkpoint = wanted.checkpoint.with_body(Payload::new("v4", vec![0, 255, 7]));
        wanted.checkpoint.time = state_core::Timestamp::from_unix_ms(number as u64);
        let reference = put(&*cx.a, wanted.clone()).await;
        assert_eq!(got(&*cx.b, &reference).await, tuple_of(&wanted));
    }
}

pub(super) async fn large(cx: Cx) {
    let noise = |seed: u32| -> Vec<u8> {
        let mut state = seed;
        let mut next = move |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..1_u32 << 20).map(&mut next).collect()
    };
    let value = |seed| Payload::new("bytes", noise(seed));
    let mut first = naming(0, &[("large", 1), ("other", 1)]);
    first.checkpoint = first.checkpoint.with_body(value(3));
    for number in 0..500 {
        first.checkpoint = first.checkpoint.with_channel(format!("c{number}"), number);
        first = first.with_value(format!("c{number}"), text(number.to_string()));
    }
    let first = first.with_value("large", value(1)).with_value("other", value(2));
    put(&*cx.a, first.clone()).await;
    assert!(got(&*cx.b, &at(THREAD, 0)).await == tuple_of(&first), "not what was put");
}

pub(super) async fn growing(cx: Cx) {
    let mut list = String::new();
    let mut wanted = Vec::new();
    for number in 0..60 {
        match number {
            20 => list = list.replace("message 3", "message three"),
            30 => list.truncate(list.len() / 2),
            40 => list.insert_str(0, "a new beginning; "),
            _ => list.extend(["message ", &number.to_string(), &" word".repeat(number % 7), "; "]),
        }
        let version = i64::try_from(number).unwrap();
        put(&*cx.a, naming(number, &[("x", version)]).with_value("x", text(&list))).await;
        wanted.push(list.clone());
    }
    for (number, list) in wanted.iter().enumerate() {
        assert_eq!(held(&cx, number).await, holds(&[("x", list)]), "at step {number}");
    }
}

pub(super) async fn out_of_order(cx: Cx) {
    for number in [4, 9, 2, 7] {
        put(&*cx.a, holding(THREAD, id(number), &number.to_string())).await;
    }
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(latest_id(store, THREAD).await, Some(id(9)), "the greatest id");
        let listed = ids(store, of(THREAD)).await;
        assert_eq!(listed, [id(9), id(7), id(4), id(2)], "by falling id");
    }
}

pub(super) async fn again(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    for (store, number) in [(&cx.a, 1), (&cx.b, 1), (&cx.b, 0)] {
        let receipt = store.put_checkpoint(step(THREAD, number)).await.unwrap();
        assert_eq!(receipt.reference, at(THREAD, number));
        assert!(receipt.existed, "the checkpoint was there already");
    }
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after the same puts again").await;
}

pub(super) async fn again_other(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    let other = |change: fn(&mut PutCheckpoint)| {
        let mut put = step(THREAD, 2);
        change(&mut put);
        put
    };
    let others = [
        ("other metadata", other(|put| put.metadata = Metadata::new().with("step", 7))),
        ("another parent", other(|put| put.parent = Some(id(0)))),
        ("no parent", other(|put| put.parent = None)),
        ("another body", other(|put| put.checkpoint.body = Some(text("body")))),
        ("another time", other(|put| put.checkpoint.time = state_core::Timestamp::from_unix_ms(1))),
        ("other updates", other(|put| put.checkpoint.updated_channels = Some(vec![]))),
        (
            "another channel",
            other(|put| put.checkpoint = put.checkpoint.clone().with_channel("z", 1)),
        ),
        (
            "another version",
            other(|put| put.checkpoint = put.checkpoint.clone().with_channel("count", "2")),
        ),
        (
            "another node",
            other(|put| put.checkpoint = put.checkpoint.clone().with_seen("n", "count", 1)),
        ),
    ];
    for (what, put) in others {
        refused(cx.b.put_checkpoint(put).await, ErrorKind::Conflict, what);
    }
    shows(&cx, THREAD, tuples_of_steps(THREAD, 3), "after other puts").await;
}

pub(super) async fn again_other_value(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let put = step(THREAD, 1).with_value("count", text("another"));
    refused(cx.b.put_checkpoint(put).await, ErrorKind::Conflict, "another value");
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after another value").await;
}
