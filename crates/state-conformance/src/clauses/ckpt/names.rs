//! Names that look alike, or like something that a store uses itself.

use state_core::checkpoint::{
    Checkpoint, CheckpointNamespace, CheckpointRef, CheckpointerExt, Metadata, PutCheckpoint,
};

use super::stage::{
    Cx, THREAD, TIME, bare, got, holding, id, listed, of, put, put_writes, text, threads, tuple_of,
    write, writes_at,
};

/// Names that separators, patterns, escapes, brackets and encodings get wrong.
const ODD: [&str; 46] = [
    "a",
    "A",
    "a ",
    " a",
    " ",
    "a:b",
    "a:b:",
    ":",
    "::",
    "a::b",
    "a|b",
    "|",
    "*",
    "a*",
    "?",
    "[a]",
    "[^a]",
    "{a}",
    "{",
    "}",
    "{}",
    "%",
    "%25",
    "%3A",
    "a%3Ab",
    "a/b",
    "a\\b",
    "\\",
    "\"",
    "'",
    "\n",
    "a\nb",
    "\0",
    "a\0",
    "a\0b",
    "\u{1}",
    "a\u{1}b",
    "__empty__",
    "null",
    "é",
    "e\u{301}",
    "日本",
    "\u{10ffff}",
    "..",
    "0",
    "-1",
];

/// A checkpoint that holds its own name.
fn named(thread: &str, namespace: &str, checkpoint: &str) -> PutCheckpoint {
    let value = format!("{thread:?} {namespace:?} {checkpoint:?}");
    holding(thread, checkpoint, &value).with_namespace(namespace)
}

/// Puts all of these, and then all must be there, each by itself.
async fn told_apart(cx: &Cx, names: &[(&str, &str, &str)]) {
    for (thread, namespace, checkpoint) in names {
        put(&*cx.a, named(thread, namespace, checkpoint)).await;
    }
    for (thread, namespace, checkpoint) in names {
        let wanted = tuple_of(&named(thread, namespace, checkpoint));
        let place = CheckpointRef::new(*thread, *checkpoint).with_namespace(namespace);
        assert_eq!(got(&*cx.b, &place).await, wanted);
        let list = of(thread).with_namespace(CheckpointNamespace::new(namespace));
        assert!(listed(&*cx.b, list).await.contains(&wanted), "{place:?} is not in its list");
    }
}

pub(super) async fn of_threads(cx: Cx) {
    let names: Vec<_> = ODD.iter().map(|name| (*name, "", "1")).collect();
    told_apart(&cx, &names).await;
    for name in ODD {
        assert_eq!(listed(&*cx.b, of(name)).await.len(), 1, "checkpoints of {name:?}");
    }
    let mut found: Vec<_> = threads(&*cx.b).await.into_iter().map(|s| s.thread).collect();
    found.sort();
    let mut wanted = ODD.map(state_core::checkpoint::ThreadId::new).to_vec();
    wanted.sort();
    assert_eq!(found, wanted, "the threads that are listed");
}

pub(super) async fn of_namespaces(cx: Cx) {
    let mut names: Vec<_> = ODD.iter().map(|name| (THREAD, *name, "1")).collect();
    names.push((THREAD, "", "1"));
    told_apart(&cx, &names).await;
    assert_eq!(listed(&*cx.b, of(THREAD)).await.len(), names.len());
}

pub(super) async fn of_checkpoints(cx: Cx) {
    let names: Vec<_> = ODD.iter().map(|name| (THREAD, "", *name)).collect();
    told_apart(&cx, &names).await;
    let mut wanted = ODD.to_vec();
    wanted.sort_unstable_by(|a, b| b.as_bytes().cmp(a.as_bytes()));
    let found = listed(&*cx.b, of(THREAD)).await;
    let found: Vec<&str> = found.iter().map(|tuple| tuple.reference.id.as_str()).collect();
    assert_eq!(found, wanted, "by the bytes of their ids");
    let latest = cx.b.latest(THREAD).await.unwrap().map(|tuple| tuple.reference.id);
    assert_eq!(latest, Some("\u{10ffff}".into()));
}

pub(super) async fn aliases(cx: Cx) {
    let names = [
        ("victim:1", "x", "1"),
        ("victim", "1:x", "1"),
        ("victim", "1", "x:1"),
        ("victim:1:x", "", "1"),
        ("victim", "", "1:x:1"),
        ("victim", "1:x:1", "1"),
        ("a|b", "c", "1"),
        ("a", "b|c", "1"),
        ("a\0b", "c", "1"),
        ("a", "b\0c", "1"),
        ("a%3Ab", "c", "1"),
        ("a:b", "c", "1"),
        ("{t}u", "c", "1"),
        ("t", "u}c", "1"),
        ("1", "11", "111"),
        ("11", "1", "111"),
        ("111", "11", "1"),
    ];
    told_apart(&cx, &names).await;
    for (thread, namespace, _) in names {
        let list = of(thread).with_namespace(CheckpointNamespace::new(namespace));
        assert_eq!(listed(&*cx.b, list).await.len(), 1, "of {thread:?} in {namespace:?}");
    }
}

