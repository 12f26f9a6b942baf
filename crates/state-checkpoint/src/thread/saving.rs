//! What is said once of a thread, for each state that is saved to it.

use std::sync::Arc;

use state_core::checkpoint::{Metadata, Ownership, PutCheckpoint, ThreadLifetime};

/// What goes with each state that is saved.
#[derive(Clone, Debug, Default)]
pub(super) struct Saving {
    pub(super) ownership: Ownership,
    pub(super) metadata: Metadata,
    pub(super) run: Option<Arc<str>>,
    pub(super) lifetime: ThreadLifetime,
}

impl Saving {
    /// The put, with all of it.
    pub(super) fn apply(&self, mut put: PutCheckpoint) -> PutCheckpoint {
        for (name, value) in self.metadata.iter() {
            put.metadata = put.metadata.with(name, value.clone());
        }
        if let Some(run) = &self.run {
            put.metadata = put.metadata.with("run_id", &**run);
        }
        put.with_ownership(self.ownership.clone()).with_lifetime(self.lifetime)
    }
}
