//! Removing many entries at once.

use state_core::{ClearOptions, Key, Scope, StateBackendExt};

use super::selected::AWKWARD;
use crate::Context;
use crate::expect::value_is;

pub(super) async fn all(cx: Context) {
    cx.a.batch_put(AWKWARD.iter().map(|name| (*name, "v"))).await.unwrap();
    cx.a.put(Key::in_partition("p", "k"), "v").await.unwrap();
    assert_eq!(cx.b.clear().await.unwrap(), AWKWARD.len() as u64 + 1, "entries cleared");
    for store in [&cx.a, &cx.b] {
        assert_eq!(store.count("").await.unwrap(), 0, "entries left");
        assert_eq!(store.list_keys("").await.unwrap(), []);
        assert_eq!(store.get("a").await.unwrap(), None);
        assert_eq!(store.get(Key::in_partition("p", "k")).await.unwrap(), None);
    }
}

pub(super) async fn prefix(cx: Context) {
    for prefix in ["*", "a[", "a?", "a\\", "a"] {
        cx.a.batch_put(AWKWARD.iter().map(|name| (*name, "v"))).await.unwrap();
        let expected = AWKWARD.iter().filter(|name| name.starts_with(prefix)).count();
        let cleared = cx.b.clear_opts(ClearOptions::new(prefix)).await.unwrap();
        assert_eq!(cleared, expected as u64, "entries cleared under `{prefix}`");
        let left = cx.a.list_keys("").await.unwrap();
        assert_eq!(left.len(), AWKWARD.len() - expected, "entries left after `{prefix}`");
        assert!(left.iter().all(|key| !key.name().starts_with(prefix.as_bytes())), "`{prefix}`");
    }
}

pub(super) async fn scope(cx: Context) {
    let keys = [
        Key::from("k"),
        Key::in_partition("p", "k"),
        Key::in_partition("p", "l"),
        Key::in_partition("pp", "k"),
    ];
    for (scope, goes) in [
        (Scope::Unpartitioned, &keys[..1]),
        (Scope::Partition("p".into()), &keys[1..3]),
        (Scope::Partition("absent".into()), &[]),
    ] {
        cx.a.batch_put(keys.iter().map(|key| (key, "v"))).await.unwrap();
        let options = ClearOptions::default().with_scope(scope.clone());
        let cleared = cx.b.clear_opts(options).await.unwrap();
        assert_eq!(cleared, goes.len() as u64, "entries cleared in {scope:?}");
        for key in &keys {
            let there = cx.a.contains(key).await.unwrap();
            assert_eq!(there, !goes.contains(key), "{key:?} after {scope:?}");
        }
    }
}

pub(super) async fn again(cx: Context) {
    assert_eq!(cx.a.clear().await.unwrap(), 0, "entries in a fresh namespace");
    cx.a.put("k", "1").await.unwrap();
    assert_eq!(cx.a.clear().await.unwrap(), 1);
    assert_eq!(cx.b.clear().await.unwrap(), 0, "entries in a cleared namespace");
    cx.b.put("k", "2").await.unwrap();
    value_is(&*cx.a, "k", Some("2")).await;
}

pub(super) async fn namespace(cx: Context) {
    let mut others = Vec::new();
    for suffix in ["b", ":", "*", "\0", "/k"] {
        let other = cx.open(suffix).await.unwrap();
        other.put("k", "theirs").await.unwrap();
        others.push(other);
    }
    cx.a.put("k", "ours").await.unwrap();
    assert_eq!(cx.a.clear().await.unwrap(), 1, "entries cleared");
    for other in others {
        value_is(&*other, "k", Some("theirs")).await;
    }
}
