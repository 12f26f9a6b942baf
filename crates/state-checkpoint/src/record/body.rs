//! The body of a record: names once, unchanged versions in a byte or two.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use state_core::checkpoint::{
    ChannelVersion, Checkpoint, CheckpointId, CheckpointNamespace, Payload, ThreadId,
};
use state_core::{Result, Timestamp};

use super::{BodyRef, Record, ValueRef, metadata};
use crate::digest::{hash, record_place, write_version};
use crate::wire::{Reader, Writer};

const HAS_UPDATED: u8 = 1;
/// Two bits: 0 no parent, 1 a UUID, 2 text.
const PARENT_SHIFT: u8 = 1;
/// Two bits: 0 no body, 1 inside, 2 a version.
const BODY_SHIFT: u8 = 3;

/// What stands for the values of a checkpoint.
#[derive(Debug)]
pub(crate) struct RefValues<'a> {
    /// Of channels; by place where there is none.
    pub(crate) refs: &'a BTreeMap<Arc<str>, ValueRef>,
    pub(crate) body: &'a BodyRef,
}

/// What was put, in a number: that record, with other things in place of its values.
pub(crate) fn digest_of(
    record: &Record,
    values: &RefValues<'_>,
    thread: &ThreadId,
    namespace: &CheckpointNamespace,
) -> u64 {
    hash(record_place(thread, namespace, &record.checkpoint.id), &encode_with(record, values))
}

pub(crate) fn encode_body(record: &Record) -> Bytes {
    encode_with(record, &RefValues { refs: &record.refs, body: &record.body })
}

fn encode_with(record: &Record, values: &RefValues<'_>) -> Bytes {
    let checkpoint = &record.checkpoint;
    let parent = record.parent.as_ref().map(|parent| (parent, uuid_of(parent.as_str())));
    let parent_kind = match &parent {
        None => 0,
        Some((_, Some(_))) => 1,
        Some((_, None)) => 2,
    };
    let body_kind = match values.body {
        BodyRef::None => 0,
        BodyRef::Inline(_) => 1,
        BodyRef::Stored(_) => 2,
    };
    let mut writer = Writer::default();
    let updated = u8::from(checkpoint.updated_channels.is_some()) * HAS_UPDATED;
    writer.u8(updated | parent_kind << PARENT_SHIFT | body_kind << BODY_SHIFT);
    writer.varint(checkpoint.time.unix_ms());
    match parent {
        None => {}
        Some((_, Some(uuid))) => writer.raw(&uuid),
        Some((text, None)) => writer.text(text.as_str()),
    }
    writer.count(checkpoint.channel_versions.len());
    for (channel, version) in &checkpoint.channel_versions {
        writer.text(channel);
        write_version(&mut writer, version);
        let value = values.refs.get(channel).copied().unwrap_or(ValueRef::ByPlace);
        write_ref(&mut writer, value);
    }
    let names = Names::of(checkpoint);
    writer.count(checkpoint.versions_seen.len());
    for (node, seen) in &checkpoint.versions_seen {
        writer.text(node);
        writer.count(seen.len());
        for (channel, version) in seen {
            names.write(&mut writer, channel);
            if checkpoint.channel_versions.get(channel) == Some(version) {
                writer.u8(0);
            } else {
                write_version(&mut writer, version);
            }
        }
    }
    if let Some(updated) = &checkpoint.updated_channels {
        writer.count(updated.len());
        for channel in updated {
            names.write(&mut writer, channel);
        }
    }
    metadata::write(&mut writer, &record.metadata);
    match values.body {
        BodyRef::None => {}
        BodyRef::Inline(payload) => {
            writer.text(payload.kind());
            writer.raw(payload.bytes());
        }
        BodyRef::Stored(value) => write_ref(&mut writer, *value),
    }
    writer.into_bytes()
}

