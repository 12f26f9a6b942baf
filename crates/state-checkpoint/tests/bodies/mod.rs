//! What the fuzz targets of `fuzz/` do with their input; run on stable by `decoders.rs`.
//!
//! Each body takes any bytes for what a store has kept, or for a page token, and reads with them
//! whatever can be read. It panics when a read fails with anything else than damage. Bodies whose
//! input would die at a checksum mend it first, so that what is behind the checksum is reached.

mod shelf;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use state_checkpoint::{
    Bases, CheckpointOptions, Checkpoints, Found, Part, StoredWrite, open_segment, rebind_record,
    record_digest,
};
use state_core::checkpoint::{
    Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, GetCheckpoint, HistoryOptions,
    ListCheckpoints, Metadata, Payload, PendingWrite, PutCheckpoint, PutWrites, Retention,
    WriteIndex,
};
use state_core::{
    Error, ErrorKind, Key, Namespace, PageToken, PutOptions, StateBackend, StateBackendExt,
    Timestamp,
};
use state_local::MemoryStore;
use twox_hash::XxHash3_64;

pub use shelf::{Rows, Shelf};

/// A body, and the name of its target.
pub type Body = (&'static str, fn(&[u8]));

/// All bodies; the targets in `fuzz/` have the same names, behind `checkpoint_`.
pub const ALL: &[Body] = &[
    ("record", record),
    ("record_mended", record_mended),
    ("values", values),
    ("rows", rows),
    ("token", token),
];

const THREAD: &str = "t";
const ID: &str = "1";

/// A record as it came, and the same bytes as a segment.
pub fn record(input: &[u8]) {
    let input = Bytes::copy_from_slice(input);
    expect_damage(record_digest(&input).err());
    let rebound = rebind_record(&input, &THREAD.into(), &"u".into(), &"".into(), &ID.into());
    expect_damage(rebound.err());
    expect_damage(open_segment(&input).err());
    read_all(Rows { record: Some(part(input)), ..shelved() });
}

/// A record whose version and checksum are right.
pub fn record_mended(input: &[u8]) {
    read_all(Rows { record: Some(mended(input)), ..shelved() });
}

/// Pieces, each with its kind and its length in front: descriptions of versions, segments,
/// pending writes, what is known of places, and the bases of what follows.
pub fn values(input: &[u8]) {
    read_all(rows_of(input));
}

/// Changes to rows of a thread in a backend, each behind the place of the row and the length.
pub fn rows(input: &[u8]) {
    now(async {
        let backend = thread_in_memory().await;
        let all = all_rows(&backend).await;
        for (place, body) in pieces(input) {
            let key = &all[usize::from(place) % all.len()];
            let value = mend_row(key, body);
            backend.put_opts(key, value, PutOptions::new()).await.expect("it has room");
        }
        read_thread(&open(&backend)).await;
    });
}

/// A page token as it came, and with its checksum put right.
pub fn token(input: &[u8]) {
    let store = Checkpoints::over(Shelf::new(shelved()), CheckpointOptions::new());
    for token in [Bytes::copy_from_slice(input), mend_token(input)] {
        let list = ListCheckpoints::of(THREAD).with_token(Some(PageToken::from_bytes(token)));
        let listed = now(store.list_checkpoints(list)).err();
        let listed = listed.filter(|error| error.kind() != ErrorKind::Invalid);
        expect_damage(listed);
    }
}

/// What a store keeps of a checkpoint with two values, a body and two writes, as it was put.
pub fn shelved() -> Rows {
    let store = Checkpoints::over(Shelf::new(Rows::default()), CheckpointOptions::new());
    now(async {
        store.put_checkpoint(put(1)).await.expect("it is whole");
        let write = |index, text: &str| {
            PendingWrite::new("task", index, "c", Payload::new("json", text.to_owned()))
        };
        let writes = vec![write(0, "short"), write(-1, &"a longer write; ".repeat(9))];
        let writes = PutWrites::new(CheckpointRef::new(THREAD, ID), writes);
        store.put_writes(writes).await.expect("they are whole");
    });
    store.store().rows()
}

/// A checkpoint of the thread.
fn put(number: usize) -> PutCheckpoint {
    let text =
        |what: &str| format!("{{\"{what}\":\"{}\"}}", "words that repeat, ".repeat(9 + number));
    let mut checkpoint = Checkpoint::new(number.to_string(), Timestamp::from_unix_ms(1))
        .with_channel("a", 1)
        .with_channel("b", i64::try_from(number).expect("it is small"))
        .with_channel("c", "text")
        .with_seen("node", "a", 1)
        .with_updated(["b", "gone"]);
    checkpoint.body = Some(Payload::new("json", text("body")));
    let metadata = Metadata::new().with("source", "loop").with("run_id", "run").with("step", 1);
    let put = PutCheckpoint::new(THREAD, checkpoint)
        .with_metadata(metadata)
        .with_value("b", Payload::new("json", text("b")));
    if number > 1 {
        return put.with_parent(Some((number - 1).to_string().into()));
    }
    put.with_value("a", Payload::new("odd", text("a")))
}

/// Reads with these rows whatever can be read.
fn read_all(rows: Rows) {
    now(read_thread(&Checkpoints::over(Shelf::new(rows), CheckpointOptions::new())));
}

async fn read_thread<S: state_checkpoint::ThreadStore>(store: &Checkpoints<S>) {
    expect_damage(store.latest(THREAD).await.err());
    // Once more, with what is at hand now.
    expect_damage(store.get_checkpoint(GetCheckpoint::at(THREAD, ID)).await.err());
    expect_damage(store.list_checkpoints(ListCheckpoints::of(THREAD)).await.err());
    let filter = Metadata::new().with("step", 1);
    let filtered = ListCheckpoints::of(THREAD).with_filter(filter);
    expect_damage(store.list_checkpoints(filtered).await.err());
    for id in [ID, "2", "3"] {
        let history = HistoryOptions::new(CheckpointRef::new(THREAD, id), ["a", "b", "gone"]);
        expect_damage(store.channel_history(history).await.err());
    }
    let put = store.put_checkpoint(put(2)).await.err();
    // The record that is there says that it is of something else.
    expect_damage(put.filter(|error| error.kind() != ErrorKind::Conflict));
    expect_damage(store.prune_thread(THREAD, Retention::KeepLatest).await.err());
    expect_damage(store.delete_for_runs(&["run".to_owned()]).await.err());
}

/// What `values` reads from its input.
pub fn rows_of(input: &[u8]) -> Rows {
    let mut rows =
        Rows { versions: Vec::new(), segments: Vec::new(), writes: Vec::new(), ..shelved() };
    let mut bases = Bases::default();
    for (kind, piece) in pieces(input) {
        let body = Bytes::copy_from_slice(piece);
        match kind % 5 {
            0 => rows.versions.push(Part { bases, body }),
            1 => rows.segments.push(body),
            2 => {
                let (task, index) = ("task".into(), WriteIndex::new(i32::from(kind) - 9));
                rows.writes.push(StoredWrite { task, index, part: Part { bases, body } });
            }
            3 => rows.found.extend(piece.iter().map(|byte| match byte {
                0 => Found::Absent,
                1 => Found::Empty,
                byte => Found::Version(u64::from(byte - 2)),
            })),
            _ => {
                let mut numbers = piece.chunks_exact(8).filter_map(<[u8]>::first_chunk::<8>);
                let mut number = || numbers.next().map_or(0, |bytes| u64::from_le_bytes(*bytes));
                bases = Bases { version: number(), segment: number(), offset: number() };
            }
        }
    }
    rows
}

/// The input for `values` that means these rows.
pub fn pieces_of(rows: &Rows) -> Vec<u8> {
    let mut input = Vec::new();
    let mut push = |kind: u8, piece: &[u8]| {
        input.push(kind);
        input.extend_from_slice(&u16::try_from(piece.len()).expect("it is short").to_le_bytes());
        input.extend_from_slice(piece);
    };
    let bases = |part: &Part| {
        let bases = part.bases;
        [bases.version, bases.segment, bases.offset].map(u64::to_le_bytes).concat()
    };
    for part in &rows.versions {
        push(4, &bases(part));
        push(0, &part.body);
    }
    for segment in &rows.segments {
        push(1, segment);
    }
    for (write, kind) in rows.writes.iter().zip([2, 7, 12]) {
        push(4, &bases(&write.part));
        push(kind, &write.part.body);
    }
    input
}

/// A byte, a length of two bytes and so many bytes, again and again.
fn pieces(mut input: &[u8]) -> Vec<(u8, &[u8])> {
    let mut pieces = Vec::new();
    while let Some(([kind, low, high], rest)) = input.split_first_chunk::<3>() {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (piece, rest) = rest.split_at(len);
        pieces.push((*kind, piece));
        input = rest;
    }
    pieces
}

/// A thread with checkpoints, writes, two namespaces, and something out of sight.
pub async fn thread_in_memory() -> Arc<dyn StateBackend> {
    let backend = MemoryStore::new().open(Namespace::default()).expect("it is empty");
    let backend: Arc<dyn StateBackend> = Arc::new(backend);
    let store = open(&backend);
    for number in 1..=3 {
        store.put_checkpoint(put(number)).await.expect("it is whole");
        let aside = put(number).with_namespace("aside");
        store.put_checkpoint(aside).await.expect("it is whole");
    }
    let write =
        PendingWrite::new("task", 0, "a", Payload::new("json", "a longer write; ".repeat(9)));
    let writes = PutWrites::new(CheckpointRef::new(THREAD, ID), vec![write]);
    store.put_writes(writes).await.expect("it is whole");
    store.prune_thread(THREAD, Retention::KeepLast(2)).await.expect("it is whole");
    backend
}

/// Checkpoints in a backend, with nothing at hand.
pub fn open(backend: &Arc<dyn StateBackend>) -> Checkpoints {
    let options = CheckpointOptions::new();
    Checkpoints::open_with(Arc::clone(backend), options).expect("the store does for it")
}

/// The keys of all rows, in their order.
pub async fn all_rows(backend: &Arc<dyn StateBackend>) -> Vec<Key> {
    backend.list_keys("").await.expect("it can be listed")
}

fn part(body: Bytes) -> Part {
    Part { bases: Bases::default(), body }
}

/// A record behind whose beginning these bytes stand.
pub fn mended(rest: &[u8]) -> Part {
    part(mend_record(rest))
}

/// Runs what never waits.
fn now<T>(what: impl Future<Output = T>) -> T {
    what.now_or_never().expect("nothing waits")
}

/// Damage and strangeness have two kinds, and no third.
fn expect_damage(error: Option<Error>) {
    if let Some(error) = error {
        let known = [ErrorKind::Corrupt, ErrorKind::Unsupported];
        assert!(known.contains(&error.kind()), "{error:?}");
    }
}

/// Puts the version, the digest and the checksum of a record in front of the rest.
pub fn mend_record(rest: &[u8]) -> Bytes {
    let mut place = Vec::new();
    for text in [THREAD, "", ID] {
        place.extend(u8::try_from(text.len()));
        place.extend_from_slice(text.as_bytes());
    }
    let place = XxHash3_64::oneshot_with_seed(2, &place);
    let checksum = XxHash3_64::oneshot_with_seed(place, rest);
    [[1].as_slice(), &[0; 8], &checksum.to_le_bytes(), rest].concat().into()
}

/// How many bytes stand in front of the body of a row: none where it is a record, with a checksum
/// of its own, or the mark of an index, which is empty.
pub fn header_len(key: &Key) -> usize {
    match key.name().as_ref() {
        [b'g', _, _, _, _, _, _, _, _, b'c' | b'k', ..] => 0,
        [b'g' | b'h', ..]
            if key.partition().is_some_and(|partition| partition.starts_with(b"t")) =>
        {
            9
        }
        _ => 0,
    }
}

/// Puts the version and the checksum of a row in front of its body, where it has them.
pub fn mend_row(key: &Key, body: &[u8]) -> Bytes {
    if header_len(key) == 0 {
        return Bytes::copy_from_slice(body);
    }
    let partition = key.partition().map_or(b"".as_slice(), |partition| partition);
    let partition = XxHash3_64::oneshot_with_seed(0, partition);
    let seed = XxHash3_64::oneshot_with_seed(partition, key.name());
    let checksum = XxHash3_64::oneshot_with_seed(seed, body);
    [[1].as_slice(), &checksum.to_le_bytes(), body].concat().into()
}

/// Puts the checksum of a token of the listing of the thread in front of a position.
pub fn mend_token(position: &[u8]) -> Bytes {
    // The thread is named; namespace, id and the bound are not.
    let listing = XxHash3_64::oneshot_with_seed(6, &[1, 1, b't', 0, 0, 0, 0, 0, 0]);
    let checksum = XxHash3_64::oneshot_with_seed(0x746f_6b65_6e31 ^ listing, position);
    [&checksum.to_le_bytes(), position].concat().into()
}
