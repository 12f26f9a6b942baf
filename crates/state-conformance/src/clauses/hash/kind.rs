//! Hashes as a kind of their own: what holds them and what does not.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use state_core::{
    Acks, Bytes, Capability, ClearOptions, ErrorKind, Expiry, HashWriteOptions, Key, Scope,
    SnapshotOptions, SnapshotRecord, StateBackendExt,
};

use super::{expires, hashes, holds, pairs, set, state};
use crate::Context;
use crate::contents::contents;
use crate::expect::{refused, value_is};

pub(super) async fn undeclared(cx: Context) {
    assert!(cx.a.as_hash().is_none(), "the role is handed out");
    cx.a.put("h", "v").await.unwrap();
    let before = contents(&*cx.b).await;
    let answers = [
        ("put_field", cx.a.put_field("h", "f", "1").await.map(drop)),
        ("get_field", cx.a.get_field("h", "f").await.map(drop)),
        ("fields", cx.a.fields("h").await.map(drop)),
        ("delete_field", cx.a.delete_field("h", "f").await.map(drop)),
        ("increment_field", cx.a.increment_field("h", "f", 1).await.map(drop)),
    ];
    for (what, answer) in answers {
        refused(answer, ErrorKind::Unsupported, what);
    }
    assert_eq!(contents(&*cx.b).await, before, "what was refused has had an effect");
}

pub(super) async fn apart(cx: Context) {
    set(&*cx.a, "k", &[("f", "1")]).await;
    value_is(&*cx.b, "k", None).await;
    assert!(!cx.a.delete("k").await.unwrap(), "a delete has met a hash");
    assert!(
        cx.a.set_if_not_exists("k", "7", Expiry::Never).await.unwrap(),
        "a hash was taken for an entry"
    );
    assert_eq!(cx.b.increment("k", 1).await.unwrap(), 8);
    holds(&*cx.b, "k", &[("f", "1")]).await;
    set(&*cx.b, "k", &[("g", "2")]).await;
    cx.b.increment_field("k", "f", 1).await.unwrap();
    value_is(&*cx.a, "k", Some("8")).await;
    let removed = hashes(&*cx.a).hash_remove(&Key::from("k"), HashWriteOptions::new()).await;
    assert!(removed.unwrap(), "the hash was there");
    value_is(&*cx.b, "k", Some("8")).await;
    set(&*cx.a, "k", &[("f", "1")]).await;
    assert!(cx.b.delete("k").await.unwrap(), "the entry was there");
    holds(&*cx.a, "k", &[("f", "1")]).await;
}

pub(super) async fn unlisted(cx: Context) {
    set(&*cx.a, "h", &[("f", "1")]).await;
    set(&*cx.a, "both", &[("f", "1")]).await;
    cx.a.put("both", "v").await.unwrap();
    assert_eq!(cx.b.list_keys("").await.unwrap(), [Key::from("both")], "what is listed");
    assert_eq!(cx.b.count("").await.unwrap(), 1, "what is counted");
    assert!(!cx.b.contains("h").await.unwrap(), "a hash is contained");
    assert_eq!(cx.b.batch_get(["h"]).await.unwrap(), [None]);
}

pub(super) async fn clear(cx: Context) {
    let keys = [
        Key::from("a1"),
        Key::from("a2"),
        Key::from("b"),
        Key::in_partition("p", "a1"),
        Key::in_partition("p", "b"),
    ];
    for key in &keys {
        set(&*cx.a, key, &[("f", "1"), ("g", "2")]).await;
    }
    cx.a.put("a1", "v").await.unwrap();
    let left = async || {
        let mut left = Vec::new();
        for key in &keys {
            left.push(state(&*cx.b, key).await.is_some());
        }
        left
    };
    let clear = async |options| cx.a.clear_opts(options).await.unwrap();
    let partition = ClearOptions::new("a").with_scope(Scope::Partition("p".into()));
    assert_eq!(clear(partition).await, 1, "hashes called a… in the partition");
    assert_eq!(left().await, [true, true, true, false, true]);
    assert_eq!(clear(ClearOptions::new("a")).await, 3, "hashes and entries called a…");
    assert_eq!(left().await, [false, false, true, false, true]);
    assert_eq!(cx.a.clear().await.unwrap(), 2, "hashes that were left");
    assert_eq!(left().await, [false; 5]);
    assert_eq!(set(&*cx.a, "b", &[("f", "1")]).await, 1, "the field is new again");
}

