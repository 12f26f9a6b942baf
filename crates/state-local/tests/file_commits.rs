//! How writes are grouped into commits, and what becomes of them when the storage fails:
//! counted on a storage that waits and fails on demand.

#![expect(clippy::unwrap_used, reason = "a test reports failure by panicking")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use futures_util::poll;
use parking_lot::{Condvar, Mutex};
use state_core::{
    AcksReached, ErrorKind, Key, Limits, Namespace, Outcome, Precondition, PutOptions, Result,
    StateBackend, StateBackendExt,
};
use state_local::{FileBackend, FileStore, Storage};

/// A storage whose syncs can be held back, and which can fail.
#[derive(Debug, Default)]
struct Gated {
    bytes: Mutex<Vec<u8>>,
    held: Mutex<bool>,
    /// Told when a sync begins to wait, and when it need not any more.
    changed: Condvar,
    waiting: AtomicBool,
    fails_writes: AtomicBool,
    fails_syncs: AtomicBool,
}

impl Gated {
    fn hold(&self) {
        *self.held.lock() = true;
    }

    fn let_go(&self) {
        *self.held.lock() = false;
        self.changed.notify_all();
    }

    /// Waits until a commit waits for its sync.
    fn wait_until_held(&self) {
        let mut held = self.held.lock();
        while !self.waiting.load(Ordering::Acquire) {
            self.changed.wait(&mut held);
        }
    }
}

impl Storage for Gated {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let bytes = self.bytes.lock();
        out.copy_from_slice(
            bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?,
        );
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.lock().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.fails_syncs.load(Ordering::Acquire) {
            return Err(io::Error::other("the disk does not answer"));
        }
        let mut held = self.held.lock();
        while *held {
            self.waiting.store(true, Ordering::Release);
            self.changed.notify_all();
            self.changed.wait(&mut held);
        }
        self.waiting.store(false, Ordering::Release);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.fails_writes.load(Ordering::Acquire) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let start = usize::try_from(offset).unwrap();
        let mut bytes = self.bytes.lock();
        let place = bytes.get_mut(start..start + data.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        place.copy_from_slice(data);
        Ok(())
    }
}

async fn open(storage: &Arc<Gated>) -> Result<(FileStore, FileBackend)> {
    let storage = Arc::clone(storage) as Arc<dyn Storage>;
    let store = FileStore::builder().waiting_ops_max(100).open_storage(storage).await?;
    let backend = store.open(Namespace::default())?;
    Ok((store, backend))
}

#[tokio::test]
async fn writes_that_wait_together_share_a_commit() -> Result<()> {
    let storage = Arc::new(Gated::default());
    let (store, backend) = open(&storage).await?;
    storage.hold();
    let mut first = Box::pin(backend.put("first", "1"));
    assert!(poll!(&mut first).is_pending());
    storage.wait_until_held();
    // Nothing of what is not committed can be seen.
    assert_eq!(backend.get("first").await?, None);
    let mut others: Vec<_> =
        (0..90).map(|number| Box::pin(backend.put(format!("{number}"), "1"))).collect();
    for other in &mut others {
        assert!(poll!(other).is_pending());
    }
    storage.let_go();
    first.await?;
    for written in join_all(others).await {
        assert_eq!(written?.acks, AcksReached::FSYNCED);
    }
    assert_eq!(store.commits(), 2);
    assert_eq!(backend.count("").await?, 91);
    Ok(())
}

#[tokio::test]
async fn more_writes_than_may_wait_wait_for_room() -> Result<()> {
    let storage = Arc::new(Gated::default());
    let (store, backend) = open(&storage).await?;
    storage.hold();
    let mut first = Box::pin(backend.put("first", "1"));
    assert!(poll!(&mut first).is_pending());
    storage.wait_until_held();
    let mut others: Vec<_> =
        (0..250).map(|number| Box::pin(backend.put(format!("{number}"), "1"))).collect();
    for other in &mut others {
        assert!(poll!(other).is_pending());
    }
    storage.let_go();
    first.await?;
    for written in join_all(others).await {
        written?;
    }
    assert_eq!(backend.count("").await?, 251);
    assert!(store.commits() >= 4, "{} commits", store.commits());
    Ok(())
}

