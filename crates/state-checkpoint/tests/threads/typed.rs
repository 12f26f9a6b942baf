//! Typed threads: states that are saved, found again and branched from.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use state_core::ErrorKind;
use state_core::checkpoint::CheckpointerExt;

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
