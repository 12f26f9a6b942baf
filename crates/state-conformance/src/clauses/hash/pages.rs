//! Listing the fields of a hash, and counting them.

use std::collections::BTreeMap;

use state_core::{
    Bytes, ErrorKind, HashPageOptions, HashWriteOptions, Key, StateBackend, StateBackendExt,
};

use super::{hashes, set, state};
use crate::Context;
use crate::expect::refused;

/// Fields whose order by bytes is not that of their numbers.
fn many(count: usize) -> Vec<(Bytes, Bytes)> {
    (0..count).map(|n| (format!("field-{n}").into(), n.to_string().into())).collect()
}

/// The fields of the hash `h`, page by page.
async fn pages(store: &dyn StateBackend, limit: usize) -> Vec<Vec<(Bytes, Bytes)>> {
    let mut pages = Vec::new();
    let mut token = None;
    loop {
        let options = HashPageOptions::new().with_limit(limit).with_token(token);
        let page = hashes(store).hash_page(&Key::from("h"), options).await.unwrap();
        pages.push(page.items);
        token = page.next;
        if token.is_none() {
            return pages;
        }
    }
}

async fn fill(cx: &Context, count: usize) -> BTreeMap<Bytes, Bytes> {
    let options = HashWriteOptions::new();
    hashes(&*cx.a).hash_set(&Key::from("h"), many(count), options).await.unwrap();
    many(count).into_iter().collect()
}

pub(super) async fn all_fields(cx: Context) {
    assert_eq!(cx.b.fields("h").await.unwrap(), [], "of a hash that is not there");
    let expected = fill(&cx, 57).await;
    for limit in [1, 10, 56, 57, 58, 1_000] {
        let pages = pages(&*cx.b, limit).await;
        let most = pages.iter().map(Vec::len).max().unwrap_or_default();
        assert!(most <= limit, "a page of {most} fields where {limit} were asked for");
        let found: BTreeMap<_, _> = pages.into_iter().flatten().collect();
        assert_eq!(found, expected, "the fields in pages of {limit}");
    }
}

pub(super) async fn ordered(cx: Context) {
    let expected: Vec<_> = fill(&cx, 57).await.into_iter().collect();
    for limit in [1, 7, 57] {
        let found = pages(&*cx.b, limit).await.concat();
        assert_eq!(found, expected, "the fields in pages of {limit}");
    }
}

pub(super) async fn zero(cx: Context) {
    fill(&cx, 3).await;
    for key in ["h", "gone"] {
        let options = HashPageOptions::new().with_limit(0_usize);
        let answer = hashes(&*cx.a).hash_page(&Key::from(key), options).await;
        refused(answer, ErrorKind::Invalid, "a page of no fields");
    }
}

pub(super) async fn changing(cx: Context) {
    let expected = fill(&cx, 30).await;
    let mut found = BTreeMap::new();
    let mut token = None;
    for number in 0.. {
        let options = HashPageOptions::new().with_limit(4_usize).with_token(token);
        let page = hashes(&*cx.b).hash_page(&Key::from("h"), options).await.unwrap();
        found.extend(page.items);
        cx.a.put_field("h", format!("field-{number}-new"), "new").await.unwrap();
        if number > 0 {
            cx.a.delete_field("h", format!("field-{}-new", number - 1)).await.unwrap();
        }
        token = page.next;
        if token.is_none() {
            break;
        }
        assert!(number < 1_000, "the listing does not end");
    }
    for (field, value) in expected {
        assert_eq!(found.get(&field), Some(&value), "the field {field:?}");
    }
}

pub(super) async fn state_counts(cx: Context) {
    assert_eq!(state(&*cx.a, "h").await, None);
    for count in 1..=3 {
        let field = count.to_string();
        set(&*cx.a, "h", &[(field.as_str(), "v"), ("1", "w")]).await;
        let state = state(&*cx.b, "h").await.unwrap();
        assert_eq!(state.fields, count, "fields");
        assert_eq!(state.expires, state_core::Expires::Never);
    }
    cx.b.delete_field("h", "2").await.unwrap();
    assert_eq!(state(&*cx.a, "h").await.unwrap().fields, 2, "after a removal");
}
