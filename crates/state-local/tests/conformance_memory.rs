//! Holds the memory store to the whole contract.

use std::sync::Arc;

use state_conformance::{Fixture, Suite};
use state_core::{ManualClock, StateBackend};
use state_local::MemoryStore;

fn main() -> std::process::ExitCode {
    Suite::new("memory", || async {
        let clock = ManualClock::new();
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let open = move |namespace| {
            let opened = store.open(namespace);
            async move { opened.map(|backend| Arc::new(backend) as Arc<dyn StateBackend>) }
        };
        Ok(Fixture::new(open).with_clock(clock))
    })
    .with_model_of_environment()
    .main()
}