pub(super) async fn snapshot(cx: Context) {
    let lifetime = cx.has(Capability::Expiry).then(|| cx.lifetime() * 10);
    set(&*cx.a, "h", &[("f", "1"), ("g", "")]).await;
    cx.a.put("h", "entry").await.unwrap();
    let mut options = HashWriteOptions::new();
    if let Some(lifetime) = lifetime {
        options = options.with_expiry(lifetime);
    }
    let large = Key::in_partition("p", "large");
    let fields: Vec<(Bytes, Bytes)> =
        (0..2_500).map(|n| (n.to_string().into(), "v".into())).collect();
    hashes(&*cx.a).hash_set(&large, fields, options).await.unwrap();
    let records = cx.b.snapshot_opts(SnapshotOptions::default()).await.unwrap();
    let records: Vec<_> = records.try_collect().await.unwrap();
    let mut found: BTreeMap<Key, (usize, BTreeMap<Bytes, Bytes>)> = BTreeMap::new();
    for record in records {
        if let SnapshotRecord::HashFields { key, fields, deadline } = record {
            let expected = expires(&*cx.b, &key).await.deadline();
            assert_eq!(deadline, expected, "the end of the lifetime of `{key}`");
            assert!(!fields.is_empty(), "a record of `{key}` without fields");
            let hash = found.entry(key).or_default();
            hash.0 += fields.len();
            hash.1.extend(fields);
        }
    }
    let sizes: Vec<_> =
        found.iter().map(|(key, (told, fields))| (key.clone(), *told, fields.len())).collect();
    assert_eq!(sizes, [(Key::from("h"), 2, 2), (large, 2_500, 2_500)]);
    let small = found.remove(&Key::from("h")).map(|(_, fields)| fields);
    assert_eq!(small, Some(pairs(&[("f", "1"), ("g", "")]).into_iter().collect()));
}

pub(super) async fn places(cx: Context) {
    let longer = cx.open("-longer").await.unwrap();
    let keys = [
        Key::from("k"),
        Key::in_partition("p", "k"),
        Key::in_partition("k", "p"),
        Key::from("pk"),
        Key::from("k*"),
    ];
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(set(&*cx.a, key, &[("f", &number.to_string())]).await, 1, "{key:?}");
        assert_eq!(set(&*longer, key, &[("f", "elsewhere")]).await, 1, "{key:?} elsewhere");
    }
    for (number, key) in keys.iter().enumerate() {
        holds(&*cx.b, key, &[("f", &number.to_string())]).await;
        assert!(cx.a.delete_field(key, "f").await.unwrap());
        holds(&*longer, key, &[("f", "elsewhere")]).await;
    }
}

pub(super) async fn restart(cx: Context) {
    let placed = Key::in_partition("p", "h");
    set(&*cx.a, "h", &[("f", "1"), ("gone", "1"), ("empty", "")]).await;
    set(&*cx.a, &placed, &[("f", "2")]).await;
    set(&*cx.a, "removed", &[("f", "1")]).await;
    cx.b.increment_field("h", "n", 4).await.unwrap();
    cx.b.delete_field("h", "gone").await.unwrap();
    let removed = hashes(&*cx.b).hash_remove(&Key::from("removed"), HashWriteOptions::new()).await;
    assert!(removed.unwrap(), "the hash was there");
    let mut cx = cx;
    for _ in 0..2 {
        cx = cx.restart().await.unwrap();
        holds(&*cx.a, "h", &[("f", "1"), ("n", "4"), ("empty", "")]).await;
        holds(&*cx.b, &placed, &[("f", "2")]).await;
        holds(&*cx.b, "removed", &[]).await;
    }
}

pub(super) async fn replicas_undeclared(cx: Context) {
    set(&*cx.a, "h", &[("f", "1")]).await;
    let before = contents(&*cx.b).await;
    let (store, key) = (hashes(&*cx.a), Key::from("h"));
    let asking = || HashWriteOptions::new().with_acks(Acks::Replicas(1));
    let answers = [
        store.hash_set(&key, pairs(&[("f", "2")]), asking()).await.map(drop),
        store.hash_delete(&key, &["f".into()], asking()).await.map(drop),
        store.hash_increment(&key, &"f".into(), 1, asking()).await.map(drop),
        store.hash_remove(&key, asking()).await.map(drop),
    ];
    for answer in answers {
        refused(answer, ErrorKind::Unsupported, "waiting for a replica");
    }
    assert_eq!(contents(&*cx.b).await, before, "what was refused has had an effect");
}
