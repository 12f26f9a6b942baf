//! Rows of a file that are of a later version, or of another place: each call that reads them is
//! refused, and writes nothing.

#![expect(clippy::unwrap_used, reason = "a test reports failure by panicking")]

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use state_checkpoint::{BackendThreads, CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, DeleteThread, HistoryOptions,
    ListCheckpoints, Metadata, Payload, PendingWrite, PutCheckpoint, PutWrites, Retention,
};
use state_core::{
    Bytes, ErrorKind, Key, Namespace, Result, StateBackend, StateBackendExt, Timestamp,
};
use state_local::{FileBackend, FileStore};

const STEPS: i64 = 4;

type Call = fn(Checkpoints<BackendThreads>) -> BoxFuture<'static, Result<()>>;

/// Calls on the thread `t`, each with whether it reads records of checkpoints.
const CALLS: &[(&str, bool, Call)] = &[
    ("latest", true, |it| async move { it.latest("t").await.map(drop) }.boxed()),
    ("at", true, |it| async move { it.at(&at(STEPS - 1)).await.map(drop) }.boxed()),
    ("list", true, |it| {
        async move { it.list(ListCheckpoints::of("t")).try_collect::<Vec<_>>().await.map(drop) }
            .boxed()
    }),
    ("list all", true, |it| {
        async move { it.list(ListCheckpoints::all()).try_collect::<Vec<_>>().await.map(drop) }
            .boxed()
    }),
    ("history", true, |it| {
        async move { it.channel_history(HistoryOptions::new(at(STEPS - 1), ["log"])).await.map(drop) }.boxed()
    }),
    ("diff", true, |it| async move { it.diff(&at(0), &at(STEPS - 1)).await.map(drop) }.boxed()),
    ("put", true, |it| async move { it.put_checkpoint(step("t", STEPS)).await.map(drop) }.boxed()),
    ("put again", true, |it| {
        async move { it.put_checkpoint(step("t", STEPS - 1)).await.map(drop) }.boxed()
    }),
    ("writes", false, |it| {
        let writes = PutWrites::new(at(STEPS - 1), vec![write("late")]);
        async move { it.put_writes(writes).await.map(drop) }.boxed()
    }),
    ("copy", true, |it| async move { it.copy_thread("t", "copy").await.map(drop) }.boxed()),
    ("fork", true, |it| async move { it.fork(&at(STEPS - 1), "copy").await.map(drop) }.boxed()),
    ("prune", true, |it| {
        async move { it.prune_thread("t", Retention::KeepLatest).await.map(drop) }.boxed()
    }),
    ("runs", true, |it| {
        async move { it.delete_for_runs(&["run".to_owned()]).await.map(drop) }.boxed()
    }),
    ("delete", false, |it| {
        async move { it.delete_thread_opts(DeleteThread::new("t")).await.map(drop) }.boxed()
    }),
];

fn id(step: i64) -> String {
    format!("{step:08}")
}

fn at(step: i64) -> CheckpointRef {
    CheckpointRef::new("t", id(step))
}

fn write(task: &str) -> PendingWrite {
    PendingWrite::new(task, 0, "log", Payload::new("json", "1"))
}

fn step(thread: &str, number: i64) -> PutCheckpoint {
    let checkpoint = Checkpoint::new(id(number), Timestamp::from_unix_ms(0));
    PutCheckpoint::new(thread, checkpoint.with_channel("x", number).with_channel("log", number))
        .with_parent((number > 0).then(|| id(number - 1).into()))
        .with_metadata(Metadata::new().with("step", number).with("run_id", "run"))
        .with_value("x", Payload::new("json", number.to_string()))
}

/// A file with the threads `t` and `u`.
async fn stand() -> (tempfile::TempDir, FileStore, Arc<FileBackend>) {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join("threads.db")).await.unwrap();
    let backend = Arc::new(store.open(Namespace::default()).unwrap());
    let checkpoints = open(&backend);
    for thread in ["t", "u"] {
        for number in 0..STEPS {
            checkpoints.put_checkpoint(step(thread, number)).await.unwrap();
            let reference = CheckpointRef::new(thread, id(number));
            checkpoints.put_writes(PutWrites::new(reference, vec![write("task")])).await.unwrap();
        }
    }
    (folder, store, backend)
}

fn open(backend: &Arc<FileBackend>) -> Checkpoints<BackendThreads> {
    let backend = Arc::clone(backend) as Arc<dyn StateBackend>;
    Checkpoints::open_with(backend, CheckpointOptions::new()).unwrap()
}

