//! What clauses put into threads, and how they look at what is there.

use std::sync::Arc;

use futures_util::TryStreamExt;
use state_core::Timestamp;
use state_core::checkpoint::{
    Checkpoint, CheckpointId, CheckpointRef, CheckpointTuple, Checkpointer, CheckpointerExt,
    ListCheckpoints, Metadata, Payload, PendingWrite, PutCheckpoint, PutWrites, ThreadId,
    ThreadSummary, WritesReceipt,
};

use crate::Context;

/// What the clauses about checkpoints work with.
pub(super) type Cx = Context<dyn Checkpointer>;

/// The thread that most clauses write to.
pub(super) const THREAD: &str = "thread";

/// When all checkpoints were made, unless a clause says otherwise.
pub(super) const TIME: Timestamp = Timestamp::from_unix_ms(1_700_000_000_123);

/// A payload of the kind `text`.
pub(super) fn text(value: impl AsRef<str>) -> Payload {
    Payload::new("text", value.as_ref().as_bytes().to_vec())
}

/// The id of the checkpoint with a number; greater numbers give greater ids.
pub(super) fn id(number: usize) -> CheckpointId {
    CheckpointId::new(format!("1ef0-{number:06}"))
}

/// A checkpoint without channels, called `name`, in the root namespace.
pub(super) fn bare(thread: &str, name: impl Into<CheckpointId>) -> PutCheckpoint {
    PutCheckpoint::new(thread, Checkpoint::new(name, TIME))
}

/// A checkpoint `name` with one value in the channel `x`, whose version is the value.
pub(super) fn holding(thread: &str, name: impl Into<CheckpointId>, value: &str) -> PutCheckpoint {
    let checkpoint = Checkpoint::new(name, TIME).with_channel("x", value);
    PutCheckpoint::new(thread, checkpoint).with_value("x", text(value))
}

/// The step `number`, from 0, of a thread: it continues from the step before, changes the
/// channel `count`, and leaves the channel `same` as the first step put it.
pub(super) fn step(thread: &str, number: usize) -> PutCheckpoint {
    let version = i64::try_from(number).unwrap();
    let checkpoint =
        Checkpoint::new(id(number), TIME).with_channel("count", version).with_channel("same", 1);
    let source = if number.is_multiple_of(2) { "input" } else { "loop" };
    let put = PutCheckpoint::new(thread, checkpoint)
        .with_metadata(Metadata::new().with("source", source).with("step", version))
        .with_value("count", text(number.to_string()));
    match number.checked_sub(1) {
        Some(before) => put.with_parent(id(before)),
        None => put.with_value("same", text("the same")),
    }
}

/// The checkpoint of `put`, where its values are all there are.
pub(super) fn tuple_of(put: &PutCheckpoint) -> CheckpointTuple {
    let (checkpoint, metadata) = (put.checkpoint.clone(), put.metadata.clone());
    let mut tuple = CheckpointTuple::new(put.reference(), checkpoint, metadata);
    tuple.parent.clone_from(&put.parent);
    tuple.values.clone_from(&put.values);
    tuple
}

/// The checkpoint that the step `number` of a thread makes.
pub(super) fn tuple_of_step(thread: &str, number: usize) -> CheckpointTuple {
    let mut tuple = tuple_of(&step(thread, number));
    tuple.values.insert(Arc::from("same"), text("the same").into());
    tuple
}

/// Puts a checkpoint, which must not be there yet.
#[track_caller]
pub(super) fn put(
    store: &dyn Checkpointer,
    put: PutCheckpoint,
) -> impl Future<Output = CheckpointRef> {
    let caller = std::panic::Location::caller();
    async move {
        let reference = put.reference();
        match store.put_checkpoint(put).await {
            Ok(receipt) if !receipt.existed => receipt.reference,
            Ok(_) => panic!("{reference:?} was said to be there already (asked at {caller})"),
            Err(error) => panic!("putting {reference:?} failed: {error} (asked at {caller})"),
        }
    }
}

/// Puts the first `count` steps of `thread`.
pub(super) async fn steps(store: &dyn Checkpointer, thread: &str, count: usize) {
    for number in 0..count {
        put(store, step(thread, number)).await;
    }
}

/// The checkpoints that [`steps`] makes, newest first.
pub(super) fn tuples_of_steps(thread: &str, count: usize) -> Vec<CheckpointTuple> {
    (0..count).rev().map(|number| tuple_of_step(thread, number)).collect()
}

/// A write of the task `task`.
pub(super) fn write(task: &str, index: i32, channel: &str, value: &str) -> PendingWrite {
    PendingWrite::new(task, index, channel, text(value))
}

