//! Holds the file store to the whole contract.

use std::sync::Arc;

use state_conformance::{Fixture, Suite};
use state_core::{BoxFuture, Error, ManualClock, Result, StateBackend};
use state_local::FileStore;
use tempfile::TempDir;

fn main() -> std::process::ExitCode {
    Suite::new("file", || async {
        let folder = tempfile::tempdir().map_err(|error| Error::invalid(error.to_string()))?;
        file_in(Arc::new(folder), ManualClock::new()).await
    })
    .with_model_of_environment()
    .main()
}

/// The store in `folder`, which goes when the last fixture that uses it does.
fn file_in(folder: Arc<TempDir>, clock: ManualClock) -> BoxFuture<'static, Result<Fixture>> {
    Box::pin(open_file(folder, clock))
}

async fn open_file(folder: Arc<TempDir>, clock: ManualClock) -> Result<Fixture> {
    let path = folder.path().join("store");
    let store = FileStore::builder().clock(clock.clone()).open(path).await?;
    let open = move |namespace| {
        let opened = store.open(namespace);
        async move { opened.map(|backend| Arc::new(backend) as Arc<dyn StateBackend>) }
    };
    let again = clock.clone();
    let restart = move || file_in(Arc::clone(&folder), again.clone());
    Ok(Fixture::new(open).with_clock(clock).with_restart(restart))
}
