//! Defects of values, lifetimes and options over the limit.

use state_core::{Acks, Error, ErrorKind, Expiry, Limits, StateBackend, StateBackendExt, WriteOp};

use crate::gallery::hooks::Hooks;

pub(super) fn zero() -> Hooks {
    Hooks::default().declaring(|_, honest| {
        let mut limits = honest.limits;
        limits.transaction_ops_max = 0;
        honest.with_limits(limits)
    })
}

pub(super) fn unlimited() -> Hooks {
    Hooks::default()
        .with_store(|store| {
            let more = Limits::DEFAULT.value_bytes_max * 2;
            store.limits(Limits::DEFAULT.with_value_bytes_max(more))
        })
        .declaring(|_, honest| honest.with_limits(Limits::DEFAULT))
}

/// Fails a whole batch with the first error of this kind.
fn failing_whole(kind: ErrorKind) -> Hooks {
    Hooks::default().on_write_many(move |honest, ops| async move {
        let mut receipts = Vec::new();
        for receipt in honest.write_many(ops).await? {
            match receipt {
                Err(error) if error.kind() == kind => return Err(error),
                receipt => receipts.push(receipt),
            }
        }
        Ok(receipts)
    })
}

pub(super) fn whole_batch() -> Hooks {
    failing_whole(ErrorKind::TooLarge)
}

pub(super) fn lifetime_whole_batch() -> Hooks {
    failing_whole(ErrorKind::Invalid)
}

pub(super) fn cut() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let limits = honest.capabilities().limits;
        limits.check_value(&value)?;
        let value = value.slice(..value.len().min(1 << 20));
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn options_first() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        if options.acks != Acks::Primary {
            return Err(Error::unsupported("waiting for more than the primary"));
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn options_first_in_batch() -> Hooks {
    Hooks::default().on_write_many(|honest, ops| async move {
        let asking = |op: &WriteOp| {
            matches!(op, WriteOp::Put { options, .. } if options.acks != Acks::Primary)
        };
        if ops.iter().any(asking) {
            let refuse = |_| Err(Error::unsupported("waiting for more than the primary"));
            return Ok(ops.into_iter().map(refuse).collect());
        }
        honest.write_many(ops).await
    })
}

pub(super) fn put_ignored() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        let now = state_core::Clock::wall(&honest.clock);
        if Limits::check_expiry(options.expiry, now).is_err() {
            options.expiry = Expiry::Never;
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn increment_late() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, mut options| async move {
        let sets = options.lifetime_on == state_core::LifetimeOn::Every;
        if !sets && honest.contains(&key).await? {
            options.expiry = Expiry::Keep;
        }
        honest.increment_opts(&key, by, options).await
    })
}

pub(super) fn touch_absent() -> Hooks {
    Hooks::default().on_touch(|honest, key, options| async move {
        if !honest.contains(&key).await? {
            return Ok(false);
        }
        honest.touch_opts(&key, options).await
    })
}
