//! Reading snapshots while others write.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use state_core::{
    Bytes, Expiry, Key, PutOptions, Scope, SnapshotOptions, SnapshotRecord, StateBackend,
    StateBackendExt, Timestamp,
};

use crate::Context;

/// What a snapshot holds of an entry.
type Held = (Bytes, Option<Timestamp>);

/// The entries of a snapshot; none may be there twice.
async fn snapshot(store: &dyn StateBackend, options: SnapshotOptions) -> BTreeMap<Key, Held> {
    let records = store.snapshot_opts(options).await.unwrap();
    held(records.try_collect().await.unwrap())
}

fn held(records: Vec<SnapshotRecord>) -> BTreeMap<Key, Held> {
    let mut entries = BTreeMap::new();
    for record in records {
        match record {
            SnapshotRecord::Entry { key, value, deadline } => {
                let twice = entries.insert(key.clone(), (value, deadline));
                assert_eq!(twice, None, "{key:?} is in the snapshot twice");
            }
            other => panic!("expected entries, got {other:?}"),
        }
    }
    entries
}

/// Keys with and without a partition, and their values.
pub(super) fn contents() -> BTreeMap<Key, Bytes> {
    let plain = (0..20).map(|number| Key::from(format!("k{number}")));
    let placed =
        (0..5).map(|number| Key::in_partition(format!("p{}", number % 2), format!("k{number}")));
    let strange = [Key::from(b"\0\xff\r\n"), Key::in_partition(b"\xff\0".to_vec(), "k")];
    let keys = plain.chain(placed).chain(strange);
    let mut contents: BTreeMap<Key, Bytes> =
        keys.map(|key| (key.clone(), format!("value of {key}").into())).collect();
    contents.insert(Key::from("empty"), Bytes::new());
    contents
}

pub(super) async fn write(store: &dyn StateBackend, contents: &BTreeMap<Key, Bytes>) {
    store.batch_put(contents.iter().map(|(key, value)| (key, value.clone()))).await.unwrap();
}

fn values(entries: BTreeMap<Key, Held>) -> BTreeMap<Key, Bytes> {
    entries.into_iter().map(|(key, (value, _))| (key, value)).collect()
}

pub(super) async fn entries(cx: Context) {
    let contents = contents();
    write(&*cx.a, &contents).await;
    assert_eq!(values(snapshot(&*cx.b, SnapshotOptions::default()).await), contents);
    let many: BTreeMap<Key, Bytes> = (0..1_500)
        .map(|number| (Key::from(format!("n{number}")), number.to_string().into()))
        .collect();
    write(&*cx.a, &many).await;
    let got = values(snapshot(&*cx.b, SnapshotOptions::new("n")).await);
    assert!(got == many, "{} entries were written, the snapshot holds {}", many.len(), got.len());
}

pub(super) async fn empty(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    cx.a.delete("k").await.unwrap();
    assert!(snapshot(&*cx.a, SnapshotOptions::default()).await.is_empty(), "a deleted entry");
}

pub(super) async fn namespace(cx: Context) {
    for suffix in ["b", ":", "\0"] {
        cx.open(suffix).await.unwrap().put("k", "theirs").await.unwrap();
    }
    cx.a.put("ours", "v").await.unwrap();
    let got = snapshot(&*cx.a, SnapshotOptions::default()).await;
    assert_eq!(got.keys().collect::<Vec<_>>(), [&Key::from("ours")]);
}

pub(super) async fn selected(cx: Context) {
    let contents = contents();
    write(&*cx.a, &contents).await;
    for prefix in ["", "k", "k1", "*", "e"] {
        for scope in [Scope::All, Scope::Unpartitioned, Scope::Partition("p1".into())] {
            let mut expected = contents.clone();
            expected.retain(|key, _| {
                key.name().starts_with(prefix.as_bytes()) && scope.covers(key.partition())
            });
            let options = SnapshotOptions::new(prefix).with_scope(scope.clone());
            let got = values(snapshot(&*cx.b, options).await);
            assert_eq!(got, expected, "{scope:?} under `{prefix}`");
        }
    }
}

