//! Records come back as they were, and changed ones do not come back at all.

use state_core::{Change, Scope};

use super::change::Events;
use super::*;
use crate::tables::{OpOutcome, Remembered};

const KEY: &[u8] = b"n\0\0\0name";

fn version(byte: u8) -> Version {
    Version::from_bytes([byte; 16])
}

fn deadlines() -> [Option<Timestamp>; 3] {
    [None, Some(Timestamp::from_unix_ms(0)), Some(Timestamp::from_unix_ms(u64::MAX))]
}

fn of_entry(record: &Record) -> Vec<u8> {
    let mut bytes = b"what was there before".to_vec();
    write_entry(&mut bytes, KEY, record);
    bytes
}

/// Every bit flipped, every truncation, one byte more, another key: none may be read.
fn assert_guarded<T: std::fmt::Debug>(record: &[u8], read: impl Fn(&[u8], &[u8]) -> Option<T>) {
    assert!(read(KEY, record).is_some());
    for bit in 0..record.len() * 8 {
        let mut changed = record.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(read(KEY, &changed).is_none(), "bit {bit}");
    }
    for length in 0..record.len() {
        assert!(read(KEY, &record[..length]).is_none(), "cut at {length}");
    }
    let longer: Vec<u8> = record.iter().copied().chain([0]).collect();
    assert!(read(KEY, &longer).is_none());
    assert!(read(b"n\0\0\0nama", record).is_none(), "another key");
}

#[test]
fn entries() {
    for deadline in deadlines() {
        for value in ["", "some value"] {
            let record = Record { value: value.into(), version: version(7), deadline };
            let stored = of_entry(&record);
            assert_eq!(entry(KEY, &stored), Some(record));
            assert_guarded(&stored, entry);
            let head = head(KEY, &stored).unwrap();
            assert_eq!(head.value_bytes, value.len() as u64);
            assert_eq!((head.version, head.deadline), (version(7), deadline));
        }
    }
}

#[test]
fn an_entry_with_another_deadline_keeps_everything_else() {
    let record = Record { value: "v".into(), version: version(1), deadline: None };
    let deadline = Some(Timestamp::from_unix_ms(9));
    let moved = of_moved_entry(KEY, &of_entry(&record), deadline).unwrap();
    assert_eq!(entry(KEY, &moved), Some(Record { deadline, ..record }));
}

#[test]
fn hashes_leases_numbers_and_counts() {
    for deadline in deadlines() {
        let head = HashHead { fields: 3, deadline };
        assert_eq!(hash_head(KEY, &of_hash_head(KEY, head)), Some(head));
        assert_guarded(&of_hash_head(KEY, head), hash_head);
        let owner = OwnerId::from_bytes([9; 16]);
        let record = LeaseRecord { owner, token: FenceToken::new(u64::MAX), deadline };
        assert_eq!(lease(KEY, &of_lease(KEY, record)), Some(record));
        assert_guarded(&of_lease(KEY, record), lease);
    }
    let stored = of_number(Kind::Fence, KEY, 5);
    assert_eq!(number(Kind::Fence, KEY, &stored), Some(5));
    assert_eq!(number(Kind::Store, KEY, &stored), None, "a record of another table");
    assert_guarded(&stored, |key, record| number(Kind::Fence, key, record));
    let some = Counts { version: 4, records: 3, first_event: 2, next_event: 9 };
    assert_eq!(counts(KEY, &of_counts(KEY, some)), Some(some));
    assert_guarded(&of_counts(KEY, some), counts);
}

#[test]
fn operations() {
    let deleted = |previous| OpOutcome::Deleted { existed: true, previous };
    let outcomes = vec![
        OpOutcome::Written(version(1)),
        deleted(None),
        deleted(Some(("old".into(), version(2)))),
        OpOutcome::Incremented { value: i64::MIN, version: version(3) },
    ];
    let all = outcomes
        .iter()
        .cloned()
        .chain([OpOutcome::Transaction(Vec::new()), OpOutcome::Transaction(outcomes.clone())]);
    for outcome in all {
        let deadline = Timestamp::from_unix_ms(12);
        let operation = Remembered { digest: 11, outcome, deadline };
        let stored = of_remembered(KEY, &operation);
        assert_eq!(remembered(KEY, &stored), Some(operation));
        assert_guarded(&stored, remembered);
    }
}

#[test]
fn blocks_of_events() {
    let key = Key::in_partition("p\0", "n");
    let plain = Key::from("n");
    let cleared = |scope| Change::Cleared { prefix: "pre".into(), scope };
    let changes = deadlines().into_iter().flat_map(|deadline| {
        [
            Change::Put { key: key.clone(), version: version(1), deadline },
            Change::Touched { key: plain.clone(), deadline },
        ]
    });
    let changes = changes.chain([
        Change::Deleted { key: key.clone() },
        Change::Expired { key: plain.clone() },
        Change::Evicted { key: key.clone() },
        Change::HashChanged { key: plain.clone() },
        cleared(Scope::All),
        cleared(Scope::Unpartitioned),
        cleared(Scope::Partition("p".into())),
        Change::Gap,
    ]);
    let changes: Vec<Change> = changes.collect();
    let single = changes.iter().map(std::slice::from_ref);
    for changes in single.chain([changes.as_slice()]) {
        let mut block = EventBlock::new(5, 77);
        for change in changes {
            block.push(change).unwrap();
        }
        assert_eq!(block.first(), 5);
        let events_max = changes.len() as u64;
        assert!(block.is_full(events_max) && !block.is_full(events_max + 1));
        let stored = block.seal(KEY);
        let expected = Events { session: 77, changes: changes.to_vec() };
        assert_eq!(events(KEY, &stored), Some(expected));
        assert_guarded(&stored, events);
    }
}

