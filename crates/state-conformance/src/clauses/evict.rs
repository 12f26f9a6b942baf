//! The clauses of the family `evict`: entries that go when there is no room for all.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use state_core::{
    BoxStream, Capability, Change, ErrorKind, Expiry, Key, Result, SnapshotRecord, StateBackend,
    StateBackendExt, Ttl, Version,
};

use super::watch::{follow, next};
use crate::Context;
use crate::expect::refused;

clauses! { "evict": "entries that go when there is no room for all";
    /// An entry that was evicted is absent in every read, listing, count and snapshot, on every instance, and all others are there as they were written.
    MUST "evict.absent" needs [Eviction] filling room => absent;
    /// The version of an entry that was evicted never comes back: a write that names it is refused with `Conflict`, and the key written anew has another one.
    MUST "evict.version" needs [Eviction] filling room => version;
    /// A watch tells each entry that is evicted, as evicted or as deleted.
    MUST "evict.watch" needs [Eviction, Watch] filling room => watch;
}

/// How many entries are written beyond those that there is room for.
const BEYOND: usize = 40;

/// Writes so many entries, and returns their versions.
async fn write(cx: &Context, prefix: &str, count: usize, versions: &mut BTreeMap<Key, Version>) {
    let keys: Vec<Key> = (0..count).map(|at| Key::from(format!("{prefix}{at:06}"))).collect();
    for keys in keys.chunks(cx.capabilities().limits.batch_ops_max.clamp(1, 1_000)) {
        let items = keys.iter().map(|key| (key, key.to_string()));
        let receipts = cx.a.batch_put(items).await.unwrap();
        let written = receipts.into_iter().map(|written| written.version);
        versions.extend(keys.iter().cloned().zip(written));
    }
}

/// Which of the entries that were written are gone.
async fn evicted(store: &dyn StateBackend, versions: &BTreeMap<Key, Version>) -> Vec<Key> {
    let there: BTreeSet<Key> = store.list_keys("").await.unwrap().into_iter().collect();
    let gone: Vec<Key> = versions.keys().filter(|key| !there.contains(*key)).cloned().collect();
    assert_eq!(there.len() + gone.len(), versions.len(), "keys that are there, and that are gone");
    gone
}

/// Writes more entries than there is room for, and returns their versions and those that are gone.
async fn overflow(cx: &Context) -> (BTreeMap<Key, Version>, Vec<Key>) {
    let mut versions = BTreeMap::new();
    write(cx, "n", cx.room(), &mut versions).await;
    assert_eq!(evicted(&*cx.b, &versions).await, [], "gone while there was room");
    write(cx, "o", BEYOND, &mut versions).await;
    let gone = evicted(&*cx.b, &versions).await;
    assert!(gone.len() >= BEYOND, "{} entries are gone, of {BEYOND} too many", gone.len());
    (versions, gone)
}

async fn absent(cx: Context) {
    let (versions, gone) = overflow(&cx).await;
    let left = versions.len() - gone.len();
    for store in [&cx.a, &cx.b] {
        assert_eq!(store.count("").await.unwrap(), left as u64, "entries");
        assert_eq!(store.batch_get(&gone).await.unwrap(), vec![None; gone.len()], "a batch");
        for key in gone.iter().take(20) {
            assert_eq!(store.get(key).await.unwrap(), None, "the value of `{key}`");
            assert!(!store.contains(key).await.unwrap(), "`{key}` is there");
            if cx.has(Capability::Expiry) {
                assert_eq!(store.ttl(key).await.unwrap(), Ttl::Absent, "the lifetime of `{key}`");
            }
        }
        let records = store.snapshot().await.unwrap();
        let keys = keys_of(records).await.unwrap();
        assert_eq!(keys.len(), left, "records of a snapshot");
        assert!(gone.iter().all(|key| !keys.contains(key)), "a snapshot holds what is gone");
    }
    for (key, version) in versions.iter().filter(|(key, _)| !gone.contains(key)).take(200) {
        let entry = cx.b.get_entry(key).await.unwrap().unwrap();
        let expected = (key.to_string().into(), *version);
        assert_eq!((entry.value, entry.version), expected, "the entry `{key}`");
    }
    for key in gone.iter().take(20) {
        if cx.has(Capability::Expiry) {
            assert!(!cx.a.touch(key, Expiry::Never).await.unwrap(), "`{key}` was touched");
        }
        assert!(!cx.a.delete(key).await.unwrap(), "`{key}` was there to be deleted");
    }
}

async fn keys_of(mut records: BoxStream<'static, Result<SnapshotRecord>>) -> Result<BTreeSet<Key>> {
    let mut keys = BTreeSet::new();
    while let Some(record) = records.try_next().await? {
        keys.insert(record.key().clone());
    }
    Ok(keys)
}

async fn version(cx: Context) {
    let (mut versions, gone) = overflow(&cx).await;
    for key in gone.iter().take(20) {
        let Some(before) = versions.get(key).copied() else { panic!("`{key}` was not written") };
        let answer = cx.b.compare_and_set(key, before, "v").await;
        refused(answer, ErrorKind::Conflict, "a write on the version of what is gone");
        assert_eq!(cx.a.get(key).await.unwrap(), None, "the value of `{key}`");
        assert!(cx.b.set_if_not_exists(key, "v", Expiry::Default).await.unwrap(), "`{key}`");
        let entry = cx.a.get_entry(key).await.unwrap();
        let now = entry.map(|entry| entry.version);
        let Some(now) = now else { panic!("`{key}` is not there right after it was written") };
        assert!(versions.values().all(|known| *known != now), "{now} was there before");
        versions.insert(key.clone(), now);
        let answer = cx.b.compare_and_set(key, before, "v").await;
        refused(answer, ErrorKind::Conflict, "a write on the version from before");
    }
}

async fn watch(cx: Context) {
    let mut versions = BTreeMap::new();
    write(&cx, "n", cx.room(), &mut versions).await;
    let mut events = follow(&*cx.b).await;
    write(&cx, "o", BEYOND, &mut versions).await;
    let mut gone: BTreeSet<Key> = evicted(&*cx.b, &versions).await.into_iter().collect();
    assert!(!gone.is_empty(), "nothing is gone");
    while !gone.is_empty() {
        match next(&mut events, "an entry that is evicted").await.change {
            Change::Evicted { key } | Change::Deleted { key } => {
                assert!(gone.remove(&key), "`{key}` is told as gone, and is there or was told");
            }
            Change::Put { .. } => {}
            other => panic!("{other:?} was told"),
        }
    }
}
