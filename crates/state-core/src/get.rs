//! Options of reads.

use crate::options::with_methods;
use crate::{Consistency, Expiry, Fence};

/// How [`get_opts`](crate::StateBackend::get_opts) and
/// [`get_many`](crate::StateBackend::get_many) read.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GetOptions {
    /// How fresh the answer must be. Default: `Strong`.
    pub consistency: Consistency,
    /// Gives a present entry this lifetime in the same step; the version stays. `Keep` is
    /// `Invalid`, and so is touching together with `Consistency::Eventual`.
    pub touch: Option<Expiry>,
    /// Makes the read as the holder of a lease.
    pub fence: Option<Fence>,
    /// Asks for the lifetime, which may cost the store a script.
    pub expiry: bool,
    /// Leaves the value out: presence, version and lifetime only.
    pub head: bool,
}

impl GetOptions {
    /// A strong read of value and version.
    pub fn new() -> Self {
        Self::default()
    }
}

with_methods!(GetOptions {
    /// Sets how fresh the answer must be.
    with_consistency => consistency: Consistency,
    /// Gives a present entry this lifetime.
    with_touch => into touch: Option<Expiry>,
    /// Makes the read as the holder of a lease.
    with_fence => into fence: Option<Fence>,
    /// Asks for the lifetime.
    with_expiry => expiry: bool,
    /// Leaves the value out.
    with_head => head: bool,
});
