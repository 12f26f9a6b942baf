//! Typed threads: states that are saved, found again and branched from.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use state_checkpoint::{CheckpointOptions, Checkpoints, Thread};
use state_core::checkpoint::{CheckpointerExt, Metadata, Ownership, ThreadLifetime};
use state_core::{ErrorKind, Fence, FenceToken, Timestamp};

use crate::meddler::Meddler;
use crate::stand::stand;

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Agent {
    messages: Vec<String>,
    plan: Option<String>,
    steps: u64,
}

#[tokio::test]
async fn a_state_is_saved_loaded_and_found_in_its_history() {
    let stand = stand();
    let thread = stand.checkpoints.thread::<Agent>("t");
    assert_eq!(thread.load().await.unwrap(), None);
    let mut state = Agent { plan: Some("a plan".into()), ..Agent::default() };
    let mut saved = Vec::new();
    for n in 0..10 {
        state.messages.push(format!("message {n}"));
        state.steps = n / 3;
        let id = thread.save(&state).await.unwrap();
        saved.push((id, state.clone()));
    }
    let thread = stand.cold().thread::<Agent>("t");
    assert_eq!(thread.load().await.unwrap(), Some(state));
    let history: Vec<_> = thread.history().try_collect().await.unwrap();
    let history: Vec<_> = history.into_iter().rev().map(|saved| (saved.id, saved.state)).collect();
    assert_eq!(history, saved);
    let latest = stand.checkpoints.latest("t").await.unwrap().unwrap();
    let versions = &latest.checkpoint.channel_versions;
    assert_eq!(versions["plan"], 1.into(), "it never changed");
    assert_eq!(versions["messages"], 10.into());
    assert_eq!(latest.checkpoint.updated_channels.as_ref().map(Vec::len), Some(2));
    assert_eq!(latest.metadata.step(), Some(9));
}

