//! Envelopes: what goes in comes out, for each format, compression and size.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use state_codec::{
    Codec, Compression, CompressionId, Envelope, EnvelopeOptions, Json, VALUE_BYTES_MAX,
};
use state_core::ErrorKind;
use std::collections::BTreeMap;

/// A closed type with something of everything.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Record {
    id: u64,
    balance: i64,
    name: String,
    tags: Vec<Option<String>>,
    limits: BTreeMap<String, (u8, bool)>,
    shape: Shape,
    raw: Vec<u8>,
    letter: char,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Shape {
    Point,
    Circle(i32),
    Line(i16, i16),
    Box { width: u32, inner: Option<Box<Self>> },
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Point),
        any::<i32>().prop_map(Shape::Circle),
        any::<(i16, i16)>().prop_map(|(a, b)| Shape::Line(a, b)),
    ];
    leaf.prop_recursive(12, 24, 1, |inner| {
        (any::<u32>(), proptest::option::of(inner))
            .prop_map(|(width, inner)| Shape::Box { width, inner: inner.map(Box::new) })
    })
}

fn record() -> impl Strategy<Value = Record> {
    let tags = proptest::collection::vec(proptest::option::of(".{0,20}"), 0..8);
    let limits = proptest::collection::btree_map(".{0,8}", any::<(u8, bool)>(), 0..8);
    let raw = proptest::collection::vec(any::<u8>(), 0..3_000);
    (any::<(u64, i64)>(), ".{0,40}", tags, limits, shape(), raw, any::<char>()).prop_map(
        |((id, balance), name, tags, limits, shape, raw, letter)| Record {
            id,
            balance,
            name,
            tags,
            limits,
            shape,
            raw,
            letter,
        },
    )
}

fn round_trip<C: Codec>(record: &Record) {
    for id in CompressionId::ALL.into_iter().filter(|id| id.is_built_in()) {
        for threshold_bytes in [0, 4 << 10] {
            let compression = Compression::new(id).with_threshold_bytes(threshold_bytes);
            let options = EnvelopeOptions::new().with_compression(compression).with_schema(7);
            let stored = Envelope::encode::<C, _>(record, options).unwrap();
            let envelope = Envelope::open(stored.clone()).unwrap();
            assert_eq!((envelope.codec(), envelope.schema()), (C::ID, 7));
            assert_eq!(envelope.stored_len() + Envelope::OVERHEAD_BYTES, stored.len());
            assert!(envelope.stored_len() <= envelope.raw_len());
            assert_eq!(&envelope.decode::<Record>().unwrap(), record, "{} {id}", C::ID);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_format_and_compression_round_trips(record in record()) {
        round_trip::<Json>(&record);
        #[cfg(feature = "msgpack")]
        round_trip::<state_codec::MessagePack>(&record);
        #[cfg(feature = "bincode")]
        round_trip::<state_codec::Bincode>(&record);
    }

    #[test]
    fn bytes_of_every_size_round_trip(
        len in prop_oneof![0_usize..300, 4_000_usize..5_000, 60_000_usize..150_000],
        period in 1_usize..5_000,
        noise in any::<u64>(),
    ) {
        let mut state = noise | 1;
        let pattern: Vec<u8> = (0..period).map(|_| { state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1); (state >> 56) as u8 }).collect();
        let raw: Vec<u8> = pattern.iter().copied().cycle().take(len).collect();
        for id in CompressionId::ALL.into_iter().filter(|id| id.is_built_in()) {
            let options = EnvelopeOptions::new().with_compression(Compression::new(id));
            let stored = Envelope::wrap(state_codec::CodecId::Raw, &raw, options).unwrap();
            prop_assert_eq!(Envelope::open(stored).unwrap().unpack().unwrap(), raw.clone());
        }
    }
}

#[test]
fn what_shrinks_is_compressed_from_the_threshold_on() {
    let stored_as = |value: &String| {
        let stored = Envelope::encode::<Json, _>(value, EnvelopeOptions::new()).unwrap();
        Envelope::open(stored).unwrap().compression()
    };
    assert_eq!(stored_as(&"a".repeat(4_094)), CompressionId::Lz4);
    assert_eq!(stored_as(&"a".repeat(4_093)), CompressionId::None);
}

#[test]
fn a_value_over_the_limit_is_too_large_and_the_largest_is_not() {
    let mut text = "x".repeat(VALUE_BYTES_MAX - 2);
    let stored = Envelope::encode::<Json, _>(&text, EnvelopeOptions::new()).unwrap();
    assert_eq!(Envelope::open(stored).unwrap().decode::<String>().unwrap(), text);
    text.push('x');
    let error = Envelope::encode::<Json, _>(&text, EnvelopeOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}
