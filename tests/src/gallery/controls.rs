//! Backends that keep the contract, so that a clause which rejects everything is found out.

use state_conformance::{Fixture, Suite};
use state_core::{Acks, AcksReached, Capability, Error, ErrorKind, StateBackend, Written};
use third_party_backend::MapStore;

use super::hooks::{Hooks, RoleGiven};
use super::{checkpoints, suite};

/// The suites that must pass, by name: between them they keep every clause, as the kill matrix
/// makes sure.
pub fn controls() -> Vec<(&'static str, Suite)> {
    let bare = Suite::new("bare", || async {
        let (store, clock) = MapStore::with_manual_clock();
        let open = move |namespace| std::future::ready(Ok(store.open(namespace)));
        Ok(Fixture::new(open).with_clock(clock))
    });
    vec![
        ("honest", suite("honest", Hooks::default)),
        ("spanning", suite("spanning", spanning)),
        ("one-by-one", suite("one-by-one", one_by_one)),
        ("replicated", suite("replicated", replicated)),
        ("synced", suite("synced", super::synced::synced)),
        ("modest", suite("modest", super::modest::modest)),
        ("durable", suite("durable", super::durable::durable)),
        ("evicting", suite("evicting", super::evict::evicting)),
        ("bare", bare),
        ("model", checkpoints::suite("model", checkpoints::honest)),
        ("unfollowed", checkpoints::suite("unfollowed", checkpoints::unfollowed)),
    ]
}

/// Has transactions that span partitions.
fn spanning() -> Hooks {
    Hooks::default().with_store(|store| store.cross_partition_transactions(true))
}

/// Has no transactions.
fn one_by_one() -> Hooks {
    Hooks::default()
        .declaring(|_, honest| {
            honest.without(Capability::Transact).without(Capability::CrossPartition)
        })
        .giving(|roles| roles.transact = RoleGiven::Nothing)
}

/// Has one replica, and says so.
fn replicated() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.with(Capability::AckReplicas)).on_put(
        |honest, key, value, options| async move {
            let asked = options.acks;
            let Acks::Replicas(replicas) = asked else {
                return honest.put_opts(&key, value, options).await;
            };
            let plain = options.with_acks(Acks::Primary);
            let written = honest.put_opts(&key, value, plain).await?;
            if replicas > 1 {
                return Err(Error::new(ErrorKind::Unacknowledged, "there is one replica"));
            }
            Ok(Written::new(written.version, AcksReached::by_replicas(replicas)))
        },
    )
}
