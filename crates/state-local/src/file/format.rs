//! Stored records: their bytes, with a checksum that binds each to its place.
//!
//! A record is one version byte, a body, and a CRC-32C over the table it lies in, its stored
//! key, the version byte and the body, so that neither a flipped bit nor a record in another's
//! place is read as if nothing had happened. Entries are different in one thing: their values
//! have a checksum of their own, so that a listing need not look at them.

mod change;
mod operation;

use bytes::Bytes;
use state_core::{FenceToken, Key, OwnerId, Timestamp, Version};

use crate::tables::{HashHead, Head, LeaseRecord, Record};

pub(super) use change::{EventBlock, Events, events};
pub(super) use operation::{of_remembered, remembered};

/// The version of all record formats.
const FORMAT: u8 = 1;
/// Bytes of an entry's record before its value: format, flag, version, deadline, value checksum
/// and checksum of all this.
const ENTRY_HEAD_BYTES: usize = 1 + 1 + 16 + 8 + 4 + 4;

/// What the keys of the store's own records begin with.
pub(super) const OF_STORE: u8 = 0;
/// Where the number of the last commit lies.
pub(super) const COMMIT_KEY: &[u8] = &[OF_STORE, b'c'];
/// Where it lies how many bytes were in use when the file was made small last.
pub(super) const COMPACTED_KEY: &[u8] = &[OF_STORE, b'f'];
/// Where the identity and the format of the store lie.
pub(super) const STORE_KEY: &[u8] = &[OF_STORE, b's'];
/// What the keys of the counts of namespaces begin with.
pub(super) const NAMESPACES: u8 = 1;

/// Which table a record lies in, for its checksum.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    Store = 1,
    Namespace = 2,
    Entry = 3,
    Hash = 4,
    Field = 5,
    Due = 6,
    Lease = 7,
    Fence = 8,
    Operation = 9,
    Events = 10,
}

/// What is counted of a namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Counts {
    /// The last version number given out.
    pub(super) version: u64,
    /// Entries and hashes.
    pub(super) records: u64,
    /// The number of the oldest event that is stored, which begins a block.
    pub(super) first_event: u64,
    /// The number that the next event gets.
    pub(super) next_event: u64,
}

impl Counts {
    /// Those of a namespace that was never written.
    pub(super) const NEW: Self = Self { version: 0, records: 0, first_event: 1, next_event: 1 };
}

/// Puts `body` into a record.
pub(super) fn seal(kind: Kind, key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut record = Output::record(body.len());
    record.bytes(body);
    record.seal(kind, key)
}

/// Takes the body out of a record; `None` when the record is not what was stored at `key`.
pub(super) fn unseal<'a>(kind: Kind, key: &[u8], record: &'a [u8]) -> Option<&'a [u8]> {
    let (sealed, sum) = record.split_last_chunk::<4>()?;
    if checksum(kind, key, sealed).to_le_bytes() != *sum {
        return None;
    }
    match sealed.split_first()? {
        (&FORMAT, body) => Some(body),
        _ => None,
    }
}

/// Puts the record of an entry in place of what is in `bytes`.
pub(super) fn write_entry(bytes: &mut Vec<u8>, key: &[u8], record: &Record) {
    bytes.clear();
    bytes.reserve(ENTRY_HEAD_BYTES + record.value.len());
    let sum = crc32c::crc32c(&record.value);
    write_entry_head(bytes, key, record.version, record.deadline, sum);
    bytes.extend_from_slice(&record.value);
}

/// The record of an entry with another deadline.
pub(super) fn of_moved_entry(
    key: &[u8],
    old: &[u8],
    deadline: Option<Timestamp>,
) -> Option<Vec<u8>> {
    let (head, sum) = read_entry_head(key, old)?;
    let mut bytes = Vec::with_capacity(old.len());
    write_entry_head(&mut bytes, key, head.version, deadline, sum);
    bytes.extend_from_slice(old.get(ENTRY_HEAD_BYTES..)?);
    Some(bytes)
}

/// An entry without its value, which is not looked at.
pub(super) fn head(key: &[u8], record: &[u8]) -> Option<Head> {
    read_entry_head(key, record).map(|(head, _)| head)
}

pub(super) fn entry(key: &[u8], record: &[u8]) -> Option<Record> {
    let (head, sum) = read_entry_head(key, record)?;
    let value = record.get(ENTRY_HEAD_BYTES..)?;
    (crc32c::crc32c(value) == sum).then(|| Record {
        value: Bytes::copy_from_slice(value),
        version: head.version,
        deadline: head.deadline,
    })
}

