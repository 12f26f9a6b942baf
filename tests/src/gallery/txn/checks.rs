//! Defects of the checks of transactions.

use state_core::{Error, ErrorKind, Precondition, StateBackendExt, Transact, WriteOp};

use super::{changing, one_by_one};
use crate::gallery::hooks::Hooks;
use crate::gallery::shadow::Shadow;

pub(super) fn empty_refused() -> Hooks {
    Hooks::default().on_transact(|honest, transaction| async move {
        if transaction.keys().next().is_none() {
            return Err(Error::invalid("the transaction is empty"));
        }
        honest.transact(transaction).await
    })
}

pub(super) fn only_skipped() -> Hooks {
    changing(|_, transaction| {
        if transaction.ops.is_empty() {
            transaction.checks.clear();
        }
    })
}

pub(super) fn present_ignored() -> Hooks {
    changing(|_, transaction| {
        transaction.checks.retain(|check| check.precondition != Precondition::Present);
    })
}

pub(super) fn afterwards() -> Hooks {
    Hooks::default().on_transact(|honest, transaction| async move {
        let writes = transaction.clone();
        let done = honest.transact(transaction).await;
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict) {
            one_by_one(&honest, writes).await?;
        }
        done
    })
}

pub(super) fn of_write_ignored() -> Hooks {
    changing(|_, transaction| {
        for op in &mut transaction.ops {
            match op {
                WriteOp::Put { options, .. } => options.precondition = Precondition::Always,
                WriteOp::Delete { options, .. } => options.precondition = Precondition::Always,
                _ => {}
            }
        }
    })
}

/// Changes which check a conflict names; there are so many checks and so many writes.
fn naming(other: fn(usize, usize, usize) -> Option<usize>) -> Hooks {
    Hooks::default().on_transact(move |honest, transaction| async move {
        let (checks, writes) = (transaction.checks.len(), transaction.ops.len());
        let done = honest.transact(transaction).await;
        done.map_err(|error| match (error.kind(), error.index()) {
            (ErrorKind::Conflict, Some(index)) => {
                let bare = Error::conflict("a check does not hold");
                match other(index, checks, writes) {
                    Some(index) => bare.with_index(index),
                    None => bare,
                }
            }
            _ => error,
        })
    })
}

pub(super) fn no_index() -> Hooks {
    naming(|_, _, _| None)
}

pub(super) fn other_index() -> Hooks {
    naming(|index, checks, writes| {
        Some(if index < checks { index + writes } else { index - checks })
    })
}

pub(super) fn own_writes() -> Hooks {
    Hooks::default().on_transact(|honest, mut transaction| async move {
        let puts: Vec<_> = transaction
            .ops
            .iter()
            .filter(|op| !matches!(op, WriteOp::Delete { .. }))
            .map(|op| op.key().clone())
            .collect();
        for (index, check) in transaction.checks.iter().enumerate() {
            if puts.contains(&check.key) && check.precondition == Precondition::Absent {
                return Err(Error::conflict("a check does not hold").with_index(index));
            }
        }
        transaction.checks.retain(|check| {
            !(puts.contains(&check.key) && check.precondition == Precondition::Present)
        });
        honest.transact(transaction).await
    })
}

pub(super) fn sees_expired() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_transact(move |honest, mut transaction| {
        let shadow = shadow.clone();
        async move {
            let mut kept = Vec::new();
            for (index, check) in transaction.checks.into_iter().enumerate() {
                let there = shadow.of(&honest)?.contains(&check.key).await?;
                match check.precondition {
                    Precondition::Absent if there => {
                        return Err(Error::conflict("a check does not hold").with_index(index));
                    }
                    Precondition::Present if there => {}
                    _ => kept.push(check),
                }
            }
            transaction.checks = kept;
            honest.transact(transaction).await
        }
    })
}

pub(super) fn any_version() -> Hooks {
    changing(|_, transaction| {
        for check in &mut transaction.checks {
            if matches!(check.precondition, Precondition::Matches(_)) {
                check.precondition = Precondition::Present;
            }
        }
    })
}
