//! What the fuzz targets of `fuzz/` do with their input; run on stable by `decoders.rs`.
//!
//! Each body takes any bytes for what a file has kept, or for a token, and reads and writes with
//! them whatever can be. It panics when a call fails with anything else than damage, or makes the
//! engine give up: its pages are whole, only what lies in them is not. Bodies whose input would die
//! at a checksum mend it first, so that what is behind the checksum is reached.

#[path = "../sample/mod.rs"]
mod sample;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use futures_util::TryStreamExt;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use state_core::{
    AcquireOptions, ClearOptions, Consistency, ErrorKind, Fence, FenceToken, GetOptions,
    HashPageOptions, HashWriteOptions, Key, ListOptions, ManualClock, Namespace, PageToken,
    PutOptions, Result, ResumeToken, SnapshotOptions, StateBackend, StateBackendExt, WatchStart,
};
use state_local::{FileBackend, FileStore, MemoryBackend, MemoryStore, Storage};

/// A body, and the name of its target.
pub type Body = (&'static str, fn(&[u8]));

/// All bodies; the targets in `fuzz/` have the same names, behind `local_`.
pub const ALL: &[Body] = &[
    ("records", records),
    ("records_mended", records_mended),
    ("page_token", page_token),
    ("resume_token", resume_token),
];

/// Pieces that take the place of records, or lie beside them, as they came.
pub fn records(input: &[u8]) {
    with_records(input, |_, body| body.to_vec());
}

/// The same with the version and the checksum put right.
pub fn records_mended(input: &[u8]) {
    with_records(input, mend);
}

/// A page token as it came, and with its checksum put right, for both kinds of listing.
pub fn page_token(input: &[u8]) {
    let mended = [mend_token(b'k', input), mend_token(b'f', input)];
    for token in [input.to_vec()].into_iter().chain(mended) {
        let token = Some(PageToken::from_bytes(token));
        let list = ListOptions::new("").with_limit(2_usize).with_token(token.clone());
        let page = HashPageOptions::new().with_limit(1_usize).with_token(token);
        for backend in [filled_memory() as &dyn StateBackend, filled_file()] {
            let listed = now(backend.list_page(list.clone())).map(drop);
            expect(listed, &[ErrorKind::Invalid]);
            let hashes = backend.as_hash().expect("it has hashes");
            let listed = now(hashes.hash_page(&"hash".into(), page.clone())).map(drop);
            expect(listed, &[ErrorKind::Invalid]);
        }
    }
}

/// A resume token as it came, and with the history put right that it begins with.
pub fn resume_token(input: &[u8]) {
    let whole = now(sample::events(filled_file(), WatchStart::Oldest)).expect("it is whole");
    let history = whole[0].token.as_bytes().slice(..8);
    for token in [input.to_vec(), [&history, input].concat()] {
        let start = WatchStart::After(ResumeToken::from_bytes(token));
        match now(sample::events(filled_file(), start)) {
            // A gap is told where the events after the token are not known.
            Ok(told) => assert!(told.len() <= whole.len() + 1),
            Err(error) => expect(Err(error), &[ErrorKind::Invalid]),
        }
    }
}

/// Where a record lies.
#[derive(Clone, Debug)]
pub struct Row {
    pub table: &'static str,
    pub key: Vec<u8>,
    pub record: Vec<u8>,
}

/// The tables, with the number of each in the checksums of its records.
const TABLES: [(&str, u8); 9] = [
    ("meta", 1),
    ("entries", 3),
    ("hashes", 4),
    ("fields", 5),
    ("deadlines", 6),
    ("leases", 7),
    ("fences", 8),
    ("operations", 9),
    ("events", 10),
];

/// The kind of the counts of a namespace, which lie beside the store's own records.
const OF_NAMESPACE: u8 = 2;

/// Beside the number of a place: the record comes to lie under another key of the default
/// namespace, whose length and bytes are in front of it.
pub const ELSEWHERE: u8 = 0x80;

/// A filled store as bytes, and the records in it.
pub struct Sample {
    bytes: Vec<u8>,
    pub rows: Vec<Row>,
}

/// The store that all inputs change.
pub fn filled() -> &'static Sample {
    static FILLED: OnceLock<Sample> = OnceLock::new();
    FILLED.get_or_init(|| {
        let file = Arc::new(Bytes::default());
        now(async {
            let store = open(&file).await.expect("it is new");
            sample::fill(&store).await.expect("it has room");
            store.close().await.expect("it is whole");
        });
        let rows = file.rows();
        let bytes = file.0.lock().expect("nobody panicked").clone();
        Sample { bytes, rows }
    })
}

