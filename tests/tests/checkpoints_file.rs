//! Holds the checkpoint engine over the file store to the whole contract of checkpointers.

use std::sync::Arc;

use futures_util::TryStreamExt;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_conformance::{Fixture, Suite};
use state_core::checkpoint::Checkpointer;
use state_core::{BoxFuture, Error, ManualClock, Result, SnapshotOptions, StateBackend};
use state_local::FileStore;
use tempfile::TempDir;

fn main() -> std::process::ExitCode {
    Suite::new("checkpoints in a file", || async {
        let folder = tempfile::tempdir().map_err(|error| Error::invalid(error.to_string()))?;
        file_in(Arc::new(folder), ManualClock::new()).await
    })
    .main()
}

/// The store in `folder`, which goes when the last fixture that uses it does.
fn file_in(
    folder: Arc<TempDir>,
    clock: ManualClock,
) -> BoxFuture<'static, Result<Fixture<dyn Checkpointer>>> {
    Box::pin(open_file(folder, clock))
}

async fn open_file(folder: Arc<TempDir>, clock: ManualClock) -> Result<Fixture<dyn Checkpointer>> {
    let path = folder.path().join("store");
    let store = FileStore::builder().clock(clock.clone()).open(path).await?;
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
    let again = clock.clone();
    let restart = move || file_in(Arc::clone(&folder), again.clone());
    Ok(Fixture::new(open).with_clock(clock).with_count(count).with_restart(restart))
}
