//! The record of a checkpoint: everything but the values of its channels and its writes.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version of the format: 1 |
//! | 8 | digest of what was put |
//! | 8 | checksum: XXH3 of all that follows, seeded by the place of the record and the digest |
//! | 1 | compression of the body: 0 none, 2 zstd; other bits are 0 |
//! | varint | raw length of the body, where it is compressed |
//! | the rest | body |

mod body;
mod metadata;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use state_codec::{Compression, CompressionId};
use state_core::checkpoint::{
    Checkpoint, CheckpointId, CheckpointNamespace, Metadata, Payload, ThreadId,
};
use state_core::{Error, ErrorKind, Result};

use crate::digest::{hash, record_place};
use crate::segment::pack;
use crate::store::Part;
use crate::wire::{Reader, Writer};

pub(crate) use body::{RefValues, digest_of, encode_body};

const VERSION: u8 = 1;
/// No record is larger before compression: 10,000 channels and as many nodes would need more,
/// and are refused when they are put.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// Shorter bodies are mostly ids and numbers: what compressing them saves is not worth a quarter of the time of a put.
const COMPRESSED_FROM: usize = 512;

/// Which version a name stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ValueRef {
    /// Whichever has this place, if any: it was not known when the checkpoint was put.
    ByPlace,
    /// None: it was put without a value.
    Empty,
    /// The one with this number.
    Version(u64),
    /// The new one of the same append with this number.
    New(u64),
}

impl ValueRef {
    const fn placed(self, base: u64) -> Self {
        match self {
            Self::New(number) => Self::Version(base.saturating_add(number)),
            other => other,
        }
    }
}

/// Where the body of a checkpoint is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum BodyRef {
    None,
    Inline(Payload),
    Stored(ValueRef),
}

/// A checkpoint without the values of its channels.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    /// Without its body.
    pub(crate) checkpoint: Checkpoint,
    pub(crate) metadata: Metadata,
    pub(crate) parent: Option<CheckpointId>,
    /// One for each channel that the checkpoint names.
    pub(crate) refs: BTreeMap<Arc<str>, ValueRef>,
    pub(crate) body: BodyRef,
}

impl Record {
    /// # Errors
    /// `TooLarge` over 16 MiB.
    pub(crate) fn encode(
        &self,
        thread: &ThreadId,
        namespace: &CheckpointNamespace,
        digest: u64,
        compression: &Compression,
    ) -> Result<Bytes> {
        let body = encode_body(self);
        if body.len() > RECORD_BYTES_MAX {
            return Err(Error::too_large("record of a checkpoint", body.len(), RECORD_BYTES_MAX));
        }
        let compressed = body.len() >= COMPRESSED_FROM;
        let (id, packed) = if compressed {
            pack(&body, compression)?
        } else {
            (CompressionId::None, Cow::Borrowed(body.as_ref()))
        };
        let mut rest = Writer::default();
        rest.u8(id.number());
        if id != CompressionId::None {
            rest.count(body.len());
        }
        rest.raw(&packed);
        let place = record_place(thread, namespace, &self.checkpoint.id);
        Ok(frame(place, digest, rest.as_slice()))
    }

    /// # Errors
    /// `Corrupt` where it is damaged or belongs elsewhere, `Unsupported` where a later version
    /// has written it.
    pub(crate) fn decode(
        part: &Part,
        thread: &ThreadId,
        namespace: &CheckpointNamespace,
        id: &CheckpointId,
    ) -> Result<Self> {
        let (_, rest) = open(&part.body, record_place(thread, namespace, id))?;
        let mut reader = Reader::new(rest, "record of a checkpoint");
        let compression = CompressionId::from_number(reader.u8()?).ok_or_else(later)?;
        let unpacked;
        let body = if compression == CompressionId::None {
            reader.rest()
        } else {
            let raw_len = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
            if raw_len > RECORD_BYTES_MAX {
                return Err(reader.damaged());
            }
            unpacked = compression.unpack(reader.rest(), raw_len)?;
            &unpacked
        };
        let mut record = body::decode_body(body, id)?;
        let base = part.bases.version;
        for value in record.refs.values_mut() {
            *value = value.placed(base);
        }
        if let BodyRef::Stored(value) = &mut record.body {
            *value = value.placed(base);
        }
        Ok(record)
    }

    /// The numbers of all versions that it names.
    pub(crate) fn versions(&self) -> impl Iterator<Item = u64> + '_ {
        let body = match &self.body {
            BodyRef::Stored(value) => Some(value),
            BodyRef::None | BodyRef::Inline(_) => None,
        };
        self.refs.values().chain(body).filter_map(|value| match value {
            ValueRef::Version(number) => Some(*number),
            ValueRef::ByPlace | ValueRef::Empty | ValueRef::New(_) => None,
        })
    }
}

/// The digest of what was put, as it stands in a record.
///
/// # Errors
/// `Corrupt` where this is no record, `Unsupported` where a later version has written it.
pub fn record_digest(record: &[u8]) -> Result<u64> {
    let mut reader = Reader::new(record, "record of a checkpoint");
    if reader.u8()? != VERSION {
        return Err(later());
    }
    reader.u64()
}