#[tokio::test]
async fn going_back_and_trying_otherwise() {
    let stand = stand();
    let thread = stand.checkpoints.thread::<Agent>("t");
    let mut ids = Vec::new();
    let mut state = Agent::default();
    for n in 0..5 {
        state.messages.push(format!("message {n}"));
        ids.push(thread.save(&state).await.unwrap());
    }
    let other = thread.fork(&ids[2], "other").await.unwrap();
    assert_eq!(other.load().await.unwrap().unwrap().messages.len(), 3);
    other.update(|state| state.messages.push("what if".into())).await.unwrap();
    assert_eq!(other.load().await.unwrap().unwrap().messages[3], "what if");
    thread.rewind(&ids[1]).await.unwrap();
    assert_eq!(thread.load().await.unwrap().unwrap().messages.len(), 2);
    assert_eq!(thread.load_at(&ids[4]).await.unwrap().unwrap().messages.len(), 5);
    let history: Vec<_> = thread.history().try_collect().await.unwrap();
    assert_eq!(history.len(), 6);
    assert_eq!(history[0].parent.as_ref(), Some(&ids[1]));
    let nowhere = thread.fork(&"absent".into(), "x").await.unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn updates_at_once_lose_nothing() {
    let stand = stand();
    let workers = (0..8).map(|_| {
        let thread = stand.cold().thread::<Agent>("t");
        tokio::spawn(async move {
            for _ in 0..10 {
                thread.update(|state| state.steps += 1).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let state = stand.checkpoints.thread::<Agent>("t").load().await.unwrap().unwrap();
    assert_eq!(state.steps, 80);
}

#[tokio::test]
async fn an_owned_thread_refuses_others() {
    let stand = stand();
    let holder = |token| Ownership::Holder(Fence::new("lease", FenceToken::new(token)));
    let thread = |token| stand.cold().thread::<Agent>("t").with_ownership(holder(token));
    let (old, new) = (thread(6), thread(7));
    let first = old.save(&Agent::default()).await.unwrap();
    new.update(|state| state.steps = 1).await.unwrap();
    let mut refused = vec![old.save(&Agent::default()).await.map(drop)];
    refused.push(old.update(|state| state.steps = 9).await.map(drop));
    refused.push(old.rewind(&first).await.map(drop));
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Fenced);
    }
    assert_eq!(new.load().await.unwrap().unwrap().steps, 1);
    // A copy is not the holder's.
    let copy = old.fork(&first, "copy").await.unwrap();
    copy.save(&Agent::default()).await.unwrap();
    stand.cold().thread::<Agent>("copy").save(&Agent::default()).await.unwrap();
}

#[tokio::test]
async fn who_claims_a_thread_reads_what_stays_the_latest() {
    let stand = stand();
    let holder = |token| Ownership::Holder(Fence::new("lease", FenceToken::new(token)));
    let thread = |token| stand.cold().thread::<Agent>("t").with_ownership(holder(token));
    let (old, new) = (thread(6), thread(7));
    assert!(!new.claim().await.unwrap(), "there is no thread yet");
    old.save(&Agent::default()).await.unwrap();
    assert!(new.claim().await.unwrap());
    let mut state = new.load().await.unwrap().unwrap();
    // The old holder wakes up between the load and the save of the new one.
    assert_eq!(old.save(&Agent::default()).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(old.claim().await.unwrap_err().kind(), ErrorKind::Fenced);
    state.steps = 1;
    new.save(&state).await.unwrap();
    let history: Vec<_> = new.history().try_collect().await.unwrap();
    assert_eq!(history.len(), 2, "nothing was put between the two");
    let anyone = stand.cold().thread::<Agent>("t").with_ownership(Ownership::ParentIsLatest);
    assert_eq!(anyone.claim().await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn of_two_that_save_at_once_one_is_refused_where_branches_are() {
    let stand = stand();
    let cold = stand.cold();
    let other = cold.thread::<Agent>("t");
    other.save(&Agent::default()).await.unwrap();
    // Between reading the latest and putting, which is the first transaction, another saves.
    let between = async move { drop(other.save(&Agent::default()).await.unwrap()) };
    let backend = Arc::clone(&stand.backend);
    let meddler = Meddler::before_transaction(backend, 0, between.boxed());
    let options = CheckpointOptions::new().with_clock(stand.clock.clone());
    let one = Checkpoints::open_with(meddler, options).unwrap();
    let thread: Thread<Agent> = one.thread("t").with_ownership(Ownership::ParentIsLatest);
    let refused = thread.save(&Agent::default()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(stand.checkpoints.list_of("t").try_collect::<Vec<_>>().await.unwrap().len(), 2);
}

#[tokio::test]
async fn metadata_run_and_lifetime_go_with_each_state() {
    let hour = Duration::from_secs(3_600);
    let stand = stand();
    let thread = stand
        .checkpoints
        .thread::<Agent>("t")
        .with_metadata(Metadata::new().with("model", "small").with("source", "input"))
        .with_run("a run")
        .with_lifetime(ThreadLifetime::After(hour));
    thread.save(&Agent::default()).await.unwrap();
    thread.update(|state| state.steps = 1).await.unwrap();
    let history: Vec<_> = thread.history().try_collect().await.unwrap();
    for (saved, step) in history.iter().zip([1, 0]) {
        assert_eq!(saved.metadata.get("model"), Some(&"small".into()));
        assert_eq!(saved.metadata.source(), Some("input"));
        assert_eq!((saved.metadata.run_id(), saved.metadata.step()), (Some("a run"), Some(step)));
    }
    stand.clock.advance(hour);
    assert_eq!(thread.load().await.unwrap(), None);
    thread.save(&Agent::default()).await.unwrap();
    assert_eq!(stand.cold().delete_for_runs(&["a run".to_owned()]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_state_saved_by_a_clock_that_is_behind_is_the_latest() {
    let stand = stand();
    let times = [1_700_000_000_000, 1_600_000_000_000, 0, 1_650_000_000_000];
    for (steps, unix_ms) in (1..).zip(times) {
        stand.clock.set_wall(Timestamp::from_unix_ms(unix_ms));
        let thread = stand.cold().thread::<Agent>("t");
        thread.save(&Agent { steps, ..Agent::default() }).await.unwrap();
        assert_eq!(stand.cold().thread::<Agent>("t").load().await.unwrap().unwrap().steps, steps);
    }
}
