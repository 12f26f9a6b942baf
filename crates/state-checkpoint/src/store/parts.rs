//! What a store keeps, without knowing what it means.

use std::sync::Arc;

use bytes::Bytes;
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, WriteIndex};

/// What the numbers of an append have become.
#[expect(clippy::exhaustive_structs, reason = "stores make and encode it")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bases {
    /// The number of the first new version.
    pub version: u64,
    /// The segment of the first byte of the new content.
    pub segment: u64,
    /// Where in the segment it is.
    pub offset: u64,
}

/// Bytes of the engine, and the bases of the append that brought them.
#[expect(clippy::exhaustive_structs, reason = "stores make and encode it")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// What the numbers inside the body are relative to.
    pub bases: Bases,
    /// The bytes.
    pub body: Bytes,
}

/// What an append adds to the content log.
#[expect(clippy::exhaustive_structs, reason = "stores take it apart")]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Content {
    /// The raw bytes. Where there are no `frames`, they fit into the tail, and go there, or into
    /// a new tail where the present one has no room for all of them.
    pub raw: Bytes,
    /// The frames of segments of their own, which follow the tail; the bases' offset is 0 then.
    pub frames: Vec<Bytes>,
}

/// What is known of a channel version by its place.
#[expect(clippy::exhaustive_enums, reason = "stores make it")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// It was never put.
    Absent,
    /// It was put without a value.
    Empty,
    /// Its number.
    Version(u64),
}

/// A write as it is stored.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredWrite {
    /// The task that wrote.
    pub task: Arc<str>,
    /// The place among the writes of the task.
    pub index: WriteIndex,
    /// The rest of it.
    pub part: Part,
}

/// A checkpoint as it is stored.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredRecord {
    /// Its namespace.
    pub namespace: CheckpointNamespace,
    /// Its id.
    pub id: CheckpointId,
    /// Its record.
    pub record: Part,
    /// The writes beside it, in no order.
    pub writes: Vec<StoredWrite>,
}