/// The record for the same checkpoint of another thread.
///
/// # Errors
/// As [`record_digest`], and `Corrupt` where it is damaged.
pub fn rebind_record(
    record: &Bytes,
    from: &ThreadId,
    to: &ThreadId,
    namespace: &CheckpointNamespace,
    id: &CheckpointId,
) -> Result<Bytes> {
    let (digest, rest) = open(record, record_place(from, namespace, id))?;
    Ok(frame(record_place(to, namespace, id), digest, rest))
}

fn frame(place: u64, digest: u64, rest: &[u8]) -> Bytes {
    let mut writer = Writer::default();
    writer.u8(VERSION);
    writer.u64(digest);
    writer.u64(hash(place ^ digest, rest));
    writer.raw(rest);
    writer.into_bytes()
}

/// The digest and what follows the checksum.
fn open(record: &[u8], place: u64) -> Result<(u64, &[u8])> {
    let mut reader = Reader::new(record, "record of a checkpoint");
    if reader.u8()? != VERSION {
        return Err(later());
    }
    let (digest, checksum) = (reader.u64()?, reader.u64()?);
    let damaged = reader.damaged();
    let rest = reader.rest();
    if hash(place ^ digest, rest) == checksum { Ok((digest, rest)) } else { Err(damaged) }
}

fn later() -> Error {
    Error::new(ErrorKind::Unsupported, "the record of a checkpoint is of a later version")
}

#[cfg(test)]
mod tests {
    use state_core::Timestamp;
    use state_core::checkpoint::ChannelVersion;

    use super::*;
    use crate::store::Bases;

    fn record() -> Record {
        let mut checkpoint = Checkpoint::new(
            "1ec9414c-232a-6b00-b3c8-9f6bdecad847",
            Timestamp::from_unix_ms(1_780_000_000_000),
        )
        .with_channel("messages", "3.0.5")
        .with_channel("empty", 2)
        .with_channel("float", 0.5)
        .with_seen("agent", "messages", "3.0.5")
        .with_seen("agent", "gone", ChannelVersion::Int(-1))
        .with_updated(["messages", "gone"]);
        checkpoint.body = None;
        let refs = [
            ("messages", ValueRef::New(1)),
            ("empty", ValueRef::Empty),
            ("float", ValueRef::ByPlace),
        ];
        Record {
            checkpoint,
            metadata: Metadata::new().with("source", "loop").with("step", 3).with("ok", true),
            parent: Some("1ec9414c-232a-6b00-b3c8-9f6bdecad846".into()),
            refs: refs.into_iter().map(|(name, value)| (Arc::from(name), value)).collect(),
            body: BodyRef::Inline(Payload::new("json", "{}")),
        }
    }

    fn place() -> (ThreadId, CheckpointNamespace, CheckpointId) {
        ("thread".into(), "child".into(), "1ec9414c-232a-6b00-b3c8-9f6bdecad847".into())
    }

    fn encoded() -> Bytes {
        let (thread, namespace, _) = place();
        record().encode(&thread, &namespace, 7, &Compression::none()).unwrap()
    }

    fn decode(body: Bytes) -> Result<Record> {
        let (thread, namespace, id) = place();
        let bases = Bases { version: 40, ..Bases::default() };
        Record::decode(&Part { bases, body }, &thread, &namespace, &id)
    }

    #[test]
    fn a_record_comes_back_with_its_numbers_in_place() {
        let mut expected = record();
        expected.refs.insert("messages".into(), ValueRef::Version(41));
        assert_eq!(decode(encoded()).unwrap(), expected);
        assert_eq!(record_digest(&encoded()).unwrap(), 7);
    }

    #[test]
    fn the_bytes_are_those_of_the_frozen_file() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/record-1.bin");
        if std::env::var_os("WRITE_MISSING_GOLDEN").is_some() && !std::fs::exists(path).unwrap() {
            std::fs::write(path, encoded()).unwrap();
        }
        assert_eq!(std::fs::read(path).unwrap(), encoded());
    }

    #[test]
    fn a_flipped_bit_and_a_cut_are_found() {
        let whole = encoded();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let kind = decode(flipped.into()).map_err(|error| error.kind());
            let expected = if bit < 8 { ErrorKind::Unsupported } else { ErrorKind::Corrupt };
            assert_eq!(kind, Err(expected), "bit {bit}");
        }
        for len in 0..whole.len() {
            assert!(decode(whole.slice(..len)).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn a_record_is_good_in_its_place_only() {
        let (thread, namespace, id) = place();
        let other = ThreadId::new("other");
        let part = |body| Part { bases: Bases::default(), body };
        let moved = Record::decode(&part(encoded()), &other, &namespace, &id);
        assert_eq!(moved.unwrap_err().kind(), ErrorKind::Corrupt);
        let rebound = rebind_record(&encoded(), &thread, &other, &namespace, &id).unwrap();
        Record::decode(&part(rebound), &other, &namespace, &id).unwrap();
    }
}