async fn rows(backend: &FileBackend) -> Vec<(Key, Bytes)> {
    let mut rows = Vec::new();
    for key in backend.list_keys("").await.unwrap() {
        let value = backend.get(&key).await.unwrap().unwrap();
        rows.push((key, value));
    }
    rows
}

fn of<'r>(
    rows: &'r [(Key, Bytes)],
    thread: &str,
    is: impl Fn(&[u8]) -> bool,
) -> Vec<&'r (Key, Bytes)> {
    let partition = [b"t", thread.as_bytes()].concat();
    let within = |key: &Key| key.partition().is_some_and(|found| found[..] == partition[..]);
    rows.iter().filter(|(key, _)| within(key) && is(key.name())).collect()
}

fn is_head(name: &[u8]) -> bool {
    name == b"h"
}

fn is_record(name: &[u8]) -> bool {
    name.first() == Some(&b'g') && name.get(9) == Some(&b'c')
}

/// Makes each call on a store with `damage`, and sees that it is refused and writes nothing.
async fn refused(
    kind: ErrorKind,
    heads: bool,
    damage: impl Fn(&[(Key, Bytes)]) -> Vec<(Key, Bytes)>,
) {
    for (name, reads_records, call) in CALLS {
        if !heads && !reads_records {
            continue;
        }
        let (_folder, store, backend) = stand().await;
        let damaged = damage(&rows(&backend).await);
        assert!(!damaged.is_empty());
        for (key, value) in damaged {
            backend.put(&key, value).await.unwrap();
        }
        let before = rows(&backend).await;
        let error = call(open(&backend)).await.map_err(|error| error.kind());
        assert_eq!(error, Err(kind), "{name}");
        assert!(rows(&backend).await == before, "{name} has written something");
        store.close().await.unwrap();
    }
}

fn later_head(rows: &[(Key, Bytes)]) -> Vec<(Key, Bytes)> {
    let heads = of(rows, "t", is_head);
    let later = |value: &Bytes| Bytes::from([&[2], value.get(1..).unwrap()].concat());
    heads.into_iter().map(|(key, value)| (key.clone(), later(value))).collect()
}

fn moved_head(rows: &[(Key, Bytes)]) -> Vec<(Key, Bytes)> {
    let (heads, others) = (of(rows, "t", is_head), of(rows, "u", is_head));
    heads.into_iter().zip(others).map(|(head, other)| (head.0.clone(), other.1.clone())).collect()
}

#[tokio::test]
async fn a_thread_of_a_later_version_is_unsupported() {
    refused(ErrorKind::Unsupported, true, later_head).await;
}

#[tokio::test]
async fn a_thread_under_the_name_of_another_is_corrupt() {
    refused(ErrorKind::Corrupt, true, moved_head).await;
}

#[tokio::test]
async fn threads_that_cannot_be_read_are_listed_by_name() {
    for (kind, damage) in [
        (ErrorKind::Unsupported, later_head as fn(&[(Key, Bytes)]) -> Vec<(Key, Bytes)>),
        (ErrorKind::Corrupt, moved_head),
    ] {
        let (_folder, _store, backend) = stand().await;
        for (key, value) in damage(&rows(&backend).await) {
            backend.put(&key, value).await.unwrap();
        }
        let listed: Vec<_> = open(&backend).threads().try_collect().await.unwrap();
        let found: Vec<_> = listed
            .iter()
            .map(|summary| (summary.thread.as_str(), summary.checkpoints, summary.unreadable))
            .collect();
        let steps = u64::try_from(STEPS).unwrap();
        assert_eq!(found, [("t", 0, Some(kind)), ("u", steps, None)]);
    }
}

#[tokio::test]
async fn records_of_a_later_version_are_unsupported() {
    let later = |rows: &[(Key, Bytes)]| {
        let records = of(rows, "t", is_record);
        // After the number that the record's own are relative to, which is below 128 here.
        let later = |value: &Bytes| {
            Bytes::from([value.get(..1).unwrap(), &[9], value.get(2..).unwrap()].concat())
        };
        records.into_iter().map(|(key, value)| (key.clone(), later(value))).collect()
    };
    refused(ErrorKind::Unsupported, false, later).await;
}

#[tokio::test]
async fn records_in_each_others_places_are_corrupt() {
    let moved = |rows: &[(Key, Bytes)]| {
        let records = of(rows, "t", is_record);
        let values = records.iter().rev().map(|(_, value)| value.clone());
        records.iter().map(|(key, _)| key.clone()).zip(values).collect()
    };
    refused(ErrorKind::Corrupt, false, moved).await;
}
