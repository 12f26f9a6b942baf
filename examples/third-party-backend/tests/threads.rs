//! Holds the threads of checkpoints in the backend to the whole contract.
use std::sync::Arc;

use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_conformance::{Fixture, Suite};
use state_core::checkpoint::Checkpointer;

fn main() -> std::process::ExitCode {
    Suite::new("threads in a map", || async {
        let (store, clock) = third_party_backend::MapStore::with_manual_clock();
        let options = CheckpointOptions::new().with_clock(clock.clone());
        let open = move |name| {
            let threads = Checkpoints::open_with(store.open(name), options.clone());
            threads.map(|threads| Arc::new(threads) as Arc<dyn Checkpointer>)
        };
        Ok(Fixture::new(move |name| std::future::ready(open(name))).with_clock(clock))
    })
    .main()
}
