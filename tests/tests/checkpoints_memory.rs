//! Holds the checkpoint engine over the memory store to the whole contract of checkpointers.

use std::sync::Arc;

use futures_util::TryStreamExt;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_conformance::{Fixture, Suite};
use state_core::checkpoint::Checkpointer;
use state_core::{ManualClock, SnapshotOptions, StateBackend};
use state_local::MemoryStore;

fn main() -> std::process::ExitCode {
    Suite::new("checkpoints in memory", || async {
        let clock = ManualClock::new();
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let (counted, time) = (store.clone(), clock.clone());
        let open = move |namespace| {
            let (opened, time) = (store.open(namespace), time.clone());
            async move {
                let options = CheckpointOptions::new().with_clock(time);
                let engine = Checkpoints::open_with(Arc::new(opened?), options)?;
                Ok(Arc::new(engine) as Arc<dyn Checkpointer>)
            }
        };
        let count = move |namespace| {
            let opened = counted.open(namespace);
            async move {
                let records = opened?.snapshot_opts(SnapshotOptions::default()).await?;
                let records: Vec<_> = records.try_collect().await?;
                Ok(records.len() as u64)
            }
        };
        Ok(Fixture::new(open).with_clock(clock).with_count(count))
    })
    .main()
}
