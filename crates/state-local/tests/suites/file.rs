//! The contract on the file store, for its test and for programs that run it as a whole.

use std::sync::Arc;

use state_conformance::{Fixture, Suite};
use state_core::{BoxFuture, Error, ManualClock, Result, StateBackend};
use state_local::FileStore;
use tempfile::TempDir;

/// The contract on the file store, which is opened anew where a clause asks for that.
pub fn file_suite() -> Suite {
    Suite::new("file", || async {
        let folder = tempfile::tempdir().map_err(|error| Error::invalid(error.to_string()))?;
        file_in(Arc::new(folder), ManualClock::new()).await
    })
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
