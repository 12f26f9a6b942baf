//! Holds the backend to the whole contract.
use state_conformance::{Fixture, Suite};

fn main() -> std::process::ExitCode {
    Suite::new("map", || async {
        let (store, clock) = third_party_backend::MapStore::with_manual_clock();
        Ok(Fixture::new(move |name| std::future::ready(Ok(store.open(name)))).with_clock(clock))
    })
    .main()
}
