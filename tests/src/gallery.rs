//! The gallery of deliberately broken backends, which the conformance suite must reject.
//!
//! Each mutant is the memory store with one defect: the kind of bug that real stores ship. It
//! names the clauses that reject it, so that the kill matrix (`tests/kill_matrix.rs`) can hold
//! the suite to them: a clause that no mutant can fail proves nothing, and a defect that no
//! clause sees is a hole in the contract.

mod batch;
mod cancel;
mod cas;
mod checkpoints;
mod codec;
mod controls;
mod durable;
mod evict;
mod fence;
mod hash;
mod hooks;
mod kv;
mod lease;
mod limits;
mod list;
mod model;
mod modest;
mod mutant;
mod race;
mod shadow;
mod snap;
mod synced;
mod ttl;
mod txn;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use state_conformance::{Fixture, Suite};
use state_core::{Error, ManualClock, Namespace, Result, StateBackend};
use state_local::MemoryStore;

pub use controls::controls;

use hooks::{Honest, Hooks};
use mutant::MutantBackend;

/// A backend with one defect.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub struct Mutant {
    /// The stable id: family, then what is broken, joined by dots.
    pub id: &'static str,
    /// The defect, in one sentence.
    pub sentence: &'static str,
    /// The ids of the clauses that must reject it.
    pub killers: &'static [&'static str],
    /// Whether it is the defect that something never comes, so that a clause which waits for it
    /// rejects the mutant by not coming to an end.
    pub hangs: bool,
    defect: Defect,
}

/// What a mutant is made by.
#[derive(Clone, Copy)]
enum Defect {
    /// A broken backend.
    Backend(fn() -> Hooks),
    /// A broken checkpointer.
    Checkpointer(fn() -> checkpoints::Hooks),
}

impl fmt::Debug for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutant").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Mutant {
    /// The family, which is the first part of the id.
    pub fn family(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }

    /// The suite that holds this mutant to the contract, with a fresh store per clause.
    pub fn suite(&self) -> Suite {
        match self.defect {
            Defect::Backend(hooks) => suite(self.id, hooks),
            Defect::Checkpointer(hooks) => checkpoints::suite(self.id, hooks),
        }
    }

    /// So many instances of a fresh store with this defect, which goes by `clock`.
    ///
    /// # Errors
    /// The defect is one of a checkpointer.
    pub fn instances(
        &self,
        clock: &ManualClock,
        count: usize,
    ) -> Result<Vec<Arc<dyn StateBackend>>> {
        let Defect::Backend(hooks) = self.defect else {
            return Err(Error::unsupported("instances of a checkpointer"));
        };
        let hooks = hooks();
        let store = store(&hooks, clock);
        let open = opening(hooks, clock.clone(), store);
        (0..count).map(|_| open(Namespace::default())).collect()
    }
}

/// All mutants, by family, in the order of the contract.
pub fn mutants() -> impl Iterator<Item = &'static Mutant> {
    let families = [
        kv::MUTANTS,
        durable::MUTANTS,
        cas::MUTANTS,
        ttl::MUTANTS,
        batch::MUTANTS,
        txn::MUTANTS,
        list::MUTANTS,
        lease::MUTANTS,
        fence::MUTANTS,
        watch::MUTANTS,
        hash::MUTANTS,
        snap::MUTANTS,
        codec::MUTANTS,
        limits::MUTANTS,
        evict::MUTANTS,
        cancel::MUTANTS,
        race::MUTANTS,
        model::MUTANTS,
    ];
    families.into_iter().flatten().chain(checkpoints::mutants())
}

/// A suite over the memory store with `hooks` in front of it.
fn suite(id: &'static str, hooks: fn() -> Hooks) -> Suite {
    Suite::new(id, move || {
        let hooks = hooks();
        let clock = ManualClock::new();
        let store = store(&hooks, &clock);
        std::future::ready(Ok(fixture(hooks, clock, store)))
    })
}

