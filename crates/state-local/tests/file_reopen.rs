//! What a file store holds is the same after it was closed and opened again.

use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use state_core::{
    AcquireOptions, Acquired, Change, Consistency, DeleteOptions, ErrorKind, Expiry, Fence,
    FenceToken, GetOptions, HashWriteOptions, IncrementOptions, Key, ManualClock, Namespace, OpId,
    OwnerId, PutOptions, Result, SnapshotOptions, StateBackend, StateBackendExt, WatchOptions,
    WatchStart,
};
use state_local::{FileBackend, FileStore};

const SECOND: Duration = Duration::from_secs(1);

async fn open(path: &Path, clock: &ManualClock) -> Result<FileBackend> {
    let store = FileStore::builder().clock(clock.clone()).open(path).await?;
    store.open(Namespace::default())
}

#[tokio::test]
async fn entries_hashes_and_lifetimes_are_kept() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let clock = ManualClock::new();
    let backend = open(&path, &clock).await?;
    let placed = Key::in_partition("p\0\u{ff}", "name");
    backend.put("plain", "1").await?;
    backend.put(&placed, "2").await?;
    backend.put_with_ttl("short", "3", Duration::from_secs(10)).await?;
    let hashes = backend.as_hash().unwrap();
    let fields = vec![("a".into(), "x".into()), ("b".into(), "".into())];
    let options = HashWriteOptions::new().with_expiry(Expiry::After(Duration::from_secs(10)));
    hashes.hash_set(&placed, fields, options).await?;
    drop(backend);

    let backend = open(&path, &clock).await?;
    assert_eq!(backend.get("plain").await?.as_deref(), Some(b"1".as_slice()));
    assert_eq!(backend.get(&placed).await?.as_deref(), Some(b"2".as_slice()));
    assert_eq!(backend.count("").await?, 3);
    assert_eq!(backend.memory_usage().await?.entries, 4);
    clock.advance(Duration::from_secs(10));
    assert_eq!(backend.get("short").await?, None);
    let hashes = backend.as_hash().unwrap();
    assert_eq!(hashes.hash_state(&placed, Consistency::Strong).await?, None);
    // What has expired goes, and nothing else.
    while backend.memory_usage().await?.entries > 2 {
        clock.advance(Duration::from_millis(500));
        tokio::task::yield_now().await;
    }
    assert_eq!(backend.count("").await?, 2);
    Ok(())
}

#[tokio::test]
async fn one_thread_sweeps_all_namespaces() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let store = FileStore::builder().clock(clock.clone()).open(folder.path().join("store")).await?;
    let names = (0..150).map(|number| Namespace::new(format!("namespace-{number}")));
    let backends: Vec<_> = names.map(|name| store.open(name?)).collect::<Result<_>>()?;
    let puts = backends.iter().map(|backend| backend.put_with_ttl("k", "v", SECOND));
    futures_util::future::try_join_all(puts).await?;
    let commits = store.commits();
    clock.advance(SECOND);
    for backend in &backends {
        while backend.memory_usage().await?.entries > 0 {
            clock.advance(Duration::from_millis(500));
            tokio::task::yield_now().await;
        }
    }
    // Each thread that sweeps waits on the clock between its rounds.
    assert!(clock.sleepers() <= 1, "{} threads", clock.sleepers());
    let commits = store.commits() - commits;
    assert!(commits < 150, "none of {commits} commits is shared");
    Ok(())
}

#[tokio::test]
async fn tokens_marks_and_operations_are_kept() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let clock = ManualClock::new();
    let backend = open(&path, &clock).await?;
    let lease = Key::from("leader");
    let owner = OwnerId::random();
    let ttl = Duration::from_secs(60);
    let acquired =
        backend.as_lease().unwrap().acquire_lease(&lease, AcquireOptions::new(owner, ttl)).await?;
    let Acquired::Granted(grant) = acquired else { panic!("{acquired:?}") };
    let fenced = PutOptions::new().with_fence(Fence::new("other", FenceToken::new(7)));
    backend.put_opts(&"key".into(), "v".into(), fenced).await?;
    let once = IncrementOptions::new().with_op_id(OpId::from_bytes([3; 16]));
    assert_eq!(backend.increment_opts(&"n".into(), 5, once.clone()).await?.value, 5);
    drop(backend);

    let backend = open(&path, &clock).await?;
    let held = backend.as_lease().unwrap().read_lease(&lease).await?.unwrap();
    assert_eq!((held.owner, held.token), (owner, grant.token));
    let stale = PutOptions::new().with_fence(Fence::new("other", FenceToken::new(6)));
    let refused = backend.put_opts(&"key".into(), "v".into(), stale).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Fenced);
    assert_eq!(backend.increment_opts(&"n".into(), 5, once).await?.value, 5);
    assert_eq!(backend.get("n").await?.as_deref(), Some(b"5".as_slice()));
    Ok(())
}

