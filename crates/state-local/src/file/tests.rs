//! What can only be shown from inside: works that panic, records of another format or damaged.

use std::path::Path;

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use redb::{Database, ReadableDatabase, ReadableTable};
use state_core::{
    Change, ErrorKind, Namespace, Outcome, Result, StateBackend, StateBackendExt, WatchOptions,
    WatchStart, WriteOp,
};

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

#[tokio::test]
async fn a_namespace_whose_counts_are_damaged_is_corrupt_and_the_others_are_not() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let names = ["bad", "good"].map(|name| Namespace::new(name).unwrap());
    let open = async || {
        let store = FileStore::at(&path).await?;
        let [bad, good] = [0, 1].map(|index: usize| store.open(names[index].clone()));
        Result::Ok((bad?, good?))
    };
    let (bad, good) = open().await?;
    bad.put("key", "1").await?;
    good.put("key", "1").await?;
    bad.store().close().await?;
    drop((bad, good));
    let counts = format::counts_key(&keys::of_namespace(&names[0]));
    change(&path, Name::Meta, &counts, |mut record| {
        record[1] ^= 1;
        record
    });
    for _ in 0..2 {
        let (bad, good) = open().await?;
        // Some of these share a transaction, which then begins with either namespace.
        for are_good in [[true, false, false, true, false], [false, false, true, false, true]] {
            let puts = are_good.map(|is_good| if is_good { &good } else { &bad }.put("key", "2"));
            for (is_good, put) in are_good.into_iter().zip(join_all(puts).await) {
                let failed = put.err().map(|error| (error.kind(), error.outcome()));
                let expected = (ErrorKind::Corrupt, Outcome::NotApplied);
                assert_eq!(failed, (!is_good).then_some(expected));
            }
        }
        assert_eq!(bad.get("key").await?.as_deref(), Some(b"1".as_slice()));
        good.store().close().await?;
    }
    Ok(())
}

/// The events that lie in the file, as the first number of each block and how many it holds.
fn blocks(path: &Path) -> Vec<(u64, usize)> {
    let database = Database::open(path).unwrap();
    let table = database.begin_read().unwrap().open_table(Name::Events.definition()).unwrap();
    let prefix = keys::of_namespace(&Namespace::default());
    let blocks = table.iter().unwrap().map(|item| {
        let (key, record) = item.unwrap();
        let first = keys::event(&key.value()[prefix.len()..]).unwrap();
        (first, format::events(key.value(), record.value()).unwrap().changes.len())
    });
    blocks.collect()
}

#[tokio::test]
async fn the_change_log_does_not_outgrow_what_is_retained() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for commit in [30, 90, 1_000] {
        for events_max in [1, 100, 1_000] {
            let store = FileStore::builder().change_log_events_max(events_max).open(&path).await?;
            let backend = store.open(Namespace::default())?;
            for _ in 0..2_000 / commit {
                let ops = (0..commit).map(|n| WriteOp::put(format!("{n}"), "v"));
                backend.write_many(ops.collect()).await?;
            }
            store.close().await?;
            drop((backend, store));
            let stored: usize = blocks(&path).iter().map(|(_, events)| events).sum();
            let slack = (events_max / 8).max(1);
            let most = events_max + slack + slack.min(256) + commit.min(slack);
            assert!((events_max..=most).contains(&stored), "{stored} events of {events_max}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn events_of_one_commit_share_a_record() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let backend = FileBackend::open(&path).await?;
    let ops = (0..300).map(|n| WriteOp::put(format!("{n}"), "v"));
    backend.write_many(ops.collect()).await?;
    backend.put("last", "v").await?;
    backend.store().close().await?;
    drop(backend);
    assert_eq!(blocks(&path), [(1, 256), (257, 44), (301, 1)]);
    Ok(())
}

#[tokio::test]
async fn a_block_that_is_missing_is_not_skipped() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let backend = FileBackend::open(&path).await?;
    for key in ["a", "b", "c"] {
        backend.put(key, "v").await?;
    }
    backend.store().close().await?;
    drop(backend);
    let prefix = keys::of_namespace(&Namespace::default());
    for (missing, told) in [(2, 1), (1, 0)] {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(Name::Events.definition()).unwrap();
            let removed = table.remove(keys::of_event(&prefix, missing).as_slice()).unwrap();
            assert!(removed.is_some());
        }
        transaction.commit().unwrap();
        drop(database);
        let backend = FileBackend::open(&path).await?;
        let options = WatchOptions::default().with_start(WatchStart::Oldest).with_follow(false);
        let events = backend.as_watch().unwrap().watch(options).await?;
        let events: Vec<_> = futures_util::StreamExt::collect(events).await;
        let (last, before) = events.split_last().unwrap();
        assert_eq!(last.as_ref().unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(before.len() <= told, "{before:?}");
    }
    Ok(())
}

#[tokio::test]
async fn work_sees_the_events_that_it_has_written() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join("store")).await?;
    let backend = store.open(Namespace::default())?;
    let ops = (0..300).map(|n| WriteOp::put(format!("{n}"), "v"));
    backend.write_many(ops.collect()).await?;
    let space = store.space_of(Namespace::default());
    let seen = space.write(|tx| {
        for _ in 0..3 {
            tx.tables.log(Change::Gap)?;
        }
        let from = |first| Ok(tx.tables.events(first, 1_000)?.len());
        Ok([from(1)?, from(300)?, from(301)?, from(303)?, from(304)?])
    });
    assert_eq!(seen.await?, [303, 4, 3, 1, 0]);
    let options = WatchOptions::default().with_start(WatchStart::Oldest).with_follow(false);
    let events = backend.as_watch().unwrap().watch(options).await?;
    assert_eq!(events.try_collect::<Vec<_>>().await?.len(), 303);
    Ok(())
}
