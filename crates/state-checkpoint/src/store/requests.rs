//! What the engine asks of a store, and what the store answers.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use state_core::checkpoint::{
    CheckpointId, CheckpointNamespace, CheckpointRef, Ownership, ThreadId, ThreadLifetime,
    WriteIndex,
};
use state_core::{Acks, Consistency};

use super::{Bases, Content, Found, Part, StoredRecord, StoredWrite};

/// Which life of a thread something was read in.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Life {
    /// Random, and another one each time that the thread is made anew.
    pub generation: u64,
    /// How often something was removed from the thread since.
    pub epoch: u64,
}

/// Which checkpoint is read.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The thread.
    pub thread: &'a ThreadId,
    /// The namespace.
    pub namespace: &'a CheckpointNamespace,
    /// The checkpoint, or the latest.
    pub id: Option<&'a CheckpointId>,
    /// Whether a record that is out of sight is read too.
    pub hidden: bool,
    /// Whether its writes are read.
    pub writes: bool,
    /// The checkpoint whose record the engine has at hand: it is not sent again.
    pub known: Option<(Life, &'a CheckpointId)>,
    /// Whether what its new values and writes are made from may be sent along.
    pub values: bool,
    /// Whether the lifetime of the thread begins anew.
    pub refresh: bool,
    /// How fresh the answer must be.
    pub consistency: Consistency,
}

/// A checkpoint that was read.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The life of the thread.
    pub life: Life,
    /// The checkpoint.
    pub id: CheckpointId,
    /// Its record; `None` where it is the one that the engine has at hand.
    pub record: Option<Part>,
    /// Its writes, in no order.
    pub writes: Vec<StoredWrite>,
    /// What its values and writes are made from, as far as the store has sent it along; may be
    /// nothing, and may be more than that.
    pub values: Values,
}

/// What values are made from.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// Descriptions of versions, by number.
    pub versions: Vec<u64>,
    /// Segments, by number.
    pub segments: Vec<u64>,
    /// The numbers of versions, by place.
    pub places: Vec<u64>,
}

/// What was read of it.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// Descriptions by number; the body is empty where the version was swept away.
    pub versions: Vec<(u64, Part)>,
    /// Frames of segments by number.
    pub segments: Vec<(u64, Bytes)>,
    /// What is known of each place, in the order asked for.
    pub found: Vec<Found>,
}

/// A checkpoint to be added.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[derive(Clone, Debug)]
pub struct Append {
    /// Where.
    pub reference: CheckpointRef,
    /// The checkpoint that it continues from.
    pub parent: Option<CheckpointId>,
    /// What was put, in a number: the same put has the same one. It is part of the record; see
    /// [`record_digest`](crate::record_digest).
    pub digest: u64,
    /// The record.
    pub record: Bytes,
    /// Descriptions of the new versions, with their places where they have one.
    pub versions: Vec<(Option<u64>, Bytes)>,
    /// The places of new versions without a value.
    pub empty: Vec<u64>,
    /// What is new in their values.
    pub content: Content,
    /// The life that the record's older numbers are of; `None` where it has none.
    pub basis: Option<Life>,
    /// The run that it is of.
    pub run: Option<Arc<str>>,
    /// Who may put.
    pub ownership: Ownership,
    /// What happens to the lifetime of the thread.
    pub lifetime: ThreadLifetime,
    /// Whether a tombstone is passed over.
    pub recreate: bool,
    /// How safe it must be.
    pub acks: Acks,
}

/// What an append has done.
#[expect(clippy::exhaustive_enums, reason = "stores make it")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Appended {
    /// It was added.
    Put {
        /// The life of the thread.
        life: Life,
        /// What its numbers have become.
        bases: Bases,
    },
    /// It was there already.
    Existed,
    /// The basis is of another life: nothing was done.
    Stale,
}

/// A write to be added.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[derive(Clone, Debug)]
pub struct NewWrite {
    /// The task that wrote.
    pub task: Arc<str>,
    /// The place among the writes of the task.
    pub index: WriteIndex,
    /// The rest of it.
    pub body: Bytes,
}

/// Writes to be added.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[derive(Clone, Debug)]
pub struct AppendWrites {
    /// The checkpoint that they stand beside.
    pub reference: CheckpointRef,
    /// The writes, each with a place of its own.
    pub writes: Vec<NewWrite>,
    /// What their values are stored in.
    pub content: Content,
    /// Who may put; `ParentIsLatest`: the checkpoint must be the latest.
    pub ownership: Ownership,
    /// What happens to the lifetime of the thread.
    pub lifetime: ThreadLifetime,
    /// Whether a tombstone is passed over.
    pub recreate: bool,
    /// How safe it must be.
    pub acks: Acks,
}