pub(super) async fn of_channels(cx: Cx) {
    let mut checkpoint = Checkpoint::new(id(0), TIME);
    let mut metadata = Metadata::new();
    for name in ODD.into_iter().chain([""]) {
        checkpoint = checkpoint.with_channel(name, "1").with_seen(name, name, name);
        metadata = metadata.with(name, name);
    }
    let pairs = [("c", "1:x"), ("c:1", "x"), ("c|1", "x"), ("c1", "1"), ("c11", "1"), ("c1", "11")];
    let mut wanted = PutCheckpoint::new(THREAD, checkpoint.clone()).with_metadata(metadata);
    for name in checkpoint.channel_versions.keys() {
        wanted = wanted.with_value(name, text(format!("value of {name:?}")));
    }
    let reference = put(&*cx.a, wanted.clone()).await;
    assert_eq!(got(&*cx.b, &reference).await, tuple_of(&wanted));
    for (number, (channel, version)) in pairs.into_iter().enumerate() {
        let checkpoint = Checkpoint::new(id(number + 1), TIME).with_channel(channel, version);
        let value = text(format!("{channel} at {version}"));
        put(&*cx.a, PutCheckpoint::new(THREAD, checkpoint).with_value(channel, value)).await;
    }
    for (number, (channel, version)) in pairs.into_iter().enumerate() {
        let found = got(&*cx.b, &CheckpointRef::new(THREAD, id(number + 1))).await;
        assert_eq!(found.value(channel), Some(&text(format!("{channel} at {version}"))));
    }
}

pub(super) async fn of_tasks(cx: Cx) {
    let reference = put(&*cx.a, bare(THREAD, id(0))).await;
    let mut wanted = Vec::new();
    for name in ODD {
        wanted.push(write(name, 0, name, name).with_task_path(name));
    }
    for (task, index) in [("t", 11), ("t1", 1), ("t:1", 1), ("t", -1), ("t-", 1), ("t", 1)] {
        wanted.push(write(task, index, "x", &format!("{task} {index}")));
    }
    for one in &wanted {
        assert_eq!(put_writes(&*cx.a, &reference, [one.clone()]).await.written, 1, "{one:?}");
    }
    wanted.sort_by(|a, b| (&a.task_path, &a.task, a.index).cmp(&(&b.task_path, &b.task, b.index)));
    assert_eq!(writes_at(&*cx.b, &reference).await, wanted);
}

pub(super) async fn of_runs(cx: Cx) {
    let aliases = [
        ("run", "1:x"),
        ("run:1", "x"),
        ("run\0", "x"),
        ("run", "\0x"),
        ("run\u{1}", "x"),
        ("run", "\u{1}x"),
        ("run|1", "x"),
        ("run%3A1", "x"),
        ("1", "11"),
        ("11", "1"),
    ];
    let names = ODD.iter().map(|run| (*run, THREAD)).chain(aliases);
    let mut left = Vec::new();
    for (number, (run, thread)) in names.enumerate() {
        let by_run = Metadata::new().with("run_id", run);
        left.push((run, put(&*cx.a, bare(thread, id(number)).with_metadata(by_run)).await));
    }
    for run in ["*", "a", "a\0", "\u{1}", "run", "a:b", "1", "[^a]", "%3A"] {
        let before = left.len();
        left.retain(|(other, _)| *other != run);
        let deleted = cx.b.delete_for_runs(&[run.to_owned()]).await.unwrap();
        assert_eq!(deleted, (before - left.len()) as u64, "checkpoints of the run {run:?}");
        for (_, at) in &left {
            assert!(cx.a.at(at).await.unwrap().is_some(), "{at:?} after {run:?}");
        }
    }
}

pub(super) async fn deleted(cx: Cx) {
    for name in ODD {
        put(&*cx.a, named(name, "", "1")).await;
    }
    for gone in ["*", "a", "?", "[^a]", "a%3Ab", "\0", "{}"] {
        assert!(cx.b.delete_thread(gone).await.unwrap(), "{gone:?} was there");
        let left = threads(&*cx.a).await;
        assert!(!left.iter().any(|summary| summary.thread.as_str() == gone), "{gone:?} is there");
        cx.a.put_checkpoint(named(gone, "", "1")).await.unwrap();
        assert_eq!(threads(&*cx.a).await.len(), ODD.len(), "after {gone:?} was deleted");
    }
    for name in ODD {
        assert_eq!(listed(&*cx.b, of(name)).await, [tuple_of(&named(name, "", "1"))]);
    }
}
