//! Embedded state stores: in memory, and durable in a file.

mod backend;
mod engine;
mod memory;
mod reach;
mod space;
mod stats;
mod sweep;
mod tables;
mod watch;

#[cfg(feature = "file")]
mod file;

#[cfg(feature = "simulation")]
pub use file::Storage;
#[cfg(feature = "file")]
pub use file::{CommitMode, FileBackend, FileStore, FileStoreBuilder, disk_bytes};
pub use memory::{
    EvictionPolicy, LeastFrequentlyUsed, LeastRecentlyUsed, MemoryBackend, MemoryStore,
    MemoryStoreBuilder, OldestExpiry,
};
