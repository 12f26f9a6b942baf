//! What a prefix and a scope select, and what is listed with its value.

use std::time::Duration;

use futures_util::TryStreamExt;
use state_core::{Entry, Expires, Key, ListOptions, Scope, StateBackendExt};

use crate::Context;
use crate::expect::present;

/// Names that mean something to some servers and shells, and names that those would match.
pub(super) const AWKWARD: &[&str] = &[
    "*", "**", "a*", "a?", "a[b]", "a[^b]", "a[a-z]", "a{b}", "a{b,c}", "{a}b", "a\\", "a\\*",
    "a%", "a|b", "a:b", "a:", ":a", "a/b", "a//b", "../a", "a b", " a", "a\0b", "a\r\nb", "a\"b",
    "a'b", "$a", "#a", "a;b", "ab", "a", "abc", "b", "aa", "A", "\u{e9}",
];

/// The listed keys under `prefix`, sorted.
async fn listed(cx: &Context, prefix: impl Into<state_core::Bytes> + Send) -> Vec<Key> {
    let mut keys = cx.b.list_keys(prefix).await.unwrap();
    keys.sort();
    keys
}

pub(super) async fn prefix_literal(cx: Context) {
    cx.a.batch_put(AWKWARD.iter().map(|name| (*name, "v"))).await.unwrap();
    for prefix in AWKWARD {
        let matching = AWKWARD.iter().filter(|name| name.starts_with(prefix));
        let mut expected: Vec<Key> = matching.map(|name| Key::from(*name)).collect();
        expected.sort();
        assert_eq!(listed(&cx, *prefix).await, expected, "the prefix `{}`", prefix.escape_debug());
    }
}

pub(super) async fn prefix_bytes(cx: Context) {
    let names: [&[u8]; 10] = [
        b"\xff",
        b"\xff\xff",
        b"\xff\xff\xff",
        b"\xfe",
        b"\xfe\xff",
        b"\xff\0",
        b"\0",
        b"\0\xff",
        b"\xc3",
        b"\xc3\xa9",
    ];
    cx.a.batch_put(names.iter().map(|name| (*name, "v"))).await.unwrap();
    for prefix in names {
        let matching = names.iter().filter(|name| name.starts_with(prefix));
        let mut expected: Vec<Key> = matching.map(|name| Key::from(*name)).collect();
        expected.sort();
        let got = listed(&cx, prefix.to_vec()).await;
        assert_eq!(got, expected, "the prefix {}", prefix.escape_ascii());
    }
}

pub(super) async fn prefix_name(cx: Context) {
    let keys = [
        Key::from("name"),
        Key::in_partition("name", "other"),
        Key::in_partition("other", "name"),
        Key::in_partition("na", "me"),
    ];
    cx.a.batch_put(keys.iter().map(|key| (key, "v"))).await.unwrap();
    assert_eq!(listed(&cx, "na").await, [Key::from("name"), Key::in_partition("other", "name")]);
    assert_eq!(cx.b.count("na").await.unwrap(), 2, "entries counted under the prefix");
}

pub(super) async fn scope(cx: Context) {
    let keys = [
        Key::from("k"),
        Key::from("p"),
        Key::in_partition("p", "k"),
        Key::in_partition("p", "l"),
        Key::in_partition("pp", "k"),
        Key::in_partition("q", "k"),
    ];
    cx.a.batch_put(keys.iter().map(|key| (key, "v"))).await.unwrap();
    for (scope, prefix, expected) in [
        (Scope::All, "", &keys[..]),
        (Scope::Unpartitioned, "", &keys[..2]),
        (Scope::Unpartitioned, "k", &keys[..1]),
        (Scope::Partition("p".into()), "", &keys[2..4]),
        (Scope::Partition("p".into()), "l", &keys[3..4]),
        (Scope::Partition("pp".into()), "", &keys[4..5]),
        (Scope::Partition("absent".into()), "", &[]),
    ] {
        let options = ListOptions::new(prefix).with_scope(scope.clone());
        let page = cx.b.list_page(options).await.unwrap();
        let mut got: Vec<Key> = page.items.into_iter().map(|meta| meta.key).collect();
        got.sort();
        got.dedup();
        assert_eq!(got, expected, "{scope:?} under `{prefix}`");
    }
}

pub(super) async fn deleted(cx: Context) {
    cx.a.batch_put([("a", "1"), ("b", "2"), ("c", "3")]).await.unwrap();
    cx.b.delete("b").await.unwrap();
    assert_eq!(listed(&cx, "").await, ["a", "c"].map(Key::from));
    cx.a.put("b", "4").await.unwrap();
    assert_eq!(listed(&cx, "").await, ["a", "b", "c"].map(Key::from));
}

async fn streamed(cx: &Context, prefix: &'static str) -> Vec<(Key, Entry)> {
    let mut entries: Vec<_> = cx.b.entries(prefix).try_collect().await.unwrap();
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    entries
}

pub(super) async fn entries(cx: Context) {
    let keys = [Key::from("a1"), Key::from("a2"), Key::in_partition("p", "a1"), Key::from("b")];
    for key in &keys {
        cx.a.put(key, format!("value of {key}")).await.unwrap();
    }
    let streamed = streamed(&cx, "a").await;
    let got: Vec<&Key> = streamed.iter().map(|(key, _)| key).collect();
    assert_eq!(got, [&keys[0], &keys[1], &keys[2]]);
    for (key, entry) in &streamed {
        let single = present(&*cx.a, key).await;
        assert_eq!((&entry.value, entry.version), (&single.value, single.version), "{key:?}");
    }
}

pub(super) async fn entries_expires(cx: Context) {
    cx.a.put_with_ttl("ends", "v", Duration::from_secs(100)).await.unwrap();
    cx.a.put_opts(
        &Key::from("never"),
        "v".into(),
        state_core::PutOptions::new().with_expiry(state_core::Expiry::Never),
    )
    .await
    .unwrap();
    let streamed = streamed(&cx, "").await;
    let [(_, ends), (_, never)] = &streamed[..] else { panic!("got {streamed:?}") };
    assert!(matches!(ends.expires, Expires::At { .. }), "got {:?}", ends.expires);
    assert_eq!(never.expires, Expires::Never);
}