/// Puts writes beside a checkpoint.
#[track_caller]
pub(super) fn put_writes<'s>(
    store: &'s dyn Checkpointer,
    at: &CheckpointRef,
    writes: impl IntoIterator<Item = PendingWrite>,
) -> impl Future<Output = WritesReceipt> + 's {
    let caller = std::panic::Location::caller();
    let put = PutWrites::new(at.clone(), writes.into_iter().collect());
    async move {
        match store.put_writes(put).await {
            Ok(receipt) => receipt,
            Err(error) => panic!("putting writes failed: {error} (asked at {caller})"),
        }
    }
}

/// The checkpoint at `at`, which must be there.
#[track_caller]
pub(super) fn got(
    store: &dyn Checkpointer,
    at: &CheckpointRef,
) -> impl Future<Output = CheckpointTuple> {
    let caller = std::panic::Location::caller();
    let at = at.clone();
    async move {
        match store.at(&at).await {
            Ok(Some(tuple)) => tuple,
            Ok(None) => panic!("{at:?}: expected a checkpoint, got none (asked at {caller})"),
            Err(error) => panic!("reading {at:?} failed: {error} (asked at {caller})"),
        }
    }
}

/// The checkpoint `number` of the root namespace of `thread`.
pub(super) fn at(thread: &str, number: usize) -> CheckpointRef {
    CheckpointRef::new(thread, id(number))
}

/// The writes beside the checkpoint at `at`, which must be there.
#[track_caller]
pub(super) fn writes_at(
    store: &dyn Checkpointer,
    at: &CheckpointRef,
) -> impl Future<Output = Vec<PendingWrite>> {
    let reading = got(store, at);
    async move { reading.await.pending_writes }
}

/// The id of the latest checkpoint of the root namespace of `thread`.
pub(super) async fn latest_id(store: &dyn Checkpointer, thread: &str) -> Option<CheckpointId> {
    store.latest(thread).await.unwrap().map(|tuple| tuple.reference.id)
}

/// Everything that a listing shows.
#[track_caller]
pub(super) fn listed(
    store: &dyn Checkpointer,
    list: ListCheckpoints,
) -> impl Future<Output = Vec<CheckpointTuple>> {
    let caller = std::panic::Location::caller();
    async move {
        let all: Result<Vec<_>, _> = store.list(list.with_limit(usize::MAX)).try_collect().await;
        match all {
            Ok(all) => all,
            Err(error) => panic!("listing failed: {error} (asked at {caller})"),
        }
    }
}

/// All checkpoints of a thread, of all its namespaces.
pub(super) fn of(thread: &str) -> ListCheckpoints {
    ListCheckpoints::of(thread)
}

/// The ids that a listing shows.
#[track_caller]
pub(super) fn ids(
    store: &dyn Checkpointer,
    list: ListCheckpoints,
) -> impl Future<Output = Vec<CheckpointId>> {
    let listing = listed(store, list);
    async move { listing.await.into_iter().map(|tuple| tuple.reference.id).collect() }
}

/// The ids of checkpoints with these numbers.
pub(super) fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<CheckpointId> {
    numbers.into_iter().map(id).collect()
}

/// What the store says of all its threads.
pub(super) async fn threads(store: &dyn Checkpointer) -> Vec<ThreadSummary> {
    store.threads().try_collect().await.unwrap()
}

/// What the store says of one thread; `None` when it lists no such thread.
pub(super) async fn summary(store: &dyn Checkpointer, thread: &str) -> Option<ThreadSummary> {
    let wanted = ThreadId::new(thread);
    threads(store).await.into_iter().find(|summary| summary.thread == wanted)
}

/// Nothing of `thread` may be seen, by any way of looking.
pub(super) async fn absent(cx: &Cx, thread: &str, why: &str) {
    for store in [&*cx.a, &*cx.b] {
        let latest = store.latest(thread).await.unwrap();
        assert_eq!(latest, None, "the latest checkpoint of `{thread}` {why}");
        assert_eq!(listed(store, of(thread)).await, [], "the list of `{thread}` {why}");
        assert_eq!(summary(store, thread).await, None, "the summary of `{thread}` {why}");
    }
}

/// Both instances must show exactly these checkpoints of `thread`, newest first.
#[track_caller]
pub(super) fn shows(
    cx: &Cx,
    thread: &str,
    expected: Vec<CheckpointTuple>,
    when: &str,
) -> impl Future<Output = ()> {
    let (caller, list) = (std::panic::Location::caller(), of(thread));
    async move {
        for store in [&*cx.a, &*cx.b] {
            let found = listed(store, list.clone()).await;
            assert!(
                found == expected,
                "{when}: expected {expected:#?}, got {found:#?} (asked at {caller})"
            );
        }
    }
}