fn numbered(session: u64, number: u64) -> Version {
    Version::from_bytes((u128::from(session) << 64 | u128::from(number)).to_be_bytes())
}

#[test]
fn events_that_are_alike_take_little() {
    let thread = |n: u64| Key::in_partition("a partition with a name", format!("g1234567:{n:036}"));
    let put = |key: &Key, version| Change::Put { key: key.clone(), version, deadline: None };
    let long = |end: u8| Key::in_partition("p", [vec![b'x'; 300], vec![end]].concat());
    let far = Key::in_partition("p", vec![b'y'; 300]);
    let mut changes: Vec<Change> =
        (0..100).map(|n| put(&thread(n), numbered(9, 1_000 + n))).collect();
    let mut block = EventBlock::new(5, 77);
    let begun = block.len_bytes();
    for change in &changes {
        block.push(change).unwrap();
    }
    let each = (block.len_bytes() - begun) / 100;
    assert!(each < 8, "{each} bytes for an event of {} bytes", thread(0).len_bytes() + 16);
    // Neither what is longer than a byte says nor what goes back can be told by a difference.
    changes.extend([
        put(&long(1), numbered(9, 1_100)),
        put(&long(2), numbered(9, 1_100)),
        put(&far, numbered(9, 1_099)),
        Change::Deleted { key: Key::from("x") },
        Change::Gap,
        put(&Key::from("xyz"), numbered(9, 1_355)),
        put(&Key::from("x"), numbered(9, 1_700)),
        put(&Key::from("x"), numbered(10, 1_701)),
        Change::Touched { key: Key::in_partition("x", "x"), deadline: None },
    ]);
    for change in &changes[100..] {
        block.push(change).unwrap();
    }
    let stored = block.seal(KEY);
    assert_eq!(events(KEY, &stored), Some(Events { session: 77, changes }));
}

#[test]
fn an_event_like_none_before_it_is_not_read() {
    let session = 77_u64.to_le_bytes();
    for bytes in [&[0x82, 0, 1, b'x'][..], &[0x40, 0, 1, 0, 0, 0, b'x', 1], &[0x82], &[0x1f]] {
        assert_eq!(events(KEY, &seal(Kind::Events, KEY, &[&session, bytes].concat())), None);
    }
}

#[test]
fn a_block_without_events_is_not_read() {
    assert_eq!(events(KEY, &EventBlock::new(5, 77).seal(KEY)), None);
}

#[test]
fn a_block_is_full_when_it_is_large() {
    let mut block = EventBlock::new(1, 77);
    let prefix = Bytes::from(vec![b'p'; 1 << 10]);
    let mut events = 0;
    while !block.is_full(u64::MAX) {
        block.push(&Change::Cleared { prefix: prefix.clone(), scope: Scope::All }).unwrap();
        events += 1;
    }
    assert!((60..=64).contains(&events), "{events} events of 1 KiB");
}

#[test]
fn a_newer_record_format_is_not_read() {
    let mut stored = seal(Kind::Field, KEY, b"v");
    stored[0] = FORMAT + 1;
    let at = stored.len() - 4;
    let sum = checksum(Kind::Field, KEY, &stored[..at]).to_le_bytes();
    stored[at..].copy_from_slice(&sum);
    assert_eq!(unseal(Kind::Field, KEY, &stored), None);
}

/// Something of each kind, by name: its record, and whether a record reads as it.
type Sample = (&'static str, Vec<u8>, Box<dyn Fn(&[u8]) -> bool>);

fn sample<T: PartialEq + 'static>(
    name: &'static str,
    record: Vec<u8>,
    value: T,
    read: impl Fn(&[u8]) -> Option<T> + 'static,
) -> Sample {
    (name, record, Box::new(move |record| read(record).as_ref() == Some(&value)))
}

fn entry_samples() -> Vec<Sample> {
    let deadline = Some(Timestamp::from_unix_ms(1_800_000_000_000));
    let lasting = Record { value: "some value".into(), version: version(7), deadline: None };
    let lived = Record { value: "".into(), version: version(8), deadline };
    [("entry", lasting), ("entry-with-deadline", lived)]
        .map(|(name, record)| sample(name, of_entry(&record), record, |record| entry(KEY, record)))
        .into()
}