pub(super) fn decode_body(bytes: &[u8], id: &CheckpointId) -> Result<Record> {
    let mut reader = Reader::new(bytes, "record of a checkpoint");
    let flags = reader.u8()?;
    let time = Timestamp::from_unix_ms(reader.varint()?);
    let mut checkpoint = Checkpoint::new(id.clone(), time);
    let parent = match flags >> PARENT_SHIFT & 3 {
        0 => None,
        1 => Some(CheckpointId::new(text_of(reader.array()?))),
        2 => Some(CheckpointId::new(reader.text()?)),
        _ => return Err(reader.damaged()),
    };
    let mut refs = BTreeMap::new();
    let mut names = Vec::new();
    for _ in 0..reader.count()? {
        let channel: Arc<str> = Arc::from(reader.text()?);
        let tag = reader.u8()?;
        let version = read_version(&mut reader, tag)?;
        checkpoint.channel_versions.insert(Arc::clone(&channel), version);
        refs.insert(Arc::clone(&channel), read_ref(&mut reader)?);
        names.push(channel);
    }
    for _ in 0..reader.count()? {
        let node: Arc<str> = Arc::from(reader.text()?);
        let mut seen = BTreeMap::new();
        for _ in 0..reader.count()? {
            let channel = read_name(&mut reader, &names)?;
            let version = match reader.u8()? {
                0 => checkpoint.channel_versions.get(&channel).cloned(),
                tag => Some(read_version(&mut reader, tag)?),
            };
            seen.insert(channel, version.ok_or_else(|| reader.damaged())?);
        }
        checkpoint.versions_seen.insert(node, seen);
    }
    if flags & HAS_UPDATED != 0 {
        let mut updated = Vec::new();
        for _ in 0..reader.count()? {
            updated.push(read_name(&mut reader, &names)?);
        }
        checkpoint.updated_channels = Some(updated);
    }
    let metadata = metadata::read(&mut reader)?;
    let body = match flags >> BODY_SHIFT {
        0 => BodyRef::None,
        1 => {
            let kind = reader.text()?;
            BodyRef::Inline(Payload::new(kind, Bytes::copy_from_slice(reader.rest())))
        }
        2 => BodyRef::Stored(read_ref(&mut reader)?),
        _ => return Err(reader.damaged()),
    };
    reader.end()?;
    Ok(Record { checkpoint, metadata, parent, refs, body })
}

/// 0 by place, 1 empty, then even numbers for new versions and odd ones for others.
fn write_ref(writer: &mut Writer, value: ValueRef) {
    match value {
        ValueRef::ByPlace => writer.varint(0),
        ValueRef::Empty => writer.varint(1),
        ValueRef::New(number) => writer.varint((number << 1).saturating_add(2)),
        ValueRef::Version(number) => writer.varint((number << 1).saturating_add(3)),
    }
}

fn read_ref(reader: &mut Reader<'_>) -> Result<ValueRef> {
    let number = reader.varint()?;
    Ok(match number {
        0 => ValueRef::ByPlace,
        1 => ValueRef::Empty,
        even if even % 2 == 0 => ValueRef::New((even - 2) >> 1),
        odd => ValueRef::Version((odd - 3) >> 1),
    })
}

fn read_version(reader: &mut Reader<'_>, tag: u8) -> Result<ChannelVersion> {
    match tag {
        1 => Ok(ChannelVersion::Int(reader.zigzag()?)),
        2 => Ok(ChannelVersion::Float(f64::from_bits(reader.u64()?))),
        3 => Ok(ChannelVersion::from(reader.text()?)),
        _ => Err(reader.damaged()),
    }
}

/// The channels of a checkpoint by number: 0 is for a name that is not among them.
struct Names<'a>(BTreeMap<&'a str, u64>);

impl<'a> Names<'a> {
    fn of(checkpoint: &'a Checkpoint) -> Self {
        Self(checkpoint.channel_versions.keys().map(|name| &**name).zip(1..).collect())
    }

    fn write(&self, writer: &mut Writer, name: &str) {
        let number = self.0.get(name).copied().unwrap_or(0);
        writer.varint(number);
        if number == 0 {
            writer.text(name);
        }
    }
}

fn read_name(reader: &mut Reader<'_>, names: &[Arc<str>]) -> Result<Arc<str>> {
    let number = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    match number.checked_sub(1) {
        None => Ok(Arc::from(reader.text()?)),
        Some(at) => names.get(at).cloned().ok_or_else(|| reader.damaged()),
    }
}

/// The bytes of a UUID in its usual text form; `None` for any other text.
fn uuid_of(text: &str) -> Option<[u8; 16]> {
    let mut uuid = [0; 16];
    let mut digits = text.bytes().enumerate().filter_map(|(at, byte)| {
        let dash = matches!(at, 8 | 13 | 18 | 23);
        if dash && byte == b'-' { None } else { Some(byte) }
    });
    for byte in &mut uuid {
        *byte = digit(digits.next()?)? << 4 | digit(digits.next()?)?;
    }
    (digits.next().is_none() && text_of(uuid) == text).then_some(uuid)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn text_of(uuid: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in uuid.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for half in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
    text
}
