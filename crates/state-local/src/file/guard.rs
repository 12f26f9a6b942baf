//! Keeps panics of the engine, which come of some damaged pages, from the callers of the store.

use std::panic::{AssertUnwindSafe, catch_unwind};

use state_core::Result;

use super::place::Place;

/// Runs the engine, which panics on some damaged pages.
pub(super) fn guarded<T>(place: &Place, run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|caught| Err(place.panicked(&*caught)))
}
