//! What JSON documents about a checkpoint begin with.

use serde::Serialize;
use state_core::checkpoint::{CheckpointId, CheckpointTuple};

use super::metadata_json;
use crate::duration;

/// Which checkpoint it is, when it was made, and what was said of it.
#[derive(Debug, Serialize)]
pub(crate) struct Head<'a> {
    pub(crate) thread: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) checkpoint_namespace: &'a str,
    pub(crate) checkpoint: &'a str,
    pub(crate) parent: Option<&'a str>,
    pub(crate) time: String,
    time_unix_ms: u64,
    step: Option<i64>,
    source: Option<&'a str>,
    pub(crate) metadata: serde_json::Value,
}

impl<'a> Head<'a> {
    pub(crate) fn of(tuple: &'a CheckpointTuple) -> Self {
        let CheckpointTuple { reference, checkpoint, metadata, parent, .. } = tuple;
        Self {
            thread: reference.thread.as_str(),
            checkpoint_namespace: reference.namespace.as_str(),
            checkpoint: reference.id.as_str(),
            parent: parent.as_ref().map(CheckpointId::as_str),
            time: duration::show_timestamp(checkpoint.time),
            time_unix_ms: checkpoint.time.unix_ms(),
            step: metadata.step(),
            source: metadata.source(),
            metadata: metadata_json(metadata),
        }
    }
}
