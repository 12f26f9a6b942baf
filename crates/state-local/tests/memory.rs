//! What the memory store does beyond the contract: eviction, sweeping, snapshots beside writers.

#![expect(clippy::unwrap_used, reason = "a test reports failure by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use state_core::{
    Capability, Change, Clock, ErrorKind, Key, ManualClock, Namespace, Result, SnapshotRecord,
    StateBackend, StateBackendExt, SystemClock, Ttl, WatchOptions, WatchStart,
};
use state_local::{
    EvictionPolicy, LeastFrequentlyUsed, LeastRecentlyUsed, MemoryBackend, MemoryStore,
    OldestExpiry,
};

async fn keys(backend: &MemoryBackend) -> Vec<String> {
    let keys = backend.list_keys("").await.unwrap();
    keys.iter().map(ToString::to_string).collect()
}

fn small<P: EvictionPolicy>(policy: fn() -> P) -> MemoryBackend {
    MemoryStore::builder().evict(3, policy).build().open(Namespace::default()).unwrap()
}

#[tokio::test]
async fn the_least_recently_used_entry_is_evicted() -> Result<()> {
    let backend = small(LeastRecentlyUsed::new);
    assert!(backend.capabilities().has(Capability::Eviction));
    backend.batch_put([("a", "1"), ("b", "2"), ("c", "3")]).await?;
    backend.get("a").await?;
    backend.put("c", "4").await?;
    backend.put("d", "5").await?;
    assert_eq!(keys(&backend).await, ["a", "c", "d"]);
    backend.delete("a").await?;
    backend.put("e", "6").await?;
    assert_eq!(keys(&backend).await, ["c", "d", "e"], "a delete makes room");
    Ok(())
}

#[tokio::test]
async fn the_least_frequently_used_entry_is_evicted() -> Result<()> {
    let backend = small(LeastFrequentlyUsed::new);
    backend.batch_put([("a", "1"), ("b", "2"), ("c", "3")]).await?;
    for key in ["a", "a", "c", "b", "c"] {
        backend.get(key).await?;
    }
    backend.put("d", "4").await?;
    assert_eq!(keys(&backend).await, ["a", "c", "d"]);
    Ok(())
}

#[tokio::test]
async fn the_entry_that_would_expire_first_is_evicted() -> Result<()> {
    let backend = small(OldestExpiry::new);
    backend.put("forever", "1").await?;
    backend.put_with_ttl("late", "2", Duration::from_secs(900)).await?;
    backend.put_with_ttl("soon", "3", Duration::from_secs(600)).await?;
    backend.touch("soon", Duration::from_secs(1_200)).await?;
    backend.put("d", "4").await?;
    assert_eq!(keys(&backend).await, ["d", "forever", "soon"]);
    Ok(())
}

#[tokio::test]
async fn a_policy_of_the_users_own_decides_and_evictions_are_told() -> Result<()> {
    /// Evicts what sorts last.
    #[derive(Debug, Default)]
    struct Last(BTreeSet<Key>);
    impl EvictionPolicy for Last {
        fn written(&mut self, key: &Key, _: Option<state_core::Timestamp>) {
            self.0.insert(key.clone());
        }
        fn read(&mut self, _: &Key) {}
        fn removed(&mut self, key: &Key) {
            self.0.remove(key);
        }
        fn victim(&mut self) -> Option<Key> {
            self.0.last().cloned()
        }
    }
    let backend = small(Last::default);
    let watch = backend.as_watch().unwrap();
    let mut events = watch.watch(WatchOptions::default()).await?;
    backend.batch_put([("x", ""), ("y", ""), ("z", ""), ("a", "")]).await?;
    assert_eq!(keys(&backend).await, ["a", "x", "y"]);
    let mut evicted = Vec::new();
    while let Some(Some(event)) = events.next().now_or_never() {
        if let Change::Evicted { key } = event?.change {
            evicted.push(key);
        }
    }
    assert_eq!(evicted, [Key::from("z")]);
    Ok(())
}

