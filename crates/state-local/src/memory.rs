//! The store in memory.

mod evict;
mod log;
mod merge;
mod ordered;
mod overlay;
mod shards;
mod snapshot;
mod space;
mod store;
mod tables;

pub use evict::{EvictionPolicy, LeastFrequentlyUsed, LeastRecentlyUsed, OldestExpiry};
pub use store::{MemoryBackend, MemoryStore, MemoryStoreBuilder};
