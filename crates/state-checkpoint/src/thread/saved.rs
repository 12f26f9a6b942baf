//! A state as it was saved.

use serde::de::DeserializeOwned;
use state_core::checkpoint::{ChannelVersion, CheckpointId, CheckpointTuple, Metadata};
use state_core::{Result, Timestamp};

use super::{StateFormat, state_of};

/// A state as it was saved.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Saved<S> {
    /// The checkpoint.
    pub id: CheckpointId,
    /// The checkpoint that it continued from.
    pub parent: Option<CheckpointId>,
    /// When it was saved.
    pub time: Timestamp,
    /// What is known about it beside.
    pub metadata: Metadata,
    /// The state.
    pub state: S,
}

impl<S: DeserializeOwned> Saved<S> {
    pub(super) fn of<F: StateFormat>(tuple: &CheckpointTuple) -> Result<Self> {
        Ok(Self {
            id: tuple.reference.id.clone(),
            parent: tuple.parent.clone(),
            time: tuple.checkpoint.time,
            metadata: tuple.metadata.clone(),
            state: state_of::<S, F>(tuple)?,
        })
    }
}

/// The version of what changes after `parent`: greater than all that it names.
pub(super) fn next_version(parent: Option<&CheckpointTuple>) -> i64 {
    let versions = parent.into_iter().flat_map(|parent| &parent.checkpoint.channel_versions);
    let numbers = versions.filter_map(|(_, version)| match version {
        ChannelVersion::Int(number) => Some(*number),
        _ => None,
    });
    numbers.max().unwrap_or(0).saturating_add(1)
}
