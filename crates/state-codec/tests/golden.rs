//! Frozen files: what an earlier version wrote reads to the very same content, and today's
//! writer still writes the same bytes.
//!
//! A file in `golden/` is written once, by a run of these tests with `WRITE_MISSING_GOLDEN=1`,
//! and never again: a change of the format gets a new version and new files beside the old.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use state_codec::{
    Bincode, Codec, CodecId, Compression, CompressionId, Envelope, EnvelopeOptions, Json,
    MessagePack, SnapshotFileOptions, SnapshotReader, SnapshotWriter,
};
use state_core::{Key, SnapshotRecord, Timestamp};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: u64,
    customer: String,
    total_cents: i64,
    lines: Vec<(String, u32)>,
    notes: BTreeMap<String, Option<String>>,
    state: State,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum State {
    Open,
    Shipped { at_ms: u64, by: String },
}

fn order() -> Order {
    let notes = [("gift".to_owned(), None), ("door".to_owned(), Some("blau\u{df}".to_owned()))];
    Order {
        id: 18_446_744_073_709_551_615,
        customer: "Gr\u{e4}fin \"M\" \u{1F980}".to_owned(),
        total_cents: -1_299,
        lines: (0..40).map(|n| (format!("article {}", n % 4), n)).collect(),
        notes: BTreeMap::from(notes),
        state: State::Shipped { at_ms: 1_700_000_000_000, by: "courier".to_owned() },
    }
}

fn records() -> Vec<SnapshotRecord> {
    let deadline = Some(Timestamp::from_unix_ms(1_800_000_000_000));
    let entry = |key: Key, value: Vec<u8>, deadline| SnapshotRecord::Entry {
        key,
        value: value.into(),
        deadline,
    };
    let mut records = vec![
        entry("plain".into(), b"value".to_vec(), None),
        entry("empty".into(), Vec::new(), deadline),
        entry(Key::in_partition(b"p\0\xff".to_vec(), "{k}"), vec![0, 255, 10, 13], None),
    ];
    records.extend((0..60_u8).map(|n| entry(format!("k{n:02}").into(), vec![n; 40], None)));
    let fields = |from: u8| (from..from + 3).map(|n| (vec![n + 1].into(), vec![n; 9].into()));
    records.push(SnapshotRecord::HashFields {
        key: "hash".into(),
        fields: fields(0).collect(),
        deadline,
    });
    records
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The frozen file; made from `today` when it is missing and that was asked for.
fn frozen(name: &str, today: &[u8]) -> Vec<u8> {
    let path = path(name);
    if !path.exists() && std::env::var_os("WRITE_MISSING_GOLDEN").is_some() {
        std::fs::write(&path, today).unwrap();
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a compressor makes of its input may change with the compressor; the format does not.
fn is_written_the_same(id: CompressionId) -> bool {
    id == CompressionId::None
}

fn envelope_is_frozen<C: Codec>(name: &str, id: CompressionId) {
    let compression = Compression::new(id).with_threshold_bytes(0);
    let options = EnvelopeOptions::new().with_compression(compression).with_schema(0x0102_0304);
    let today = Envelope::encode::<C, _>(&order(), options).unwrap();
    let frozen = frozen(name, &today);
    let envelope = Envelope::open(frozen.clone()).unwrap();
    assert_eq!((envelope.codec(), envelope.compression()), (C::ID, id), "{name}");
    assert_eq!(envelope.schema(), 0x0102_0304);
    assert_eq!(envelope.decode::<Order>().unwrap(), order(), "{name}");
    if is_written_the_same(id) {
        assert_eq!(today, frozen, "{name}");
    }
}

#[test]
fn envelopes_of_version_1_are_frozen() {
    for id in CompressionId::ALL {
        envelope_is_frozen::<Json>(&format!("envelope-v1-json-{id}.bin"), id);
        envelope_is_frozen::<MessagePack>(&format!("envelope-v1-messagepack-{id}.bin"), id);
        envelope_is_frozen::<Bincode>(&format!("envelope-v1-bincode-{id}.bin"), id);
    }
}

#[test]
fn raw_envelopes_of_version_1_are_frozen() {
    let today = Envelope::wrap(CodecId::Raw, b"", EnvelopeOptions::new()).unwrap();
    let frozen = frozen("envelope-v1-raw-empty.bin", &today);
    assert_eq!(Envelope::open(frozen.clone()).unwrap().unpack().unwrap(), Bytes::new());
    assert_eq!(today, frozen);
}

#[test]
fn snapshots_of_version_1_are_frozen() {
    for id in CompressionId::ALL {
        let name = format!("snapshot-v1-{id}.snap");
        let options = SnapshotFileOptions::new(Timestamp::from_unix_ms(1_700_000_000_123))
            .with_block_bytes(1 << 10)
            .with_point_in_time(true)
            .with_compression(Compression::new(id).with_threshold_bytes(0));
        let mut writer = SnapshotWriter::new(Vec::new(), options).unwrap();
        for record in records() {
            writer.write(&record).unwrap();
        }
        let (today, summary) = writer.finish().unwrap();
        let frozen = frozen(&name, &today);
        let mut reader = SnapshotReader::new(frozen.as_slice()).unwrap();
        let read: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
        assert_eq!(read, records(), "{name}");
        assert_eq!(reader.info(), summary.info);
        assert_eq!(reader.summary().map(|summary| summary.blocks), Some(summary.blocks));
        if is_written_the_same(id) {
            assert_eq!(today, frozen, "{name}");
        }
    }
}

/// As `hexdump -C` shows bytes.
fn hexdump(bytes: &[u8]) -> String {
    let mut dump = String::new();
    for (row, line) in bytes.chunks(16).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = line
            .iter()
            .map(|byte| if (0x20..0x7F).contains(byte) { char::from(*byte) } else { '.' })
            .collect();
        let (left, right) = hex.split_at(hex.len().min(8));
        let hex = format!("{}  {}", left.join(" "), right.join(" "));
        writeln!(dump, "{:08x}  {hex:<48}  |{text}|", row * 16).unwrap();
    }
    dump
}

#[test]
fn the_dumps_in_the_description_of_the_format_are_real() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire-format.md");
    let page = std::fs::read_to_string(page).unwrap();
    let options = EnvelopeOptions::new().with_schema(7);
    let envelope = Envelope::encode::<Json, _>(&["hello", "wire"], options).unwrap();
    let options = SnapshotFileOptions::new(Timestamp::from_unix_ms(1_700_000_000_000));
    let mut writer = SnapshotWriter::new(Vec::new(), options).unwrap();
    let deadline = Some(Timestamp::from_unix_ms(1_800_000_000_000));
    writer.write_entry(&"user:7".into(), &Bytes::from_static(b"ada"), deadline).unwrap();
    for bytes in [envelope.to_vec(), writer.finish().unwrap().0] {
        let dump = hexdump(&bytes);
        assert!(page.contains(&dump), "docs/wire-format.md should show\n{dump}");
    }
}
