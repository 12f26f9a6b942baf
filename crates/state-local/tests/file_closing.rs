//! What closing a file store makes of its file: counted on a storage that counts.

#![expect(clippy::unwrap_used, reason = "a test reports failure by panicking")]

use std::io;
use std::sync::Arc;

use futures_util::TryStreamExt;
use parking_lot::Mutex;
use state_core::{
    ErrorKind, Key, Namespace, Result, SnapshotOptions, StateBackend, StateBackendExt,
};
use state_local::{FileStore, FileStoreBuilder, Storage};

/// Places at which a store grows, and entries of each.
const PLACES: usize = 40;
const ENTRIES: usize = 50;
const BYTES: usize = 300;

/// A storage in memory that counts what is written to it.
#[derive(Debug, Default)]
struct Counting {
    bytes: Mutex<Vec<u8>>,
    written: Mutex<usize>,
}

impl Counting {
    fn length(&self) -> usize {
        self.bytes.lock().len()
    }

    /// The bytes written since this was asked last.
    fn written(&self) -> usize {
        std::mem::take(&mut *self.written.lock())
    }
}

impl Storage for Counting {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        let bytes = self.bytes.lock();
        out.copy_from_slice(bytes.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.lock().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        let mut bytes = self.bytes.lock();
        bytes.get_mut(from..from + data.len()).unwrap().copy_from_slice(data);
        *self.written.lock() += data.len();
        Ok(())
    }
}

async fn open(builder: &FileStoreBuilder, storage: &Arc<Counting>) -> Result<FileStore> {
    builder.clone().open_storage(Arc::clone(storage) as Arc<dyn Storage>).await
}

fn key(place: usize, entry: usize) -> Key {
    Key::from(format!("{place:03}/{entry:05}"))
}

fn value(place: usize, entry: usize) -> Vec<u8> {
    format!("{place}.{entry} ").repeat(BYTES).into_bytes().into_iter().take(BYTES).collect()
}

/// A store that has grown, not closed yet.
async fn grown(builder: &FileStoreBuilder) -> Result<(Arc<Counting>, FileStore)> {
    let storage = Arc::new(Counting::default());
    let store = open(builder, &storage).await?;
    grow(&store, 0..ENTRIES).await?;
    Ok((storage, store))
}

/// Closes a store, which must be left as it is.
async fn is_left_alone(storage: &Counting, store: &FileStore) -> Result<()> {
    storage.written();
    store.close().await?;
    let (written, length) = (storage.written(), storage.length());
    assert!(written < length / 4, "{written} of {length}");
    Ok(())
}

/// Lets a store grow at many places at once, as threads of checkpoints do.
async fn grow(store: &FileStore, entries: std::ops::Range<usize>) -> Result<()> {
    let backend = store.open(Namespace::default())?;
    for entry in entries {
        for place in 0..PLACES {
            backend.put(&key(place, entry), value(place, entry)).await?;
        }
    }
    Ok(())
}

async fn check(store: &FileStore, entries: usize) -> Result<()> {
    let backend = store.open(Namespace::default())?;
    for place in 0..PLACES {
        for entry in 0..entries {
            let found = backend.get(&key(place, entry)).await?;
            assert_eq!(found.as_deref(), Some(value(place, entry).as_slice()), "{place} {entry}");
        }
    }
    assert_eq!(backend.count("").await?, (PLACES * entries) as u64);
    store.verify().await
}

#[tokio::test]
async fn a_file_that_has_grown_is_small_once_it_is_closed() -> Result<()> {
    let never = FileStore::builder().compact_bytes_max(0);
    let (storage, store) = grown(&never).await?;
    store.close().await?;
    let large = storage.length();

    // Whoever opens it, writes, and closes it, leaves it small.
    let (storage, store) = grown(&FileStore::builder()).await?;
    store.close().await?;
    let small = storage.length();
    // With keys, versions and checksums, and an event in the change log.
    let contents = PLACES * ENTRIES * (BYTES + 120);
    assert!(small * 5 < large * 4, "{small} of {large}");
    assert!(small * 3 < contents * 4, "{small} of {contents}");
    check(&open(&never, &storage).await?, ENTRIES).await
}

#[tokio::test]
async fn a_file_that_is_small_is_left_alone_until_it_has_grown_by_a_quarter() -> Result<()> {
    let builder = FileStore::builder();
    let (storage, store) = grown(&builder).await?;
    store.close().await?;
    let small = storage.length();

    for session in 0..3 {
        storage.written();
        let store = open(&builder, &storage).await?;
        store.close().await?;
        assert!(storage.written() < small / 8, "session {session} wrote nothing");
        let store = open(&builder, &storage).await?;
        store.open(Namespace::default())?.put("one", "more").await?;
        store.close().await?;
        assert!(storage.written() < small / 4, "session {session} wrote one entry");
    }

    let store = open(&builder, &storage).await?;
    store.open(Namespace::default())?.delete("one").await?;
    grow(&store, ENTRIES..2 * ENTRIES).await?;
    store.close().await?;
    // Twice as much, in twice the bytes.
    assert!(storage.length() * 9 < small * 20, "{} of {small}", storage.length());
    check(&open(&builder, &storage).await?, 2 * ENTRIES).await
}

#[tokio::test]
async fn a_file_that_was_made_small_by_hand_is_not_written_again() -> Result<()> {
    let (storage, store) = grown(&FileStore::builder()).await?;
    assert!(store.compact().await?);
    is_left_alone(&storage, &store).await
}

#[tokio::test]
async fn a_file_of_which_little_is_left_shrinks() -> Result<()> {
    let (storage, store) = grown(&FileStore::builder()).await?;
    store.close().await?;
    let full = storage.length();
    let store = open(&FileStore::builder(), &storage).await?;
    store.open(Namespace::default())?.clear().await?;
    store.close().await?;
    assert!(storage.length() * 3 < full, "{} of {full}", storage.length());
    Ok(())
}

#[tokio::test]
async fn a_damaged_file_is_left_as_it_is() -> Result<()> {
    let builder = FileStore::builder().verify_bytes_max(0);
    let (storage, store) = grown(&builder).await?;
    store.close().await?;
    let store = open(&builder, &storage).await?;
    grow(&store, ENTRIES..2 * ENTRIES).await?;
    // In the middle of a value, which is on the disk already.
    let needle = value(7, 7);
    let at = storage.bytes.lock().windows(BYTES).rposition(|bytes| bytes == needle).unwrap();
    *storage.bytes.lock().get_mut(at + 5).unwrap() ^= 1;
    is_left_alone(&storage, &store).await
}

#[tokio::test]
async fn a_file_over_the_limit_is_left_alone() -> Result<()> {
    // Less than a third of the file, and less than what is in use.
    for limit in [300 << 10, 800 << 10] {
        let (storage, store) = grown(&FileStore::builder().compact_bytes_max(limit)).await?;
        is_left_alone(&storage, &store).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_being_read_is_left_alone() -> Result<()> {
    let (storage, store) = grown(&FileStore::builder()).await?;
    let backend = store.open(Namespace::default())?;
    let mut snapshot = backend.snapshot_opts(SnapshotOptions::default()).await?;
    assert!(snapshot.try_next().await?.is_some());
    // It reads what was committed then, and not what was committed last.
    backend.put("later", "value").await?;
    assert_eq!(store.compact().await.unwrap_err().kind(), ErrorKind::Unavailable);
    backend.delete("later").await?;
    is_left_alone(&storage, &store).await?;
    drop(snapshot);
    check(&open(&FileStore::builder(), &storage).await?, ENTRIES).await
}
