//! The engine: the rules of checkpoints, once, for all stores of threads.

mod ancestors;
mod cache;
mod collect;
mod copy;
mod draft;
mod driver;
mod get;
mod history;
mod list;
mod offered;
mod pages;
mod prune;
mod put;
mod rebuilt;
mod retain;
mod values;
mod writes;

use std::sync::Arc;

use state_core::checkpoint::CheckpointLimits;
use state_core::{Error, ErrorKind, Outcome, Result, StateBackend};

pub(crate) use self::offered::unknown_ownership;

use self::cache::Cache;
use crate::backend::BackendThreads;
use crate::ids::CheckpointIds;
use crate::options::CheckpointOptions;
use crate::script::VALUE_BYTES_MAX;
use crate::store::ThreadStore;

/// How often something is read or written anew because the thread became another meanwhile.
const TRIES: usize = 100;

/// Checkpoints in a store of threads.
///
/// Users call [`CheckpointerExt`](state_core::checkpoint::CheckpointerExt) and
/// [`Checkpointer`](state_core::checkpoint::Checkpointer), or give a struct a history with
/// [`Thread`](crate::Thread). Cloning is cheap; clones share store and cache.
#[derive(Debug)]
pub struct Checkpoints<S = BackendThreads> {
    store: Arc<S>,
    options: CheckpointOptions,
    limits: CheckpointLimits,
    cache: Arc<Cache>,
    ids: CheckpointIds,
}

impl<S> Clone for Checkpoints<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            options: self.options.clone(),
            limits: self.limits,
            cache: Arc::clone(&self.cache),
            ids: self.ids.clone(),
        }
    }
}

impl Checkpoints<BackendThreads> {
    /// Checkpoints in `backend`, whose namespace they should have for themselves. No round trip.
    ///
    /// # Errors
    /// `Unsupported` where the backend offers no transactions or no ordered listings, and where it
    /// may evict entries: a history would be shorter, and nothing would tell.
    pub fn open(backend: impl StateBackend) -> Result<Self> {
        Self::open_with(Arc::new(backend), CheckpointOptions::new())
    }

    /// As [`open`](Self::open), as `options` say.
    ///
    /// # Errors
    /// As [`open`](Self::open); `Unsupported` for a lifetime where the backend offers none,
    /// `Invalid` for a bad one.
    pub fn open_with(backend: Arc<dyn StateBackend>, options: CheckpointOptions) -> Result<Self> {
        let threads = BackendThreads::new(backend, options.clone())?;
        Ok(Self::over(threads, options))
    }
}

impl<S: ThreadStore> Checkpoints<S> {
    /// Checkpoints in any store of threads.
    pub fn over(store: S, options: CheckpointOptions) -> Self {
        let mut limits = store.limits();
        let most = usize::try_from(VALUE_BYTES_MAX).unwrap_or(usize::MAX);
        limits.payload_bytes_max = limits.payload_bytes_max.min(most);
        let cache = Arc::new(Cache::new(options.cache_bytes_max));
        let ids = CheckpointIds::new(Arc::clone(&options.clock));
        Self { store: Arc::new(store), options, limits, cache, ids }
    }

    /// Ids for new checkpoints.
    pub const fn ids(&self) -> &CheckpointIds {
        &self.ids
    }

    /// What the engine was opened with.
    pub const fn options(&self) -> &CheckpointOptions {
        &self.options
    }

    /// The store below.
    pub fn store(&self) -> &S {
        &self.store
    }
}

/// The thread became another each time.
fn too_busy() -> Error {
    Error::new(ErrorKind::Overloaded, "the thread is removed from too often to be read or written")
        .with_outcome(Outcome::NotApplied)
}
