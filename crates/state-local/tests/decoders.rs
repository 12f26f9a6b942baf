//! The bodies of the fuzz targets on random and on mutated valid inputs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[expect(unreachable_pub, dead_code, reason = "shared with the fuzz targets and another test")]
mod bodies;
#[expect(unreachable_pub, reason = "shared with the tests of other crates")]
#[path = "../../state-codec/tests/mutations/mod.rs"]
mod mutations;

use mutations::{Change, change, changed};
use proptest::prelude::*;
use state_core::{HashPageOptions, ListOptions, StateBackend, WatchOptions, WatchStart};

/// A valid input for each body.
fn valid(name: &str) -> Vec<u8> {
    let rows = &bodies::filled().rows;
    let places = (0_u8..).zip(rows);
    match name {
        "records" => places.flat_map(|(place, row)| bodies::piece(place, &row.record)).collect(),
        "records_mended" => {
            places.flat_map(|(place, row)| bodies::piece(place, &bodies::body_of(row))).collect()
        }
        "page_token" => page_tokens().0[1..].to_vec(),
        _ => resume_token()[8..].to_vec(),
    }
}

/// A token of each kind of listing, without its checksum.
fn page_tokens() -> (Vec<u8>, Vec<u8>) {
    let backend = bodies::filled_file();
    let listed = bodies::now(backend.list_page(ListOptions::new("").with_limit(8_usize)));
    let keys = listed.unwrap().next.unwrap().as_bytes().to_vec();
    let hashes = backend.as_hash().unwrap();
    let page = HashPageOptions::new().with_limit(1_usize);
    let listed = bodies::now(hashes.hash_page(&"hash".into(), page)).unwrap();
    let fields = listed.next.unwrap().as_bytes().to_vec();
    let body = |token: Vec<u8>| token[..token.len() - 4].to_vec();
    (body(keys), body(fields))
}

fn resume_token() -> Vec<u8> {
    let options = WatchOptions::default().with_start(WatchStart::Oldest).with_follow(false);
    bodies::now(async {
        let watch = bodies::filled_file().as_watch().unwrap().watch(options).await.unwrap();
        let events: Vec<_> = futures_util::StreamExt::collect(watch).await;
        events[3].as_ref().unwrap().token.as_bytes().to_vec()
    })
}

/// A change to the body of one record, so that the pieces around it stay whole.
fn changed_record() -> impl Strategy<Value = (usize, Vec<Change>, Option<Vec<u8>>)> {
    let elsewhere = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..30));
    (any::<usize>(), proptest::collection::vec(change(), 0..4), elsewhere)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_bytes_never_break_a_decoder(
        (_, body) in proptest::sample::select(bodies::ALL),
        input in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        body(&input);
    }

    #[test]
    fn mutated_valid_inputs_never_break_a_decoder(
        (name, body) in proptest::sample::select(bodies::ALL),
        changes in proptest::collection::vec(change(), 0..6),
    ) {
        let input = changed(valid(name), &changes);
        body(&input);
    }

    #[test]
    fn mutated_records_never_break_a_decoder(
        records in proptest::collection::vec(changed_record(), 1..6),
    ) {
        let rows = &bodies::filled().rows;
        let mut input = Vec::new();
        for (place, changes, elsewhere) in records {
            let place = place % rows.len();
            let mut body = changed(bodies::body_of(&rows[place]), &changes);
            let mut number = u8::try_from(place).unwrap();
            if let Some(name) = elsewhere {
                number |= bodies::ELSEWHERE;
                body = [&[u8::try_from(name.len()).unwrap()], name.as_slice(), &body].concat();
            }
            input.extend(bodies::piece(number, &body));
        }
        bodies::records_mended(&input);
    }
}

#[test]
fn tokens_of_the_ends_of_all_numbers_never_break_a_decoder() {
    for byte in [0, 0x7F, 0x80, 0xFF] {
        for (_, body) in &bodies::ALL[2..] {
            body(&[byte; 24]);
            body(&[byte; 32]);
        }
    }
}

#[test]
fn the_valid_inputs_are_accepted_so_mutants_begin_behind_the_door() {
    let rows = &bodies::filled().rows;
    assert!(rows.len() < usize::from(bodies::ELSEWHERE), "each has a number");
    let tables: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.table).collect();
    assert_eq!(tables.len(), 9, "{tables:?}");
    for row in rows {
        assert_eq!(bodies::mend(row, &bodies::body_of(row)), row.record, "{row:?}");
    }
    let (keys, fields) = page_tokens();
    let page = HashPageOptions::new();
    let backend = bodies::filled_file();
    let token = state_core::PageToken::from_bytes(bodies::mend_token(b'k', &keys[1..]));
    let listed = bodies::now(backend.list_page(ListOptions::new("").with_token(token)));
    assert_eq!(listed.unwrap().items.len(), 1);
    let token = state_core::PageToken::from_bytes(bodies::mend_token(b'f', &fields[1..]));
    let hashes = backend.as_hash().unwrap();
    let listed = bodies::now(hashes.hash_page(&"hash".into(), page.with_token(token))).unwrap();
    assert_eq!(listed.items.len(), 1);
    assert_eq!(resume_token().len(), 32);
    for (name, body) in bodies::ALL {
        body(&valid(name));
    }
}
