//! Putting a checkpoint, and putting writes beside one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    ChannelValue, Checkpoint, CheckpointId, CheckpointNamespace, CheckpointRef, Metadata,
    Ownership, PendingWrite, ThreadId, ThreadLifetime,
};
use crate::Acks;
use crate::options::with_methods;

/// A checkpoint to be put.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PutCheckpoint {
    /// The thread.
    pub thread: ThreadId,
    /// The namespace inside the thread.
    pub namespace: CheckpointNamespace,
    /// The checkpoint that it continues from.
    pub parent: Option<CheckpointId>,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its metadata.
    pub metadata: Metadata,
    /// The channels whose version is new, with their values. All others are found by the
    /// versions that the checkpoint names.
    pub values: BTreeMap<Arc<str>, ChannelValue>,
    /// Who may put. Default: anyone.
    pub ownership: Ownership,
    /// What the put does to the lifetime of the thread. Default: as configured.
    pub lifetime: ThreadLifetime,
    /// Puts even where a tombstone of the deleted thread still stands.
    pub recreate: bool,
    /// How safe the put must be. Default: applied by the primary.
    pub acks: Acks,
}

impl PutCheckpoint {
    /// A checkpoint of the root namespace of `thread`, without a parent.
    pub fn new(thread: impl Into<ThreadId>, checkpoint: Checkpoint) -> Self {
        Self {
            thread: thread.into(),
            namespace: CheckpointNamespace::root(),
            parent: None,
            checkpoint,
            metadata: Metadata::new(),
            values: BTreeMap::new(),
            ownership: Ownership::Anyone,
            lifetime: ThreadLifetime::Default,
            recreate: false,
            acks: Acks::Primary,
        }
    }

    /// Adds the new value of a channel. The checkpoint must name its version.
    #[must_use]
    pub fn with_value(mut self, channel: impl AsRef<str>, value: impl Into<ChannelValue>) -> Self {
        self.values.insert(Arc::from(channel.as_ref()), value.into());
        self
    }

    /// Where the checkpoint will be.
    pub fn reference(&self) -> CheckpointRef {
        CheckpointRef {
            thread: self.thread.clone(),
            namespace: self.namespace.clone(),
            id: self.checkpoint.id.clone(),
        }
    }
}

with_methods!(PutCheckpoint {
    /// Sets the namespace inside the thread.
    with_namespace => into namespace: CheckpointNamespace,
    /// Sets the checkpoint that this one continues from.
    with_parent => into parent: Option<CheckpointId>,
    /// Sets the metadata.
    with_metadata => metadata: Metadata,
    /// Sets who may put.
    with_ownership => ownership: Ownership,
    /// Sets what the put does to the lifetime of the thread.
    with_lifetime => lifetime: ThreadLifetime,
    /// Puts even where a tombstone of the deleted thread still stands.
    with_recreate => recreate: bool,
    /// Sets how safe the put must be.
    with_acks => acks: Acks,
});

/// What a put has done.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PutReceipt {
    /// Where the checkpoint is.
    pub reference: CheckpointRef,
    /// Whether it was there already, whole and the same: the put changed nothing.
    pub existed: bool,
}

impl PutReceipt {
    /// A checkpoint that is at `reference`.
    pub const fn new(reference: CheckpointRef, existed: bool) -> Self {
        Self { reference, existed }
    }
}

/// Writes to be put beside a checkpoint, whether or not that has been put yet.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PutWrites {
    /// The checkpoint.
    pub reference: CheckpointRef,
    /// The writes.
    pub writes: Vec<PendingWrite>,
    /// Who may put. `ParentIsLatest` means here: the checkpoint must be the latest.
    pub ownership: Ownership,
    /// What the put does to the lifetime of the thread. Default: as configured.
    pub lifetime: ThreadLifetime,
    /// Puts even where a tombstone of the deleted thread still stands.
    pub recreate: bool,
    /// How safe the put must be. Default: applied by the primary.
    pub acks: Acks,
}

impl PutWrites {
    /// `writes` beside `reference`.
    pub const fn new(reference: CheckpointRef, writes: Vec<PendingWrite>) -> Self {
        Self {
            reference,
            writes,
            ownership: Ownership::Anyone,
            lifetime: ThreadLifetime::Default,
            recreate: false,
            acks: Acks::Primary,
        }
    }
}

with_methods!(PutWrites {
    /// Sets who may put.
    with_ownership => ownership: Ownership,
    /// Sets what the put does to the lifetime of the thread.
    with_lifetime => lifetime: ThreadLifetime,
    /// Puts even where a tombstone of the deleted thread still stands.
    with_recreate => recreate: bool,
    /// Sets how safe the put must be.
    with_acks => acks: Acks,
});

/// What a put of writes has done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WritesReceipt {
    /// How many of the writes were new.
    pub written: usize,
    /// How many special writes replaced one before.
    pub replaced: usize,
    /// How many regular writes were there already, and were left as they were.
    pub kept: usize,
}

impl WritesReceipt {
    /// A receipt with these numbers.
    pub const fn new(written: usize, replaced: usize, kept: usize) -> Self {
        Self { written, replaced, kept }
    }
}
