//! Threads of checkpoints in a crash test: what each task puts, and what must be there of it.
//!
//! Step `n` of a thread follows from the seed, the task and `n` alone. Whoever knows how many steps
//! were acknowledged knows what each of them holds; the one after them may be there, whole or not
//! at all, or without its write.

use futures_util::TryStreamExt;
use state_checkpoint::{BackendThreads, Checkpoints};
use state_core::checkpoint::{
    Checkpoint, CheckpointTuple, Checkpointer, CheckpointerExt, ListCheckpoints, Metadata, Payload,
    PendingWrite, PutCheckpoint, PutWrites, Retention,
};
use state_core::{Namespace, Result, Timestamp};
use state_local::FileStore;
use state_tests::seeded::Seeded;

use crate::workload::Mismatch;

/// Tasks that put steps at the same time, each into a thread of its own.
pub(crate) const THREADS: usize = 2;
/// Messages of a list before it begins anew.
const MESSAGES: u64 = 40;
/// How often a thread is pruned, and what it keeps then.
const PRUNED_EVERY: u64 = 15;
const KEPT: u64 = 20;

/// The threads of a store, with nothing at hand.
pub(crate) fn open(store: &FileStore) -> Result<Checkpoints<BackendThreads>> {
    Checkpoints::open(store.open(Namespace::new("threads")?)?)
}

/// The steps of one task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    pub(crate) seed: u64,
    pub(crate) task: usize,
}

impl Steps {
    fn thread(self) -> String {
        format!("thread {}", self.task)
    }

    fn message(self, number: u64) -> String {
        let part = number.wrapping_mul(THREADS as u64).wrapping_add(self.task as u64);
        let mut seeded = Seeded::of(self.seed ^ 0x7468_7265_6164_7321, part);
        let words = seeded.below(60);
        let text: Vec<String> =
            (0..words).map(|_| format!("{:x}", seeded.number() >> 40)).collect();
        format!("\"{number}: {}\"", text.join(" "))
    }

    /// The list that step `number` holds, which most steps make longer by a message.
    fn list(self, number: u64) -> Payload {
        let first = number - number % MESSAGES;
        let messages: Vec<String> = (first..=number).map(|number| self.message(number)).collect();
        Payload::new("json", format!("[{}]", messages.join(",")))
    }

    fn put(self, number: u64) -> PutCheckpoint {
        let step = i64::try_from(number).unwrap_or(i64::MAX);
        let checkpoint = Checkpoint::new(id(number), Timestamp::from_unix_ms(number * 1_000));
        PutCheckpoint::new(self.thread(), checkpoint.with_channel("messages", step))
            .with_parent(number.checked_sub(1).filter(|parent| *parent > 0).map(|n| id(n).into()))
            .with_metadata(Metadata::new().with("step", step).with("run_id", "the run"))
            .with_value("messages", self.list(number))
    }

    fn write(self, number: u64) -> PendingWrite {
        PendingWrite::new("task", 0, "messages", Payload::new("json", self.message(number + 1)))
    }

    /// Makes step `number`, the first being 1.
    pub(crate) async fn make(self, checkpoints: &dyn Checkpointer, number: u64) -> Result<()> {
        let put = self.put(number);
        let reference = put.reference();
        checkpoints.put_checkpoint(put).await?;
        let writes = PutWrites::new(reference, vec![self.write(number)]);
        checkpoints.put_writes(writes).await?;
        if number.is_multiple_of(PRUNED_EVERY) {
            let keep = usize::try_from(KEPT).unwrap_or(usize::MAX);
            checkpoints.prune_thread(self.thread(), Retention::KeepLast(keep)).await?;
        }
        Ok(())
    }

    /// Compares a thread with the steps that were acknowledged.
    pub(crate) async fn verify(
        self,
        checkpoints: &dyn Checkpointer,
        acknowledged: u64,
    ) -> std::result::Result<(), Mismatch> {
        let unreadable = |error: state_core::Error| Mismatch::Unreadable(error.to_string());
        let list = ListCheckpoints::of(self.thread()).with_limit(usize::MAX);
        let found: Vec<CheckpointTuple> =
            checkpoints.list(list).try_collect().await.map_err(unreadable)?;
        let last = found.first().and_then(|newest| newest.metadata.step()).unwrap_or_default();
        let last = u64::try_from(last).unwrap_or_default();
        if last < acknowledged {
            return Err(Mismatch::Lost(acknowledged - last));
        }
        // The step after the last one may have pruned the thread, too.
        let first = (acknowledged + 1).saturating_sub(KEPT - 1).max(1);
        if last > acknowledged + 1 || (found.len() as u64) < (last + 1).saturating_sub(first) {
            return Err(Mismatch::Mixed);
        }
        for (number, tuple) in (1..=last).rev().zip(&found) {
            let put = self.put(number);
            let same = tuple.reference == put.reference()
                && tuple.parent == put.parent
                && tuple.values == put.values
                && tuple.metadata == put.metadata;
            let written = match tuple.pending_writes.as_slice() {
                [write] => *write == self.write(number),
                [] => number > acknowledged,
                _ => false,
            };
            if !(same && written) {
                return Err(Mismatch::Mixed);
            }
        }
        let summary: Vec<_> = checkpoints.threads().try_collect().await.map_err(unreadable)?;
        let shown = summary.iter().find(|summary| summary.thread.as_str() == self.thread());
        let shown = shown.map_or(0, |summary| summary.checkpoints);
        if shown == found.len() as u64 { Ok(()) } else { Err(Mismatch::Mixed) }
    }
}

fn id(number: u64) -> String {
    format!("{number:012}")
}

/// Compares the threads of a store with what was acknowledged of each.
pub(crate) async fn verify(
    store: &FileStore,
    seed: u64,
    acknowledged: &[u64],
) -> std::result::Result<(), Mismatch> {
    let checkpoints = open(store).map_err(|error| Mismatch::Unreadable(error.to_string()))?;
    for (task, acknowledged) in acknowledged.iter().enumerate() {
        Steps { seed, task }.verify(&checkpoints, *acknowledged).await?;
    }
    Ok(())
}