/// How many writes were added, replaced, and left as they were.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WritesAppended {
    /// New ones.
    pub written: usize,
    /// Special ones that replaced one before.
    pub replaced: usize,
    /// Regular ones that were there already.
    pub kept: usize,
}

/// Where a page begins.
#[expect(clippy::exhaustive_enums, reason = "stores read it")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PagePosition {
    /// At the newest.
    Newest,
    /// With the greatest id below this one.
    Below(CheckpointId),
    /// After this checkpoint; its id comes again in greater namespaces.
    After(CheckpointId, CheckpointNamespace),
}

/// What may be sent along with records, where a store can.
#[expect(clippy::exhaustive_enums, reason = "the engine makes it and stores read it")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Along {
    /// Nothing.
    Nothing,
    /// What their writes are made from.
    Writes,
    /// What their new values and their writes are made from.
    Everything,
}

/// Which records are read.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[derive(Clone, Debug)]
pub struct ReadPage<'a> {
    /// The thread.
    pub thread: &'a ThreadId,
    /// Only this namespace.
    pub namespace: Option<&'a CheckpointNamespace>,
    /// Only this id.
    pub id: Option<&'a CheckpointId>,
    /// Where to begin.
    pub position: PagePosition,
    /// The most records, at most 1,000.
    pub limit: usize,
    /// Whether their writes are read.
    pub writes: bool,
    /// What of their new values and writes may be sent along.
    pub along: Along,
    /// Whether the records that are out of sight are read, instead of the others.
    pub hidden: bool,
    /// How fresh the answer must be.
    pub consistency: Consistency,
}

/// The records of a page.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Debug)]
pub struct RecordPage {
    /// The life of the thread.
    pub life: Life,
    /// Another number after each change of the thread.
    pub serial: u64,
    /// The records, by falling id, then by namespace.
    pub records: Vec<StoredRecord>,
    /// Where to go on; `None` at the end.
    pub next: Option<PagePosition>,
    /// What their values and writes are made from, as far as the store has sent it along.
    pub values: Values,
}

/// Some of the writes of a thread.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Debug)]
pub struct WritesPage {
    /// The writes, in an order of the store's own.
    pub writes: Vec<StoredWrite>,
    /// Where to go on, in a form of the store's own; `None` at the end.
    pub next: Option<Bytes>,
}

/// Records to be removed.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[derive(Clone, Debug)]
pub struct Remove {
    /// The thread.
    pub thread: ThreadId,
    /// The life that they were read in.
    pub life: Life,
    /// Those that go, with their writes.
    pub gone: Vec<(CheckpointNamespace, CheckpointId)>,
    /// Those that only go out of sight.
    pub hidden: Vec<(CheckpointNamespace, CheckpointId)>,
    /// Who may remove.
    pub ownership: Ownership,
    /// How safe it must be.
    pub acks: Acks,
}

/// What was removed.
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Removed {
    /// How many records are gone.
    pub gone: u64,
    /// How many are out of sight.
    pub hidden: u64,
}

/// What of the content must stay.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[derive(Clone, Debug)]
pub struct Keep {
    /// The thread as it was when this was found out.
    pub life: Life,
    /// The same, to the change.
    pub serial: u64,
    /// The versions.
    pub versions: HashSet<u64>,
    /// The segments.
    pub segments: HashSet<u64>,
}

/// Which records of a thread are copied.
#[expect(clippy::exhaustive_enums, reason = "stores read it")]
#[derive(Clone, Debug)]
pub enum CopyRecords {
    /// All, also those out of sight.
    All,
    /// These.
    Only(HashSet<(CheckpointNamespace, CheckpointId)>),
}

/// A thread to be copied.
#[expect(clippy::exhaustive_structs, reason = "the engine makes it and stores read it")]
#[derive(Clone, Debug)]
pub struct CopyThread {
    /// The thread.
    pub from: ThreadId,
    /// The copy; see [`rebind_record`](crate::rebind_record) for its records.
    pub to: ThreadId,
    /// What is copied.
    pub records: CopyRecords,
    /// The lifetime of the copy.
    pub lifetime: ThreadLifetime,
    /// How safe it must be.
    pub acks: Acks,
}