/// Puts pieces into the filled store and uses what is there then.
fn with_records(input: &[u8], seal: impl Fn(&Row, &[u8]) -> Vec<u8>) {
    let Sample { bytes, rows } = filled();
    let file = Arc::new(Bytes(Mutex::new(bytes.clone())));
    file.change(pieces(input).into_iter().map(|(place, body)| {
        let mut row = rows[usize::from(place & !ELSEWHERE) % rows.len()].clone();
        let mut body = body;
        if let (ELSEWHERE, Some((len, rest))) = (place & ELSEWHERE, body.split_first()) {
            let (name, rest) = rest.split_at(usize::from(*len).min(rest.len()));
            row.key = [default_prefix(), name].concat();
            body = rest;
        }
        row.record = seal(&row, body);
        row
    }));
    let clock = ManualClock::new();
    now(async {
        let store = match open_at(&file, clock.clone()).await {
            Ok(store) => store,
            Err(error) => return expect(Err(error), DAMAGE),
        };
        expect(store.namespaces().map(drop), DAMAGE);
        match store.open(Namespace::default()) {
            Ok(backend) => use_all(&backend, &clock).await,
            Err(error) => expect(Err(error), DAMAGE),
        }
    });
}

const DAMAGE: &[ErrorKind] = &[ErrorKind::Corrupt, ErrorKind::Unsupported];
/// What a write may find in the way besides.
const IN_THE_WAY: &[ErrorKind] = &[
    ErrorKind::Corrupt,
    ErrorKind::Unsupported,
    ErrorKind::Conflict,
    ErrorKind::Fenced,
    ErrorKind::Invalid,
];

/// Every call that reads records of some kind, and those that write beside them.
async fn use_all(backend: &FileBackend, clock: &ManualClock) {
    let lasting = GetOptions::new().with_expiry(true);
    for key in ["plain", "short", "empty", "n", "fenced"].map(Key::from) {
        expect(backend.get_opts(&key, lasting.clone()).await.map(drop), DAMAGE);
    }
    expect(backend.get(sample::placed()).await.map(drop), DAMAGE);
    expect(backend.entries("").try_collect::<Vec<_>>().await.map(drop), DAMAGE);
    expect(backend.count("").await.map(drop), DAMAGE);
    expect(backend.stats().await.map(drop), DAMAGE);
    let hashes = backend.as_hash().expect("it has hashes");
    for key in ["hash".into(), sample::placed()] {
        expect(hashes.hash_state(&key, Consistency::Strong).await.map(drop), DAMAGE);
        expect(hashes.hash_page(&key, HashPageOptions::new()).await.map(drop), DAMAGE);
        let fields = ["a".into(), "f".into()];
        expect(hashes.hash_get(&key, &fields, Consistency::Strong).await.map(drop), DAMAGE);
    }
    let leases = backend.as_lease().expect("it has leases");
    expect(leases.read_lease(&"leader".into()).await.map(drop), DAMAGE);
    let told = sample::events(backend, WatchStart::Oldest).await;
    if let Ok(told) = &told {
        for event in told {
            let start = WatchStart::After(event.token.clone());
            expect(sample::events(backend, start).await.map(drop), DAMAGE);
        }
    }
    expect(told.map(drop), DAMAGE);
    let records = async {
        let records = backend.snapshot_opts(SnapshotOptions::default()).await?;
        records.try_collect::<Vec<_>>().await
    };
    expect(records.await.map(drop), DAMAGE);

    expect(sample::operations(backend).await.map(drop), IN_THE_WAY);
    let fenced = PutOptions::new().with_fence(Fence::new("job", FenceToken::new(8)));
    expect(backend.put_opts(&"fenced".into(), "w".into(), fenced).await.map(drop), IN_THE_WAY);
    let acquire = AcquireOptions::new(sample::OWNER, Duration::from_secs(1));
    expect(leases.acquire_lease(&"leader".into(), acquire).await.map(drop), IN_THE_WAY);
    let fields = vec![("a".into(), "3".into())];
    let set = hashes.hash_set(&"hash".into(), fields, HashWriteOptions::new()).await;
    expect(set.map(drop), IN_THE_WAY);
    expect(backend.touch("short", Duration::from_secs(9)).await.map(drop), IN_THE_WAY);
    // The sweeper looks at what is past its deadline meanwhile.
    clock.advance(Duration::from_secs(7 * 86_400));
    expect(backend.put("short", "again").await.map(drop), IN_THE_WAY);
    expect(backend.clear_opts(ClearOptions::default()).await.map(drop), IN_THE_WAY);
}

