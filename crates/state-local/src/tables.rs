//! What a store keeps of one namespace, as the rules see it.
//!
//! The rules of the contract are written once, in `engine`, over these two traits; the memory
//! store and the file store are two places where the same tables lie.

use bytes::Bytes;
use state_core::{Change, Error, FenceToken, Key, OpId, OwnerId, Result, Timestamp, Version};

/// A stored entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    pub(crate) value: Bytes,
    pub(crate) version: Version,
    pub(crate) deadline: Option<Timestamp>,
}

/// A stored entry without its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) value_bytes: u64,
}

/// A stored hash without its fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct HashHead {
    pub(crate) fields: u64,
    pub(crate) deadline: Option<Timestamp>,
}

/// A lease that was granted; it may have ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LeaseRecord {
    pub(crate) owner: OwnerId,
    pub(crate) token: FenceToken,
    /// `None` once released: only the token is remembered.
    pub(crate) deadline: Option<Timestamp>,
}

/// An operation that is remembered by its id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Remembered {
    /// Tells the operation from others that bear the same id by mistake.
    pub(crate) digest: u64,
    pub(crate) outcome: OpOutcome,
    /// When it may be forgotten.
    pub(crate) deadline: Timestamp,
}

/// The result of a remembered operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum OpOutcome {
    Written(Version),
    /// The value and version of what was there, if it was asked for.
    Deleted {
        existed: bool,
        previous: Option<(Bytes, Version)>,
    },
    Incremented {
        value: i64,
        version: Version,
    },
    Transaction(Vec<Self>),
}

/// What a deadline belongs to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum DueKind {
    Entry,
    Hash,
    Operation(OpIdOrd),
}

/// An operation id that can be part of an ordered index.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct OpIdOrd(pub(crate) [u8; 16]);

impl From<OpId> for OpIdOrd {
    fn from(id: OpId) -> Self {
        Self(*id.as_bytes())
    }
}

/// Something whose deadline has passed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Due {
    pub(crate) deadline: Timestamp,
    pub(crate) kind: DueKind,
    pub(crate) key: Key,
}

/// Where a scan begins.
#[derive(Clone, Debug)]
pub(crate) struct ScanFrom {
    pub(crate) key: Key,
    /// Whether a record at `key` itself is visited.
    pub(crate) inclusive: bool,
}

/// How a scan goes on after a record.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Next,
    /// Goes on at the first record at or after this key, which lies ahead.
    Seek(Key),
    Stop,
}

/// An event of the change log: its number, what happened, and the nonce that tells it from
/// another event which bore the same number in another history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LoggedEvent {
    pub(crate) sequence: u64,
    pub(crate) nonce: [u8; 16],
    pub(crate) change: Change,
}

/// Which events the change log holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LogBounds {
    /// Made when the namespace was: another value is another history.
    pub(crate) generation: u64,
    /// The number of the oldest event that is retained; `next` when there is none.
    pub(crate) oldest: u64,
    /// The number that the next event gets; the first event ever has number 1.
    pub(crate) next: u64,
}

/// Reading the tables of one namespace. Records are told whether they have expired or not: that
/// is for the rules to judge.
pub(crate) trait Read {
    fn entry(&self, key: &Key) -> Result<Option<Record>>;
    fn head(&self, key: &Key) -> Result<Option<Head>>;
    /// Visits entries in key order.
    fn scan(&self, from: ScanFrom, visit: &mut dyn FnMut(&Key, Head) -> Step) -> Result<()>;

    fn hash_head(&self, key: &Key) -> Result<Option<HashHead>>;
    fn hash_field(&self, key: &Key, field: &Bytes) -> Result<Option<Bytes>>;
    /// Up to `limit` fields in field order, those after `after` if it is given.
    fn hash_fields(
        &self,
        key: &Key,
        after: Option<&Bytes>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>>;
    /// Visits hashes in key order.
    fn scan_hashes(
        &self,
        from: ScanFrom,
        visit: &mut dyn FnMut(&Key, HashHead) -> Step,
    ) -> Result<()>;

    fn lease(&self, name: &Key) -> Result<Option<LeaseRecord>>;
    /// The greatest token seen for the lease.
    fn fence_mark(&self, lease: &Key) -> Result<Option<FenceToken>>;
    fn remembered(&self, key: &Key, id: OpId) -> Result<Option<Remembered>>;

    /// Up to `limit` deadlines at or before `now`, oldest first.
    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>>;

    fn log_bounds(&self) -> Result<LogBounds>;
    /// Up to `limit` events from number `from` on, in order.
    fn events(&self, from: u64, limit: usize) -> Result<Vec<LoggedEvent>>;
}

/// Writing the tables of one namespace. Keeps the index of deadlines true.
pub(crate) trait Tables: Read {
    /// Stores an entry under a version that was never given out before in this namespace, not
    /// before a crash either, and logs that; the version.
    fn put_entry(
        &mut self,
        key: &Key,
        value: Bytes,
        deadline: Option<Timestamp>,
    ) -> Result<Version>;
    /// Changes only the deadline of an entry that is there.
    fn set_deadline(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()>;
    /// Does nothing when there is no such entry.
    fn remove_entry(&mut self, key: &Key) -> Result<()>;

    /// Writes one field, creating the hash without a deadline if there is none; whether the
    /// field is new.
    fn put_field(&mut self, key: &Key, field: &Bytes, value: Bytes) -> Result<bool>;
    /// Removes one field, and the hash with its last; whether there was one.
    fn remove_field(&mut self, key: &Key, field: &Bytes) -> Result<bool>;
    /// Changes only the deadline of a hash that is there.
    fn set_hash_deadline(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()>;
    /// Removes a hash with all its fields; does nothing when there is none.
    fn remove_hash(&mut self, key: &Key) -> Result<()>;

    fn put_lease(&mut self, name: &Key, lease: LeaseRecord) -> Result<()>;
    fn put_fence_mark(&mut self, lease: &Key, token: FenceToken) -> Result<()>;
    fn remember(&mut self, key: &Key, id: OpId, operation: Remembered) -> Result<()>;
    fn forget(&mut self, key: &Key, id: OpId) -> Result<()>;

    /// Appends to the change log, drops events past what is retained, and wakes watchers once
    /// the change is visible to readers.
    fn log(&mut self, change: Change) -> Result<()>;
}

/// The error of a stored record that cannot be read.
#[cfg_attr(not(feature = "file"), expect(dead_code, reason = "memory holds records, not bytes"))]
pub(crate) fn corrupt(what: &'static str) -> Error {
    Error::corrupt(format!("a stored {what} cannot be read"))
}
