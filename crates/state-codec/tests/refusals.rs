//! What a reader refuses: nothing that was changed is read as something else.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[expect(unreachable_pub, dead_code, reason = "shared with the fuzz targets")]
#[cfg(all(feature = "msgpack", feature = "bincode", feature = "zstd"))]
mod bodies;

use std::error::Error as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use state_codec::{
    Codec, CodecId, Compression, CompressionId, DEPTH_MAX, Envelope, EnvelopeOptions, Json,
    VALUE_BYTES_MAX,
};
use state_core::{Error, ErrorKind};
use twox_hash::XxHash3_64;

/// An envelope with a right checksum and whatever else is asked for.
struct Crafted {
    header: [u8; 24],
    body: Vec<u8>,
}

impl Crafted {
    fn new(codec: CodecId, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut header = [0; 24];
        header[..8].copy_from_slice(&[0xC1, b'S', b'V', b'E', 1, 0, codec.number(), 0]);
        Self { header, body }.with_raw_len_of_body()
    }

    fn with_raw_len_of_body(self) -> Self {
        let len = self.body.len() as u32;
        self.with(16, &len.to_le_bytes()).with(20, &len.to_le_bytes())
    }

    fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.header, &*self.body].concat();
        bytes.extend_from_slice(&XxHash3_64::oneshot(&bytes).to_le_bytes());
        bytes
    }

    fn open(&self) -> Result<Envelope, Error> {
        Envelope::open(self.bytes())
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, kind: ErrorKind) -> Error {
    let error = result.expect_err("must be refused");
    assert_eq!(error.kind(), kind, "{error}");
    error
}

fn sample(compression: Compression) -> Vec<u8> {
    let value: Vec<String> = (0..12).map(|n| format!("a part of the value, number {n}")).collect();
    let options = EnvelopeOptions::new().with_compression(compression).with_schema(3);
    Envelope::encode::<Json, _>(&value, options).unwrap().to_vec()
}

fn samples() -> [Vec<u8>; 2] {
    let lz4 = Compression::new(CompressionId::Lz4).with_threshold_bytes(0);
    [sample(Compression::none()), sample(lz4)]
}

#[test]
fn crafted_envelopes_are_those_that_are_written() {
    let written = sample(Compression::none());
    let body = written[24..written.len() - 8].to_vec();
    let crafted = Crafted::new(CodecId::Json, body).with(8, &3_u32.to_le_bytes());
    assert_eq!(crafted.bytes(), written);
}

#[test]
fn an_envelope_cut_at_any_byte_is_corrupt_where_it_ends() {
    for envelope in samples() {
        for len in 0..envelope.len() {
            let error = refused(Envelope::open(envelope[..len].to_vec()), ErrorKind::Corrupt);
            assert_eq!(error.position(), Some(len as u64), "{len}");
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for envelope in samples() {
        for bit in 0..envelope.len() * 8 {
            let mut damaged = envelope.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error = Envelope::open(damaged).expect_err("must be refused");
            // A damaged version cannot be told from a later one.
            let version = bit / 8 == 4 && damaged_version(bit) != 0;
            let expected = if version { ErrorKind::Unsupported } else { ErrorKind::Corrupt };
            assert_eq!(error.kind(), expected, "bit {bit}");
        }
    }
}

fn damaged_version(bit: usize) -> u8 {
    1 ^ (1 << (bit % 8))
}

#[test]
fn bytes_behind_the_envelope_are_refused_where_they_begin() {
    for envelope in samples() {
        for extra in [1, 8, 1_000] {
            let longer = [envelope.clone(), vec![0; extra]].concat();
            let error = refused(Envelope::open(longer), ErrorKind::Corrupt);
            assert_eq!(error.position(), Some(envelope.len() as u64));
        }
    }
}

#[test]
fn foreign_bytes_are_corrupt() {
    for foreign in [&b"{\"a\":1}"[..], b"", b"12345", b"\x1f\x8b\x08", &[0; 64], &[0xC1; 64]] {
        assert!(!Envelope::is_likely(foreign));
        refused(Envelope::open(foreign.to_vec()), ErrorKind::Corrupt);
    }
}

#[test]
fn none_of_a_million_mutants_is_accepted() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let mut refused = 0;
    for envelope in samples() {
        for _ in 0..520_000 {
            let mut mutant = envelope.clone();
            for _ in 0..=next(3) {
                let (at, from) = (next(mutant.len()), next(mutant.len()));
                match next(6) {
                    0 => mutant[at] ^= 1 << next(8),
                    1 => mutant[at] = next(256) as u8,
                    2 => mutant.swap(at, from),
                    3 => drop(mutant.splice(at..at, [next(256) as u8])),
                    4 => drop(mutant.remove(at)),
                    _ => {
                        let len = next(32).min(mutant.len() - at.max(from));
                        mutant.copy_within(from..from + len, at);
                    }
                }
            }
            if mutant != envelope {
                let error = Envelope::open(mutant).expect_err("a mutant was accepted");
                assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported));
                refused += 1;
            }
        }
    }
    assert!(refused > 1_000_000, "{refused} mutants differ from what they were made of");
}

