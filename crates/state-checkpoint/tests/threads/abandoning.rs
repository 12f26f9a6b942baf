//! Calls that are cut short before any of their calls to the store, and made again by somebody
//! who knows nothing: what is there then is what an undisturbed call leaves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    ChannelValue, CheckpointRef, CheckpointTuple, Checkpointer, CheckpointerExt, ListCheckpoints,
    PutWrites, Retention, ThreadLifetime,
};
use state_core::{ErrorKind, Key, StateBackend, StateBackendExt};

use crate::interleaving::{STEPS, WORKS, Work, prepared};
use crate::meddler::Meddler;
use crate::stand::{Stand, conversation, id, int, stand, step, with_messages, write};

/// An unfinished copy is left alone for less than this.
const LATER: Duration = Duration::from_secs(601);

type Prepare = fn() -> BoxFuture<'static, Stand>;

/// Calls that need a thread of their own.
const MORE: &[(&str, Prepare, Work)] = &[
    (
        "fork",
        || prepared().boxed(),
        |it| {
            Box::pin(
                async move { it.fork(&CheckpointRef::new("t", id(2)), "copy").await.map(drop) },
            )
        },
    ),
    (
        "prune to nothing",
        || prepared().boxed(),
        |it| Box::pin(async move { it.prune_thread("t", Retention::Delete).await.map(drop) }),
    ),
    (
        "delete all runs",
        || of_one_run().boxed(),
        |it| Box::pin(async move { it.delete_for_runs(&["all".to_owned()]).await.map(drop) }),
    ),
    (
        "prune what others are rebuilt from",
        || rebuilt().boxed(),
        |it| Box::pin(async move { it.prune_thread("t", Retention::KeepLatest).await.map(drop) }),
    ),
    (
        "begin anew after the end",
        || ended().boxed(),
        |it| {
            Box::pin(async move {
                let put = with_messages(step("t", 0), 1).with_lifetime(ThreadLifetime::Pinned);
                it.put_checkpoint(put).await.map(drop)
            })
        },
    ),
    (
        "writes after the end",
        || ended().boxed(),
        |it| {
            Box::pin(async move {
                let put = PutWrites::new(CheckpointRef::new("t", id(0)), vec![write("a", 0, "1")]);
                it.put_writes(put.with_lifetime(ThreadLifetime::Pinned)).await.map(drop)
            })
        },
    ),
];

async fn of_one_run() -> Stand {
    let stand = stand();
    for n in 0..STEPS {
        let mut put = with_messages(step("t", n), n + 1);
        put.metadata = put.metadata.with("run_id", "all");
        stand.checkpoints.put_checkpoint(put).await.unwrap();
    }
    stand
}

/// The channel `log` has a value at the second step alone, and is written to at each.
async fn rebuilt() -> Stand {
    let stand = stand();
    for n in 0..STEPS {
        let mut put = with_messages(step("t", n), n + 1);
        put.checkpoint = put.checkpoint.with_channel("log", int(n));
        let value = ChannelValue::Stored(crate::stand::json("\"seed\""));
        let put = put.with_value("log", if n == 1 { value } else { ChannelValue::Empty });
        let reference = put.reference();
        stand.checkpoints.put_checkpoint(put).await.unwrap();
        let mut written = write("task", 0, "\"entry\"");
        written.channel = "log".into();
        stand.checkpoints.put_writes(PutWrites::new(reference, vec![written])).await.unwrap();
    }
    stand
}

async fn ended() -> Stand {
    let stand = stand();
    conversation(&stand.checkpoints, "t", STEPS).await;
    let hour = Duration::from_secs(3_600);
    let last = with_messages(step("t", STEPS), 1).with_lifetime(ThreadLifetime::After(hour));
    stand.checkpoints.put_checkpoint(last).await.unwrap();
    stand.clock.advance(hour);
    stand
}

/// The names of rows, without what is random in them.
async fn rows(stand: &Stand, indexes: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let keys = stand.backend.list_keys("").await.unwrap();
    let plain = |key: &Key| {
        let mut name = key.name().to_vec();
        if matches!(name.first(), Some(b'g' | b'p')) {
            name[1..9].fill(0);
        }
        (key.partition().unwrap().to_vec(), name)
    };
    let mut rows: Vec<_> = keys.iter().map(plain).collect();
    rows.retain(|(partition, _)| indexes || partition != b"i");
    rows.sort();
    rows
}

/// Everything that can be read.
async fn contents(stand: &Stand) -> Vec<CheckpointTuple> {
    let mut all = Vec::new();
    let threads: Vec<_> = stand.cold().threads().try_collect().await.unwrap();
    for summary in threads {
        let list = ListCheckpoints::of(summary.thread).with_limit(usize::MAX);
        let found: Vec<_> = stand.cold().list(list).try_collect().await.unwrap();
        assert_eq!(found.len() as u64, summary.checkpoints);
        all.extend(found);
    }
    all
}

