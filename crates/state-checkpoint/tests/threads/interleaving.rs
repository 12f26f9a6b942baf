//! Two who work on one thread, in every order of their calls to the store: between any two calls
//! of the one, the whole of the other happens. Whoever comes second must neither take what the
//! first did for damage nor leave damage behind.

use std::sync::Arc;

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    CheckpointRef, Checkpointer, CheckpointerExt, DeleteThread, HistoryOptions, ListCheckpoints,
    PutWrites, Retention,
};
use state_core::{ErrorKind, Result, StateBackend};

use crate::meddler::Meddler;
use crate::stand::{
    Stand, conversation, id, int, json, messages, stand, step, with_messages, write,
};

/// Steps of the thread before anything happens to it.
pub(crate) const STEPS: usize = 6;

pub(crate) type Work = fn(Checkpoints) -> BoxFuture<'static, Result<()>>;

/// What may be done to the thread `t`.
pub(crate) const WORKS: &[(&str, Work)] = &[
    ("put", |it| Box::pin(async move { put(&it, STEPS).await })),
    ("put at a side", |it| {
        Box::pin(async move {
            let mut put = with_messages(step("t", STEPS + 1), 3).with_namespace("side");
            put.metadata = put.metadata.with("run_id", "of the side");
            it.put_checkpoint(put).await.map(drop)
        })
    }),
    ("writes", |it| {
        Box::pin(async move {
            let writes = vec![write("late", 0, "\"a write\""), write("late", 1, "\"another\"")];
            it.put_writes(PutWrites::new(CheckpointRef::new("t", id(STEPS - 1)), writes))
                .await
                .map(drop)
        })
    }),
    ("latest", |it| Box::pin(async move { it.latest("t").await.map(drop) })),
    ("list", |it| {
        Box::pin(async move {
            it.list(ListCheckpoints::of("t")).try_collect::<Vec<_>>().await.map(drop)
        })
    }),
    ("threads", |it| Box::pin(async move { it.threads().try_collect::<Vec<_>>().await.map(drop) })),
    ("history", |it| {
        Box::pin(async move {
            let reference = CheckpointRef::new("t", id(STEPS - 1));
            it.channel_history(HistoryOptions::new(reference, ["messages"])).await.map(drop)
        })
    }),
    ("prune", |it| {
        Box::pin(async move { it.prune_thread("t", Retention::KeepLast(3)).await.map(drop) })
    }),
    ("copy", |it| Box::pin(async move { it.copy_thread("t", "copy").await.map(drop) })),
    ("delete", |it| Box::pin(async move { it.delete_thread("t").await.map(drop) })),
    ("delete with a tombstone", |it| {
        Box::pin(async move {
            let delete = DeleteThread::new("t").with_tombstone(Some(DeleteThread::TOMBSTONE));
            it.delete_thread_opts(delete).await.map(drop)
        })
    }),
    ("delete and begin anew", |it| {
        Box::pin(async move {
            it.delete_thread("t").await?;
            put(&it, 0).await?;
            put(&it, 1).await
        })
    }),
    ("delete the run", |it| {
        Box::pin(async move { it.delete_for_runs(&["a run".to_owned()]).await.map(drop) })
    }),
];

/// Puts step `n` of the thread.
async fn put(it: &Checkpoints, n: usize) -> Result<()> {
    let mut put = with_messages(step("t", n), n + 1);
    if n.is_multiple_of(2) {
        put.metadata = put.metadata.with("run_id", "a run");
    }
    it.put_checkpoint(put).await.map(drop)
}

pub(crate) async fn prepared() -> Stand {
    let stand = stand();
    conversation(&stand.checkpoints, "t", STEPS - 1).await;
    put(&stand.checkpoints, STEPS - 1).await.unwrap();
    let before = vec![write("early", 0, "1")];
    let reference = CheckpointRef::new("t", id(STEPS - 1));
    stand.checkpoints.put_writes(PutWrites::new(reference, before)).await.unwrap();
    stand
}

/// Everything that is there can be read, and the sums are right.
async fn check(stand: &Stand, told: &str) {
    let cold = stand.cold();
    let threads: Vec<_> = cold.threads().try_collect().await.unwrap();
    for summary in &threads {
        let thread = &summary.thread;
        let all: Vec<_> = cold
            .list(ListCheckpoints::of(thread.clone()).with_limit(usize::MAX))
            .try_collect()
            .await
            .unwrap_or_else(|error| panic!("{told}: {thread}: {error}"));
        assert_eq!(all.len() as u64, summary.checkpoints, "{told}: {thread}");
        for tuple in all {
            let Some(number) = tuple.checkpoint.channel_versions.get("messages") else {
                panic!("{told}: {thread}: a checkpoint without its channel");
            };
            let count = (1..=STEPS + 2).find(|count| *number == int(*count).into()).unwrap();
            assert_eq!(tuple.value("messages"), Some(&json(messages(count))), "{told}: {thread}");
        }
    }
    for summary in threads {
        cold.delete_thread(summary.thread).await.unwrap();
    }
    let tombstone = told.contains("tombstone");
    assert!(stand.rows().await <= u64::from(tombstone), "{told}: {} rows stay", stand.rows().await);
}

#[tokio::test]
async fn whatever_happens_between_two_calls_is_no_damage() {
    let mut orders = 0;
    for (first, work) in WORKS {
        for (second, other) in WORKS {
            for at in 0.. {
                let told = format!("{second} before call {at} of {first}");
                let stand = prepared().await;
                let between = stand.cold();
                let other = other(between);
                let happening = {
                    let told = told.clone();
                    Box::pin(async move { judge(other.await, &told) })
                };
                let meddler = Meddler::new(Arc::clone(&stand.backend), at, happening);
                let options = CheckpointOptions::new().with_clock(stand.clock.clone());
                let backend = Arc::clone(&meddler) as Arc<dyn StateBackend>;
                let one = Checkpoints::open_with(backend, options).unwrap();
                judge(work(one).await, &told);
                if !meddler.has_happened() {
                    break;
                }
                orders += 1;
                check(&stand, &told).await;
            }
        }
    }
    assert!(orders > 13 * 13 * 3, "{orders} orders");
}

/// Both may be refused, for a reason that is true.
fn judge(done: Result<()>, told: &str) {
    if let Err(error) = done {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{told}: {error}");
    }
}
