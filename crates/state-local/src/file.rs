//! The durable store in a file.

mod keys;

mod format;

mod names;
mod place;

mod source;
mod tables;
mod view;

mod namespace;
mod settings;

mod answer;
mod queue;
mod work;

mod guard;
mod opening;
mod session;
mod shared;
mod unfinished;
mod writer;

mod handle;
mod snapshot;
mod space;
mod store;

#[cfg(feature = "simulation")]
mod storage;

#[cfg(test)]
mod tests;

pub use opening::disk_bytes;
pub use settings::CommitMode;
#[cfg(feature = "simulation")]
pub use storage::Storage;
pub use store::{FileBackend, FileStore, FileStoreBuilder};
