//! Pages, their limits, their order and their tokens.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use state_core::{
    Consistency, ErrorKind, Key, ListOptions, PageToken, StateBackend, StateBackendExt,
};

use crate::Context;
use crate::expect::{present, refused};

/// Keys with and without partitions, not in order.
fn some_keys() -> Vec<Key> {
    let plain = (0..13).map(|number| Key::from(format!("k{}", number * 7 % 13)));
    let placed =
        (0..5).map(|number| Key::in_partition(format!("p{}", number % 2), format!("{number}")));
    plain.chain(placed).chain([Key::from("\u{e9}"), Key::from(b"\xff"), Key::from(b"\0")]).collect()
}

async fn write(cx: &Context, keys: &[Key]) {
    cx.a.batch_put(keys.iter().map(|key| (key, "v"))).await.unwrap();
}

/// All keys in the order of their pages, repeats included, with pages of `limit`.
async fn paged(store: &dyn StateBackend, limit: usize) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut token = None;
    for _ in 0..10_000 {
        let options = ListOptions::default().with_limit(limit).with_token(token);
        let page = store.list_page(options).await.unwrap();
        assert!(page.items.len() <= limit, "{} items, at most {limit}", page.items.len());
        keys.extend(page.items.into_iter().map(|meta| meta.key));
        token = page.next;
        if token.is_none() {
            return keys;
        }
    }
    panic!("pages of {limit} do not end");
}

fn set(keys: impl IntoIterator<Item = Key>) -> BTreeSet<Key> {
    keys.into_iter().collect()
}

pub(super) async fn empty(cx: Context) {
    let page = cx.a.list_page(ListOptions::default()).await.unwrap();
    assert_eq!((page.items, page.next), (Vec::new(), None));
}

pub(super) async fn complete(cx: Context) {
    let keys = some_keys();
    write(&cx, &keys).await;
    for limit in [1, 2, 3, 7, keys.len() - 1, keys.len(), keys.len() + 1, 1_000] {
        assert_eq!(set(paged(&*cx.b, limit).await), set(keys.clone()), "pages of {limit}");
    }
}

pub(super) async fn limit(cx: Context) {
    write(&cx, &some_keys()).await;
    for limit in [1, 2, 5] {
        let page = cx.b.list_page(ListOptions::default().with_limit(limit)).await.unwrap();
        assert!(page.items.len() <= limit, "{} items, at most {limit}", page.items.len());
        assert!(page.next.is_some(), "the listing ends after {limit} items");
    }
}

pub(super) async fn zero(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    let answer = cx.a.list_page(ListOptions::default().with_limit(0_usize)).await;
    refused(answer, ErrorKind::Invalid, "a page of 0 items");
}

pub(super) async fn most(cx: Context) {
    let keys = some_keys();
    write(&cx, &keys).await;
    let most = cx.capabilities().limits.page_items_max;
    for limit in [most, most + 1, usize::MAX] {
        let page = cx.b.list_page(ListOptions::default().with_limit(limit)).await.unwrap();
        assert!(page.items.len() <= most, "more items than the backend says");
        assert_eq!(set(paged(&*cx.b, limit).await), set(keys.clone()), "pages of {limit}");
    }
}

pub(super) async fn token_forged(cx: Context) {
    write(&cx, &some_keys()).await;
    let forged: [&[u8]; 7] =
        [b"", b"\0", b"0", b"k1", b"not a token", &[0xff; 1_024], &cx.random_bytes()];
    for token in forged {
        let forged = PageToken::from_bytes(token.to_vec());
        let answer = cx.a.list_page(ListOptions::default().with_token(forged)).await;
        refused(answer, ErrorKind::Invalid, &format!("the token {}", token.escape_ascii()));
    }
}

pub(super) async fn token_deleted(cx: Context) {
    let keys = some_keys();
    write(&cx, &keys).await;
    let page = cx.a.list_page(ListOptions::default().with_limit(4_usize)).await.unwrap();
    for meta in &page.items {
        cx.b.delete(&meta.key).await.unwrap();
    }
    let mut rest = set(page.items.into_iter().map(|meta| meta.key));
    let mut token = page.next;
    while token.is_some() {
        let options = ListOptions::default().with_limit(4_usize).with_token(token);
        let page = cx.a.list_page(options).await.unwrap();
        rest.extend(page.items.into_iter().map(|meta| meta.key));
        token = page.next;
    }
    assert_eq!(rest, set(keys), "entries of the first page and those after it");
}

