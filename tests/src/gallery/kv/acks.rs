//! Defects of write acknowledgements.

use state_core::{Acks, AcksReached, Capability, Error, StateBackend, Written};

use crate::gallery::hooks::Hooks;

pub(super) fn boasts() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let written = honest.put_opts(&key, value, options).await?;
        Ok(Written::new(written.version, AcksReached::by_replicas(1)))
    })
}

pub(super) fn ignored() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        honest.put_opts(&key, value, options.with_acks(Acks::Primary)).await
    })
}

pub(super) fn zero_refused() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        if matches!(options.acks, Acks::Replicas(_)) {
            return Err(Error::unsupported("waiting for replicas"));
        }
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn refused_late() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let asked = options.acks;
        let written = honest.put_opts(&key, value, options.with_acks(Acks::Primary)).await?;
        if asked == Acks::Primary {
            return Ok(written);
        }
        Err(Error::unsupported("waiting for more than the primary"))
    })
}

pub(super) fn unnamed_replicas() -> Hooks {
    ignored().declaring(|_, honest| honest.with(Capability::AckReplicas))
}

pub(super) fn any_number() -> Hooks {
    Hooks::default().declaring(|_, honest| honest.with(Capability::AckReplicas)).on_put(
        |honest, key, value, options| async move {
            let asked = options.acks;
            let plain = options.with_acks(Acks::Primary);
            let written = honest.put_opts(&key, value, plain).await?;
            let Acks::Replicas(replicas) = asked else { return Ok(written) };
            Ok(Written::new(written.version, AcksReached::by_replicas(replicas)))
        },
    )
}

pub(super) fn unnamed_sync() -> Hooks {
    ignored().declaring(|_, honest| honest.with(Capability::AckFsync))
}