#[test]
fn what_a_later_version_writes_is_unsupported() {
    let json = || Crafted::new(CodecId::Json, "1");
    for (what, later) in [
        ("version", json().with(4, &[2])),
        ("greatest version", json().with(4, &[255])),
        ("sealed", json().with(5, &[1])),
        ("unknown flag", json().with(5, &[0x80])),
        ("unknown format", json().with(6, &[4])),
        ("unknown compression", json().with(7, &[3])),
        ("dictionary", json().with(12, &[1, 0, 0, 0])),
    ] {
        let error = refused(later.open(), ErrorKind::Unsupported);
        assert!(!error.to_string().is_empty(), "{what}");
    }
    refused(json().with(4, &[0]).open(), ErrorKind::Corrupt);
}

/// What is allocated beside a value: the crafted bytes themselves, and errors.
const BESIDE_BYTES: u64 = 64 << 10;

/// Makes sure that an envelope is refused, and that no more than `bytes_max` are allocated for that.
fn refused_within(bytes_max: u64, crafted: &Crafted, kind: ErrorKind) {
    let taken = allocation_counter::measure(|| {
        refused(crafted.open().and_then(|envelope| envelope.unpack()), kind);
    });
    assert!(taken.bytes_max <= bytes_max, "{} bytes at once", taken.bytes_max);
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_allocated() {
    let lz4 = |raw: u32, body: &[u8]| {
        Crafted::new(CodecId::Json, body).with(7, &[1]).with(16, &raw.to_le_bytes())
    };
    let refused_at_once = |crafted: &Crafted, kind| refused_within(BESIDE_BYTES, crafted, kind);
    // Uncompressed, and the lengths differ.
    let differ = Crafted::new(CodecId::Json, "12").with(16, &3_u32.to_le_bytes());
    refused_at_once(&differ, ErrorKind::Corrupt);
    // Stored length: longer or shorter than what is there.
    for stored in [0_u32, 1, 3, u32::MAX] {
        let lying = Crafted::new(CodecId::Json, "12").with(20, &stored.to_le_bytes());
        refused_at_once(&lying, ErrorKind::Corrupt);
    }
    // Raw length: over the limit, further than lz4 shrinks, one off in both directions.
    refused_at_once(&lz4(u32::MAX, b"1234"), ErrorKind::Unsupported);
    refused_at_once(&lz4((64 << 20) + 1, b"1234"), ErrorKind::Unsupported);
    refused_at_once(&lz4(64 << 20, b"1234"), ErrorKind::Corrupt);
    let packed = lz4_flex::block::compress(&[7; 5_000]);
    assert_eq!(lz4(5_000, &packed).open().unwrap().unpack().unwrap(), vec![7; 5_000]);
    for raw in [4_999, 5_001, 0] {
        refused_at_once(&lz4(raw, &packed), ErrorKind::Corrupt);
    }
    // A size in front, as other tools write it, is not believed either.
    let prepended = lz4_flex::block::compress_prepend_size(&[7; 5_000]);
    refused_at_once(&lz4(5_000, &prepended), ErrorKind::Corrupt);
}

/// The most that a lie can cost is one value of the greatest size.
#[test]
fn what_a_lie_about_a_length_costs_is_bounded_by_the_limit() {
    let limit = u64::try_from(VALUE_BYTES_MAX).unwrap();
    let claims = |compression: u8, raw: u32, body: &[u8]| {
        Crafted::new(CodecId::Json, body).with(7, &[compression]).with(16, &raw.to_le_bytes())
    };
    let most = (64 << 20) as u32;
    // As many bytes as lz4 needs for that length, but no lz4.
    let noise = vec![0xF7; (most / 255) as usize + 64];
    let beside = BESIDE_BYTES + 3 * noise.len() as u64;
    refused_within(limit + beside, &claims(1, most, &noise), ErrorKind::Corrupt);
    #[cfg(feature = "zstd")]
    for body in [&b"1234"[..], &zstd::bulk::compress(&[7; 5_000], 1).unwrap(), &noise] {
        refused_within(limit + beside, &claims(2, most, body), ErrorKind::Corrupt);
    }
}

/// Nests a level for each two characters of JSON.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Nested(Vec<Self>);

/// Nests for each byte of bincode, and without any byte of JSON.
#[cfg(feature = "bincode")]
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Chain(Option<Box<Self>>);

fn nested(levels: usize) -> Nested {
    (1..levels).fold(Nested(Vec::new()), |nested, _| Nested(vec![nested]))
}

fn decode<T: serde::de::DeserializeOwned>(codec: CodecId, body: &[u8]) -> Result<T, Error> {
    Envelope::open(Crafted::new(codec, body).bytes()).unwrap().decode()
}

#[test]
fn json_ten_thousand_levels_deep_is_corrupt() {
    for deep in
        ["[".repeat(10_000), "{\"a\":".repeat(10_000), "[".repeat(10_000) + &"]".repeat(10_000)]
    {
        refused(decode::<serde_json::Value>(CodecId::Json, deep.as_bytes()), ErrorKind::Corrupt);
        refused(decode::<Nested>(CodecId::Json, deep.as_bytes()), ErrorKind::Corrupt);
        // What is ignored is skipped without a stack, so a balanced nesting does no harm.
        let _ = decode::<serde::de::IgnoredAny>(CodecId::Json, deep.as_bytes());
    }
}

#[cfg(feature = "msgpack")]
#[test]
fn messagepack_ten_thousand_levels_deep_is_corrupt() {
    for deep in [vec![0x91; 10_000], [0x81, 0xA0].repeat(10_000), [0xDC, 0, 1].repeat(10_000)] {
        refused(decode::<serde_json::Value>(CodecId::MessagePack, &deep), ErrorKind::Corrupt);
        refused(decode::<Nested>(CodecId::MessagePack, &deep), ErrorKind::Corrupt);
        refused(decode::<serde::de::IgnoredAny>(CodecId::MessagePack, &deep), ErrorKind::Corrupt);
    }
}

#[cfg(feature = "bincode")]
#[test]
fn bincode_ten_thousand_levels_deep_is_corrupt() {
    refused(decode::<Nested>(CodecId::Bincode, &[1; 10_000]), ErrorKind::Corrupt);
    refused(decode::<Chain>(CodecId::Bincode, &[1; 10_000]), ErrorKind::Corrupt);
    refused(decode::<bodies::Tree>(CodecId::Bincode, &[4, 1].repeat(5_000)), ErrorKind::Corrupt);
}

/// What may be written can be read, and the limit is the same in both directions.
fn depth_is_limited_alike<C: Codec>() {
    // A newtype and a sequence are a level each.
    let deepest = nested(DEPTH_MAX / 2);
    let written = Envelope::encode::<C, _>(&deepest, EnvelopeOptions::new()).unwrap();
    assert_eq!(Envelope::open(written).unwrap().decode::<Nested>().unwrap(), deepest);
    let deeper = nested(DEPTH_MAX / 2 + 1);
    refused(Envelope::encode::<C, _>(&deeper, EnvelopeOptions::new()), ErrorKind::Invalid);
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    depth_is_limited_alike::<Json>();
    #[cfg(feature = "msgpack")]
    depth_is_limited_alike::<state_codec::MessagePack>();
    #[cfg(feature = "bincode")]
    depth_is_limited_alike::<state_codec::Bincode>();
}

/// A body of a few bytes that claims to hold far more is refused, and little is allocated for it: room for a thousand items
/// that may take no bytes, whatever it claims.
#[cfg(any(feature = "bincode", feature = "msgpack"))]
fn costs_nothing<T: serde::de::DeserializeOwned + std::fmt::Debug>(codec: CodecId, body: &[u8]) {
    let envelope = Crafted::new(codec, body).open().unwrap();
    let taken = allocation_counter::measure(|| {
        refused(envelope.decode::<T>(), ErrorKind::Corrupt);
    });
    let what = std::any::type_name::<T>();
    assert!(taken.bytes_max <= BESIDE_BYTES, "{} bytes for a {what} of {body:?}", taken.bytes_max);
}

#[cfg(feature = "bincode")]
#[test]
fn bincode_bombs_are_corrupt_and_cost_nothing() {
    use state_codec::Bincode;
    let huge = [253, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    costs_nothing::<Vec<()>>(CodecId::Bincode, &huge);
    costs_nothing::<String>(CodecId::Bincode, &huge);
    costs_nothing::<Vec<u64>>(CodecId::Bincode, &huge);
    for length in [&[252, 0, 0, 0, 4], &[252, 0, 0, 0, 1], &[252, 0xFF, 0xFF, 0xFF, 0xFF]] {
        costs_nothing::<Vec<u8>>(CodecId::Bincode, length);
        costs_nothing::<String>(CodecId::Bincode, length);
        costs_nothing::<Vec<[u64; 4]>>(CodecId::Bincode, length);
        costs_nothing::<std::collections::BTreeMap<u8, u8>>(CodecId::Bincode, length);
    }
    // Items without bytes of their own: some are fine, a million is refused both ways.
    let units = |len| Envelope::encode::<Bincode, _>(&vec![(); len], EnvelopeOptions::new());
    let some = Envelope::open(units(1_000).unwrap()).unwrap();
    assert_eq!(some.decode::<Vec<()>>().unwrap().len(), 1_000);
    refused(units(1_000_000), ErrorKind::Invalid);
    refused(decode::<Vec<()>>(CodecId::Bincode, &[252, 0, 0, 16, 0]), ErrorKind::Corrupt);
}

#[cfg(feature = "msgpack")]
#[test]
fn messagepack_bombs_are_corrupt_and_cost_nothing() {
    use std::collections::{BTreeMap, HashMap};
    const MESSAGEPACK: CodecId = CodecId::MessagePack;
    // An array, a map, a text, bytes and an extension of 4,294,967,295 items or bytes.
    for kind in [0xDD, 0xDF, 0xDB, 0xC6, 0xC9] {
        for items in [&[][..], &[1], &[1; 40]] {
            let body = [&[kind, 0xFF, 0xFF, 0xFF, 0xFF], items].concat();
            costs_nothing::<serde_json::Value>(MESSAGEPACK, &body);
            costs_nothing::<serde::de::IgnoredAny>(MESSAGEPACK, &body);
            costs_nothing::<Vec<u64>>(MESSAGEPACK, &body);
            costs_nothing::<Vec<[u64; 4]>>(MESSAGEPACK, &body);
            costs_nothing::<String>(MESSAGEPACK, &body);
            costs_nothing::<HashMap<u64, u64>>(MESSAGEPACK, &body);
            costs_nothing::<BTreeMap<String, Vec<u8>>>(MESSAGEPACK, &body);
        }
    }
    // Items that cost nothing on the wire, if there were such.
    costs_nothing::<Vec<()>>(MESSAGEPACK, &[0xDD, 0xFF, 0xFF, 0xFF, 0xFF]);
}

#[cfg(feature = "bincode")]
#[test]
fn the_limit_of_bincode_does_not_bite_before_ours() {
    // Counted at 8 bytes each, and a byte each on the wire.
    let numbers = vec![1_u64; 20 << 20];
    let options = EnvelopeOptions::new().with_compression(Compression::none());
    let stored = Envelope::encode::<state_codec::Bincode, _>(&numbers, options).unwrap();
    assert!(Envelope::open(stored).unwrap().decode::<Vec<u64>>().unwrap() == numbers);
}

#[test]
fn bytes_behind_the_value_are_refused_in_every_format() {
    for (codec, body) in [
        (CodecId::Json, &b"1 2"[..]),
        (CodecId::Json, b"1]"),
        (CodecId::MessagePack, &[1, 2]),
        (CodecId::MessagePack, &[1, 0xC1]),
        (CodecId::Bincode, &[1, 0]),
    ] {
        if codec.is_built_in() {
            refused(decode::<u32>(codec, body), ErrorKind::Corrupt);
            assert_eq!(decode::<u32>(codec, &body[..1]).unwrap() % 48, 1);
        }
    }
}

/// Refuses field names, which error messages like to quote.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    #[expect(dead_code, reason = "only its type matters")]
    field: bool,
}

#[test]
fn no_error_shows_a_part_of_the_value() {
    let secret = "xyzzy-12345";
    for (codec, body) in [
        (CodecId::Json, format!("\"{secret}\"").into_bytes()),
        (CodecId::Json, format!("{{\"{secret}\":1}}").into_bytes()),
        (CodecId::Json, secret.as_bytes().to_vec()),
        (CodecId::MessagePack, [&[0xAB], secret.as_bytes()].concat()),
        (CodecId::MessagePack, [&[0x81, 0xAB], secret.as_bytes(), &[1]].concat()),
        (CodecId::Bincode, [&[11], secret.as_bytes()].concat()),
    ] {
        if !codec.is_built_in() {
            continue;
        }
        for error in [
            refused(decode::<bool>(codec, &body), ErrorKind::Corrupt),
            refused(decode::<Other>(codec, &body), ErrorKind::Corrupt),
        ] {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("xyzzy"), "{shown}");
            assert!(error.source().is_none());
        }
    }
}

#[test]
fn raw_bytes_are_not_a_typed_value() {
    let raw = Envelope::wrap(CodecId::Raw, b"1", EnvelopeOptions::new()).unwrap();
    refused(Envelope::open(raw).unwrap().decode::<u8>(), ErrorKind::Unsupported);
}

#[test]
fn a_value_that_is_not_compressed_is_not_copied() {
    let stored = Bytes::from(sample(Compression::none()));
    let unpacked = Envelope::open(stored.clone()).unwrap().unpack().unwrap();
    assert_eq!(unpacked.as_ptr(), stored[24..].as_ptr());
}
