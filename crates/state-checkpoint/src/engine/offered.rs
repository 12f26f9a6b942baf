//! What a store does not offer is refused before anything is read or written.

use state_core::checkpoint::{
    CopyOptions, DeleteRuns, DeleteThread, Ownership, PruneOptions, PutCheckpoint, PutWrites,
    Retention, ThreadLifetime, TouchThread,
};
use state_core::{Acks, Consistency, Error, Result};

use super::Checkpoints;
use crate::store::ThreadStore;

impl<S: ThreadStore> Checkpoints<S> {
    pub(super) fn offers_put(&self, put: &PutCheckpoint) -> Result<()> {
        self.offers_change(&put.ownership, put.lifetime, put.acks)
    }

    pub(super) fn offers_writes(&self, put: &PutWrites) -> Result<()> {
        self.offers_change(&put.ownership, put.lifetime, put.acks)
    }

    pub(super) fn offers_delete(&self, delete: &DeleteThread) -> Result<()> {
        let lifetime = delete.tombstone.map_or(ThreadLifetime::Keep, ThreadLifetime::After);
        self.offers_change(&delete.ownership, lifetime, delete.acks)
    }

    pub(super) fn offers_runs(&self, delete: &DeleteRuns) -> Result<()> {
        self.offers_change(&delete.ownership, ThreadLifetime::Keep, delete.acks)
    }

    pub(super) fn offers_touch(&self, touch: &TouchThread) -> Result<()> {
        self.offers_change(&touch.ownership, touch.lifetime, touch.acks)
    }

    pub(super) fn offers_copy(&self, options: &CopyOptions) -> Result<()> {
        self.offers_change(&Ownership::Anyone, options.lifetime, options.acks)
    }

    pub(super) fn offers_prune(&self, options: &PruneOptions) -> Result<()> {
        match options.retention {
            Retention::KeepLatest
            | Retention::KeepLast(_)
            | Retention::MaxAge(_)
            | Retention::Delete => {}
            _ => return Err(unknown_retention()),
        }
        self.offers_change(&options.ownership, ThreadLifetime::Keep, options.acks)
    }

    fn offers_change(
        &self,
        ownership: &Ownership,
        lifetime: ThreadLifetime,
        acks: Acks,
    ) -> Result<()> {
        match ownership {
            Ownership::Anyone | Ownership::Holder(_) | Ownership::ParentIsLatest => {}
            _ => return Err(unknown_ownership()),
        }
        match lifetime {
            ThreadLifetime::Default | ThreadLifetime::Pinned | ThreadLifetime::Keep => {}
            ThreadLifetime::After(_) => self.store.check_expiry()?,
            _ => return Err(Error::unsupported("this kind of lifetime")),
        }
        self.store.check_acks(acks)
    }
}

/// Only levels that are known are read at.
pub(super) fn offers_consistency(consistency: Consistency) -> Result<()> {
    match consistency {
        Consistency::Strong | Consistency::Eventual => Ok(()),
        _ => Err(Error::unsupported("this consistency level")),
    }
}

/// A retention of a later version, which must not be taken for another one.
pub(super) fn unknown_retention() -> Error {
    Error::unsupported("this retention")
}

/// An ownership of a later version, which must not be taken for anyone's.
pub(crate) fn unknown_ownership() -> Error {
    Error::unsupported("this kind of ownership")
}
