//! Events of the change log as stored bytes: those of one commit together in blocks.
//!
//! What changes together is called alike and numbered in a row, so an event says only how it
//! differs from the one before it in its block.

use bytes::Bytes;
use state_core::{Change, Error, ErrorKind, Key, Result, Scope, Timestamp, Version};

use super::{Input, Kind, Output, unseal};

const PUT: u8 = 0;
const TOUCHED: u8 = 1;
const DELETED: u8 = 2;
const EXPIRED: u8 = 3;
const EVICTED: u8 = 4;
const HASH_CHANGED: u8 = 5;
const CLEARED: u8 = 6;
const GAP: u8 = 7;

/// Beside a kind: the key lies in the partition of the key before and begins like it; how many
/// bytes are the same, how many follow, and those.
const LIKE_THE_LAST: u8 = 0x80;
/// Beside a kind: by how much the version is beyond the one before.
const SOON_AFTER: u8 = 0x40;
/// Beside a kind: there is no deadline.
const NO_DEADLINE: u8 = 0x20;
const KINDS: u8 = 0x1f;

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
    last: Last,
}

/// What the next event of a block is compared with.
#[derive(Debug, Default)]
struct Last {
    key: Option<Key>,
    version: Option<Version>,
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
        Self { first, events: 0, record, last: Last::default() }
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
                self.last.write(body, PUT | mark(*deadline), key, Some(*version));
                write_deadline(body, *deadline);
            }
            Change::Touched { key, deadline } => {
                self.last.write(body, TOUCHED | mark(*deadline), key, None);
                write_deadline(body, *deadline);
            }
            Change::Deleted { key } => self.last.write(body, DELETED, key, None),
            Change::Expired { key } => self.last.write(body, EXPIRED, key, None),
            Change::Evicted { key } => self.last.write(body, EVICTED, key, None),
            Change::HashChanged { key } => self.last.write(body, HASH_CHANGED, key, None),
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
    let mut last = Last::default();
    let mut changes = vec![change(&mut input, &mut last)?];
    while !input.is_empty() {
        changes.push(change(&mut input, &mut last)?);
    }
    Some(Events { session, changes })
}

fn change(input: &mut Input<'_>, last: &mut Last) -> Option<Change> {
    let kind = input.byte()?;
    Some(match kind & KINDS {
        PUT => Change::Put {
            key: last.read_key(input, kind)?,
            version: last.read_version(input, kind)?,
            deadline: read_deadline(input, kind)?,
        },
        TOUCHED => Change::Touched {
            key: last.read_key(input, kind)?,
            deadline: read_deadline(input, kind)?,
        },
        DELETED => Change::Deleted { key: last.read_key(input, kind)? },
        EXPIRED => Change::Expired { key: last.read_key(input, kind)? },
        EVICTED => Change::Evicted { key: last.read_key(input, kind)? },
        HASH_CHANGED => Change::HashChanged { key: last.read_key(input, kind)? },
        CLEARED => Change::Cleared {
            prefix: Bytes::copy_from_slice(input.counted()?),
            scope: read_scope(input)?,
        },
        GAP => Change::Gap,
        _ => return None,
    })
}

impl Last {
    /// Writes the kind, the key and the version of an event, and keeps what the next one is
    /// compared with.
    fn write(&mut self, body: &mut Output, kind: u8, key: &Key, version: Option<Version>) {
        let like = self.key.as_ref().and_then(|last| shared(last, key));
        let step = version.zip(self.version).and_then(|(version, last)| step(last, version));
        let alike = if like.is_some() { LIKE_THE_LAST } else { 0 };
        let soon = if step.is_some() { SOON_AFTER } else { 0 };
        body.byte(kind | alike | soon);
        match like {
            Some(Shared { same, rest_len, rest }) => {
                body.byte(same).byte(rest_len).bytes(rest);
            }
            None => {
                body.key(key);
            }
        }
        match (step, version) {
            (Some(step), _) => {
                body.byte(step);
            }
            (None, Some(version)) => {
                body.bytes(version.as_bytes());
            }
            (None, None) => {}
        }
        self.key = Some(key.clone());
        self.version = version.or(self.version);
    }

    fn read_key(&mut self, input: &mut Input<'_>, kind: u8) -> Option<Key> {
        let key = if kind & LIKE_THE_LAST == 0 {
            input.key()?
        } else {
            let last = self.key.as_ref()?;
            let same = last.name().get(..usize::from(input.byte()?))?;
            let rest_len = usize::from(input.byte()?);
            let rest = input.taken(rest_len)?;
            Key::from_parts(last.partition().cloned(), [same, rest].concat().into())
        };
        self.key = Some(key.clone());
        Some(key)
    }

    fn read_version(&mut self, input: &mut Input<'_>, kind: u8) -> Option<Version> {
        let version = if kind & SOON_AFTER == 0 {
            Version::from_bytes(input.array()?)
        } else {
            after(self.version?, input.byte()?)?
        };
        self.version = Some(version);
        Some(version)
    }
}

fn mark(deadline: Option<Timestamp>) -> u8 {
    if deadline.is_none() { NO_DEADLINE } else { 0 }
}

fn write_deadline(body: &mut Output, deadline: Option<Timestamp>) {
    if deadline.is_some() {
        body.deadline(deadline);
    }
}

#[expect(clippy::option_option, reason = "there may be nothing to read, or that there is none")]
fn read_deadline(input: &mut Input<'_>, kind: u8) -> Option<Option<Timestamp>> {
    if kind & NO_DEADLINE == 0 { input.deadline() } else { Some(None) }
}

/// How a name goes on after what it has in common with another.
struct Shared<'a> {
    same: u8,
    rest_len: u8,
    rest: &'a [u8],
}

/// What `key` has in common with `last`, if they lie in one partition and the rest is short.
fn shared<'a>(last: &Key, key: &'a Key) -> Option<Shared<'a>> {
    if last.partition() != key.partition() {
        return None;
    }
    let pairs = last.name().iter().zip(key.name().iter());
    let same = pairs.take(usize::from(u8::MAX)).take_while(|(a, b)| a == b).count();
    let rest = key.name().get(same..)?;
    Some(Shared { same: u8::try_from(same).ok()?, rest_len: u8::try_from(rest.len()).ok()?, rest })
}

/// The two numbers that a version is made of.
fn halves(version: Version) -> Option<([u8; 8], u64)> {
    let (first, second) = version.as_bytes().split_first_chunk::<8>()?;
    Some((*first, u64::from_be_bytes(second.try_into().ok()?)))
}

/// By how much `version` is beyond `last`, if that is little and the rest is the same.
fn step(last: Version, version: Version) -> Option<u8> {
    let (last, version) = (halves(last)?, halves(version)?);
    let near = last.0 == version.0;
    near.then(|| version.1.checked_sub(last.1)).flatten().and_then(|step| u8::try_from(step).ok())
}

fn after(last: Version, step: u8) -> Option<Version> {
    let (first, second) = halves(last)?;
    let second = second.checked_add(u64::from(step))?.to_be_bytes();
    let mut bytes = [0; 16];
    let (head, tail) = bytes.split_at_mut(8);
    head.copy_from_slice(&first);
    tail.copy_from_slice(&second);
    Some(Version::from_bytes(bytes))
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