#[tokio::test]
async fn a_version_never_comes_back() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let copy = folder.path().join("copy");
    let clock = ManualClock::new();
    let key = Key::from("key");
    let mut seen = std::collections::HashSet::new();
    for opening in 0..4 {
        // The copy goes back to what the store was, so that its counters start over.
        let path = if opening == 3 { &copy } else { &path };
        let backend = open(path, &clock).await?;
        for _ in 0..3 {
            let written = backend.put_opts(&key, "v".into(), PutOptions::new()).await?;
            assert!(seen.insert(written.version), "{} came back", written.version);
            backend.delete_opts(&key, DeleteOptions::new()).await?;
        }
        backend.store().close().await?;
        if opening == 0 {
            std::fs::copy(path, &copy).unwrap();
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_watch_resumes_after_a_reopening_and_tells_of_a_gap_in_another_history() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let copy = folder.path().join("copy");
    let clock = ManualClock::new();
    let oldest = || WatchOptions::default().with_start(WatchStart::Oldest).with_follow(false);
    let after = |token| oldest().with_start(WatchStart::After(token));
    let told = async |backend: &FileBackend, options| {
        let events = backend.as_watch().unwrap().watch(options).await?;
        events.try_collect::<Vec<_>>().await
    };

    let backend = open(&path, &clock).await?;
    backend.put("a", "1").await?;
    backend.store().close().await?;
    std::fs::copy(&path, &copy).unwrap();

    let backend = open(&path, &clock).await?;
    backend.put("b", "1").await?;
    let events = told(&backend, oldest()).await?;
    let keys: Vec<_> = events.iter().map(|event| event.change.key().cloned()).collect();
    assert_eq!(keys, [Some("a".into()), Some("b".into())]);
    backend.delete("a").await?;
    drop(backend);

    let backend = open(&path, &clock).await?;
    let later = told(&backend, after(events[1].token.clone())).await?;
    assert_eq!(later.len(), 1);
    assert_eq!(later[0].change, Change::Deleted { key: "a".into() });
    drop(backend);

    // In the copy another event bears the number of the one that was seen.
    let backend = open(&copy, &clock).await?;
    backend.put("c", "1").await?;
    let other = told(&backend, after(events[1].token.clone())).await?;
    assert_eq!(other[0].change, Change::Gap);
    Ok(())
}

#[tokio::test]
async fn a_watch_ends_after_the_error_that_stopped_it() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let backend = FileBackend::open(folder.path().join("store")).await?;
    let mut events = backend.as_watch().unwrap().watch(WatchOptions::default()).await?;
    backend.put("a", "1").await?;
    assert!(events.next().await.unwrap().is_ok());
    backend.store().close().await?;
    let error = events.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(events.next().await.is_none(), "the error is told once");
    assert!(events.next().await.is_none());
    Ok(())
}

#[tokio::test]
async fn the_change_log_keeps_as_many_events_as_it_was_told_to() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for (events_max, expected) in [(10, 10), (4, 4), (100, 10)] {
        let store = FileStore::builder().change_log_events_max(events_max).open(&path).await?;
        let backend = store.open(Namespace::default())?;
        for number in 0..50 {
            backend.put(format!("{number}"), "v").await?;
        }
        let options = WatchOptions::default().with_start(WatchStart::Oldest).with_follow(false);
        let events = backend.as_watch().unwrap().watch(options).await?;
        let told = events.filter(|event| std::future::ready(event.is_ok())).count().await;
        // What a smaller limit has dropped is gone; what was written since is there.
        assert!(told >= expected.min(events_max) && told <= events_max, "{told} of {events_max}");
    }
    Ok(())
}

#[tokio::test]
async fn a_snapshot_shows_one_moment_and_keeps_the_store_open() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let backend = FileBackend::open(&path).await?;
    for number in 0..3_000 {
        backend.put(format!("{number:05}"), "before").await?;
        if number == 10 {
            break;
        }
    }
    let ops = (0..3_000).map(|number| state_core::WriteOp::Put {
        key: Key::from(format!("many:{number:05}")),
        value: "before".into(),
        options: PutOptions::new(),
    });
    backend.write_many(ops.collect()).await?;
    let fields = (0..700).map(|n| (format!("{n:03}").into(), "before".into())).collect();
    let hashes = backend.as_hash().unwrap();
    hashes.hash_set(&"hash".into(), fields, HashWriteOptions::new()).await?;
    let records = backend.snapshot_opts(SnapshotOptions::default()).await?;
    backend.clear().await?;
    backend.put("after", "after").await?;
    assert_eq!(backend.get_opts(&"00001".into(), GetOptions::new()).await?, None);
    drop(backend);
    let (mut entries, mut fields) = (0, 0);
    for record in records.try_collect::<Vec<_>>().await? {
        match record {
            state_core::SnapshotRecord::Entry { value, .. } => {
                assert_eq!(value.as_ref(), b"before");
                entries += 1;
            }
            state_core::SnapshotRecord::HashFields { fields: some, .. } => fields += some.len(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((entries, fields), (3_011, 700));
    FileBackend::open(&path).await?;
    Ok(())
}
