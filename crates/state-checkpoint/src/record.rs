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

pub(crate) use body::{digest_of, encode_body};

const VERSION: u8 = 1;
/// No record is larger before compression: 10,000 channels and as many nodes would need more,
/// and are refused when they are put.
const RECORD_BYTES_MAX: usize = 16 << 20;

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
        let (id, packed) = pack(&body, compression)?;
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
