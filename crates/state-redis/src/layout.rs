//! The layout of a namespace: how its keys are placed, and what its writes keep up besides.
//!
//! A namespace has one layout for good. Whoever opens it first decides, and a small key on the
//! server records what was chosen, so that no writer can place a key elsewhere or leave out what
//! readers rely on.

mod open;
mod options;
mod partitioner;
mod record;

pub(crate) use open::{agree, look};
pub use options::{NamespaceOptions, WatchHistory};
pub use partitioner::{Partitioner, Placed};
pub(crate) use record::Layout;
