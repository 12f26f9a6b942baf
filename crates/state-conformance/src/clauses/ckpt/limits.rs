//! Bad input, which is refused before anything is written.

use state_core::checkpoint::{
    Checkpoint, CheckpointId, CheckpointRef, CheckpointerExt, GetCheckpoint, HistoryOptions,
    Metadata, MetadataValue, Payload, PendingWrite, PruneOptions, PutCheckpoint, PutWrites,
    Retention,
};
use state_core::{Bytes, ErrorKind};

use super::stage::{
    Cx, THREAD, TIME, absent, at, bare, got, id, listed, of, put, put_writes, text, threads,
    tuple_of, write,
};
use crate::expect::refused;

/// The longest id, and one that is too long.
fn edges(cx: &Cx) -> (String, String) {
    let most = cx.a.limits().id_bytes_max;
    ("x".repeat(most), "x".repeat(most + 1))
}

/// Nothing may be in the store.
async fn nothing_written(cx: &Cx) {
    assert_eq!(threads(&*cx.b).await, [], "threads after refused calls");
}

pub(super) async fn longest_ids(cx: Cx) {
    let (longest, _) = edges(&cx);
    let longest = longest.as_str();
    let checkpoint = Checkpoint::new(longest, TIME)
        .with_channel(longest, longest)
        .with_seen(longest, longest, 1)
        .with_updated([longest]);
    let wanted = PutCheckpoint::new(longest, checkpoint)
        .with_namespace(longest)
        .with_parent(CheckpointId::new(longest.replace('x', "w")))
        .with_metadata(Metadata::new().with(longest, longest).with("run_id", longest))
        .with_value(longest, text("v"));
    let reference = put(&*cx.a, wanted.clone()).await;
    let beside = write(longest, 0, longest, "v").with_task_path(longest);
    put_writes(&*cx.a, &reference, [beside.clone()]).await;
    let mut wanted = tuple_of(&wanted);
    wanted.pending_writes = vec![beside];
    assert!(got(&*cx.b, &reference).await == wanted, "not what was put");
    assert_eq!(cx.b.delete_for_runs(&[longest.to_owned()]).await.unwrap(), 1);
}

pub(super) async fn over_long_puts(cx: Cx) {
    let (_, over) = edges(&cx);
    let over = over.as_str();
    let mut updates = bare(THREAD, id(0));
    updates.checkpoint = updates.checkpoint.with_updated([over]);
    let mut channel = bare(THREAD, id(0));
    channel.checkpoint = channel.checkpoint.with_channel(over, 1);
    let mut node = bare(THREAD, id(0));
    node.checkpoint = node.checkpoint.with_seen(over, "x", 1);
    let mut version = bare(THREAD, id(0));
    version.checkpoint = version.checkpoint.with_channel("x", over);
    let mut seen = bare(THREAD, id(0));
    seen.checkpoint = seen.checkpoint.with_seen("n", "x", over);
    let puts = [
        ("the version of a channel", version),
        ("a version that was seen", seen),
        ("the run", bare(THREAD, id(0)).with_metadata(Metadata::new().with("run_id", over))),
        ("the thread", bare(over, id(0))),
        ("the namespace", bare(THREAD, id(0)).with_namespace(over)),
        ("the checkpoint", bare(THREAD, over)),
        ("the parent", bare(THREAD, id(0)).with_parent(CheckpointId::new(over))),
        ("a channel", channel),
        ("a node", node),
        ("an updated channel", updates),
        ("a metadata name", bare(THREAD, id(0)).with_metadata(Metadata::new().with(over, 1))),
    ];
    for (what, put) in puts {
        refused(cx.a.put_checkpoint(put).await, ErrorKind::TooLarge, what);
    }
    let writes = [
        ("a task", write(over, 0, "x", "v")),
        ("a task path", write("t", 0, "x", "v").with_task_path(over)),
        ("the channel of a write", write("t", 0, over, "v")),
    ];
    for (what, write) in writes {
        let put = PutWrites::new(at(THREAD, 0), vec![write]);
        refused(cx.a.put_writes(put).await, ErrorKind::TooLarge, what);
    }
    nothing_written(&cx).await;
}

