//! Envelopes that are not what was written: flipped bits, and lies under a right checksum.

use serde::{Deserialize, Serialize};
use state_codec::{CodecId, CompressionId, Json, MessagePack, StateBackendTyped, VALUE_BYTES_MAX};
use state_core::{Bytes, ErrorKind, StateBackendExt};
use twox_hash::XxHash3_64;

use crate::Context;
use crate::expect::{present, refused};

pub(super) async fn flipped(cx: Context) {
    let texts = cx.a.typed::<String, Json>();
    let text = "a few words".to_owned();
    texts.put("k", &text).await.unwrap();
    let good = present(&*cx.a, "k").await.value;
    for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut bad = good.to_vec();
        if let Some(byte) = bad.get_mut(at) {
            *byte ^= 1 << bit;
        }
        cx.b.put("k", bad).await.unwrap();
        let error = match texts.get("k").await {
            Ok(got) => panic!("bit {bit} of byte {at}: expected an error, got {got:?}"),
            Err(error) => error,
        };
        let kinds = [ErrorKind::Corrupt, ErrorKind::Unsupported];
        assert!(kinds.contains(&error.kind()), "bit {bit} of byte {at}: got `{}`", error.kind());
    }
    cx.b.put("k", good).await.unwrap();
    assert_eq!(texts.get("k").await.unwrap(), Some(text));
}

/// Nests a level for each two characters of JSON.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Nested(Vec<Self>);

/// What is in a good envelope: `Nested` with two empty ones in it.
const GOOD: &[u8] = b"[[],[]]";
/// Deeper than anything that is written.
const DEEP: usize = 10_000;
/// A number that no version has given to a format, a compression or a flag yet.
const UNKNOWN: u8 = 0x80;

/// An envelope with a right checksum, whatever it says of itself.
struct Crafted {
    version: u8,
    flags: u8,
    codec: u8,
    compression: u8,
    dictionary: u32,
    raw_len: u32,
    stored_len: u32,
    body: Vec<u8>,
}

impl Crafted {
    /// What is written for a value whose JSON is `body`.
    fn json(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let len = u32::try_from(body.len()).unwrap();
        let (codec, compression) = (CodecId::Json.number(), CompressionId::None.number());
        let (version, flags, dictionary) = (1, 0, 0);
        let (raw_len, stored_len) = (len, len);
        Self { version, flags, codec, compression, dictionary, raw_len, stored_len, body }
    }

    /// What is written for a value whose MessagePack is `body`.
    fn messagepack(body: impl Into<Vec<u8>>) -> Self {
        Self { codec: CodecId::MessagePack.number(), ..Self::json(body) }
    }

    /// One that says that `packed` is lz4 and unpacks to `raw_len` bytes.
    fn lz4(raw_len: usize, packed: impl Into<Vec<u8>>) -> Self {
        let raw_len = u32::try_from(raw_len).unwrap();
        Self { compression: CompressionId::Lz4.number(), raw_len, ..Self::json(packed) }
    }

    fn bytes(&self) -> Bytes {
        let kinds = [self.version, self.flags, self.codec, self.compression];
        let schema = 0;
        let numbers = [schema, self.dictionary, self.raw_len, self.stored_len];
        let mut bytes = [&[0xC1, b'S', b'V', b'E'], &kinds[..]].concat();
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend_from_slice(&self.body);
        bytes.extend(XxHash3_64::oneshot(&bytes).to_le_bytes());
        bytes.into()
    }
}

/// An lz4 block that unpacks to about 255 times its length, and how long that is: one `[`,
/// repeated, and five more at the end.
fn bomb() -> (usize, Vec<u8>) {
    const LONGER: usize = 4_000;
    let repeat = [&[0x1F, b'[', 1, 0][..], &[255; LONGER], &[0]].concat();
    let packed = [&repeat[..], &[0x50], b"[[[[["].concat();
    (1 + 4 + 15 + 255 * LONGER + 5, packed)
}

