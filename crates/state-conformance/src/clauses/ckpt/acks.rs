//! How safe a change must be before it is reported as done.

use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, CopyOptions, DeleteRuns, DeleteThread, Metadata, PruneOptions,
    PutWrites, Retention, ThreadLifetime, TouchThread,
};
use state_core::{Acks, ErrorKind, Outcome, Result};

use super::stage::{
    Cx, THREAD, at, bare, id, ids, latest_id, listed, numbered, of, put, step, steps, summary,
    write, writes_at,
};
use crate::expect::refused;

/// What changes a thread.
#[derive(Clone, Copy, Debug)]
enum Change {
    Put,
    Writes,
    Pruning,
    Runs,
    Copy,
    Touch,
    Deletion,
}

const CHANGES: [Change; 7] = [
    Change::Put,
    Change::Writes,
    Change::Pruning,
    Change::Runs,
    Change::Copy,
    Change::Touch,
    Change::Deletion,
];

/// More replicas than any store has.
const TOO_MANY: Acks = Acks::Replicas(10_000);

impl Change {
    /// Makes the change to a thread of three steps; where runs are deleted, there is one more of a run.
    async fn make(self, store: &dyn Checkpointer, acks: Acks) -> Result<()> {
        match self {
            Self::Put => {
                let put = step(THREAD, 3).with_acks(acks);
                store.put_checkpoint(put).await.map(drop)
            }
            Self::Writes => {
                let put = PutWrites::new(at(THREAD, 2), vec![write("t", 0, "x", "v")]);
                store.put_writes(put.with_acks(acks)).await.map(drop)
            }
            Self::Pruning => {
                let options = PruneOptions::new(Retention::KeepLatest).with_acks(acks);
                store.prune(&[THREAD.into()], options).await.map(drop)
            }
            Self::Runs => {
                let delete = DeleteRuns::new(["run"]).with_acks(acks);
                store.delete_for_runs_opts(delete).await.map(drop)
            }
            Self::Copy => {
                let options = CopyOptions::new().with_acks(acks);
                store.copy_thread_opts(&THREAD.into(), &"copy".into(), options).await.map(drop)
            }
            Self::Touch => {
                let touch = TouchThread::new(THREAD).with_lifetime(ThreadLifetime::Pinned);
                store.touch_thread(touch.with_acks(acks)).await.map(drop)
            }
            Self::Deletion => {
                let delete = DeleteThread::new(THREAD).with_acks(acks);
                store.delete_thread_opts(delete).await.map(drop)
            }
        }
    }

    /// Whether the change was made.
    async fn is_made(self, store: &dyn Checkpointer) -> bool {
        match self {
            Self::Put => latest_id(store, THREAD).await == Some(id(3)),
            Self::Writes => writes_at(store, &at(THREAD, 2)).await.len() == 1,
            Self::Pruning => ids(store, of(THREAD)).await == [id(2)],
            Self::Runs => ids(store, of(THREAD)).await == numbered([2, 1, 0]),
            Self::Copy => ids(store, of("copy")).await == numbered([2, 1, 0]),
            Self::Touch => summary(store, THREAD).await.is_some_and(|summary| summary.pinned),
            Self::Deletion => ids(store, of(THREAD)).await.is_empty(),
        }
    }
}

/// Asks for a change to be as safe as `acks`, and returns whether that is offered. What is refused
/// must have no effect.
async fn offered(cx: &Cx, change: Change, acks: Acks) -> bool {
    let what = format!("{change:?} with {acks:?}");
    steps(&*cx.a, THREAD, 3).await;
    if matches!(change, Change::Runs) {
        let by_run = bare(THREAD, id(9)).with_metadata(Metadata::new().with("run_id", "run"));
        put(&*cx.a, by_run).await;
    }
    let before = listed(&*cx.a, of(THREAD)).await;
    let offered = match change.make(&*cx.b, acks).await {
        Ok(()) => {
            assert_ne!(acks, TOO_MANY, "{what}: so many replicas cannot have acknowledged it");
            true
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            refused(Err::<(), _>(error), ErrorKind::Unsupported, "a level of safety");
            false
        }
        Err(error) => {
            let (kind, outcome) = (error.kind(), error.outcome());
            let short = (ErrorKind::Unacknowledged, Outcome::Applied);
            assert_eq!((kind, outcome), short, "{what}: {error}");
            true
        }
    };
    assert_eq!(change.is_made(&*cx.a).await, offered, "{what}: whether it was made");
    if !offered {
        assert_eq!(listed(&*cx.b, of(THREAD)).await, before, "{what}: it was refused");
    }
    for thread in [THREAD, "copy"] {
        cx.a.delete_thread(thread).await.unwrap();
    }
    offered
}

pub(super) async fn levels(cx: Cx) {
    for acks in [Acks::Fsynced, TOO_MANY] {
        let mut answers = Vec::new();
        for change in CHANGES {
            answers.push((change, offered(&cx, change, acks).await));
        }
        let first = answers.first().map(|(_, offered)| *offered);
        let alike = answers.iter().all(|(_, offered)| Some(*offered) == first);
        assert!(alike, "{acks:?} is offered for some changes and not for others: {answers:?}");
    }
}

pub(super) async fn none(cx: Cx) {
    for change in CHANGES {
        assert!(offered(&cx, change, Acks::Replicas(0)).await, "{change:?} with no replicas");
    }
}
