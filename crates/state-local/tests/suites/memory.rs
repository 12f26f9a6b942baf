//! The contract on the memory store, for its test and for programs that run it as a whole.

use std::sync::Arc;

use state_conformance::{Fixture, Suite};
use state_core::{ManualClock, StateBackend};
use state_local::MemoryStore;

/// The contract on the memory store, whose clock can be moved.
pub fn memory_suite() -> Suite {
    Suite::new("memory", || async {
        let clock = ManualClock::new();
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let open = move |namespace| {
            let opened = store.open(namespace);
            async move { opened.map(|backend| Arc::new(backend) as Arc<dyn StateBackend>) }
        };
        Ok(Fixture::new(open).with_clock(clock))
    })
}
