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
#[path = "../../state-codec/tests/mutations/mod.rs"]
mod mutations;

use futures_util::FutureExt;
use mutations::{change, changed};
use proptest::prelude::*;
use state_checkpoint::Checkpoints;
use state_core::checkpoint::{Checkpointer, CheckpointerExt, ListCheckpoints};

/// The most bytes that an input of some hundred bytes may take at once: two values as large as
/// values may be, and what lies beside them.
const BYTES_MAX: u64 = 192 << 20;

/// A valid input for each body.
fn valid(name: &str) -> Vec<u8> {
    let record = || bodies::shelved().record.unwrap().body.to_vec();
    match name {
        "record" => record(),
        "record_mended" => record()[17..].to_vec(),
        "values" => bodies::pieces_of(&bodies::shelved()),
        "token" => token()[8..].to_vec(),
        _ => every_row(),
    }
}

/// A token of the listing that the body goes on with.
fn token() -> Vec<u8> {
    let list = async {
        let store = bodies::open(&bodies::thread_in_memory().await);
        store.list_checkpoints(ListCheckpoints::of("t").with_limit(1)).await.unwrap().next.unwrap()
    };
    list.now_or_never().unwrap().as_bytes().to_vec()
}

/// Each row in its own place.
fn every_row() -> Vec<u8> {
    let read = async {
        let backend = bodies::thread_in_memory().await;
        let mut input = Vec::new();
        for (place, key) in (0_u8..).zip(bodies::all_rows(&backend).await) {
            let value =
                backend.get_opts(&key, state_core::GetOptions::new()).await.unwrap().unwrap().value;
            input.push(place);
            let body = value.get(bodies::header_len(&key)..).unwrap_or_default();
            input.extend_from_slice(&u16::try_from(body.len()).unwrap().to_le_bytes());
            input.extend_from_slice(body);
        }
        input
    };
    read.now_or_never().unwrap()
}

/// Runs a body and makes sure of what it takes.
fn run(body: fn(&[u8]), input: &[u8]) {
    let taken = allocation_counter::measure(|| body(input));
    assert!(taken.bytes_max < BYTES_MAX, "{} bytes at once", taken.bytes_max);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_bytes_never_break_a_decoder(
        (_, body) in proptest::sample::select(bodies::ALL),
        input in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        run(body, &input);
    }

    #[test]
    fn mutated_valid_inputs_never_break_a_decoder(
        (name, body) in proptest::sample::select(bodies::ALL),
        changes in proptest::collection::vec(change(), 0..6),
    ) {
        let input = changed(valid(name), &changes);
        run(body, &input);
    }
}

/// A piece of an input for `values`.
fn piece(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap().to_le_bytes();
    [&[kind], len.as_slice(), bytes].concat()
}

/// A number as records have it.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// What takes few bytes to claim and many to believe.
#[test]
fn claims_are_not_believed() {
    let describe = |head: &[u8], rest: &[Vec<u8>]| piece(0, &[head, &rest.concat()].concat());
    let (inline, outside, older) = ([0x10, 0, 0, 0, 0], [0x12, 0, 0, 0, 0], [0x11, 0, 0, 0, 0]);
    let fresh = |len: u64| describe(&inline, &[varint(len << 2 | 3), vec![0]]);
    let bases =
        |segment: u64, offset: u64| piece(4, &[0, segment, offset].map(u64::to_le_bytes).concat());
    let write =
        [&[1, 0, 1, b'c', 4], b"json".as_slice(), &[0], &varint((1 << 32) - 1), &[0; 4]].concat();
    let mut claims = vec![
        fresh((1 << 48) - 1),
        fresh((1 << 30) - 1),
        describe(&outside, &[vec![0], varint((1 << 32) - 1)]),
        [bases(u64::MAX, u64::MAX), fresh(1 << 20)].concat(),
        [bases(0, u64::MAX - 7), describe(&inline, &[vec![9 << 2 | 3, 0, 9 << 2 | 3, 0]])].concat(),
        piece(2, &write),
    ];
    // Each version is sixteen times the next one.
    let mut growing = Vec::new();
    for version in (1..8).rev() {
        let len = 16_u64.pow(version);
        let steps = (0..16)
            .flat_map(|step| [varint(len << 2), varint(if step == 0 { 0 } else { 2 * len - 1 })]);
        growing.push((version, steps.collect::<Vec<_>>().concat()));
    }
    let mut chain: Vec<u8> = growing
        .into_iter()
        .zip(1_u8..)
        .flat_map(|((_, steps), next)| describe(&older, &[vec![next, 1], steps]))
        .collect();
    chain.extend(describe(&inline, &[vec![16 << 2 | 1], vec![b'x'; 16]]));
    claims.push(chain);
    for claim in claims {
        run(bodies::values, &claim);
    }
}

#[test]
fn the_valid_inputs_are_accepted_so_mutants_begin_behind_the_door() {
    let record = valid("record");
    let mut mended = bodies::mend_record(&record[17..]).to_vec();
    // The digest and the checksum that depends on it are of what was put.
    assert_eq!(mended.split_off(17), record[17..].to_vec());
    let whole = |rows| {
        let store =
            Checkpoints::over(bodies::Shelf::new(rows), state_checkpoint::CheckpointOptions::new());
        let found = async { store.latest("t").await.unwrap().unwrap() }.now_or_never().unwrap();
        assert_eq!((found.values.len(), found.pending_writes.len()), (2, 2));
    };
    whole(bodies::shelved());
    whole(bodies::rows_of(&valid("values")));
    let part = bodies::mended(&valid("record_mended"));
    whole(bodies::Rows { record: Some(part), ..bodies::shelved() });
    assert_eq!(bodies::mend_token(&token()[8..]), token());
    let rows = async {
        let backend = bodies::thread_in_memory().await;
        for key in bodies::all_rows(&backend).await {
            let value =
                backend.get_opts(&key, state_core::GetOptions::new()).await.unwrap().unwrap().value;
            let body = value.get(bodies::header_len(&key)..);
            assert!(body.is_none_or(|body| bodies::mend_row(&key, body) == value), "{key:?}");
        }
    };
    rows.now_or_never().unwrap();
}
