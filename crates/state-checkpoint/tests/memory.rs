//! How much memory calls on a long thread take.

#![expect(clippy::unwrap_used, reason = "a test reports failure by panicking")]

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, ListCheckpoints, Metadata, Payload,
    PendingWrite, PutCheckpoint, PutWrites, Retention,
};
use state_core::{Namespace, Timestamp};
use state_local::MemoryStore;

const FEW: usize = 1_200;
const MANY: usize = 3_200;
/// What a checkpoint more may take, in bytes. Its record alone has more.
const EACH_BYTES_MAX: u64 = 600;

/// A thread whose channel `log` is written to at each step; with `values`, the last step alone has
/// none.
async fn thread(steps: usize, values: bool) -> Checkpoints {
    let backend = MemoryStore::new().open(Namespace::default()).unwrap();
    let options = CheckpointOptions::new().with_cache_bytes_max(0);
    let checkpoints = Checkpoints::open_with(Arc::new(backend), options).unwrap();
    let id = |step: usize| format!("{step:08}");
    for step in 0..steps {
        let number = i64::try_from(step).unwrap();
        // No record is kept as a whole: each has some 1,000 bytes, none like another.
        let noise: String = (0..1_000_usize)
            .map(|n| char::from(b'a' + u8::try_from((n * n + step * 7) % 26).unwrap()))
            .collect();
        let checkpoint =
            Checkpoint::new(id(step), Timestamp::from_unix_ms(0)).with_channel("log", number);
        let mut put = PutCheckpoint::new("t", checkpoint)
            .with_parent(step.checked_sub(1).map(|parent| id(parent).into()))
            .with_metadata(Metadata::new().with("noise", noise));
        if values {
            put = put.with_value("log", Payload::new("json", step.to_string()));
        }
        checkpoints.put_checkpoint(put).await.unwrap();
        let write = PendingWrite::new("task", 0, "log", Payload::new("json", "1"));
        let reference = CheckpointRef::new("t", id(step));
        checkpoints.put_writes(PutWrites::new(reference, vec![write])).await.unwrap();
    }
    checkpoints
}

/// The most memory that was in use at once, above what was before.
fn peak(steps: usize, values: bool, retention: Retention, hidden: bool) -> u64 {
    let checkpoints = thread(steps, values).now_or_never().unwrap();
    let mut report = None;
    let taken = allocation_counter::measure(|| {
        report = checkpoints.prune_thread("t", retention).now_or_never();
    });
    let report = report.unwrap().unwrap();
    assert_eq!(report.hidden > 0, hidden, "{report:?}");
    assert!(report.removed + report.hidden > 0);
    taken.bytes_max
}

#[test]
fn a_checkpoint_more_takes_little_memory_more() {
    let cases = [
        ("of which the last stays", true, false, true),
        ("whose last is rebuilt from all", false, true, true),
        ("of which all but one stay", true, false, false),
        ("of which all but one stay, each rebuilt from those before", false, true, false),
    ];
    for (told, values, hidden, one) in cases {
        let kept = |steps: usize| Retention::KeepLast(if one { 1 } else { steps - 1 });
        let few = peak(FEW, values, kept(FEW), hidden);
        let many = peak(MANY, values, kept(MANY), hidden);
        let each = many.saturating_sub(few) / (MANY - FEW) as u64;
        println!("pruning a thread {told}: {each} bytes a checkpoint beside {few} for {FEW}");
        assert!(each <= EACH_BYTES_MAX, "a thread {told}: {each} bytes a checkpoint");
    }
}

/// Lists every checkpoint, and keeps none.
async fn listed(checkpoints: &Checkpoints, values: bool) -> u64 {
    let list = ListCheckpoints::of("t").with_limit(usize::MAX).with_values(values);
    let mut count = 0;
    let mut all = checkpoints.list(list);
    while let Some(tuple) = all.next().await {
        tuple.unwrap();
        count += 1;
    }
    count
}

/// The most memory that each call has in use at once on a thread of so many steps, above what was
/// before and what the store has more of afterwards.
fn peaks(steps: usize) -> [(&'static str, u64); 5] {
    let checkpoints = thread(steps, true).now_or_never().unwrap();
    let measured = |call: &dyn Fn(&Checkpoints) -> Option<u64>| {
        let mut done = None;
        let taken = allocation_counter::measure(|| done = call(&checkpoints));
        assert_eq!(done, Some(steps as u64));
        taken.bytes_max.saturating_sub(u64::try_from(taken.bytes_current).unwrap_or_default())
    };
    let last = CheckpointRef::new("t", format!("{:08}", steps - 1));
    let without = measured(&|it| listed(it, false).now_or_never());
    let values = measured(&|it| listed(it, true).now_or_never());
    let copy = measured(&|it| it.copy_thread("t", "copy").now_or_never().unwrap().ok());
    let fork = measured(&|it| it.fork(&last, "fork").now_or_never().unwrap().ok());
    let prune = measured(&|it| {
        let report = it.prune_thread("t", Retention::KeepLatest).now_or_never().unwrap();
        report.ok().map(|report| report.removed + 1)
    });
    [
        ("listing without values", without),
        ("listing with values", values),
        ("copying", copy),
        ("forking", fork),
        ("pruning", prune),
    ]
}

#[cfg(test)]
fn compared(few: usize, many: usize) {
    for ((told, small), (_, large)) in peaks(few).into_iter().zip(peaks(many)) {
        let each = large.saturating_sub(small) / (many - few) as u64;
        println!("{told}: {each} bytes a checkpoint, {large} for {many} beside {small} for {few}");
        assert!(each <= EACH_BYTES_MAX, "{told}: {each} bytes a checkpoint");
    }
}

#[test]
fn calls_on_ten_thousand_checkpoints_take_little_memory_more() {
    compared(2_000, 10_000);
}

#[test]
#[ignore = "takes minutes without optimisations"]
fn calls_on_a_hundred_thousand_checkpoints_take_little_memory_more() {
    compared(10_000, 100_000);
}
