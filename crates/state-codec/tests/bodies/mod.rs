//! What the fuzz targets of `fuzz/` do with their input; run on stable by `decoders.rs`.
//!
//! Each body takes any bytes. It panics when a decoder accepts what it must not, or reports it
//! as something else than damage. Bodies whose input would die at a checksum mend it first, so
//! that what is behind the checksum is reached.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use state_codec::{
    Codec, CodecId, Compression, Envelope, EnvelopeOptions, SnapshotReader, VALUE_BYTES_MAX,
    verify_snapshot,
};
use state_core::{Error, ErrorKind};
use twox_hash::XxHash3_64;

/// A body, and the name of its target.
pub type Body = (&'static str, fn(&[u8]));

/// All bodies; the targets in `fuzz/` have the same names.
pub const ALL: &[Body] = &[
    ("envelope", envelope),
    ("envelope_mended", envelope_mended),
    ("json", json),
    ("msgpack", msgpack),
    ("bincode", bincode),
    ("lz4", lz4),
    ("zstd", zstd),
    ("snapshot", snapshot),
    ("snapshot_mended", snapshot_mended),
];

/// A type that can nest in every way there is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Tree {
    Nothing,
    Number(i64),
    Text(String),
    Wrapped(Box<Wrapper>),
    Maybe(Option<Box<Self>>),
    List(Vec<Self>),
    Named(BTreeMap<String, Self>),
    Pair(Box<Self>, Box<Self>),
    Both { left: Box<Self>, right: Option<Box<Self>> },
    Units(Vec<()>),
    Raw(Vec<u8>),
}

/// Nests as a newtype.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Wrapper(pub Tree);

/// An envelope as it came.
pub fn envelope(input: &[u8]) {
    open(input.to_vec());
}

/// An envelope whose magic, version, stored length and checksum are right.
pub fn envelope_mended(input: &[u8]) {
    if let Some(mended) = mend_envelope(input.to_vec()) {
        open(mended);
    }
}

/// Bytes as JSON.
pub fn json(input: &[u8]) {
    typed::<state_codec::Json>(input);
    let _ = decode::<serde_json::Value>(CodecId::Json, input);
}

/// Bytes as MessagePack.
pub fn msgpack(input: &[u8]) {
    typed::<state_codec::MessagePack>(input);
    let _ = decode::<serde_json::Value>(CodecId::MessagePack, input);
}

/// Bytes as bincode.
pub fn bincode(input: &[u8]) {
    typed::<state_codec::Bincode>(input);
}

/// Bytes as an lz4 block.
pub fn lz4(input: &[u8]) {
    compressed(1, input);
}

/// Bytes as a zstd frame.
pub fn zstd(input: &[u8]) {
    compressed(2, input);
}

/// A snapshot file as it came.
pub fn snapshot(input: &[u8]) {
    let verified = verify_snapshot(input, |_| {});
    let mut reader = match SnapshotReader::new(input) {
        Ok(reader) => reader,
        Err(error) => {
            assert!(verified.is_err());
            return expect_damage(&error);
        }
    };
    let mut records = 0;
    for record in reader.by_ref() {
        match record {
            Ok(_) => records += 1,
            Err(error) => expect_damage(&error),
        }
    }
    match verified {
        Ok(summary) => {
            assert_eq!(summary.records, records);
            assert_eq!(reader.summary(), Some(&summary));
            assert_eq!(summary.file_bytes, input.len() as u64);
        }
        Err(error) => {
            assert!(reader.summary().is_none());
            assert!(error.position().is_some(), "{error}");
            expect_damage(&error);
        }
    }
}

/// A snapshot file whose checksums are right.
pub fn snapshot_mended(input: &[u8]) {
    snapshot(&mend_snapshot(input.to_vec()));
}

fn open(input: Vec<u8>) {
    let opened = match Envelope::open(input) {
        Ok(opened) => opened,
        Err(error) => return expect_damage(&error),
    };
    assert!(opened.raw_len() <= VALUE_BYTES_MAX);
    match opened.unpack() {
        Ok(raw) => assert_eq!(raw.len(), opened.raw_len()),
        Err(error) => expect_damage(&error),
    }
    for error in [opened.decode::<Tree>().err(), opened.decode::<String>().err()] {
        error.iter().for_each(expect_damage);
    }
}

fn decode<T: DeserializeOwned>(codec: CodecId, input: &[u8]) -> Option<T> {
    let options = EnvelopeOptions::new().with_compression(Compression::none());
    let wrapped = Envelope::wrap(codec, input, options).expect("fuzz inputs are small");
    match Envelope::open(wrapped).expect("what was wrapped opens").decode() {
        Ok(value) => Some(value),
        Err(error) => {
            expect_damage(&error);
            None
        }
    }
}

/// What can be read can be written, and then reads the same.
fn typed<C: Codec>(input: &[u8]) {
    if let Some(tree) = decode::<Tree>(C::ID, input) {
        let written = Envelope::encode::<C, _>(&tree, EnvelopeOptions::new()).expect("was read");
        let again: Tree = Envelope::open(written).and_then(|e| e.decode()).expect("was written");
        assert_eq!(tree, again);
    }
    let _ = decode::<Vec<()>>(C::ID, input);
    let _ = decode::<Vec<Option<(u8, f64)>>>(C::ID, input);
    let _ = decode::<BTreeMap<u16, String>>(C::ID, input);
}

/// The first three bytes of the input are the length that is claimed.
fn compressed(compression: u8, input: &[u8]) {
    let Some((claimed, body)) = input.split_first_chunk::<3>() else { return };
    let mut envelope = vec![0; 24];
    envelope[7] = compression;
    envelope[16..19].copy_from_slice(claimed);
    envelope.extend_from_slice(body);
    envelope.extend_from_slice(&[0; 8]);
    envelope_mended(&envelope);
}

/// Damage and strangeness have two kinds, and no third.
fn expect_damage(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{error:?}");
}

/// Puts right what the first checks of an envelope compare; `None` when it is too short.
pub fn mend_envelope(mut envelope: Vec<u8>) -> Option<Vec<u8>> {
    let body_end = envelope.len().checked_sub(8).filter(|end| *end >= 24)?;
    envelope[..5].copy_from_slice(&[0xC1, b'S', b'V', b'E', 1]);
    let stored_len = u32::try_from(body_end - 24).ok()?;
    envelope[20..24].copy_from_slice(&stored_len.to_le_bytes());
    let sum = XxHash3_64::oneshot(&envelope[..body_end]);
    envelope[body_end..].copy_from_slice(&sum.to_le_bytes());
    Some(envelope)
}

/// Puts the magic, the version and each checksum right, as far as the lengths lead.
pub fn mend_snapshot(mut file: Vec<u8>) -> Vec<u8> {
    if file.len() < 32 {
        return file;
    }
    file[..10].copy_from_slice(&[0xC1, b'S', b'S', b'F', 0x0D, 0x0A, 0x1A, 0x0A, 1, 0]);
    let mut chain = XxHash3_64::oneshot(&file[..24]);
    file[24..32].copy_from_slice(&chain.to_le_bytes());
    let mut start = 32;
    while let Some(header) = file.get(start..start + 24) {
        let stored = u32::from_le_bytes([header[20], header[21], header[22], header[23]]);
        let end = start + 24 + stored as usize;
        if end + 8 > file.len() {
            break;
        }
        chain = XxHash3_64::oneshot_with_seed(chain, &file[start..end]);
        file[end..end + 8].copy_from_slice(&chain.to_le_bytes());
        start = end + 8;
    }
    file
}