/// What no version writes.
fn damaged() -> Vec<(String, Bytes)> {
    let good = Crafted::json(GOOD).bytes();
    let mut rows: Vec<_> =
        (0..good.len()).map(|at| (format!("cut off at byte {at}"), good.slice(..at))).collect();
    for behind in [&b"x"[..], &[0; 8], &good] {
        rows.push((format!("{} bytes behind it", behind.len()), [&good, behind].concat().into()));
    }
    for stored_len in [0, 1, 6, 8, u32::MAX] {
        let lying = Crafted { stored_len, ..Crafted::json(GOOD) };
        rows.push((format!("a stored length of {stored_len}"), lying.bytes()));
    }
    let (bomb_len, bomb) = bomb();
    let closed = "[".repeat(DEEP) + &"]".repeat(DEEP);
    for (what, crafted) in [
        ("another length before compression", Crafted { raw_len: 8, ..Crafted::json(GOOD) }),
        ("the largest value in a few bytes", Crafted::lz4(VALUE_BYTES_MAX, GOOD)),
        ("a bomb that tells too little", Crafted::lz4(100, &bomb[..])),
        ("a bomb that tells too much", Crafted::lz4(bomb_len + 1, &bomb[..])),
        ("a bomb that tells the truth, and nests", Crafted::lz4(bomb_len, &bomb[..])),
        ("levels that end", Crafted::json(closed)),
        ("levels that do not end", Crafted::json("[".repeat(DEEP))),
        ("another value behind the value", Crafted::json("[] []")),
        ("a bracket behind the value", Crafted::json("[]]")),
        (
            "levels of MessagePack that end",
            Crafted::messagepack([vec![0x91; DEEP], vec![0x90]].concat()),
        ),
        ("levels of MessagePack that do not end", Crafted::messagepack(vec![0x91; DEEP])),
        ("another value of MessagePack behind the value", Crafted::messagepack([0x90, 0x90])),
        ("a byte of no MessagePack behind the value", Crafted::messagepack([0x90, 0xC1])),
        ("MessagePack that ends early", Crafted::messagepack([0x92, 0x90])),
        ("a number of items that are not there", Crafted::messagepack([0xDD, 255, 255, 255, 255])),
        ("version 0", Crafted { version: 0, ..Crafted::json(GOOD) }),
    ] {
        rows.push((what.to_owned(), crafted.bytes()));
    }
    rows
}

/// What a later version may write.
fn later() -> Vec<(String, Bytes)> {
    let json = || Crafted::json(GOOD);
    let later = [
        ("the next version", Crafted { version: 2, ..json() }),
        ("the last version", Crafted { version: u8::MAX, ..json() }),
        ("a sealed value", Crafted { flags: 1, ..json() }),
        ("an unknown flag", Crafted { flags: UNKNOWN, ..json() }),
        ("an unknown format", Crafted { codec: UNKNOWN, ..json() }),
        ("an unknown compression", Crafted { compression: UNKNOWN, ..json() }),
        ("a dictionary", Crafted { dictionary: 1, ..json() }),
        ("more than the largest value", Crafted::lz4(VALUE_BYTES_MAX + 1, GOOD)),
    ];
    later.into_iter().map(|(what, crafted)| (what.to_owned(), crafted.bytes())).collect()
}

pub(super) async fn crafted(cx: Context) {
    let nested = cx.b.typed::<Nested, Json>();
    nested.put("k", &Nested(vec![Nested(Vec::new()), Nested(Vec::new())])).await.unwrap();
    let written = present(&*cx.a, "k").await.value;
    assert_eq!(written, Crafted::json(GOOD).bytes(), "what is crafted is not what is written");
    let messagepack = cx.b.typed::<Nested, MessagePack>();
    messagepack.put("k", &Nested(vec![Nested(Vec::new()), Nested(Vec::new())])).await.unwrap();
    let written = present(&*cx.a, "k").await.value;
    let expected = Crafted::messagepack([0x92, 0x90, 0x90]).bytes();
    assert_eq!(written, expected, "what is crafted is not what is written as MessagePack");
    let damaged = damaged().into_iter().map(|row| (row, ErrorKind::Corrupt));
    let later = later().into_iter().map(|row| (row, ErrorKind::Unsupported));
    for ((what, bytes), kind) in damaged.chain(later) {
        cx.a.put("k", bytes.clone()).await.unwrap();
        refused(nested.get("k").await, kind, &what);
        assert_eq!(present(&*cx.a, "k").await.value, bytes, "{what}: what is stored");
    }
}
