//! Defects that show when a snapshot is restored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use state_core::{
    AcksReached, Capability, ClearOptions, Clock, CountOptions, Error, ErrorKind, Expiry, Result,
    StateBackend, StateBackendExt, WriteOp, WriteOutcome, Written,
};

use crate::gallery::hooks::Hooks;

/// Changes the lifetimes that the puts of a batch name.
fn lasting(change: fn(&dyn Clock, Expiry) -> Expiry) -> Hooks {
    Hooks::default().on_write_many(move |honest, mut ops| async move {
        for op in &mut ops {
            if let WriteOp::Put { options, .. } = op {
                options.expiry = change(&honest.clock, options.expiry);
            }
        }
        honest.write_many(ops).await
    })
}

pub(super) fn immortal() -> Hooks {
    lasting(|clock, expiry| match expiry {
        Expiry::At(deadline) if deadline <= clock.wall() => Expiry::Never,
        other => other,
    })
}

pub(super) fn mortal() -> Hooks {
    lasting(|_, expiry| if expiry == Expiry::Never { Expiry::Keep } else { expiry })
}

/// Makes the puts of a batch one by one, unless there is an entry that `skips` says yes to.
fn putting(skips: fn(held: &[u8], new: &[u8]) -> bool) -> Hooks {
    Hooks::default().on_write_many(move |honest, ops| async move {
        honest.capabilities().limits.check_batch(ops.len())?;
        let mut receipts: Vec<Result<WriteOutcome>> = Vec::new();
        for op in ops {
            if let WriteOp::Put { key, value, .. } = &op
                && let Ok(Some(held)) = honest.get_entry(key).await
                && skips(&held.value, value)
            {
                let skipped = Written::new(held.version, AcksReached::PRIMARY);
                receipts.push(Ok(WriteOutcome::Written(skipped)));
                continue;
            }
            receipts.extend(honest.write_many(vec![op]).await?);
        }
        Ok(receipts)
    })
}

pub(super) fn skips_same() -> Hooks {
    putting(|held, new| held == new)
}

pub(super) fn only_new() -> Hooks {
    putting(|_, _| true)
}

pub(super) fn lazy_clear() -> Hooks {
    Hooks::default().on_clear(|honest, options| async move {
        let asked = CountOptions::new(options.prefix).with_scope(options.scope);
        honest.count_opts(asked).await
    })
}

pub(super) fn clears_first() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        honest.clear_opts(ClearOptions::default()).await?;
        honest.write_many(ops).await
    })
}

pub(super) fn last_lost() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        let last = ops.last().map(|op| op.key().clone()).filter(|_| ops.len() > 1);
        let receipts = honest.write_many(ops).await?;
        if let Some(last) = last {
            honest.delete(last).await?;
        }
        Ok(receipts)
    })
}

pub(super) fn growing_limits() -> Hooks {
    let asked = Arc::new(AtomicUsize::new(0));
    Hooks::default().declaring(move |_, honest| {
        let mut limits = honest.limits;
        limits.key_bytes_max += asked.fetch_add(1, Ordering::Relaxed);
        honest.with_limits(limits)
    })
}

pub(super) fn limits_undeclared() -> Hooks {
    growing_limits().on_write_many(|honest, ops| async move {
        let receipts = honest.write_many(ops).await?;
        let internal = |error: Error| {
            Error::new(ErrorKind::Internal, "the store has refused a record").with_source(error)
        };
        Ok(receipts.into_iter().map(|receipt| receipt.map_err(internal)).collect())
    })
}

pub(super) fn late_expiry() -> Hooks {
    let asked = Arc::new(AtomicUsize::new(0));
    Hooks::default().declaring(move |_, honest| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => honest.without(Capability::Expiry),
        _ => honest,
    })
}

pub(super) fn notes() -> Hooks {
    Hooks::default().declaring(|honest, offered| {
        if honest.instance >= 2 {
            // The store in memory never waits.
            drop(honest.put("asked", "what is offered").now_or_never());
        }
        offered
    })
}

pub(super) fn full() -> Hooks {
    let written = Arc::new(AtomicUsize::new(0));
    Hooks::default().on_write_many(move |honest, ops| {
        let before = written.fetch_add(ops.len(), Ordering::Relaxed);
        async move {
            if before + ops.len() > 5_000 {
                return Err(Error::too_large("store", before + ops.len(), 5_000));
            }
            honest.write_many(ops).await
        }
    })
}
