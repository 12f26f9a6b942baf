//! Options of touches.

use crate::options::with_methods;
use crate::{Acks, Expiry, Fence};

/// How [`touch_opts`](crate::StateBackend::touch_opts) changes a lifetime.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TouchOptions {
    /// The lifetime that a present entry gets. `Keep` is `Invalid`.
    pub expiry: Expiry,
    /// How safe the touch must be. Default: applied by the primary.
    pub acks: Acks,
    /// Makes the touch as the holder of a lease.
    pub fence: Option<Fence>,
}

impl TouchOptions {
    /// Gives a present entry the lifetime `expiry`.
    pub fn new(expiry: impl Into<Expiry>) -> Self {
        Self { expiry: expiry.into(), ..Self::default() }
    }
}

with_methods!(TouchOptions {
    /// Sets how safe the touch must be.
    with_acks => into acks: Acks,
    /// Makes the touch as the holder of a lease.
    with_fence => into fence: Option<Fence>,
});