pub(super) async fn ordered(cx: Context) {
    let keys = some_keys();
    write(&cx, &keys).await;
    let expected: Vec<Key> = set(keys).into_iter().collect();
    for limit in [1, 4, 1_000] {
        assert_eq!(paged(&*cx.b, limit).await, expected, "pages of {limit}");
    }
    assert_eq!(cx.b.list_keys("").await.unwrap(), expected);
}

pub(super) async fn after(cx: Context) {
    let keys = some_keys();
    write(&cx, &keys).await;
    let ordered: Vec<Key> = set(keys).into_iter().collect();
    for name in ["", "0", "1", "3x", "k", "k10", "k5", "k9", "k99", "\u{e9}", "\u{ff}"] {
        for prefix in ["", "k", "k1"] {
            let matches = |key: &&Key| {
                key.name().starts_with(prefix.as_bytes()) && **key.name() > *name.as_bytes()
            };
            let expected: Vec<Key> = ordered.iter().filter(matches).cloned().collect();
            let options = ListOptions::new(prefix).with_after(Some(name.into())).with_limit(2);
            let mut listed = Vec::new();
            let mut token = None;
            loop {
                let page = cx.b.list_page(options.clone().with_token(token)).await.unwrap();
                listed.extend(page.items.into_iter().map(|meta| meta.key));
                let Some(next) = page.next else { break };
                token = Some(next);
            }
            assert_eq!(listed, expected, "names of {prefix:?} after {name:?}");
        }
    }
}

pub(super) async fn after_undeclared(cx: Context) {
    let options = ListOptions::new("").with_after(Some("k".into()));
    refused(cx.a.list_page(options).await, ErrorKind::Unsupported, "a listing after a name");
}

pub(super) async fn once(cx: Context) {
    let keys: Vec<Key> = (0..1_500).map(|number| Key::from(format!("k{number}"))).collect();
    write(&cx, &keys).await;
    let listed: Vec<Key> = cx.b.list("").try_collect().await.unwrap();
    assert_eq!(listed.len(), keys.len(), "keys listed");
    assert_eq!(set(listed), set(keys));
}

pub(super) async fn changing(cx: Context) {
    let stay: Vec<Key> = (0..40).map(|number| Key::from(format!("k{number:02}"))).collect();
    let go: Vec<Key> = (0..40).map(|number| Key::from(format!("k{number:02}-goes"))).collect();
    write(&cx, &stay).await;
    write(&cx, &go).await;
    let mut listed = BTreeSet::new();
    let mut token = None;
    for round in 0..10_000_usize {
        let options = ListOptions::default().with_limit(3_usize).with_token(token);
        let page = cx.a.list_page(options).await.unwrap();
        listed.extend(page.items.into_iter().map(|meta| meta.key));
        token = page.next;
        if token.is_none() {
            let missed: Vec<_> = stay.iter().filter(|key| !listed.contains(key)).collect();
            assert!(missed.is_empty(), "entries that were there all the time: {missed:?}");
            return;
        }
        if let Some(key) = go.get(round) {
            cx.b.delete(key).await.unwrap();
            cx.b.put(format!("k{round:02}-comes"), "v").await.unwrap();
            cx.b.put(format!("a{round:02}-comes"), "v").await.unwrap();
        }
    }
    panic!("the listing does not end");
}

pub(super) async fn meta(cx: Context) {
    for (key, value) in [("a", ""), ("b", "1"), ("c", "four")] {
        cx.a.put(key, value).await.unwrap();
    }
    for meta in cx.b.list_page(ListOptions::default()).await.unwrap().items {
        let entry = present(&*cx.a, &meta.key).await;
        let version = meta.version.unwrap_or(entry.version);
        assert_eq!(version, entry.version, "the version of `{}`", meta.key);
        let bytes = meta.value_bytes.unwrap_or(entry.value.len() as u64);
        assert_eq!(bytes, entry.value.len() as u64, "the size of `{}`", meta.key);
    }
}

pub(super) async fn eventual(cx: Context) {
    let keys = set(some_keys());
    write(&cx, &some_keys()).await;
    let options = ListOptions::default().with_consistency(Consistency::Eventual);
    for meta in cx.b.list_page(options).await.unwrap().items {
        assert!(keys.contains(&meta.key), "`{}` was never written", meta.key);
    }
}
