//! The bodies of the fuzz targets on random and on mutated valid inputs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[expect(unreachable_pub, reason = "shared with the fuzz targets")]
mod bodies;
#[expect(unreachable_pub, reason = "shared with the tests of other crates")]
mod mutations;

use std::collections::BTreeMap;

use bodies::{Body, Tree, Wrapper};
use mutations::{change, changed};
use proptest::prelude::*;
use state_codec::{
    Bincode, Compression, CompressionId, Envelope, EnvelopeOptions, Json, MessagePack,
    SnapshotFileOptions, SnapshotWriter,
};
use state_core::{Key, SnapshotRecord, Timestamp};

fn tree() -> Tree {
    let text = Tree::Text("some text that repeats, some text that repeats".repeat(3));
    let named = BTreeMap::from([("a".to_owned(), Tree::Number(-5)), ("b".to_owned(), text)]);
    let list = Tree::List(vec![Tree::Nothing, Tree::Named(named), Tree::Units(vec![(); 7])]);
    let wrapped = Tree::Wrapped(Box::new(Wrapper(Tree::Maybe(Some(Box::new(list))))));
    let right = Some(Box::new(Tree::Raw((0..=255).collect())));
    Tree::Pair(Box::new(wrapped), Box::new(Tree::Both { left: Box::new(Tree::Nothing), right }))
}

/// A valid input for each body.
fn valid(name: &str) -> Vec<u8> {
    let uncompressed = EnvelopeOptions::new().with_compression(Compression::none());
    let body = |stored: bytes::Bytes| stored[24..stored.len() - 8].to_vec();
    let packed = |id| {
        let compression = Compression::new(id).with_threshold_bytes(0);
        let options = EnvelopeOptions::new().with_compression(compression);
        let envelope = Envelope::encode::<Json, _>(&vec![tree(); 9], options).unwrap();
        let claimed = envelope[16..19].to_vec();
        [claimed, body(envelope)].concat()
    };
    match name {
        "json" => body(Envelope::encode::<Json, _>(&tree(), uncompressed).unwrap()),
        "msgpack" => body(Envelope::encode::<MessagePack, _>(&tree(), uncompressed).unwrap()),
        "bincode" => body(Envelope::encode::<Bincode, _>(&tree(), uncompressed).unwrap()),
        "lz4" => packed(CompressionId::Lz4),
        "zstd" => packed(CompressionId::Zstd),
        "snapshot" | "snapshot_mended" => snapshot_file(),
        _ => Envelope::encode::<MessagePack, _>(&tree(), uncompressed).unwrap().to_vec(),
    }
}

fn snapshot_file() -> Vec<u8> {
    let options = SnapshotFileOptions::new(Timestamp::from_unix_ms(1)).with_block_bytes(1 << 10);
    let mut writer = SnapshotWriter::new(Vec::new(), options).unwrap();
    for n in 0..20_u64 {
        let key = Key::from_parts((n % 2 == 0).then(|| "p".into()), format!("k{n}").into());
        let deadline = (n % 3 == 0).then_some(Timestamp::from_unix_ms(n));
        let value = vec![b'x'; 100].into();
        writer.write(&SnapshotRecord::Entry { key, value, deadline }).unwrap();
    }
    let fields = [("a".into(), "1".into()), ("b".into(), "2".into())];
    writer.write_hash_fields(&"hash".into(), &fields, None).unwrap();
    writer.finish().unwrap().0
}

fn body() -> impl Strategy<Value = Body> {
    proptest::sample::select(bodies::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn random_bytes_never_break_a_decoder(
        (_, body) in body(),
        input in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        body(&input);
    }

    #[test]
    fn mutated_valid_inputs_never_break_a_decoder(
        (name, body) in body(),
        changes in proptest::collection::vec(change(), 0..6),
    ) {
        let input = changed(valid(name), &changes);
        body(&input);
    }
}

#[test]
fn the_valid_inputs_are_accepted_so_mutants_begin_behind_the_door() {
    let tree_of = |name: &str, codec| {
        let wrapped = Envelope::wrap(codec, &valid(name), EnvelopeOptions::new()).unwrap();
        Envelope::open(wrapped).unwrap().decode::<Tree>().unwrap()
    };
    assert_eq!(tree_of("json", state_codec::CodecId::Json), tree());
    assert_eq!(tree_of("msgpack", state_codec::CodecId::MessagePack), tree());
    assert_eq!(tree_of("bincode", state_codec::CodecId::Bincode), tree());
    assert_eq!(state_codec::verify_snapshot(&*snapshot_file(), |_| {}).unwrap().records, 21);
    assert_eq!(bodies::mend_snapshot(snapshot_file()), snapshot_file());
    let envelope = valid("envelope");
    assert_eq!(bodies::mend_envelope(envelope.clone()), Some(envelope));
    for (name, compression) in [("lz4", CompressionId::Lz4), ("zstd", CompressionId::Zstd)] {
        let input = valid(name);
        let mut crafted = vec![0; 24];
        crafted[6] = 1;
        crafted[7] = compression.number();
        crafted[16..19].copy_from_slice(&input[..3]);
        crafted.extend_from_slice(&input[3..]);
        crafted.extend_from_slice(&[0; 8]);
        let opened = Envelope::open(bodies::mend_envelope(crafted).unwrap()).unwrap();
        assert_eq!(opened.decode::<Vec<Tree>>().unwrap(), vec![tree(); 9]);
    }
}
