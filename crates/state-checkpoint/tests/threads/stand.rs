//! A store, a clock that is moved by hand, and puts that are easy to tell apart.

use std::sync::Arc;

use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    Checkpoint, Checkpointer, Metadata, Payload, PendingWrite, PutCheckpoint,
};
use state_core::{ManualClock, Namespace, StateBackend, StateBackendExt, Timestamp};
use state_local::MemoryStore;

pub(crate) struct Stand {
    pub(crate) backend: Arc<dyn StateBackend>,
    pub(crate) clock: ManualClock,
    pub(crate) checkpoints: Checkpoints,
}

pub(crate) fn stand_with(change: impl FnOnce(CheckpointOptions) -> CheckpointOptions) -> Stand {
    let clock = ManualClock::new();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let backend: Arc<dyn StateBackend> = Arc::new(store.open(Namespace::default()).unwrap());
    let options = change(CheckpointOptions::new().with_clock(clock.clone()));
    let checkpoints = Checkpoints::open_with(Arc::clone(&backend), options).unwrap();
    Stand { backend, clock, checkpoints }
}

pub(crate) fn stand() -> Stand {
    stand_with(|options| options)
}

impl Stand {
    /// The same store as another process sees it: with nothing at hand.
    pub(crate) fn cold(&self) -> Checkpoints {
        let options = CheckpointOptions::new().with_clock(self.clock.clone());
        Checkpoints::open_with(Arc::clone(&self.backend), options).unwrap()
    }

    pub(crate) async fn rows(&self) -> u64 {
        self.backend.count("").await.unwrap()
    }
}

pub(crate) fn json(text: impl Into<String>) -> Payload {
    Payload::new("json", text.into())
}

pub(crate) fn id(step: usize) -> String {
    format!("{step:08}")
}

/// The put of step `step`, which continues from the one before.
pub(crate) fn step(thread: &str, step: usize) -> PutCheckpoint {
    let checkpoint = Checkpoint::new(id(step), Timestamp::from_unix_ms(step as u64 * 1_000));
    let parent = step.checked_sub(1).map(|parent| id(parent).into());
    let metadata = Metadata::new().with("source", "loop").with("step", int(step));
    PutCheckpoint::new(thread, checkpoint).with_parent(parent).with_metadata(metadata)
}

pub(crate) fn messages(count: usize) -> String {
    let all: Vec<String> = (0..count)
        .map(|n| {
            format!(r#"{{"role":"user","content":"this is message number {n} of the thread"}}"#)
        })
        .collect();
    format!("[{}]", all.join(","))
}

pub(crate) fn with_messages(mut put: PutCheckpoint, count: usize) -> PutCheckpoint {
    put.checkpoint = put.checkpoint.with_channel("messages", int(count));
    put.with_value("messages", json(messages(count)))
}

pub(crate) async fn conversation(checkpoints: &Checkpoints, thread: &str, steps: usize) {
    for n in 0..steps {
        checkpoints.put_checkpoint(with_messages(step(thread, n), n + 1)).await.unwrap();
    }
}

pub(crate) fn write(task: &str, index: i32, text: &str) -> PendingWrite {
    PendingWrite::new(task, index, "c", json(text))
}

pub(crate) fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}
