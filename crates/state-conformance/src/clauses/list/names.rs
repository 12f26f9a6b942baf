//! Namespaces, partitions and names are told apart, whatever bytes they hold.

use state_core::{Key, ListOptions, StateBackendExt};

use crate::Context;
use crate::expect::value_is;

/// Parts that collide when they are joined with a separator, with a length, or with an escape.
const PARTS: &[&[u8]] = &[
    b"a", b"b", b"ab", b"a:b", b":", b"::", b"a:", b":a", b"\0", b"a\0", b"\0a", b"\0\0", b"{a}",
    b"}", b"{", b"\\", b"\\:", b"%3A", b"1", b"1:a", b"\x01", b"\x01a", b"\xff", b"a\xff",
];

/// Suffixes of namespaces that collide with the parts.
const SUFFIXES: &[&[u8]] = &[b"", b"a", b"a:", b":", b"\0", b"{a}", b"\xff"];

fn keys() -> Vec<Key> {
    let plain = PARTS.iter().map(|name| Key::from(*name));
    let placed = PARTS.iter().flat_map(|partition| {
        let names = PARTS.iter().take(12);
        names.map(|name| Key::in_partition(partition.to_vec(), name.to_vec()))
    });
    plain.chain(placed).collect()
}

pub(super) async fn namespace_prefix(cx: Context) {
    for suffix in ["b", ":", ":k", "*", "\0"] {
        let other = cx.open(suffix).await.unwrap();
        for key in ["k", "b:k", "k2"] {
            other.put(key, "theirs").await.unwrap();
        }
    }
    value_is(&*cx.a, "k", None).await;
    assert_eq!(cx.a.list_keys("").await.unwrap(), [], "entries of another namespace");
    assert_eq!(cx.a.count("").await.unwrap(), 0, "entries of another namespace");
    assert!(!cx.a.delete("k").await.unwrap(), "the entry of another namespace was deleted");
    cx.a.put("k", "ours").await.unwrap();
    let other = cx.open("b").await.unwrap();
    value_is(&*other, "k", Some("theirs")).await;
    assert_eq!(other.count("").await.unwrap(), 3, "entries of the other namespace");
}

pub(super) async fn injective(cx: Context) {
    let keys = keys();
    let mut stores = Vec::new();
    for (number, suffix) in SUFFIXES.iter().enumerate() {
        let store = cx.open(suffix).await.unwrap();
        let values = keys.iter().enumerate().map(|(key, _)| format!("{number} {key}"));
        store.batch_put(keys.iter().zip(values)).await.unwrap();
        stores.push(store);
    }
    for ((number, store), suffix) in stores.iter().enumerate().zip(SUFFIXES) {
        let values = store.batch_get(&keys).await.unwrap();
        for (at, (key, value)) in keys.iter().zip(values).enumerate() {
            let expected = format!("{number} {at}");
            let suffix = suffix.escape_ascii();
            assert_eq!(
                value.as_deref(),
                Some(expected.as_bytes()),
                "{key:?} in the namespace with the suffix `{suffix}` was overwritten"
            );
        }
        assert_eq!(store.count("").await.unwrap(), keys.len() as u64, "entries");
    }
}

pub(super) async fn exact(cx: Context) {
    let mut keys = keys();
    cx.a.batch_put(keys.iter().map(|key| (key, "v"))).await.unwrap();
    let mut listed = Vec::new();
    let mut token = None;
    loop {
        let page = cx.b.list_page(ListOptions::default().with_token(token)).await.unwrap();
        listed.extend(page.items.into_iter().map(|meta| meta.key));
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    listed.sort();
    listed.dedup();
    keys.sort();
    assert_eq!(listed, keys);
}
