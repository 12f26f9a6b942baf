//! Events of the change log as stored bytes: those of one commit together in blocks.

use bytes::Bytes;
use state_core::{Change, Error, ErrorKind, Result, Scope, Version};

use super::{Input, Kind, Output, unseal};

const PUT: u8 = 0;
const TOUCHED: u8 = 1;
const DELETED: u8 = 2;
const EXPIRED: u8 = 3;
const EVICTED: u8 = 4;
const HASH_CHANGED: u8 = 5;
const CLEARED: u8 = 6;
const GAP: u8 = 7;

const ALL: u8 = 0;
const UNPARTITIONED: u8 = 1;
const PARTITION: u8 = 2;

/// Bytes of events after which a block is full.
const BLOCK_BYTES_MAX: usize = 64 << 10;
/// What is reserved for a block that begins.
const BLOCK_BYTES: usize = 4 << 10;

/// Events that follow each other, on their way into one record, which lies at the number of the
/// first.
#[derive(Debug)]
pub(in crate::file) struct EventBlock {
    first: u64,
    events: u64,
    record: Output,
}

/// The events of a block, and in which session of the store they happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::file) struct Events {
    pub(in crate::file) session: u64,
    /// At least one.
    pub(in crate::file) changes: Vec<Change>,
}

impl EventBlock {
    /// A block without events whose first gets the number `first`.
    pub(in crate::file) fn new(first: u64, session: u64) -> Self {
        let mut record = Output::record(BLOCK_BYTES);
        record.number(session);
        Self { first, events: 0, record }
    }

    pub(in crate::file) fn first(&self) -> u64 {
        self.first
    }

    /// Whether another event belongs into another block.
    pub(in crate::file) fn is_full(&self, events_max: u64) -> bool {
        self.events >= events_max || self.record.0.len() >= BLOCK_BYTES_MAX
    }

    pub(in crate::file) fn len_bytes(&self) -> usize {
        self.record.0.len()
    }

    /// Appends an event.
    ///
    /// # Errors
    /// `Internal` for a kind of change that this format has no number for.
    pub(in crate::file) fn push(&mut self, change: &Change) -> Result<()> {
        let body = &mut self.record;
        match change {
            Change::Put { key, version, deadline } => {
                body.byte(PUT).key(key).bytes(version.as_bytes()).deadline(*deadline);
            }
            Change::Touched { key, deadline } => {
                body.byte(TOUCHED).key(key).deadline(*deadline);
            }
            Change::Deleted { key } => {
                body.byte(DELETED).key(key);
            }
            Change::Expired { key } => {
                body.byte(EXPIRED).key(key);
            }
            Change::Evicted { key } => {
                body.byte(EVICTED).key(key);
            }
            Change::HashChanged { key } => {
                body.byte(HASH_CHANGED).key(key);
            }
            Change::Cleared { prefix, scope } => {
                body.byte(CLEARED).counted(prefix);
                write_scope(body, scope)?;
            }
            Change::Gap => {
                body.byte(GAP);
            }
            _ => return Err(unknown()),
        }
        self.events += 1;
        Ok(())
    }

    /// The number of the first event, and the events; `None` without any.
    pub(in crate::file) fn events(&self) -> Option<(u64, Events)> {
        let (_, body) = self.record.0.split_first()?;
        read(Input(body)).map(|events| (self.first, events))
    }

    /// The record that is stored at `key`.
    pub(in crate::file) fn seal(self, key: &[u8]) -> Vec<u8> {
        self.record.seal(Kind::Events, key)
    }
}

pub(in crate::file) fn events(key: &[u8], record: &[u8]) -> Option<Events> {
    read(Input(unseal(Kind::Events, key, record)?))
}

fn read(mut input: Input<'_>) -> Option<Events> {
    let session = input.number()?;
    let mut changes = vec![change(&mut input)?];
    while !input.is_empty() {
        changes.push(change(&mut input)?);
    }
    Some(Events { session, changes })
}

fn change(input: &mut Input<'_>) -> Option<Change> {
    Some(match input.byte()? {
        PUT => Change::Put {
            key: input.key()?,
            version: Version::from_bytes(input.array()?),
            deadline: input.deadline()?,
        },
        TOUCHED => Change::Touched { key: input.key()?, deadline: input.deadline()? },
        DELETED => Change::Deleted { key: input.key()? },
        EXPIRED => Change::Expired { key: input.key()? },
        EVICTED => Change::Evicted { key: input.key()? },
        HASH_CHANGED => Change::HashChanged { key: input.key()? },
        CLEARED => Change::Cleared {
            prefix: Bytes::copy_from_slice(input.counted()?),
            scope: read_scope(input)?,
        },
        GAP => Change::Gap,
        _ => return None,
    })
}

fn write_scope(body: &mut Output, scope: &Scope) -> Result<()> {
    match scope {
        Scope::All => body.byte(ALL),
        Scope::Unpartitioned => body.byte(UNPARTITIONED),
        Scope::Partition(partition) => body.byte(PARTITION).counted(partition),
        _ => return Err(unknown()),
    };
    Ok(())
}

fn read_scope(input: &mut Input<'_>) -> Option<Scope> {
    Some(match input.byte()? {
        ALL => Scope::All,
        UNPARTITIONED => Scope::Unpartitioned,
        PARTITION => Scope::Partition(Bytes::copy_from_slice(input.counted()?)),
        _ => return None,
    })
}

fn unknown() -> Error {
    Error::new(ErrorKind::Internal, "the file format does not know this kind of change")
}
