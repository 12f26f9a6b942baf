//! Defects of the shape and the options of transactions.

use state_core::{Acks, Capability, Error, ErrorKind, StateBackend, Transact};

use super::changing;
use crate::gallery::hooks::{Hooks, RoleGiven};
use crate::gallery::list::decorated;

pub(super) fn secret() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::Transact))
}

pub(super) fn forwarded() -> Hooks {
    decorated().giving(|roles| roles.transact = RoleGiven::Inner)
}

pub(super) fn one_key_refused() -> Hooks {
    Hooks::default().on_transact(|honest, transaction| async move {
        if transaction.keys().any(|key| key.partition().is_none()) {
            return Err(Error::new(ErrorKind::NotColocated, "a key is in no partition"));
        }
        honest.transact(transaction).await
    })
}

pub(super) fn secretly_spanning() -> Hooks {
    Hooks::default()
        .with_store(|store| store.cross_partition_transactions(true))
        .declaring(|_, honest| honest.without(Capability::CrossPartition))
}

pub(super) fn not_spanning() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.with(Capability::CrossPartition))
}

pub(super) fn limit_ops_only() -> Hooks {
    changing(|honest, transaction| {
        let most = honest.capabilities().limits.transaction_ops_max;
        transaction.checks.truncate(most.saturating_sub(transaction.ops.len()));
    })
}

pub(super) fn op_id_twice() -> Hooks {
    changing(|_, transaction| transaction.op_id = None)
}

pub(super) fn op_id_anything() -> Hooks {
    Hooks::default().on_transact(|honest, mut transaction| async move {
        let done = honest.transact(transaction.clone()).await;
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid) {
            transaction.op_id = None;
            return honest.transact(transaction).await;
        }
        done
    })
}

pub(super) fn op_id_dropped() -> Hooks {
    op_id_twice().declaring(|_, honest| honest.without(Capability::OpId))
}

pub(super) fn acks_ignored() -> Hooks {
    changing(|_, transaction| transaction.acks = Acks::Primary)
}

pub(super) fn unnamed_sync() -> Hooks {
    acks_ignored().declaring(|_, honest| honest.with(Capability::AckFsync))
}
