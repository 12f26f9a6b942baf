//! The backend face of a space: every driver method and role, written once for both stores.

mod calls;
mod faces;
mod roles;

use std::sync::Arc;

use state_core::{Operation, Result};

use crate::space::Space;
use crate::stats::{Call, Counters};

pub(crate) use faces::backend_faces;

/// A space with its counters; what `MemoryBackend` and `FileBackend` are made of.
#[derive(Debug)]
pub(crate) struct Local<S> {
    pub(crate) space: Arc<S>,
    counters: Counters,
}

impl<S: Space> Local<S> {
    pub(crate) fn new(space: Arc<S>) -> Self {
        Self { space, counters: Counters::default() }
    }

    /// Counts a call and names it in its error.
    fn counted<T>(
        &self,
        operation: Operation,
        result: Result<T>,
        call: impl FnOnce(&T) -> Call,
    ) -> Result<T> {
        self.counters.count(operation, result.as_ref().ok().map(call));
        result.map_err(|error| error.with_op(operation.name()))
    }
}
