//! Calls of which one call to the store is refused: what they say of themselves is true, and what
//! was not made leaves nothing.

use std::sync::Arc;

use futures_util::TryStreamExt;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    CheckpointRef, CheckpointTuple, Checkpointer, CheckpointerExt, ListCheckpoints, PutCheckpoint,
    PutWrites,
};
use state_core::{Error, ErrorKind, Namespace, Outcome, StateBackend};
use state_local::{LeastRecentlyUsed, MemoryStore};

use crate::meddler::Meddler;
use crate::stand::{Stand, conversation, id, stand, step, with_messages, write};

/// The store, of which call number `at` is refused.
fn refusing(stand: &Stand, at: usize) -> (Arc<Meddler>, Checkpoints) {
    let error = Error::new(ErrorKind::Unavailable, "refused").with_outcome(Outcome::NotApplied);
    let meddler = Meddler::refusing(Arc::clone(&stand.backend), at, error);
    let options = CheckpointOptions::new().with_clock(stand.clock.clone());
    let backend = Arc::clone(&meddler) as Arc<dyn StateBackend>;
    (meddler, Checkpoints::open_with(backend, options).unwrap())
}

fn of_a_run(thread: &str, number: usize) -> PutCheckpoint {
    let mut put = with_messages(step(thread, number), number + 1);
    put.metadata = put.metadata.with("run_id", "a run");
    put
}

async fn all(stand: &Stand, thread: &str) -> Vec<CheckpointTuple> {
    stand.cold().list(ListCheckpoints::of(thread)).try_collect().await.unwrap()
}

#[tokio::test]
async fn a_put_that_is_refused_at_any_call_leaves_nothing() {
    for at in 0.. {
        let stand = stand();
        let (meddler, checkpoints) = refusing(&stand, at);
        let put = checkpoints.put_checkpoint(of_a_run("t", 0)).await;
        if !meddler.has_happened() {
            assert!(put.is_ok() && at > 4, "{at} calls");
            break;
        }
        let outcome = put.unwrap_err().outcome();
        let there = all(&stand, "t").await.len();
        assert_eq!(outcome == Outcome::NotApplied, there == 0, "call {at}: {outcome}");
        assert!(there == 1 || stand.rows().await == 0, "rows are left of call {at}");
    }
}

#[tokio::test]
async fn writes_that_are_refused_at_any_call_leave_nothing() {
    for at in 0.. {
        let stand = stand();
        let (meddler, checkpoints) = refusing(&stand, at);
        let put = PutWrites::new(CheckpointRef::new("t", id(0)), vec![write("a", 0, "1")]);
        let put = checkpoints.put_writes(put).await;
        if !meddler.has_happened() {
            assert!(put.is_ok() && at > 2, "{at} calls");
            break;
        }
        let outcome = put.unwrap_err().outcome();
        // Listing threads would clear up.
        let left = stand.rows().await;
        let threads: Vec<_> = stand.cold().threads().try_collect().await.unwrap();
        assert_eq!(outcome == Outcome::NotApplied, threads.is_empty(), "call {at}: {outcome}");
        assert!(!threads.is_empty() || left == 0, "{left} rows are left of call {at}");
    }
}

#[tokio::test]
async fn a_copy_that_is_refused_at_any_call_is_whole_or_absent() {
    for at in 0.. {
        let stand = stand();
        conversation(&stand.checkpoints, "t", 3).await;
        stand.checkpoints.put_checkpoint(of_a_run("t", 3)).await.unwrap();
        let (meddler, checkpoints) = refusing(&stand, at);
        let copied = checkpoints.copy_thread("t", "copy").await;
        if !meddler.has_happened() {
            assert!(copied.is_ok() && at > 5, "{at} calls");
            break;
        }
        let error = copied.unwrap_err();
        let copy = all(&stand, "copy").await;
        assert!(matches!(copy.len(), 0 | 4), "call {at}: {} checkpoints", copy.len());
        assert_eq!(error.outcome() == Outcome::NotApplied, copy.is_empty(), "call {at}: {error}");
        for (copied, source) in copy.iter().zip(all(&stand, "t").await) {
            assert_eq!(copied.values, source.values, "call {at}");
        }
    }
}

#[test]
fn a_store_that_may_evict_entries_holds_no_threads() {
    let store = MemoryStore::builder().evict(1_000, LeastRecentlyUsed::default).build();
    let backend = store.open(Namespace::default()).unwrap();
    let refused = Checkpoints::open(backend).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
}