#[tokio::test]
async fn expired_records_are_taken_away_in_the_background() -> Result<()> {
    let clock = ManualClock::new();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let backend = store.open(Namespace::default())?;
    for i in 0..2_500 {
        backend.put_with_ttl(format!("k{i}"), "v", Duration::from_secs(1)).await?;
    }
    backend.put("stays", "v").await?;
    assert_eq!(backend.memory_usage().await?.entries, 2_501);
    clock.advance(Duration::from_secs(2));
    assert_eq!(backend.count("").await?, 1, "invisible at once");
    let give_up = SystemClock::new().monotonic() + Duration::from_secs(20);
    while backend.memory_usage().await?.entries > 1 {
        assert!(SystemClock::new().monotonic() < give_up, "the sweeper does not sweep");
        clock.advance(Duration::from_secs(1));
        SystemClock::new().sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[tokio::test]
async fn one_thread_sweeps_all_namespaces_and_outlives_the_store() -> Result<()> {
    let clock = ManualClock::new();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let names = (0..1_000).map(|number| Namespace::new(format!("namespace-{number}")));
    let backends: Vec<_> = names.map(|name| store.open(name?)).collect::<Result<_>>()?;
    drop(store);
    for backend in &backends {
        backend.put_with_ttl("k", "v", Duration::from_secs(1)).await?;
    }
    clock.advance(Duration::from_secs(1));
    let give_up = SystemClock::new().monotonic() + Duration::from_secs(20);
    for backend in &backends {
        while backend.memory_usage().await?.entries > 0 {
            assert!(SystemClock::new().monotonic() < give_up, "the sweeper does not sweep");
            clock.advance(Duration::from_millis(500));
            tokio::task::yield_now().await;
        }
    }
    // Each thread that sweeps waits on the clock between its rounds.
    assert!(clock.sleepers() <= 1, "{} threads", clock.sleepers());
    drop(backends);
    while clock.sleepers() > 0 {
        assert!(SystemClock::new().monotonic() < give_up, "the sweeper does not end");
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_snapshot_shows_one_point_in_time_beside_writers() -> Result<()> {
    let backend = MemoryBackend::new();
    for i in 0..1_000 {
        backend.put(format!("k{i:04}"), "old").await?;
    }
    backend.put_field("h", "field", "old").await?;
    let mut snapshot = backend.snapshot().await?;
    let first = snapshot.next().await.unwrap()?;
    assert_eq!(first.key(), &Key::from("k0000"));
    for i in 0..1_000 {
        match i % 3 {
            0 => drop(backend.delete(format!("k{i:04}")).await?),
            1 => drop(backend.put(format!("k{i:04}"), "new").await?),
            _ => drop(backend.put(format!("k{i:04}x"), "new").await?),
        }
    }
    backend.put_field("h", "field", "new").await?;
    backend.put_field("h2", "field", "new").await?;
    let rest: Vec<_> = snapshot.try_collect().await?;
    assert_eq!(rest.len(), 1_000, "999 more entries and the hash");
    for record in rest {
        match record {
            SnapshotRecord::Entry { value, .. } => assert_eq!(value, "old"),
            SnapshotRecord::HashFields { fields, .. } => {
                assert_eq!(fields, [("field".into(), "old".into())]);
            }
            other => panic!("unexpected record {other:?}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_trimmed_log_answers_a_late_reader_with_a_gap() -> Result<()> {
    let store = MemoryStore::builder().change_log_events_max(4).build();
    let backend = store.open(Namespace::default())?;
    let watch = backend.as_watch().unwrap();
    let mut events = watch.watch(WatchOptions::default()).await?;
    backend.put("first", "").await?;
    let first = events.next().await.unwrap()?;
    for i in 0..10 {
        backend.put(format!("k{i}"), "").await?;
    }
    let from = |start| WatchOptions::default().with_start(start).with_follow(false);
    let late: Vec<_> =
        watch.watch(from(WatchStart::After(first.token))).await?.try_collect().await?;
    assert_eq!(late.len(), 5, "a gap and the four that are retained");
    assert_eq!(late[0].change, Change::Gap);
    let resumed: Vec<_> =
        watch.watch(from(WatchStart::After(late[0].token.clone()))).await?.try_collect().await?;
    assert_eq!(resumed, late[1..], "a gap can be resumed after");
    Ok(())
}

#[tokio::test]
async fn the_default_lifetime_is_for_writes_that_name_none() -> Result<()> {
    let store = MemoryStore::builder().default_ttl(Duration::from_secs(60)).build();
    let backend = Arc::new(store.open(Namespace::default())?);
    backend.put("k", "v").await?;
    assert!(
        matches!(backend.ttl("k").await?, Ttl::Remaining(left) if left > Duration::from_secs(50))
    );
    backend.touch("k", state_core::Expiry::Never).await?;
    assert_eq!(backend.ttl("k").await?, Ttl::Forever);
    Ok(())
}

#[tokio::test]
async fn a_default_lifetime_out_of_range_refuses_the_writes_that_take_it() -> Result<()> {
    for lifetime in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
        let store = MemoryStore::builder().default_ttl(lifetime).build();
        let backend = store.open(Namespace::default())?;
        let refused = backend.put("k", "v").await.map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::Invalid), "{lifetime:?}");
        backend.put_with_ttl("k", "v", Duration::from_secs(60)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn debug_shows_the_namespace_and_nothing_of_it() -> Result<()> {
    let backend = MemoryBackend::new();
    backend.put("key", "hunter2").await?;
    backend.put_field("hash", "field", "hunter2").await?;
    let shown = format!("{backend:?}");
    assert!(shown.contains("default") && !shown.contains("hunter2"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_removal_of_absent_fields_tells_nothing() -> Result<()> {
    let backend = MemoryStore::new().open(Namespace::default())?;
    backend.put_field("h", "f", "1").await?;
    assert!(!backend.delete_field("h", "g").await?);
    backend.put("last", "v").await?;
    let options = WatchOptions::default().with_start(WatchStart::Oldest).with_follow(false);
    let watch = backend.as_watch().unwrap();
    let events: Vec<_> = watch.watch(options).await?.try_collect().await?;
    let hashes = events.iter().filter(|event| matches!(event.change, Change::HashChanged { .. }));
    assert_eq!((hashes.count(), events.len()), (1, 2));
    Ok(())
}