/// `store` with `hooks` in front of it.
fn fixture(hooks: Hooks, clock: ManualClock, store: MemoryStore) -> Fixture {
    let room = hooks.room;
    let restart = hooks.restart.clone().map(|next| {
        let (hooks, clock, store) = (hooks.clone(), clock.clone(), store.clone());
        move || {
            let store = next(&store, &clock);
            std::future::ready(Ok(fixture(hooks.clone(), clock.clone(), store)))
        }
    });
    let shown = clock.clone();
    let open = opening(hooks, clock, store);
    let fixture = Fixture::new(move |namespace| std::future::ready(open(namespace)));
    let fixture = fixture.with_clock(shown);
    let fixture = match room {
        Some(entries) => fixture.with_room(entries),
        None => fixture,
    };
    match restart {
        Some(restart) => fixture.with_restart(restart),
        None => fixture,
    }
}

/// Opens instances of `store` with `hooks` in front of it.
fn opening(
    hooks: Hooks,
    clock: ManualClock,
    store: MemoryStore,
) -> impl Fn(Namespace) -> Result<Arc<dyn StateBackend>> {
    let opened = AtomicUsize::new(0);
    move |namespace: Namespace| {
        let inside = hooks.namespace.as_ref().map(|place| place(&namespace));
        let backend = Arc::new(store.open(inside.unwrap_or_else(|| namespace.clone()))?);
        let instance = opened.fetch_add(1, Ordering::Relaxed);
        let (store, clock) = (store.clone(), clock.clone());
        let honest = Honest { backend, namespace, instance, store, clock };
        Ok(Arc::new(MutantBackend::new(honest, hooks.clone())))
    }
}

/// A store with `hooks` in front of it that goes by `clock`.
fn store(hooks: &Hooks, clock: &ManualClock) -> MemoryStore {
    let settings = MemoryStore::builder().clock(clock.clone());
    hooks.settings.map_or(settings.clone(), |change| change(settings)).build()
}

/// Lists the mutants of one family, each with its defect as the documentation comment and the
/// clauses that must reject it; `or late` says that they may do so by not coming to an end, because
/// what they wait for never comes:
///
/// ```text
/// gallery! {
///     /// A delete always says that there was an entry.
///     "kv.delete.always" rejected by ["kv.delete.existed"] => delete_always;
///     /// Deletes are not told.
///     "watch.delete.silent" rejected by ["watch.delete"] or late => delete_silent;
/// }
/// ```
///
/// The functions return the [`Hooks`] of a fresh fixture; one that is missing in the list is
/// dead code and the build warns.
macro_rules! gallery {
    (checkpointers $($rest:tt)*) => { gallery! { @family Checkpointer $($rest)* } };
    (@family $subject:ident $(
        $(#[doc = $sentence:literal])+
        $id:literal rejected by [$($killer:literal),+ $(,)?] $(or $late:ident)? => $hooks:expr;
    )*) => {
        pub(super) const MUTANTS: &[$crate::gallery::Mutant] = &[$($crate::gallery::Mutant {
            id: $id,
            sentence: concat!($($sentence),+).trim_ascii(),
            killers: &[$($killer),+],
            hangs: gallery!(@late $($late)?),
            defect: $crate::gallery::Defect::$subject($hooks),
        }),*];
    };
    (@late) => { false };
    (@late late) => { true };
    ($($rest:tt)*) => { gallery! { @family Backend $($rest)* } };
}

use gallery;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_mutant_has_an_id_and_a_sentence_of_its_own() {
        let (mut ids, mut sentences) = (BTreeSet::new(), BTreeSet::new());
        for mutant in mutants() {
            assert!(ids.insert(mutant.id), "{} is there twice", mutant.id);
            let sentence = mutant.sentence;
            assert!(sentence.ends_with('.') && !sentence.contains(". "), "{}", mutant.id);
            assert!(sentences.insert(sentence), "the sentence of {} is there twice", mutant.id);
        }
    }

    #[test]
    fn each_killer_is_a_clause() {
        let clauses: BTreeSet<_> = state_conformance::all().map(|clause| clause.id).collect();
        for mutant in mutants() {
            for killer in mutant.killers {
                assert!(clauses.contains(killer), "{} names the unknown {killer}", mutant.id);
            }
        }
    }
}
