//! Opening file stores: what is refused, with which error, and what is left behind.

use std::fs;
use std::path::PathBuf;

use state_core::{
    ErrorKind, Namespace, Outcome, Result, SnapshotOptions, StateBackend, StateBackendExt,
    WatchOptions,
};
use state_local::{CommitMode, FileBackend, FileStore};

#[tokio::test]
async fn what_cannot_be_opened_is_refused_by_name_and_left_alone() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text"), "no store").unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("zeros"), vec![0; 100_000]).unwrap();
    fs::write(at("short"), "redb").unwrap();
    {
        let other = redb::Database::create(at("other")).unwrap();
        let transaction = other.begin_write().unwrap();
        let table: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("mine");
        transaction.open_table(table).unwrap().insert("a", 1).unwrap();
        transaction.commit().unwrap();
    }
    let store = FileStore::at(at("cut")).await?;
    store.open(Namespace::default())?.put("key", vec![1; 100_000]).await?;
    store.close().await?;
    let whole = fs::read(at("cut")).unwrap();
    fs::write(at("cut"), &whole[..whole.len() / 2]).unwrap();

    for (path, kind, says) in [
        (at("text"), ErrorKind::Corrupt, "is not a store"),
        (at("zeros"), ErrorKind::Corrupt, "is not a store"),
        (at("short"), ErrorKind::Corrupt, "is not a store"),
        (at("other"), ErrorKind::Corrupt, "is not a store"),
        (at("cut"), ErrorKind::Corrupt, "is damaged"),
        (at("folder"), ErrorKind::Invalid, "is a folder"),
        (at("no/folder"), ErrorKind::Invalid, "create its folder"),
        (at("text/below"), ErrorKind::Invalid, "lies in no folder"),
        (at("zero\0byte"), ErrorKind::Invalid, "name another one"),
        (at(&"n".repeat(300)), ErrorKind::Invalid, "too long"),
        (PathBuf::new(), ErrorKind::Invalid, "(without a name) cannot lie at this path"),
    ] {
        let before = fs::read(&path).ok();
        let error = FileStore::at(&path).await.unwrap_err();
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{message}");
        assert_eq!(error.outcome(), Outcome::NotApplied, "{message}");
        assert!(message.contains(says), "{message}");
        assert!(message.contains(&path.display().to_string()), "{message}");
        if path != at("cut") && path != at("other") {
            assert_eq!(fs::read(&path).ok(), before, "{message}");
        }
    }
    assert!(fs::exists(at("no")).is_ok_and(|there| !there));
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_ordinary_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for path in [path.as_path(), "/dev/null".as_ref()] {
        let error = FileStore::at(path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("is not an ordinary file"), "{error}");
    }
    assert!(!fs::metadata(&path).unwrap().is_file());
}

#[tokio::test]
async fn an_empty_file_and_an_absent_one_become_a_store() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let longest = "n".repeat(255);
    fs::write(folder.path().join("empty"), "").unwrap();
    for name in ["empty", "absent", &longest] {
        let path = folder.path().join(name);
        let backend = FileBackend::open(&path).await?;
        backend.put("key", "1").await?;
        drop(backend);
        let again = FileBackend::open(&path).await?;
        assert_eq!(again.get("key").await?.as_deref(), Some(b"1".as_slice()));
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 3, "{left:?}");
    Ok(())
}

#[tokio::test]
async fn creating_a_store_touches_no_other_file() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for suffix in [".new", ".tmp", "~", ".unfinished"] {
        let other = FileBackend::open(at(&format!("store{suffix}"))).await?;
        other.put("key", suffix).await?;
        other.store().close().await?;
    }
    fs::write(at("absent.new"), "a letter").unwrap();
    fs::create_dir(at("beside.new")).unwrap();
    fs::write(at("store"), "").unwrap();
    for name in ["store", "absent", "beside"] {
        FileStore::at(at(name)).await?.close().await?;
    }
    // A creation that fails touches nothing either.
    fs::create_dir(at("folder")).unwrap();
    assert!(FileStore::at(at("folder")).await.is_err());
    for suffix in [".new", ".tmp", "~", ".unfinished"] {
        let other = FileBackend::open(at(&format!("store{suffix}"))).await?;
        assert_eq!(other.get("key").await?.as_deref(), Some(suffix.as_bytes()));
    }
    assert_eq!(fs::read(at("absent.new")).unwrap(), b"a letter");
    assert!(at("beside.new").is_dir());
    Ok(())
}