pub(super) async fn deadlines(cx: Context) {
    let deadline = cx.now().checked_add(Duration::from_secs(1_000)).unwrap();
    for (key, expiry) in [("ends", Expiry::At(deadline)), ("never", Expiry::Never)] {
        let options = PutOptions::new().with_expiry(expiry);
        cx.a.put_opts(&Key::from(key), "v".into(), options).await.unwrap();
    }
    cx.advance(Duration::from_millis(10)).await;
    let got = snapshot(&*cx.b, SnapshotOptions::default()).await;
    let deadlines: Vec<_> = got.values().map(|(_, deadline)| *deadline).collect();
    assert_eq!(deadlines, [Some(deadline), None], "of `ends` and of `never`");
}

pub(super) async fn expired(cx: Context) {
    cx.a.put_with_ttl("k", "v", cx.lifetime()).await.unwrap();
    cx.a.put("stays", "v").await.unwrap();
    cx.outlive().await;
    let got = snapshot(&*cx.b, SnapshotOptions::default()).await;
    assert_eq!(got.keys().collect::<Vec<_>>(), [&Key::from("stays")]);
}

/// Enough entries that no store answers them in its first page.
const MANY: usize = 3_000;

fn many() -> BTreeMap<Key, Bytes> {
    (0..MANY).map(|number| (Key::from(format!("k{number:05}")), "before".into())).collect()
}

pub(super) async fn changing(cx: Context) {
    let stays = many();
    write(&*cx.a, &stays).await;
    let mut records = cx.a.snapshot().await.unwrap();
    let mut got = vec![records.next().await.unwrap().unwrap()];
    for number in 0..50 {
        cx.b.put(format!("a{number}"), "new").await.unwrap();
        cx.b.put(format!("k{number:05}-new"), "new").await.unwrap();
        cx.b.delete(format!("a{number}")).await.unwrap();
    }
    got.extend(records.try_collect::<Vec<_>>().await.unwrap());
    let got = values(held(got));
    let kept = stays.iter().filter(|(key, value)| got.get(key) == Some(value)).count();
    assert_eq!(kept, stays.len(), "entries that nobody changed");
}

pub(super) async fn point_in_time(cx: Context) {
    let before = many();
    write(&*cx.a, &before).await;
    let mut records = cx.a.snapshot().await.unwrap();
    cx.b.put("a-new", "after").await.unwrap();
    let mut got = vec![records.next().await.unwrap().unwrap()];
    for number in (0..MANY).step_by(7) {
        cx.b.put(format!("k{number:05}"), "after").await.unwrap();
    }
    for number in (1..MANY).step_by(7) {
        cx.b.delete(format!("k{number:05}")).await.unwrap();
    }
    cx.b.put("z-new", "after").await.unwrap();
    for _ in 0..10 {
        got.push(records.next().await.unwrap().unwrap());
    }
    cx.b.clear().await.unwrap();
    got.extend(records.try_collect::<Vec<_>>().await.unwrap());
    let got = values(held(got));
    let differ = before.iter().filter(|(key, value)| got.get(key) != Some(value)).count();
    assert_eq!((differ, got.len()), (0, MANY), "entries that differ from the beginning, entries");
}

pub(super) async fn outlives(cx: Context) {
    let contents = many();
    let store = cx.open("").await.unwrap();
    write(&*store, &contents).await;
    let instance = cx.open_unkept().await.unwrap();
    let records = instance.snapshot().await.unwrap();
    drop(instance);
    let got = held(records.try_collect().await.unwrap());
    assert_eq!(got.len(), contents.len(), "entries");
}

pub(super) async fn dropped(cx: Context) {
    write(&*cx.a, &many()).await;
    let mut records = cx.a.snapshot().await.unwrap();
    records.next().await.unwrap().unwrap();
    drop(records);
    assert_eq!(cx.b.count("").await.unwrap(), MANY as u64, "entries");
    cx.b.put("k", "v").await.unwrap();
    assert_eq!(cx.a.clear().await.unwrap(), MANY as u64 + 1, "entries cleared");
}
