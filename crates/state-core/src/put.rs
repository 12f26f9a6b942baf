//! Options and receipt of writes.

use crate::options::with_methods;
use crate::{Acks, AcksReached, Expiry, Fence, OpId, Precondition, Resend, Version};

/// How [`put_opts`](crate::StateBackend::put_opts) writes.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PutOptions {
    /// What must hold for the write to happen. Default: nothing.
    pub precondition: Precondition,
    /// The lifetime of the entry. Default: the configured one, or none.
    pub expiry: Expiry,
    /// How safe the write must be. Default: applied by the primary.
    pub acks: Acks,
    /// Makes the write as the holder of a lease.
    pub fence: Option<Fence>,
    /// Makes the write once, however often it is sent.
    pub op_id: Option<OpId>,
    /// Whether it may be sent again when the reply was lost.
    pub resend: Resend,
}

impl PutOptions {
    /// A plain overwrite.
    pub fn new() -> Self {
        Self::default()
    }
}

with_methods!(PutOptions {
    /// Sets what must hold for the write to happen.
    with_precondition => into precondition: Precondition,
    /// Sets the lifetime of the entry.
    with_expiry => into expiry: Expiry,
    /// Sets how safe the write must be.
    with_acks => into acks: Acks,
    /// Makes the write as the holder of a lease.
    with_fence => into fence: Option<Fence>,
    /// Makes the write once, however often it is sent.
    with_op_id => into op_id: Option<OpId>,
    /// Sets whether it may be sent again when the reply was lost.
    with_resend => resend: Resend,
});

/// The receipt of a write.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Written {
    /// The version that the write gave the entry.
    pub version: Version,
    /// How safe the write was when the store answered.
    pub acks: AcksReached,
}

impl Written {
    /// The receipt of a write that made `version`.
    pub const fn new(version: Version, acks: AcksReached) -> Self {
        Self { version, acks }
    }
}
