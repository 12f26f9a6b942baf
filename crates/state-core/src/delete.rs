//! Options and receipt of deletes.

use crate::options::with_methods;
use crate::{Acks, AcksReached, Entry, Fence, OpId, Precondition, Resend};

/// How [`delete_opts`](crate::StateBackend::delete_opts) deletes.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeleteOptions {
    /// What must hold for the delete to happen. `Absent` is `Invalid`.
    pub precondition: Precondition,
    /// How safe the delete must be. Default: applied by the primary.
    pub acks: Acks,
    /// Makes the delete as the holder of a lease.
    pub fence: Option<Fence>,
    /// Makes the delete once, however often it is sent.
    pub op_id: Option<OpId>,
    /// Whether it may be sent again when the reply was lost.
    pub resend: Resend,
    /// Returns what was deleted, in the same atomic step. A delete that returns its value is
    /// not resent without an operation id.
    pub return_value: bool,
}

impl DeleteOptions {
    /// A plain delete.
    pub fn new() -> Self {
        Self::default()
    }
}

with_methods!(DeleteOptions {
    /// Sets what must hold for the delete to happen.
    with_precondition => into precondition: Precondition,
    /// Sets how safe the delete must be.
    with_acks => into acks: Acks,
    /// Makes the delete as the holder of a lease.
    with_fence => into fence: Option<Fence>,
    /// Makes the delete once, however often it is sent.
    with_op_id => into op_id: Option<OpId>,
    /// Sets whether it may be sent again when the reply was lost.
    with_resend => resend: Resend,
    /// Returns what was deleted.
    with_return_value => return_value: bool,
});

/// The receipt of a delete.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deleted {
    /// Whether there was something to delete.
    pub existed: bool,
    /// Whether that is not known: the answer to an earlier try of this delete was lost, and the one that
    /// was answered found nothing. `existed` is false then.
    pub existed_unknown: bool,
    /// What was deleted, if that was asked for.
    pub previous: Option<Entry>,
    /// How safe the delete was when the store answered.
    pub acks: AcksReached,
}

impl Deleted {
    /// The receipt of a delete.
    pub const fn new(existed: bool, previous: Option<Entry>, acks: AcksReached) -> Self {
        Self { existed, existed_unknown: false, previous, acks }
    }

    /// The receipt of a delete that found nothing, of which an earlier try may have removed something.
    #[must_use]
    pub const fn with_existed_unknown(mut self, unknown: bool) -> Self {
        self.existed_unknown = unknown && !self.existed;
        self
    }
}
