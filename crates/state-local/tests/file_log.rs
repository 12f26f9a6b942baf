//! The change log of a file store: events of one commit lie together, and nobody sees that.

#![expect(clippy::unwrap_used, reason = "a test reports failure by panicking")]

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use state_core::{
    Change, Key, Namespace, ResumeToken, StateBackend, StateBackendExt, WatchEvent, WatchOptions,
    WatchStart, WriteOp,
};
use state_local::{FileBackend, FileStore};

async fn told(backend: &FileBackend, start: WatchStart) -> state_core::Result<Vec<WatchEvent>> {
    let options = WatchOptions::default().with_start(start).with_follow(false);
    backend.as_watch().unwrap().watch(options).await?.try_collect().await
}

fn puts(prefix: &str, count: usize) -> Vec<WriteOp> {
    (0..count).map(|number| WriteOp::put(Key::from(format!("{prefix}:{number}")), "v")).collect()
}

fn keys(events: &[WatchEvent]) -> Vec<Key> {
    events.iter().map(|event| event.change.key().unwrap().clone()).collect()
}

#[tokio::test]
async fn a_watch_resumes_after_every_event_of_a_large_commit() -> state_core::Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = FileStore::at(&path).await?;
    let backend = store.open(Namespace::default())?;
    let batches = [puts("a", 600), puts("b", 1), puts("c", 256), puts("d", 257)];
    let mut expected = Vec::new();
    for batch in batches {
        expected.extend(batch.iter().map(|op| op.key().clone()));
        backend.write_many(batch).await?;
    }
    store.close().await?;
    drop((backend, store));

    let backend = FileBackend::open(&path).await?;
    let all = told(&backend, WatchStart::Oldest).await?;
    assert_eq!(keys(&all), expected);
    let tokens: Vec<ResumeToken> = all.iter().map(|event| event.token.clone()).collect();
    for (index, token) in tokens.iter().enumerate().filter(|(index, _)| index % 17 < 2) {
        let rest = told(&backend, WatchStart::After(token.clone())).await?;
        assert_eq!(rest, all[index + 1..], "after event {index}");
    }
    Ok(())
}

#[tokio::test]
async fn namespaces_that_share_commits_keep_logs_of_their_own() -> state_core::Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join("store")).await?;
    let names = ["one", "two", "three"];
    let backends: Vec<FileBackend> = names
        .iter()
        .map(|name| store.open(Namespace::new(*name)?))
        .collect::<state_core::Result<_>>()?;
    for round in 0..5 {
        let puts = (0..60).map(|number| {
            let backend = &backends[number % backends.len()];
            backend.put(format!("{round}:{number}"), "v")
        });
        try_join_all(puts).await?;
    }
    assert!(store.commits() < 5 * 60, "writes have shared commits");
    for (index, backend) in backends.iter().enumerate() {
        let events = told(backend, WatchStart::Oldest).await?;
        let expected = (0..5).flat_map(|round| {
            let numbers = (0..60).filter(|number| number % 3 == index);
            numbers.map(move |number| Key::from(format!("{round}:{number}")))
        });
        assert_eq!(keys(&events), expected.collect::<Vec<_>>(), "{}", names[index]);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_retained_is_told_after_commits_of_every_size() -> state_core::Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = FileStore::builder().change_log_events_max(100).open(&path).await?;
    let backend = store.open(Namespace::default())?;
    let mut written = 0;
    for size in [1, 30, 70, 99, 100, 101, 1, 7, 500, 3, 12, 13, 1] {
        backend.write_many(puts(&format!("{size}"), size)).await?;
        written += size;
        let events = told(&backend, WatchStart::Oldest).await?;
        assert_eq!(events.len(), written.min(100), "after {written} events");
        assert!(events.iter().all(|event| matches!(event.change, Change::Put { .. })));
        assert_eq!(keys(&events).last(), Some(&Key::from(format!("{size}:{}", size - 1))));
    }
    Ok(())
}
