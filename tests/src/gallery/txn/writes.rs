//! Defects of the writes of transactions.

use std::collections::HashSet;
use std::time::Duration;

use state_core::{
    Acks, Capability, Error, Expiry, Limits, Resend, StateBackend, StateBackendExt, Transact,
    WriteOp,
};

use super::{changing, one_by_one};
use crate::gallery::hooks::Hooks;

pub(super) fn last_lost() -> Hooks {
    Hooks::default().on_transact(|honest, mut transaction| async move {
        let lost = if transaction.ops.len() > 1 { transaction.ops.pop() } else { None };
        let mut outcomes = honest.transact(transaction).await?;
        if lost.is_some() {
            outcomes.extend(outcomes.last().cloned());
        }
        Ok(outcomes)
    })
}

pub(super) fn receipts_reversed() -> Hooks {
    Hooks::default().on_transact(|honest, transaction| async move {
        let outcomes = honest.transact(transaction).await?;
        Ok(outcomes.into_iter().rev().collect())
    })
}

pub(super) fn in_steps() -> Hooks {
    Hooks::default().on_transact(|honest, mut transaction| async move {
        let writes = transaction.clone();
        transaction.ops.clear();
        honest.transact(transaction).await?;
        one_by_one(&honest, writes).await
    })
}

pub(super) fn delete_absent_fails() -> Hooks {
    Hooks::default().on_transact(|honest, transaction| async move {
        for op in &transaction.ops {
            if matches!(op, WriteOp::Delete { .. }) && !honest.contains(op.key()).await? {
                return Err(Error::conflict("there is no such entry"));
            }
        }
        honest.transact(transaction).await
    })
}

/// Changes the lifetimes that the writes of a transaction name.
fn lasting(change: fn(Expiry) -> Expiry) -> Hooks {
    changing(move |_, transaction| {
        for op in &mut transaction.ops {
            match op {
                WriteOp::Put { options, .. } => options.expiry = change(options.expiry),
                WriteOp::Increment { options, .. } => options.expiry = change(options.expiry),
                _ => {}
            }
        }
    })
}

pub(super) fn lifetime_dropped() -> Hooks {
    lasting(|_| Expiry::Never)
}

pub(super) fn lifetime_bent() -> Hooks {
    lasting(|expiry| match expiry {
        Expiry::After(lifetime) => {
            let year = Duration::from_secs(365 * 24 * 3_600);
            lifetime.clamp(Limits::LIFETIME_MIN, year).into()
        }
        other => other,
    })
}

pub(super) fn lifetime_secret() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.without(Capability::Expiry))
}

pub(super) fn last_wins() -> Hooks {
    Hooks::default().on_transact(|honest, mut transaction| async move {
        let mut seen = HashSet::new();
        let asked = transaction.ops.len();
        let mut last: Vec<_> =
            transaction.ops.into_iter().rev().filter(|op| seen.insert(op.key().clone())).collect();
        last.reverse();
        transaction.ops = last;
        let mut outcomes = honest.transact(transaction).await?;
        while let Some(outcome) = outcomes.last().cloned()
            && outcomes.len() < asked
        {
            outcomes.push(outcome);
        }
        Ok(outcomes)
    })
}

pub(super) fn bad_left_out() -> Hooks {
    changing(|honest, transaction| {
        let limits = honest.capabilities().limits;
        transaction.ops.retain(|op| limits.check_op(op).is_ok());
        transaction.checks.retain(|check| limits.check_key(&check.key).is_ok());
    })
}

pub(super) fn options_ignored() -> Hooks {
    changing(|_, transaction| {
        for op in &mut transaction.ops {
            let (acks, fence, id, resend) = match op {
                WriteOp::Put { options, .. } => {
                    (&mut options.acks, &mut options.fence, &mut options.op_id, &mut options.resend)
                }
                WriteOp::Delete { options, .. } => {
                    (&mut options.acks, &mut options.fence, &mut options.op_id, &mut options.resend)
                }
                WriteOp::Increment { options, .. } => {
                    (&mut options.acks, &mut options.fence, &mut options.op_id, &mut options.resend)
                }
                _ => continue,
            };
            (*acks, *fence, *id, *resend) = (Acks::Primary, None, None, Resend::Safe);
        }
    })
}
