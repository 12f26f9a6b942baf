//! What was written to channels since their nearest stored value.

use state_core::checkpoint::{
    ChannelHistory, ChannelValue, Checkpoint, CheckpointRef, HistoryOptions, PendingWrite,
    PutCheckpoint, WriteIndex,
};

use super::stage::{Cx, THREAD, TIME, at, id, put, put_writes, text, write};

/// Puts the step `number`, which holds these values, and writes beside it.
async fn place(cx: &Cx, number: usize, values: &[(&str, &str)], writes: &[(&str, &str)]) {
    let mut checkpoint = Checkpoint::new(id(number), TIME);
    for (channel, _) in values {
        checkpoint = checkpoint.with_channel(channel, i64::try_from(number).unwrap());
    }
    let mut next = PutCheckpoint::new(THREAD, checkpoint);
    next.parent = number.checked_sub(1).map(id);
    for (channel, value) in values {
        next = next.with_value(channel, text(value));
    }
    put(&*cx.a, next).await;
    let writes = writes.iter().zip(0..);
    let writes = writes.map(|((channel, value), index)| write("t", index, channel, value));
    put_writes(&*cx.a, &at(THREAD, number), writes).await;
}

/// Seed and writes of a channel up to `reference`, as text.
async fn history(
    cx: &Cx,
    reference: CheckpointRef,
    channel: &str,
) -> (Option<String>, Vec<String>) {
    let asked = HistoryOptions::new(reference, [channel]);
    let histories = cx.b.channel_history(asked).await.unwrap();
    assert_eq!(histories.len(), 1, "one entry for each channel that was asked for");
    let ChannelHistory { seed, writes, .. } = histories.get(channel).unwrap().clone();
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(writes.iter().all(|write| &*write.channel == channel), "{writes:?}");
    let writes = writes.iter().map(|write| shown(write.value.bytes())).collect();
    (seed.map(|seed| shown(seed.bytes())), writes)
}

fn is(seed: Option<&str>, writes: &[&str]) -> (Option<String>, Vec<String>) {
    (seed.map(str::to_owned), writes.iter().map(|write| (*write).to_owned()).collect())
}

pub(super) async fn oldest_first(cx: Cx) {
    place(&cx, 0, &[], &[("x", "1"), ("x", "2")]).await;
    place(&cx, 1, &[], &[("x", "3")]).await;
    place(&cx, 2, &[], &[("y", "other"), ("x", "4"), ("x", "5")]).await;
    place(&cx, 3, &[], &[]).await;
    let found = history(&cx, at(THREAD, 3), "x").await;
    assert_eq!(found, is(None, &["1", "2", "3", "4", "5"]));
}

pub(super) async fn nearest_seed(cx: Cx) {
    place(&cx, 0, &[("x", "far")], &[("x", "1")]).await;
    place(&cx, 1, &[("x", "near")], &[("x", "2")]).await;
    place(&cx, 2, &[], &[("x", "3")]).await;
    place(&cx, 3, &[("x", "own")], &[]).await;
    assert_eq!(history(&cx, at(THREAD, 3), "x").await, is(Some("near"), &["2", "3"]));
}

pub(super) async fn not_its_own(cx: Cx) {
    place(&cx, 0, &[("x", "seed")], &[]).await;
    place(&cx, 1, &[], &[("x", "before")]).await;
    place(&cx, 2, &[], &[("x", "own")]).await;
    assert_eq!(history(&cx, at(THREAD, 2), "x").await, is(Some("seed"), &["before"]));
    assert_eq!(history(&cx, at(THREAD, 0), "x").await, is(None, &[]), "of the root");
}

pub(super) async fn channels(cx: Cx) {
    place(&cx, 0, &[("x", "x0")], &[("x", "x1"), ("y", "y1")]).await;
    place(&cx, 1, &[("y", "y2")], &[("x", "x3"), ("y", "y3")]).await;
    place(&cx, 2, &[], &[]).await;
    let asked = HistoryOptions::new(at(THREAD, 2), ["x", "y", "z"]);
    let found = cx.b.channel_history(asked).await.unwrap();
    let channels: Vec<&str> = found.keys().map(|channel| &**channel).collect();
    assert_eq!(channels, ["x", "y", "z"]);
    assert_eq!(history(&cx, at(THREAD, 2), "x").await, is(Some("x0"), &["x1", "x3"]));
    assert_eq!(history(&cx, at(THREAD, 2), "y").await, is(Some("y2"), &["y3"]));
    assert_eq!(found.get("z"), Some(&ChannelHistory::default()), "never written to");
    let of_x = found.get("x").unwrap();
    assert_eq!((of_x.seed.as_ref(), of_x.writes.len()), (Some(&text("x0")), 2), "asked together");
}

pub(super) async fn no_channels(cx: Cx) {
    place(&cx, 0, &[("x", "seed")], &[("x", "1")]).await;
    place(&cx, 1, &[], &[]).await;
    let asked = HistoryOptions::new(at(THREAD, 1), [""; 0]);
    assert!(cx.b.channel_history(asked).await.unwrap().is_empty());
}

