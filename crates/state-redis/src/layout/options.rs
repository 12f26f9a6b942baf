//! What may be chosen for a namespace when it is opened for the first time.

use std::sync::Arc;

use state_core::{Error, Result};

use super::Partitioner;

/// The longest id of a partitioner, in bytes.
const ID_BYTES_MAX: usize = 64;
/// Where a namespace is placed by buckets, and nobody said how many.
pub(super) const BUCKETS: u16 = 16;
/// The most buckets: a resume token holds a position in each of them.
const BUCKETS_MAX: u16 = 128;

/// What a namespace remembers of its changes, for those who watch it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum WatchHistory {
    /// Nothing: changes are told to those who are connected.
    #[default]
    None,
    /// A change log, so that a watch can be resumed. Every write of the namespace is a script that
    /// appends to it.
    Log {
        /// About how many events each bucket keeps; the oldest are dropped. At least 1. A server
        /// drops them in blocks, so there may be about a hundred more.
        events_max: u32,
    },
}

/// What an opener asks of a namespace.
///
/// Everything that is not said is taken as it is recorded, or by its default when the namespace is
/// new. What is said and differs from what is recorded is refused.
///
/// ```
/// # use std::sync::Arc;
/// # use state_redis::{NamespaceOptions, Partitioner, WatchHistory};
/// # fn example(by_region: Arc<dyn Partitioner>) {
/// let audited = NamespaceOptions::new()
///     .with_watch(WatchHistory::Log { events_max: 100_000 })
///     .with_ordered_index(true);
/// let placed = NamespaceOptions::new().with_partitioner(by_region);
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct NamespaceOptions {
    /// What is remembered of changes. Default: nothing.
    pub watch: Option<WatchHistory>,
    /// Whether an index is kept, so that listings are ordered and exact, and cost what the namespace
    /// holds and not what the database holds. Every write of the namespace is a script that keeps it
    /// up. Default: no.
    pub ordered_index: Option<bool>,
    /// In how many buckets all keys are placed: 1 to 128. A bucket is in one slot of a cluster, with
    /// an index and a log of its own, and no slot serves more than its node can. Only with an index
    /// or a log. Default: 16.
    pub buckets: Option<u16>,
    /// Which keys lie together in a cluster. Default: each partition, and each key without one, is
    /// placed on its own.
    pub partitioner: Option<Arc<dyn Partitioner>>,
}

impl NamespaceOptions {
    /// Takes the namespace as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what is remembered of changes.
    #[must_use]
    pub const fn with_watch(mut self, watch: WatchHistory) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Sets whether an index is kept.
    #[must_use]
    pub const fn with_ordered_index(mut self, ordered_index: bool) -> Self {
        self.ordered_index = Some(ordered_index);
        self
    }

    /// Sets in how many buckets all keys are placed.
    #[must_use]
    pub const fn with_buckets(mut self, buckets: u16) -> Self {
        self.buckets = Some(buckets);
        self
    }

    /// Sets which keys lie together in a cluster.
    #[must_use]
    pub fn with_partitioner(mut self, partitioner: Arc<dyn Partitioner>) -> Self {
        self.partitioner = Some(partitioner);
        self
    }

    /// Checks what can be checked without asking the server.
    pub(super) fn check(&self) -> Result<()> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if let Some(id) = self.partitioner.as_ref().map(|partitioner| partitioner.id())
            && (id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(known))
        {
            let message = "partitioner: its id must be 1 to 64 letters, digits, '_', '.' or '-'";
            return Err(Error::invalid(message));
        }
        if matches!(self.watch, Some(WatchHistory::Log { events_max: 0 })) {
            return Err(Error::invalid("watch: a log must keep at least 1 event"));
        }
        match self.buckets {
            Some(count) if count == 0 || count > BUCKETS_MAX => {
                Err(Error::invalid("buckets: there can be 1 to 128"))
            }
            Some(_) if !self.is_placed_by_buckets() => {
                Err(Error::invalid("buckets: there are some only with an index or a log"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_placed_by_buckets(&self) -> bool {
        self.ordered_index == Some(true) || matches!(self.watch, Some(WatchHistory::Log { .. }))
    }
}
