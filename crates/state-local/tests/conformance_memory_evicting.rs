//! Holds memory stores that may evict to the whole contract: there is room for all that most clauses write, and those about
//! eviction write more.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;
use state_conformance::{Fixture, Suite};
use state_core::{Key, ManualClock, StateBackend, Timestamp};
use state_local::{
    EvictionPolicy, LeastFrequentlyUsed, LeastRecentlyUsed, MemoryStore, OldestExpiry,
};

/// More entries than any clause writes that is not about eviction.
const ROOM: usize = 12_000;

fn main() -> ExitCode {
    let suites = [
        suite("least recently used", LeastRecentlyUsed::new),
        suite("least frequently used", LeastFrequentlyUsed::new),
        suite("oldest expiry", OldestExpiry::new),
        suite("a policy of one's own", Last::default),
    ];
    let trials = suites.iter().flat_map(Suite::trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn suite<P: EvictionPolicy>(name: &'static str, policy: fn() -> P) -> Suite {
    Suite::new(name, move || async move {
        let clock = ManualClock::new();
        let store = MemoryStore::builder().clock(clock.clone()).evict(ROOM, policy).build();
        let open = move |namespace| {
            let opened = store.open(namespace);
            async move { opened.map(|backend| Arc::new(backend) as Arc<dyn StateBackend>) }
        };
        Ok(Fixture::new(open).with_clock(clock).with_room(ROOM))
    })
}

/// Evicts what sorts last.
#[derive(Debug, Default)]
struct Last(BTreeSet<Key>);

impl EvictionPolicy for Last {
    fn written(&mut self, key: &Key, _: Option<Timestamp>) {
        self.0.insert(key.clone());
    }

    fn read(&mut self, _: &Key) {}

    fn removed(&mut self, key: &Key) {
        self.0.remove(key);
    }

    fn victim(&mut self) -> Option<Key> {
        self.0.last().cloned()
    }
}