/// Fails with one of these kinds, if at all, and not because the engine gave up.
fn expect(result: Result<()>, known: &[ErrorKind]) {
    if let Err(error) = result {
        assert!(known.contains(&error.kind()), "{error:?}");
        assert!(!error.to_string().contains("give up"), "{error:?}");
    }
}

/// Puts the version and the checksums of a record around its body.
pub fn mend(row: &Row, body: &[u8]) -> Vec<u8> {
    let number = TABLES.iter().find(|(name, _)| *name == row.table).map_or(0, |table| table.1);
    let kind = if row.key.first() == Some(&1) && number == 1 { OF_NAMESPACE } else { number };
    let checksum = |sealed: &[u8]| {
        let len = u32::try_from(row.key.len()).expect("it is short").to_le_bytes();
        let bound = [&[kind], len.as_slice(), &row.key, sealed].concat();
        crc32c::crc32c(&bound).to_le_bytes()
    };
    let mut record = vec![1];
    if row.table == "entries" {
        // A flag, a version and a deadline; the value has a checksum of its own.
        let (head, value) = body.split_at(body.len().min(25));
        record.extend_from_slice(head);
        record.resize(26, 0);
        record.extend_from_slice(&crc32c::crc32c(value).to_le_bytes());
        record.extend_from_slice(&checksum(&record));
        record.extend_from_slice(value);
    } else {
        record.extend_from_slice(body);
        record.extend_from_slice(&checksum(&record));
    }
    record
}

/// The body of a record, as [`mend`] takes it.
pub fn body_of(row: &Row) -> Vec<u8> {
    let Row { table, record, .. } = row;
    if *table == "entries" {
        return [&record[1..26], &record[34..]].concat();
    }
    record[1..record.len() - 4].to_vec()
}

/// The piece that means this body at this place.
pub fn piece(place: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).expect("it is short").to_le_bytes();
    [&[place], len.as_slice(), body].concat()
}

/// A byte, a length of two bytes and so many bytes, again and again.
fn pieces(mut input: &[u8]) -> Vec<(u8, &[u8])> {
    let mut pieces = Vec::new();
    while let Some(([place, low, high], rest)) = input.split_first_chunk::<3>() {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (piece, rest) = rest.split_at(len);
        pieces.push((*place, piece));
        input = rest;
    }
    pieces
}

/// What the stored keys of the default namespace begin with.
fn default_prefix() -> &'static [u8] {
    static PREFIX: OnceLock<Vec<u8>> = OnceLock::new();
    PREFIX.get_or_init(|| [Namespace::default().as_bytes().as_ref(), b"\0\0"].concat())
}

