//! Checkpointers that break one rule each, and the model that they are made of.

mod broken;
mod hooks;
mod model;
mod store;
mod token;

mod copies;
mod names;
mod owners;
mod puts;
mod reads;
mod removals;
mod stores;
mod writes;

use std::future::ready;
use std::sync::Arc;

use state_conformance::{Fixture, Suite};
use state_core::checkpoint::Checkpointer;
use state_core::{BoxFuture, Error, ManualClock, Result};

pub(in crate::gallery) use hooks::Hooks;

use hooks::Mutated;
use store::ModelStore;

/// A suite over the model with `hooks` in front of it.
pub(in crate::gallery) fn suite(id: &'static str, hooks: fn() -> Hooks) -> Suite {
    Suite::new(id, move || ready(Ok(fixture(hooks(), ModelStore::new(ManualClock::new())))))
}

fn fixture(hooks: Hooks, store: ModelStore) -> Fixture<dyn Checkpointer> {
    let (clock, counted, reached) = (store.clock.clone(), store.clone(), store.clone());
    let (again, with) = (store.clone(), hooks.clone());
    Fixture::new(move |namespace| {
        let place = hooks.place.map_or_else(|| namespace.clone(), |place| place(namespace.clone()));
        let (model, hooks) = (store.open(place), hooks.clone());
        ready(Ok(Arc::new(Mutated { model, namespace, hooks }) as Arc<dyn Checkpointer>))
    })
    .with_clock(clock)
    .with_count(move |namespace| ready(Ok(counted.records(&namespace))))
    .with_reach(move |on| {
        reached.reach(on);
        ready(Ok(()))
    })
    .with_restart(move || -> BoxFuture<'static, Result<Fixture<dyn Checkpointer>>> {
        if let Some(restart) = with.restart {
            restart(&again);
        }
        Box::pin(ready(Ok(fixture(with.clone(), again.clone()))))
    })
}

/// The model as it is.
pub(in crate::gallery) fn honest() -> Hooks {
    Hooks::default()
}

/// The model, which cannot be followed.
pub(in crate::gallery) fn unfollowed() -> Hooks {
    Hooks::default().on_watch(|_, _| ready(Err(Error::unsupported("following threads"))))
}

/// The mutants.
pub(in crate::gallery) fn mutants() -> impl Iterator<Item = &'static super::Mutant> {
    let kinds = [
        puts::MUTANTS,
        writes::MUTANTS,
        reads::MUTANTS,
        removals::MUTANTS,
        copies::MUTANTS,
        owners::MUTANTS,
        names::MUTANTS,
        stores::MUTANTS,
    ];
    kinds.into_iter().flatten()
}