/// Makes a call that ends before call number `at` to the store; whether it got so far.
fn abandon(meddler: &Arc<Meddler>, stand: &Stand, work: Work) -> bool {
    let options = CheckpointOptions::new().with_clock(stand.clock.clone());
    let backend = Arc::clone(meddler) as Arc<dyn StateBackend>;
    let done = work(Checkpoints::open_with(backend, options).unwrap()).now_or_never();
    assert_eq!(done.is_none(), meddler.has_happened());
    done.is_none()
}

async fn cut_short_everywhere(name: &str, prepare: Prepare, work: Work) -> usize {
    let undisturbed = prepare().await;
    work(undisturbed.cold()).await.unwrap();
    let expected = rows(&undisturbed, false).await;
    let contained = contents(&undisturbed).await;
    let (expected_after, mut at) = (rows(&undisturbed, true).await, 0);
    loop {
        let told = format!("{name}, cut short before call {at}");
        let stand = prepare().await;
        let meddler = Meddler::new(Arc::clone(&stand.backend), at, std::future::pending().boxed());
        if !abandon(&meddler, &stand, work) {
            return at;
        }
        stand.clock.advance(LATER);
        if let Err(error) = work(stand.cold()).await {
            let copies = matches!(name, "copy" | "fork");
            assert!(copies && error.kind() == ErrorKind::Conflict, "{told}: {error}");
        }
        // A thread that went with its last run is named by the index of threads alone in the end.
        if name != "delete all runs" {
            assert_eq!(rows(&stand, false).await, expected, "{told}");
        }
        assert_eq!(contents(&stand).await, contained, "{told}");
        // An index may name what is not there, until threads are listed.
        assert_eq!(rows(&stand, true).await, expected_after, "{told}");
        at += 1;
    }
}

#[tokio::test]
async fn a_call_that_was_cut_short_is_finished_by_the_same_call() {
    let mut cuts = 0;
    for (name, work) in WORKS {
        cuts += cut_short_everywhere(name, || prepared().boxed(), *work).await;
    }
    for (name, prepare, work) in MORE {
        cuts += cut_short_everywhere(name, *prepare, *work).await;
    }
    assert!(cuts > 200, "{cuts} cuts");
}

/// A thread that is pruned in more than one step, its last checkpoint of a run of its own.
async fn long() -> Stand {
    let stand = stand();
    for n in 0..150 {
        let mut put = step("t", n);
        if n == 149 {
            put.metadata = put.metadata.with("run_id", "last");
        }
        stand.checkpoints.put_checkpoint(put).await.unwrap();
    }
    stand
}

#[tokio::test]
async fn a_put_that_never_came_leaves_its_run_until_that_is_deleted() {
    for at in 0..9 {
        let stand = stand();
        let meddler = Meddler::new(Arc::clone(&stand.backend), at, std::future::pending().boxed());
        let put: Work = |it| {
            Box::pin(async move {
                let mut put = step("t", 0);
                put.metadata = put.metadata.with("run_id", "a run");
                it.put_checkpoint(put).await.map(drop)
            })
        };
        abandon(&meddler, &stand, put);
        stand.cold().delete_for_runs(&["a run".to_owned()]).await.unwrap();
        contents(&stand).await;
        assert_eq!(rows(&stand, true).await, [], "cut short before call {at}");
    }
}

#[tokio::test]
async fn steps_that_are_cut_short_are_finished_too() {
    let prune: Work =
        |it| Box::pin(async move { it.prune_thread("t", Retention::KeepLast(10)).await.map(drop) });
    let undisturbed = long().await;
    prune(undisturbed.cold()).await.unwrap();
    let expected = rows(&undisturbed, true).await;
    for at in 0.. {
        let stand = long().await;
        let backend = Arc::clone(&stand.backend);
        let meddler = Meddler::before_transaction(backend, at, std::future::pending().boxed());
        if !abandon(&meddler, &stand, prune) {
            assert!(at >= 2, "{at} steps");
            break;
        }
        prune(stand.cold()).await.unwrap();
        assert_eq!(rows(&stand, true).await, expected, "cut short before step {at}");
    }
}

#[tokio::test]
async fn what_the_first_steps_removed_is_counted_when_the_others_are_planned_anew() {
    let stand = long().await;
    let other = stand.cold();
    let between = async move {
        assert_eq!(other.delete_for_runs(&["last".to_owned()]).await.unwrap(), 1);
    };
    let backend = Arc::clone(&stand.backend);
    let meddler = Meddler::before_transaction(backend, 1, between.boxed());
    let options = CheckpointOptions::new().with_clock(stand.clock.clone());
    let backend = Arc::clone(&meddler) as Arc<dyn StateBackend>;
    let one = Checkpoints::open_with(backend, options).unwrap();
    let report = one.prune_thread("t", Retention::KeepLast(10)).await.unwrap();
    assert!(meddler.has_happened());
    assert_eq!((report.removed, report.hidden), (139, 0), "of 149, ten stay");
}