/// Appends to `bytes`, which is empty.
fn write_entry_head(
    bytes: &mut Vec<u8>,
    key: &[u8],
    version: Version,
    deadline: Option<Timestamp>,
    sum: u32,
) {
    bytes.extend_from_slice(&[FORMAT, u8::from(deadline.is_some())]);
    bytes.extend_from_slice(version.as_bytes());
    let ms = deadline.map_or(0, Timestamp::unix_ms);
    bytes.extend_from_slice(&ms.to_le_bytes());
    bytes.extend_from_slice(&sum.to_le_bytes());
    let sum = checksum(Kind::Entry, key, bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

fn read_entry_head(key: &[u8], record: &[u8]) -> Option<(Head, u32)> {
    let (head, value) = record.split_at_checked(ENTRY_HEAD_BYTES)?;
    let (head, sum) = head.split_last_chunk::<4>()?;
    if checksum(Kind::Entry, key, head).to_le_bytes() != *sum {
        return None;
    }
    let mut input = Input(head);
    if input.byte()? != FORMAT {
        return None;
    }
    let expires = input.flag()?;
    let version = Version::from_bytes(input.array()?);
    let deadline = Timestamp::from_unix_ms(input.number()?);
    let sum = u32::from_le_bytes(input.array()?);
    let deadline = expires.then_some(deadline);
    let value_bytes = u64::try_from(value.len()).ok()?;
    Some((Head { version, deadline, value_bytes }, sum))
}

pub(super) fn of_hash_head(key: &[u8], head: HashHead) -> Vec<u8> {
    let mut body = Output::default();
    body.number(head.fields).deadline(head.deadline);
    seal(Kind::Hash, key, &body.0)
}

pub(super) fn hash_head(key: &[u8], record: &[u8]) -> Option<HashHead> {
    let mut input = Input(unseal(Kind::Hash, key, record)?);
    let head = HashHead { fields: input.number()?, deadline: input.deadline()? };
    input.end(head)
}

pub(super) fn of_lease(key: &[u8], lease: LeaseRecord) -> Vec<u8> {
    let mut body = Output::default();
    body.bytes(lease.owner.as_bytes()).number(lease.token.get()).deadline(lease.deadline);
    seal(Kind::Lease, key, &body.0)
}

pub(super) fn lease(key: &[u8], record: &[u8]) -> Option<LeaseRecord> {
    let mut input = Input(unseal(Kind::Lease, key, record)?);
    let owner = OwnerId::from_bytes(input.array()?);
    let token = FenceToken::new(input.number()?);
    let deadline = input.deadline()?;
    input.end(LeaseRecord { owner, token, deadline })
}

pub(super) fn of_number(kind: Kind, key: &[u8], number: u64) -> Vec<u8> {
    seal(kind, key, &number.to_le_bytes())
}

pub(super) fn number(kind: Kind, key: &[u8], record: &[u8]) -> Option<u64> {
    unseal(kind, key, record)?.try_into().ok().map(u64::from_le_bytes)
}

/// Where the counts of the namespace whose keys begin with `prefix` lie.
pub(super) fn counts_key(prefix: &[u8]) -> Vec<u8> {
    [&[NAMESPACES], prefix].concat()
}

pub(super) fn of_counts(key: &[u8], counts: Counts) -> Vec<u8> {
    let mut body = Output::default();
    body.number(counts.version).number(counts.records);
    body.number(counts.first_event).number(counts.next_event);
    seal(Kind::Namespace, key, &body.0)
}

pub(super) fn counts(key: &[u8], record: &[u8]) -> Option<Counts> {
    let mut input = Input(unseal(Kind::Namespace, key, record)?);
    let counts = Counts {
        version: input.number()?,
        records: input.number()?,
        first_event: input.number()?,
        next_event: input.number()?,
    };
    input.end(counts).filter(|counts| counts.first_event <= counts.next_event)
}

fn checksum(kind: Kind, key: &[u8], sealed: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&[kind as u8]);
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes();
    let sum = crc32c::crc32c_append(crc32c::crc32c_append(sum, &length), key);
    crc32c::crc32c_append(sum, sealed)
}

/// Writes the parts of a body.
#[derive(Debug, Default)]
pub(super) struct Output(pub(super) Vec<u8>);

impl Output {
    /// What becomes a record: its format and nothing else yet.
    fn record(body_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(1 + body_bytes + 4);
        bytes.push(FORMAT);
        Self(bytes)
    }

    /// The record, bound to its place.
    fn seal(self, kind: Kind, key: &[u8]) -> Vec<u8> {
        let Self(mut bytes) = self;
        let sum = checksum(kind, key, &bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn deadline(&mut self, deadline: Option<Timestamp>) -> &mut Self {
        self.byte(u8::from(deadline.is_some()));
        self.number(deadline.map_or(0, Timestamp::unix_ms))
    }

    /// Bytes with their length before them.
    fn counted(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.bytes(&length.to_le_bytes()).bytes(bytes)
    }

    fn key(&mut self, key: &Key) -> &mut Self {
        match key.partition() {
            None => self.byte(0),
            Some(partition) => self.byte(1).counted(partition),
        };
        self.counted(key.name())
    }
}

/// Reads the parts of a body; `None` where something is missing or makes no sense.
#[derive(Debug)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    #[expect(clippy::option_option, reason = "there may be nothing to read, or that there is none")]
    fn deadline(&mut self) -> Option<Option<Timestamp>> {
        let there = self.flag()?;
        let deadline = Timestamp::from_unix_ms(self.number()?);
        Some(there.then_some(deadline))
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        self.taken(length)
    }

    fn taken(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn key(&mut self) -> Option<Key> {
        let partition =
            if self.flag()? { Some(Bytes::copy_from_slice(self.counted()?)) } else { None };
        Some(Key::from_parts(partition, Bytes::copy_from_slice(self.counted()?)))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `read`, if nothing is left over.
    fn end<T>(self, read: T) -> Option<T> {
        self.is_empty().then_some(read)
    }
}

#[cfg(test)]
mod tests;
