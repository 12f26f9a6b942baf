//! Options and receipt of counters.

use crate::options::with_methods;
use crate::{Acks, AcksReached, Expiry, Fence, OpId, Resend, Version};

/// When an increment sets the lifetime that it names.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum LifetimeOn {
    /// Only when it creates the counter: the window starts with the first increment.
    #[default]
    Create,
    /// With every increment: the window slides.
    Every,
}

/// How [`increment_opts`](crate::StateBackend::increment_opts) counts.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct IncrementOptions {
    /// The lifetime of the counter. Default: the configured one, or none.
    pub expiry: Expiry,
    /// When the lifetime is set. Default: when the counter is created.
    pub lifetime_on: LifetimeOn,
    /// How safe the increment must be. Default: applied by the primary.
    pub acks: Acks,
    /// Makes the increment as the holder of a lease.
    pub fence: Option<Fence>,
    /// Makes the increment once, however often it is sent.
    pub op_id: Option<OpId>,
    /// Whether it may be sent again when the reply was lost. Without an operation id an
    /// increment is never resent.
    pub resend: Resend,
}

impl IncrementOptions {
    /// A plain increment.
    pub fn new() -> Self {
        Self::default()
    }
}

with_methods!(IncrementOptions {
    /// Sets the lifetime of the counter.
    with_expiry => into expiry: Expiry,
    /// Sets when the lifetime is set.
    with_lifetime_on => lifetime_on: LifetimeOn,
    /// Sets how safe the increment must be.
    with_acks => into acks: Acks,
    /// Makes the increment as the holder of a lease.
    with_fence => into fence: Option<Fence>,
    /// Makes the increment once, however often it is sent.
    with_op_id => into op_id: Option<OpId>,
    /// Sets whether it may be sent again when the reply was lost.
    with_resend => resend: Resend,
});

/// The receipt of an increment.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Incremented {
    /// The value of the counter after the increment.
    pub value: i64,
    /// The version that the increment gave the entry.
    pub version: Version,
    /// How safe the increment was when the store answered.
    pub acks: AcksReached,
}

impl Incremented {
    /// The receipt of an increment.
    pub const fn new(value: i64, version: Version, acks: AcksReached) -> Self {
        Self { value, version, acks }
    }
}
