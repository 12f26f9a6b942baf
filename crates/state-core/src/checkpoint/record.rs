//! A checkpoint, and everything that is read with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    ChannelValue, ChannelVersion, CheckpointId, CheckpointRef, Metadata, Payload, PendingWrite,
};
use crate::Timestamp;

/// The state of a thread after a step, without the values of its channels.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its id, unique within thread and namespace.
    pub id: CheckpointId,
    /// When it was made, as its maker says.
    pub time: Timestamp,
    /// The version of each channel. A channel that is absent here is absent from the state.
    pub channel_versions: BTreeMap<Arc<str>, ChannelVersion>,
    /// For each node, the versions of the channels that it has seen.
    pub versions_seen: BTreeMap<Arc<str>, BTreeMap<Arc<str>, ChannelVersion>>,
    /// The channels that the step updated, if its maker says so.
    pub updated_channels: Option<Vec<Arc<str>>>,
    /// Whatever else its maker keeps with it.
    pub body: Option<Payload>,
}

impl Checkpoint {
    /// A checkpoint without channels.
    pub fn new(id: impl Into<CheckpointId>, time: Timestamp) -> Self {
        Self {
            id: id.into(),
            time,
            channel_versions: BTreeMap::new(),
            versions_seen: BTreeMap::new(),
            updated_channels: None,
            body: None,
        }
    }

    /// Adds a channel at `version`.
    #[must_use]
    pub fn with_channel(
        mut self,
        channel: impl AsRef<str>,
        version: impl Into<ChannelVersion>,
    ) -> Self {
        self.channel_versions.insert(Arc::from(channel.as_ref()), version.into());
        self
    }

    /// Says that `node` has seen `channel` at `version`.
    #[must_use]
    pub fn with_seen(
        mut self,
        node: impl AsRef<str>,
        channel: impl AsRef<str>,
        version: impl Into<ChannelVersion>,
    ) -> Self {
        let seen = self.versions_seen.entry(Arc::from(node.as_ref())).or_default();
        seen.insert(Arc::from(channel.as_ref()), version.into());
        self
    }

    /// Sets which channels the step updated.
    #[must_use]
    pub fn with_updated<C: AsRef<str>>(mut self, channels: impl IntoIterator<Item = C>) -> Self {
        let named = channels.into_iter().map(|channel| Arc::from(channel.as_ref()));
        self.updated_channels = Some(named.collect());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: Payload) -> Self {
        self.body = Some(body);
        self
    }
}

/// A checkpoint with all that belongs to it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CheckpointTuple {
    /// Where it is.
    pub reference: CheckpointRef,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its metadata.
    pub metadata: Metadata,
    /// The checkpoint that it continued from, in the same namespace.
    pub parent: Option<CheckpointId>,
    /// The values of its channels, at the versions that it names; one for each of
    /// [`channel_versions`](Checkpoint::channel_versions) that was ever put.
    pub values: BTreeMap<Arc<str>, ChannelValue>,
    /// The writes that await the next checkpoint, ordered by task path, task and index.
    pub pending_writes: Vec<PendingWrite>,
}

impl CheckpointTuple {
    /// A checkpoint with metadata and nothing else.
    pub const fn new(reference: CheckpointRef, checkpoint: Checkpoint, metadata: Metadata) -> Self {
        Self {
            reference,
            checkpoint,
            metadata,
            parent: None,
            values: BTreeMap::new(),
            pending_writes: Vec::new(),
        }
    }

    /// The value of `channel`; `None` where it is absent or empty.
    pub fn value(&self, channel: &str) -> Option<&Payload> {
        self.values.get(channel)?.payload()
    }
}