#[tokio::test]
async fn a_write_whose_future_was_dropped_is_made_all_the_same() -> Result<()> {
    let storage = Arc::new(Gated::default());
    let (_store, backend) = open(&storage).await?;
    {
        let mut dropped = Box::pin(backend.put("dropped", "1"));
        let _pending = poll!(&mut dropped);
    }
    backend.put("later", "1").await?;
    assert_eq!(backend.count("").await?, 2);
    Ok(())
}

#[tokio::test]
async fn what_changes_nothing_is_not_committed() -> Result<()> {
    let storage = Arc::new(Gated::default());
    let (store, backend) = open(&storage).await?;
    backend.put("key", "1").await?;
    let before = store.commits();
    let absent = PutOptions::new().with_precondition(Precondition::Absent);
    let error = backend.put_opts(&"key".into(), "2".into(), absent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(!backend.delete("nothing").await?);
    assert_eq!(store.commits(), before);
    Ok(())
}

#[tokio::test]
async fn a_failed_commit_fails_all_of_it_and_the_store_works_again() -> Result<()> {
    let storage = Arc::new(Gated::default());
    let (store, backend) = open(&storage).await?;
    backend.put("key", "0").await?;
    for sync in [false, true] {
        let fails = if sync { &storage.fails_syncs } else { &storage.fails_writes };
        fails.store(true, Ordering::Release);
        let absent = PutOptions::new().with_precondition(Precondition::Absent);
        let key = Key::from("key");
        let (one, other, conflict) = futures_util::join!(
            backend.put("one", "1"),
            backend.put("other", "1"),
            backend.put_opts(&key, "1".into(), absent),
        );
        for error in [one.unwrap_err(), other.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert_ne!(error.outcome(), Outcome::Applied, "{error}");
        }
        let conflict = conflict.unwrap_err();
        assert_eq!(conflict.outcome(), Outcome::NotApplied, "{conflict}");
        assert_ne!(backend.health().await?.status, state_core::HealthStatus::Healthy);
        assert_eq!(backend.get("key").await.unwrap_err().kind(), ErrorKind::Unavailable);
        fails.store(false, Ordering::Release);
        backend.put("key", "2").await?;
        assert_eq!(backend.health().await?.status, state_core::HealthStatus::Healthy);
        assert_eq!(backend.get("key").await?.as_deref(), Some(b"2".as_slice()));
    }
    store.close().await?;
    drop((store, backend));
    let (_store, backend) = open(&storage).await?;
    assert_eq!(backend.get("key").await?.as_deref(), Some(b"2".as_slice()));
    Ok(())
}

#[tokio::test]
async fn a_batch_that_ends_between_two_parts_says_which_part_failed() -> Result<()> {
    let storage = Arc::new(Gated::default());
    let mut limits = Limits::DEFAULT;
    limits.batch_ops_max = 2;
    let builder = FileStore::builder().limits(limits);
    let store = builder.open_storage(Arc::clone(&storage) as Arc<dyn Storage>).await?;
    let backend = store.open(Namespace::default())?;
    storage.hold();
    let mut put = Box::pin(backend.batch_put([("a", "1"), ("b", "2"), ("c", "3")]));
    assert!(poll!(&mut put).is_pending());
    storage.wait_until_held();
    let mut closed = Box::pin(store.close());
    assert!(poll!(&mut closed).is_pending());
    storage.let_go();
    let error = put.await.unwrap_err();
    assert_eq!((error.kind(), error.index()), (ErrorKind::Closed, Some(2)));
    closed.await?;
    let (_store, backend) = open(&storage).await?;
    assert_eq!(backend.batch_get(["a", "b", "c"]).await?.iter().flatten().count(), 2);
    Ok(())
}