pub(super) async fn over_long_asked(cx: Cx) {
    let (_, over) = edges(&cx);
    let over = over.as_str();
    put(&*cx.a, bare(THREAD, id(0))).await;
    let large = ErrorKind::TooLarge;
    let namespace = CheckpointRef::new(THREAD, id(0)).with_namespace(over);
    for get in [
        GetCheckpoint::latest(over),
        GetCheckpoint::at(THREAD, over),
        GetCheckpoint::latest(THREAD).with_namespace(over),
    ] {
        refused(cx.b.get_checkpoint(get).await, large, "a read");
    }
    for list in [
        of(over),
        of(THREAD).with_before(CheckpointId::new(over)),
        of(THREAD).with_id(CheckpointId::new(over)),
    ] {
        refused(cx.b.list_checkpoints(list).await, large, "a listing");
    }
    refused(cx.b.delete_thread(over).await, large, "a deletion");
    refused(cx.b.delete_for_runs(&[over.to_owned()]).await, large, "a run");
    refused(cx.b.copy_thread(THREAD, over).await, large, "a copy to it");
    refused(cx.b.copy_thread(over, "copy").await, large, "a copy of it");
    let options = PruneOptions::new(Retention::Delete);
    refused(cx.b.prune(&[THREAD.into(), over.into()], options).await, large, "a pruning");
    let asked = HistoryOptions::new(namespace, ["x"]);
    refused(cx.b.channel_history(asked).await, large, "a history");
    assert_eq!(listed(&*cx.b, of(THREAD)).await, [tuple_of(&bare(THREAD, id(0)))]);
    absent(&cx, "copy", "a copy that was refused").await;
}

pub(super) async fn empty_ids(cx: Cx) {
    let invalid = ErrorKind::Invalid;
    refused(cx.a.put_checkpoint(bare("", id(0))).await, invalid, "an empty thread");
    refused(cx.a.put_checkpoint(bare(THREAD, "")).await, invalid, "an empty checkpoint");
    let child = bare(THREAD, id(0)).with_parent(CheckpointId::new(""));
    refused(cx.a.put_checkpoint(child).await, invalid, "an empty parent");
    let nobody = PutWrites::new(at(THREAD, 0), vec![write("", 0, "x", "v")]);
    refused(cx.a.put_writes(nobody).await, invalid, "an empty task");
    refused(cx.a.latest("").await, invalid, "a read of an empty thread");
    refused(cx.a.list_checkpoints(of("")).await, invalid, "a listing of an empty thread");
    refused(cx.a.delete_thread("").await, invalid, "a deletion of an empty thread");
    refused(cx.a.delete_for_runs(&[String::new()]).await, invalid, "an empty run");
    nothing_written(&cx).await;
}

pub(super) async fn value_without_version(cx: Cx) {
    let mut put = bare(THREAD, id(0)).with_value("x", text("v"));
    put.checkpoint = put.checkpoint.with_channel("y", 1);
    let answer = cx.a.put_checkpoint(put).await;
    refused(answer, ErrorKind::Invalid, "a value of a channel without a version");
    nothing_written(&cx).await;
}

pub(super) async fn over_large(cx: Cx) {
    let most = cx.a.limits().payload_bytes_max;
    let over = Payload::new("", Bytes::from(vec![0; most + 1]));
    let mut body = bare(THREAD, id(0));
    body.checkpoint = body.checkpoint.with_body(over.clone());
    refused(cx.a.put_checkpoint(body).await, ErrorKind::TooLarge, "a body");
    let mut value = bare(THREAD, id(0)).with_value("x", over.clone());
    value.checkpoint = value.checkpoint.with_channel("x", 1);
    refused(cx.a.put_checkpoint(value).await, ErrorKind::TooLarge, "a value");
    let small = write("t", 0, "x", "small");
    let write = PutWrites::new(at(THREAD, 0), vec![small, PendingWrite::new("t", 1, "x", over)]);
    refused(cx.a.put_writes(write).await, ErrorKind::TooLarge, "a write");
    nothing_written(&cx).await;
    put(&*cx.a, bare(THREAD, id(0))).await;
    assert_eq!(got(&*cx.b, &at(THREAD, 0)).await.pending_writes, []);
}

pub(super) async fn over_large_metadata(cx: Cx) {
    let limits = cx.a.limits();
    let long = Metadata::new().with("k", "x".repeat(limits.metadata_bytes_max + 1));
    let mut deep = MetadataValue::from(1);
    for _ in 0..limits.metadata_depth_max {
        deep = MetadataValue::List(vec![deep]);
    }
    for metadata in [long, Metadata::new().with("k", deep)] {
        let put = bare(THREAD, id(0)).with_metadata(metadata);
        refused(cx.a.put_checkpoint(put).await, ErrorKind::TooLarge, "metadata");
    }
    nothing_written(&cx).await;
}

pub(super) async fn one_place_twice(cx: Cx) {
    let writes = vec![write("t", 0, "x", "1"), write("u", 0, "x", "2"), write("t", 0, "y", "3")];
    let put_twice = PutWrites::new(at(THREAD, 0), writes);
    let answer = cx.a.put_writes(put_twice).await;
    refused(answer, ErrorKind::Invalid, "two writes of one task and index");
    nothing_written(&cx).await;
    put(&*cx.a, bare(THREAD, id(0))).await;
    assert_eq!(got(&*cx.b, &at(THREAD, 0)).await.pending_writes, []);
}