fn state_samples() -> Vec<Sample> {
    let deadline = Some(Timestamp::from_unix_ms(1_800_000_000_000));
    let store = [1_u32.to_le_bytes().as_slice(), &[7; 16]].concat();
    let body = |kind, key: &'static [u8]| {
        move |record: &[u8]| unseal(kind, key, record).map(<[u8]>::to_vec)
    };
    let number = |kind, key: &'static [u8]| move |record: &[u8]| number(kind, key, record);
    let some = Counts { version: 4, records: 3, first_event: 2, next_event: 9 };
    let of_hash = HashHead { fields: 3, deadline };
    let owner = OwnerId::from_bytes([9; 16]);
    let held = LeaseRecord { owner, token: FenceToken::new(5), deadline };
    let sealed = |kind, bytes: &[u8]| seal(kind, KEY, bytes);
    let of_store = seal(Kind::Store, STORE_KEY, &store);
    let of_commit = of_number(Kind::Store, COMMIT_KEY, 77);
    let of_mark = of_number(Kind::Fence, KEY, 6);
    vec![
        sample("store", of_store, store, body(Kind::Store, STORE_KEY)),
        sample("commit", of_commit, 77, number(Kind::Store, COMMIT_KEY)),
        sample("namespace", of_counts(KEY, some), some, |record| counts(KEY, record)),
        sample("hash", of_hash_head(KEY, of_hash), of_hash, |record| hash_head(KEY, record)),
        sample("field", sealed(Kind::Field, b"v"), b"v".to_vec(), body(Kind::Field, KEY)),
        sample("deadline", sealed(Kind::Due, b""), Vec::new(), body(Kind::Due, KEY)),
        sample("lease", of_lease(KEY, held), held, |record| lease(KEY, record)),
        sample("fence", of_mark, 6, number(Kind::Fence, KEY)),
    ]
}

fn operation_samples() -> Vec<Sample> {
    let previous = Some(("old".into(), version(2)));
    let incremented = OpOutcome::Incremented { value: -3, version: version(3) };
    let outcomes = vec![
        OpOutcome::Written(version(1)),
        OpOutcome::Deleted { existed: false, previous: None },
        incremented.clone(),
    ];
    [
        ("operation-put", OpOutcome::Written(version(1))),
        ("operation-delete", OpOutcome::Deleted { existed: true, previous }),
        ("operation-increment", incremented),
        ("operation-transaction", OpOutcome::Transaction(outcomes)),
    ]
    .map(|(name, outcome)| {
        let deadline = Timestamp::from_unix_ms(1_800_000_000_000);
        let operation = Remembered { digest: 11, outcome, deadline };
        let record = of_remembered(KEY, &operation);
        sample(name, record, operation, |record| remembered(KEY, record))
    })
    .into()
}

fn event_samples() -> Vec<Sample> {
    let deadline = Some(Timestamp::from_unix_ms(1_800_000_000_000));
    let (key, alike) = (Key::in_partition("p\0", "name:1"), Key::in_partition("p\0", "name:22"));
    let changes = vec![
        Change::Put { key: key.clone(), version: numbered(9, 1), deadline },
        Change::Put { key: alike.clone(), version: numbered(9, 3), deadline: None },
        Change::Touched { key: "n".into(), deadline },
        Change::Deleted { key: key.clone() },
        Change::Expired { key: alike },
        Change::Evicted { key: "n".into() },
        Change::HashChanged { key },
        Change::Cleared { prefix: "pre".into(), scope: Scope::All },
        Change::Cleared { prefix: "".into(), scope: Scope::Unpartitioned },
        Change::Cleared { prefix: "pre".into(), scope: Scope::Partition("p".into()) },
        Change::Gap,
    ];
    let mut block = EventBlock::new(5, 77);
    for change in &changes {
        block.push(change).unwrap();
    }
    let told = Events { session: 77, changes };
    vec![sample("events", block.seal(KEY), told, |record| events(KEY, record))]
}

/// `tests/golden/records-v1.txt` was written once, by a run of this test with `WRITE_MISSING_GOLDEN=1`, and never again.
#[test]
fn records_of_version_1_are_frozen() {
    let samples = [entry_samples(), state_samples(), operation_samples(), event_samples()];
    let samples: Vec<Sample> = samples.into_iter().flatten().collect();
    let hex = |record: &[u8]| {
        let digits = record.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect::<String>()
    };
    let line = |(name, record, _): &Sample| format!("{name} {}\n", hex(record));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/records-v1.txt");
    if !path.exists() && std::env::var_os("WRITE_MISSING_GOLDEN").is_some() {
        std::fs::write(&path, samples.iter().map(line).collect::<String>()).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    let frozen: Vec<_> = frozen.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(frozen.len(), samples.len());
    for ((name, record), (of, today, reads)) in frozen.into_iter().zip(&samples) {
        assert_eq!(name, *of);
        let digits = record.as_bytes().chunks(2).map(|digits| std::str::from_utf8(digits).unwrap());
        let bytes: Vec<u8> = digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert!(reads(&bytes), "{name} is read as something else");
        assert_eq!(hex(today), record, "{name} is written in another way");
    }
}
