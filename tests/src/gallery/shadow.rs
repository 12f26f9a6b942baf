//! A copy of the store in which time stands still: what has expired is there still.

use state_core::{Expiry, ManualClock, PutOptions, Result, StateBackend};
use state_local::{MemoryBackend, MemoryStore};

use super::hooks::{Honest, Hooks};

/// What an honest store was told, without what the passing of time has done to it.
#[derive(Clone, Debug)]
pub(super) struct Shadow(MemoryStore);

impl Shadow {
    /// A shadow that follows the writes and deletes that go through the hooks.
    pub(super) fn cast() -> (Self, Hooks) {
        let shadow = Self(MemoryStore::builder().clock(ManualClock::new()).build());
        let (putting, deleting) = (shadow.clone(), shadow.clone());
        let hooks = Hooks::default()
            .on_put(move |honest, key, value, options| {
                let shadow = putting.clone();
                async move {
                    let written = honest.put_opts(&key, value.clone(), options).await?;
                    let unending = PutOptions::new().with_expiry(Expiry::Never);
                    shadow.of(&honest)?.put_opts(&key, value, unending).await?;
                    Ok(written)
                }
            })
            .on_delete(move |honest, key, options| {
                let shadow = deleting.clone();
                async move {
                    let deleted = honest.delete_opts(&key, options).await?;
                    let plain = state_core::DeleteOptions::new();
                    shadow.of(&honest)?.delete_opts(&key, plain).await?;
                    Ok(deleted)
                }
            });
        (shadow, hooks)
    }

    /// The shadow of the namespace of `honest`.
    pub(super) fn of(&self, honest: &Honest) -> Result<MemoryBackend> {
        self.0.open(honest.namespace.clone())
    }
}
