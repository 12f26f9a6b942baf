//! Checkpoints: threads of states with a history, over any store of the state layer.
//!
//! [`Checkpoints`] is the engine: it keeps the rules of
//! [`Checkpointer`](state_core::checkpoint::Checkpointer) once, for all stores, and stores of a
//! value only what changed since the checkpoint before. Below it, a [`ThreadStore`] keeps the rows
//! of a thread; [`BackendThreads`] does so in any backend that offers transactions and ordered
//! listings. Above it, [`Thread`] gives a serde struct a history: its fields are the channels.
//!
//! The storage scheme and what it costs: `docs/guides/checkpoints.md`,
//! `docs/decisions/0010-sharing-scheme.md`. The bytes: `docs/wire-format.md`.

mod wire;

mod digest;
mod token;

mod delta;
mod script;
mod segment;

mod descriptor;
mod pending;
mod record;

mod ids;
mod options;
mod store;

mod engine;

mod backend;

mod thread;

pub use backend::BackendThreads;
pub use engine::Checkpoints;
pub use ids::CheckpointIds;
pub use options::CheckpointOptions;
pub use record::{rebind_record, record_digest};
pub use segment::{SEGMENT_BYTES_MAX, TAIL_BYTES_MAX, open_segment, raw_segment, seal_segment};
#[cfg(feature = "msgpack")]
pub use thread::MessagePackFields;
pub use thread::{Fields, JsonFields, Saved, StateFormat, Thread, Threads};

pub use store::{
    Along, Append, AppendWrites, Appended, Bases, Content, CopyRecords, CopyThread, Found, Keep,
    Life, Load, Loaded, NewWrite, PagePosition, Part, ReadPage, RecordPage, Remove, Removed,
    StoredRecord, StoredWrite, ThreadStore, Values, Want, WritesAppended, WritesPage,
};