#[tokio::test]
async fn one_opening_at_a_time() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for _ in 0..20 {
        let first = FileStore::at(&path).await?;
        let error = FileStore::at(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("open in another process"), "{error}");
        let backend = first.open(Namespace::default())?;
        let snapshot = backend.snapshot_opts(SnapshotOptions::default()).await?;
        drop((first, backend));
        // The snapshot keeps the store open.
        assert!(FileStore::at(&path).await.is_err());
        drop(snapshot);
        FileStore::at(&path).await?.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_closed_store_says_so() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let backend = FileBackend::open(&path).await?;
    backend.put("key", "1").await?;
    let mut watch = backend.as_watch().unwrap().watch(WatchOptions::default()).await?;
    backend.store().close().await?;
    backend.store().close().await?;
    let closed = |error: state_core::Error| assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    closed(backend.get("key").await.unwrap_err());
    closed(backend.put("key", "2").await.unwrap_err());
    closed(backend.store().compact().await.unwrap_err());
    closed(backend.store().namespaces().unwrap_err());
    closed(futures_util::StreamExt::next(&mut watch).await.unwrap().unwrap_err());
    assert_ne!(backend.health().await?.status, state_core::HealthStatus::Healthy);
    // Another opening does not need the closed one to be gone.
    let again = FileBackend::open(&path).await?;
    assert_eq!(again.get("key").await?.as_deref(), Some(b"1".as_slice()));
    Ok(())
}

#[tokio::test]
async fn debug_shows_where_a_store_lies_and_nothing_of_it() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let backend = FileBackend::open(&path).await?;
    backend.put("key", "hunter2").await?;
    for shown in [format!("{backend:?}"), format!("{:?}", backend.store())] {
        assert!(shown.contains(&path.display().to_string()), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn settings_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for (builder, names) in [
        (FileStore::builder().change_log_events_max(0), "change_log_events_max"),
        (FileStore::builder().group_ops_max(0), "group_ops_max"),
        (FileStore::builder().waiting_ops_max(0), "waiting_ops_max"),
        (FileStore::builder().default_ttl(std::time::Duration::ZERO), "lifetime"),
    ] {
        let error = builder.open(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(names), "{error}");
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn namespaces_share_a_file_and_nothing_else() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let names = ["a", "ab", "a\0", "\u{0}", "b"].map(|name| Namespace::new(name).unwrap());
    let store = FileStore::builder().commit_mode(CommitMode::TwoPhase).open(&path).await?;
    for (number, name) in names.iter().enumerate() {
        let backend = store.open(name.clone())?;
        backend.put("key", number.to_string()).await?;
        backend.put(format!("own{number}"), "").await?;
    }
    // Both openings of a namespace are one.
    store.open(names[0].clone())?.put("both", "1").await?;
    drop(store);
    let store = FileStore::at(&path).await?;
    assert_eq!(store.namespaces()?.len(), names.len());
    for (number, name) in names.iter().enumerate() {
        let backend = store.open(name.clone())?;
        assert_eq!(backend.get("key").await?.unwrap(), number.to_string().as_bytes());
        assert_eq!(backend.count("").await?, if number == 0 { 3 } else { 2 });
    }
    store.open(names[0].clone())?.clear().await?;
    assert_eq!(store.open(names[1].clone())?.count("").await?, 2);
    Ok(())
}

#[tokio::test]
async fn compaction_gives_space_back_and_verification_finds_nothing() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let backend = FileBackend::open(&path).await?;
    for number in 0..40 {
        backend.put(format!("{number}"), vec![7; 200_000]).await?;
    }
    let full = backend.memory_usage().await?.disk_bytes;
    backend.clear().await?;
    backend.put("left", "1").await?;
    assert!(backend.store().compact().await?);
    assert!(backend.memory_usage().await?.disk_bytes < full / 2);
    backend.store().verify().await?;
    assert_eq!(backend.get("left").await?.as_deref(), Some(b"1".as_slice()));
    let snapshot = backend.snapshot_opts(SnapshotOptions::default()).await?;
    let error = backend.store().verify().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    drop(snapshot);
    backend.put("left", "2").await?;
    backend.store().verify().await?;
    Ok(())
}

#[tokio::test]
async fn compaction_fills_the_pages_of_a_store_that_grew_in_many_places() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = FileStore::builder().change_log_events_max(1).open(&path).await?;
    let backend = store.open(Namespace::default())?;
    let key = |place: usize, number: usize| format!("{place:03}:{:05}", 10_000 - number);
    let mut stored: u64 = 0;
    for number in 0..200 {
        let row = |place: usize| {
            let key = key(place, number);
            let value = vec![b'a'; 100 + (place * 31 + number * 17) % 300];
            (key, value)
        };
        let rows: Vec<(String, Vec<u8>)> = (0..40).map(row).collect();
        stored += rows.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
        backend.batch_put(rows).await?;
    }
    let before = backend.memory_usage().await?.disk_bytes;
    assert!(store.compact().await?);
    let after = backend.memory_usage().await?.disk_bytes;
    assert!(before > stored * 17 / 10, "{before} bytes for {stored}, so there was nothing to fill");
    assert!(after < stored * 15 / 10, "{after} bytes for {stored}");
    store.verify().await?;
    assert_eq!(backend.count("").await?, 8_000);
    store.close().await?;

    let again = FileBackend::open(&path).await?;
    for (place, number) in [(0, 0), (39, 199), (20, 100)] {
        let value = again.get(key(place, number)).await?;
        assert_eq!(value.map(|value| value.len()), Some(100 + (place * 31 + number * 17) % 300));
    }
    assert_eq!(again.list_keys("007:").await?.len(), 200);
    again.put("later", "1").await?;
    Ok(())
}