/// Puts the kind of the listing in front of a page token and its checksum behind.
pub fn mend_token(kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut token = [&[kind], rest].concat();
    let sum = token
        .iter()
        .fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    token.extend_from_slice(&sum.to_le_bytes());
    token
}

/// A filled store that is only read.
pub fn filled_file() -> &'static FileBackend {
    static FILE: OnceLock<FileBackend> = OnceLock::new();
    FILE.get_or_init(|| {
        let file = Arc::new(Bytes(Mutex::new(filled().bytes.clone())));
        let store = now(open(&file)).expect("it is whole");
        store.open(Namespace::default()).expect("it is whole")
    })
}

/// The same in memory, as far as listings see it.
fn filled_memory() -> &'static MemoryBackend {
    static MEMORY: OnceLock<MemoryBackend> = OnceLock::new();
    MEMORY.get_or_init(|| {
        let backend = MemoryStore::new().open(Namespace::default()).expect("it is empty");
        now(async {
            backend.batch_put([("a", "1"), ("b", "2"), ("c", "3")]).await?;
            backend.put(sample::placed(), "4").await?;
            backend.put_field("hash", "a", "1").await?;
            backend.put_field("hash", "b\0", "").await
        })
        .expect("it has room");
        backend
    })
}

async fn open(file: &Arc<Bytes>) -> Result<FileStore> {
    open_at(file, ManualClock::new()).await
}

/// Opens the store as it is, without a look at its pages, which are whole.
async fn open_at(file: &Arc<Bytes>, clock: ManualClock) -> Result<FileStore> {
    let builder = FileStore::builder().clock(clock).verify_bytes_max(0);
    builder.open_storage(Arc::clone(file) as Arc<dyn Storage>).await
}

/// A file in memory.
#[derive(Debug, Default)]
struct Bytes(Mutex<Vec<u8>>);

impl Bytes {
    fn database(self: &Arc<Self>) -> redb::Database {
        let backend = Engine(Arc::clone(self));
        redb::Database::builder().create_with_backend(backend).expect("its pages are whole")
    }

    /// All records, in the order of the tables and of their keys.
    fn rows(self: &Arc<Self>) -> Vec<Row> {
        let database = self.database();
        let transaction = database.begin_read().expect("it is whole");
        let mut rows = Vec::new();
        for (table, _) in TABLES {
            let opened = transaction.open_table(definition(table)).expect("it is there");
            for row in opened.iter().expect("it is whole") {
                let (key, record) = row.expect("it is whole");
                let (key, record) = (key.value().to_vec(), record.value().to_vec());
                rows.push(Row { table, key, record });
            }
        }
        rows
    }

    fn change(self: &Arc<Self>, rows: impl Iterator<Item = Row>) {
        let database = self.database();
        let mut transaction = database.begin_write().expect("it is whole");
        transaction.set_durability(redb::Durability::Immediate).expect("it is allowed");
        for Row { table, key, record } in rows {
            let mut opened = transaction.open_table(definition(table)).expect("it is there");
            opened.insert(key.as_slice(), record.as_slice()).expect("it has room");
        }
        transaction.commit().expect("it has room");
    }
}

fn definition(table: &'static str) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table)
}

impl Storage for Bytes {
    fn len(&self) -> std::io::Result<u64> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(offset).expect("it is in memory");
        let read = bytes.get(from..from + out.len());
        out.copy_from_slice(read.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.resize(usize::try_from(len).expect("it is in memory"), 0);
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(offset).expect("it is in memory");
        bytes[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// The same for the engine itself.
#[derive(Debug)]
struct Engine(Arc<Bytes>);

impl redb::StorageBackend for Engine {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }
}

/// Waits for what the thread of a store does.
pub fn now<T>(what: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut what = pin!(what);
    loop {
        if let Poll::Ready(ready) = what.as_mut().poll(&mut Context::from_waker(&waker)) {
            return ready;
        }
        std::thread::park();
    }
}
