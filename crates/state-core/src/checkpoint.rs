//! Checkpoints: threads of states with a history, and the contract of the stores that keep them.
//!
//! A *thread* is one conversation, job or workflow. A *checkpoint* is its state after a step. The
//! state is made of *channels*; a checkpoint names the version of each channel, and a put carries
//! only the channels that changed. *Pending writes* are what tasks have produced since a
//! checkpoint and before the next. Inside a thread, *namespaces* keep the checkpoints of nested
//! graphs apart; the root namespace is empty.
//!
//! Payloads are opaque: a store never parses a channel value, a write or the body of a
//! checkpoint, and never builds objects from them.
//!
//! [`Checkpointer`] is what stores implement, [`CheckpointerExt`] what users call.

mod ids;
mod limits;
mod payload;
mod scalar;
mod version;

mod metadata;
mod record;
mod write;

mod history;
mod list;
mod ownership;
mod prune;
mod put;
mod thread;

mod checkpointer;
mod diff;
mod event;
mod ext;

pub use checkpointer::Checkpointer;
pub use diff::{ChannelChange, CheckpointDiff};
pub use event::ThreadEvent;
pub use ext::CheckpointerExt;
pub use history::{ChannelHistories, ChannelHistory, HistoryOptions};
pub use ids::{CheckpointId, CheckpointNamespace, CheckpointRef, ThreadId};
pub use limits::CheckpointLimits;
pub use list::{GetCheckpoint, ListCheckpoints, ListThreads};
pub use metadata::{Metadata, MetadataValue};
pub use ownership::Ownership;
pub use payload::{ChannelValue, Payload};
pub use prune::{DeleteRuns, PruneOptions, PruneReport, Retention};
pub use put::{PutCheckpoint, PutReceipt, PutWrites, WritesReceipt};
pub use record::{Checkpoint, CheckpointTuple};
pub use scalar::Scalar;
pub use thread::{CopyOptions, DeleteThread, ThreadLifetime, ThreadSummary, TouchThread};
pub use version::ChannelVersion;
pub use write::{PendingWrite, WriteIndex};