pub(super) async fn to_the_root(cx: Cx) {
    for number in 0..20 {
        place(&cx, number, &[], &[("x", &number.to_string())]).await;
    }
    let writes: Vec<String> = (0..19).map(|number: i32| number.to_string()).collect();
    assert_eq!(history(&cx, at(THREAD, 19), "x").await, (None, writes));
}

pub(super) async fn plain_seed(cx: Cx) {
    place(&cx, 0, &[("x", "plain 0")], &[]).await;
    place(&cx, 1, &[("x", "plain 1")], &[]).await;
    place(&cx, 2, &[], &[("x", "first write")]).await;
    place(&cx, 3, &[], &[]).await;
    assert_eq!(history(&cx, at(THREAD, 3), "x").await, is(Some("plain 1"), &["first write"]));
}

pub(super) async fn writes_beside_seed(cx: Cx) {
    place(&cx, 0, &[("x", "seed")], &[("x", "1"), ("x", "2")]).await;
    place(&cx, 1, &[], &[]).await;
    assert_eq!(history(&cx, at(THREAD, 1), "x").await, is(Some("seed"), &["1", "2"]));
}

pub(super) async fn named_again(cx: Cx) {
    place(&cx, 0, &[("x", "seed")], &[("x", "1")]).await;
    let checkpoint = Checkpoint::new(id(1), TIME).with_channel("x", 0);
    put(&*cx.a, PutCheckpoint::new(THREAD, checkpoint).with_parent(id(0))).await;
    put_writes(&*cx.a, &at(THREAD, 1), [write("t", 0, "x", "2")]).await;
    place(&cx, 2, &[], &[]).await;
    let found = history(&cx, at(THREAD, 2), "x").await;
    assert_eq!(found, is(Some("seed"), &["2"]), "the nearest ancestor whose version has a value");
}

pub(super) async fn past_empty(cx: Cx) {
    place(&cx, 0, &[("x", "seed")], &[("x", "1")]).await;
    let checkpoint = Checkpoint::new(id(1), TIME).with_channel("x", 1);
    let emptied = PutCheckpoint::new(THREAD, checkpoint).with_value("x", ChannelValue::Empty);
    put(&*cx.a, emptied.with_parent(id(0))).await;
    put_writes(&*cx.a, &at(THREAD, 1), [write("t", 0, "x", "2")]).await;
    place(&cx, 2, &[], &[]).await;
    assert_eq!(history(&cx, at(THREAD, 2), "x").await, is(Some("seed"), &["1", "2"]));
}

pub(super) async fn order(cx: Cx) {
    place(&cx, 0, &[], &[]).await;
    let of = |path: &str, task: &str, index: i32, value: &str| -> PendingWrite {
        PendingWrite::new(task, WriteIndex::new(index), "x", text(value)).with_task_path(path)
    };
    let writes = [
        of("b", "t1", 0, "6"),
        of("a", "t3", 0, "5"),
        of("a", "t2", 10, "4"),
        of("", "t9", 0, "1"),
        of("a", "t2", 2, "3"),
        of("a", "t2", -1, "2"),
    ];
    for one in writes {
        put_writes(&*cx.a, &at(THREAD, 0), [one]).await;
    }
    place(&cx, 1, &[], &[]).await;
    let found = history(&cx, at(THREAD, 1), "x").await;
    assert_eq!(found, is(None, &["1", "2", "3", "4", "5", "6"]));
}

pub(super) async fn on_the_path(cx: Cx) {
    place(&cx, 0, &[], &[("x", "root")]).await;
    place(&cx, 1, &[], &[("x", "main")]).await;
    place(&cx, 2, &[], &[]).await;
    for (number, parent, value) in [(10, 0, "branch"), (11, 10, "tip")] {
        let next = PutCheckpoint::new(THREAD, Checkpoint::new(id(number), TIME));
        put(&*cx.a, next.with_parent(id(parent))).await;
        put_writes(&*cx.a, &at(THREAD, number), [write("t", 0, "x", value)]).await;
    }
    assert_eq!(history(&cx, at(THREAD, 11), "x").await, is(None, &["root", "branch"]));
    assert_eq!(history(&cx, at(THREAD, 2), "x").await, is(None, &["root", "main"]));
}

pub(super) async fn namespace(cx: Cx) {
    place(&cx, 0, &[("x", "root seed")], &[("x", "root")]).await;
    place(&cx, 1, &[], &[]).await;
    for number in 0..2 {
        let next = PutCheckpoint::new(THREAD, Checkpoint::new(id(number), TIME));
        let next = next.with_namespace("child").with_parent((number == 1).then(|| id(0)));
        let reference = put(&*cx.a, next).await;
        put_writes(&*cx.a, &reference, [write("t", 0, "x", "child")]).await;
    }
    let child = at(THREAD, 1).with_namespace("child");
    assert_eq!(history(&cx, child, "x").await, is(None, &["child"]));
    assert_eq!(history(&cx, at(THREAD, 1), "x").await, is(Some("root seed"), &["root"]));
}

pub(super) async fn of_nothing(cx: Cx) {
    place(&cx, 0, &[("x", "seed")], &[("x", "1")]).await;
    for nowhere in [at(THREAD, 7), at("absent", 0)] {
        assert_eq!(history(&cx, nowhere, "x").await, is(None, &[]));
    }
}
