//! What was written to a channel since its nearest stored value.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CheckpointRef, Payload, PendingWrite};
use crate::Consistency;
use crate::options::with_methods;

/// Which channels' histories are read, and from where back.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HistoryOptions {
    /// The checkpoint whose history is asked for. The walk begins at its parent: its own pending
    /// writes belong to its successor.
    pub reference: CheckpointRef,
    /// The channels.
    pub channels: Vec<Arc<str>>,
    /// How fresh the answer must be. Default: `Strong`.
    pub consistency: Consistency,
}

impl HistoryOptions {
    /// The histories of `channels` up to `reference`.
    pub fn new<C: AsRef<str>>(
        reference: CheckpointRef,
        channels: impl IntoIterator<Item = C>,
    ) -> Self {
        let channels = channels.into_iter().map(|channel| Arc::from(channel.as_ref())).collect();
        Self { reference, channels, consistency: Consistency::Strong }
    }
}

with_methods!(HistoryOptions {
    /// Sets how fresh the answer must be.
    with_consistency => consistency: Consistency,
});

/// The history of one channel: its state is the seed with the writes applied in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChannelHistory {
    /// The value at the nearest ancestor that holds one; `None` when the walk reached the root
    /// without finding any.
    pub seed: Option<Payload>,
    /// What was written to the channel beside that ancestor, which its value does not hold yet,
    /// and beside all between it and the checkpoint: oldest first, and by task path, task and
    /// index where they stand beside one checkpoint.
    pub writes: Vec<PendingWrite>,
}

impl ChannelHistory {
    /// A history of `writes` onto `seed`.
    pub const fn new(seed: Option<Payload>, writes: Vec<PendingWrite>) -> Self {
        Self { seed, writes }
    }
}

/// Histories by channel.
pub type ChannelHistories = BTreeMap<Arc<str>, ChannelHistory>;
