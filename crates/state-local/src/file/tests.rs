//! What can only be shown from inside: works that panic, records of another format or damaged.

use std::path::Path;

use redb::{Database, ReadableTable};
use state_core::{ErrorKind, Namespace, Outcome, Result, StateBackendExt};

use super::format::{self, Kind};
use super::keys;
use super::names::Name;
use super::{FileBackend, FileStore};
use crate::space::Space;

/// Changes a record in the file of a store that is closed.
fn change(path: &Path, table: Name, key: &[u8], change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(table.definition()).unwrap();
        let record = table.get(key).unwrap().unwrap().value().to_vec();
        table.insert(key, change(record).as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_work_that_panics_fails_alone() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join("store")).await?;
    let backend = store.open(Namespace::default())?;
    backend.put("key", "1").await?;
    let space = store.space_of(Namespace::default());
    for change_first in [false, true] {
        let panicking = space.write(move |tx| -> Result<()> {
            if change_first {
                tx.tables.remove_entry(&"key".into())?;
            }
            std::panic::panic_any("a defect")
        });
        let error = panicking.await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::NotApplied));
        assert_eq!(backend.get("key").await?.as_deref(), Some(b"1".as_slice()));
        backend.put("other", "2").await?;
    }
    let read: Result<()> = space.read(|_| std::panic::panic_any("a defect"));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
    backend.put("other", "3").await?;
    assert_eq!(backend.count("").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_work_that_fails_half_way_is_taken_back_whole() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join("store")).await?;
    let backend = store.open(Namespace::default())?;
    backend.put("key", "1").await?;
    let space = store.space_of(Namespace::default());
    let failing = space.write(|tx| -> Result<()> {
        tx.tables.remove_entry(&"key".into())?;
        Err(state_core::Error::conflict("found out too late"))
    });
    assert_eq!(failing.await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(backend.get("key").await?.as_deref(), Some(b"1".as_slice()));
    assert_eq!(backend.count("").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_newer_format_is_told_from_a_damaged_file() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    FileStore::at(&path).await?.close().await?;
    let reseal = |version: u32| {
        move |record: Vec<u8>| {
            let body = format::unseal(Kind::Store, format::STORE_KEY, &record).unwrap();
            let body = [&version.to_le_bytes(), &body[4..]].concat();
            format::seal(Kind::Store, format::STORE_KEY, &body)
        }
    };
    change(&path, Name::Meta, format::STORE_KEY, reseal(2));
    let error = FileStore::at(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("format 2"), "{error}");
    change(&path, Name::Meta, format::STORE_KEY, |mut record| {
        record[2] ^= 1;
        record
    });
    assert_eq!(FileStore::at(&path).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let mend = |mut record: Vec<u8>| {
        record[2] ^= 1;
        reseal(1)(record)
    };
    change(&path, Name::Meta, format::STORE_KEY, mend);
    FileStore::at(&path).await?;
    Ok(())
}

#[tokio::test]
async fn a_damaged_record_is_corrupt_and_the_others_are_not() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let backend = FileBackend::open(&path).await?;
    backend.put("bad", "some value").await?;
    backend.put("good", "1").await?;
    backend.store().close().await?;
    drop(backend);
    let prefix = keys::of_namespace(&Namespace::default());
    change(&path, Name::Entries, &keys::of_key(&prefix, &"bad".into()), |mut record| {
        *record.last_mut().unwrap() ^= 1;
        record
    });
    let backend = FileBackend::open(&path).await?;
    assert_eq!(backend.get("bad").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(backend.get("good").await?.as_deref(), Some(b"1".as_slice()));
    let records = backend.snapshot().await?;
    let records: Vec<_> = futures_util::StreamExt::collect(records).await;
    assert!(records.iter().any(Result::is_err), "a snapshot does not leave it out");
    // What is damaged can be overwritten.
    backend.put("bad", "new").await?;
    assert_eq!(backend.get("bad").await?.as_deref(), Some(b"new".as_slice()));
    Ok(())
}
