//! Listings in pages.

use state_core::checkpoint::{ListCheckpoints, Metadata};
use state_core::{Bytes, ErrorKind, PageToken};

use super::stage::{Cx, THREAD, bare, id, ids, numbered, of, put, steps};
use crate::expect::refused;

pub(super) async fn each_once(cx: Cx) {
    for number in 0..23 {
        let namespace = if number % 3 == 0 { "child" } else { "" };
        put(&*cx.a, bare(THREAD, id(number)).with_namespace(namespace)).await;
    }
    for most in [1, 2, 5, 22, 23, 24] {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let list = of(THREAD).with_limit(most).with_token(token);
            let page = cx.b.list_checkpoints(list).await.unwrap();
            assert!(page.items.len() <= most, "{} of at most {most}", page.items.len());
            found.extend(page.items.into_iter().map(|tuple| tuple.reference.id));
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(found, numbered((0..23).rev()), "in pages of {most}");
    }
}

pub(super) async fn across_threads(cx: Cx) {
    for thread in ["a", "b", "c"] {
        steps(&*cx.a, thread, 3).await;
    }
    let whole = cx.b.list_checkpoints(ListCheckpoints::all()).await.unwrap().items;
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let list = ListCheckpoints::all().with_limit(2).with_token(token);
        let page = cx.b.list_checkpoints(list).await.unwrap();
        found.extend(page.items);
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!((found.len(), found), (9, whole));
}

pub(super) async fn meanwhile(cx: Cx) {
    for number in 0..10 {
        put(&*cx.a, bare(THREAD, id(number * 2))).await;
    }
    let first = cx.b.list_checkpoints(of(THREAD).with_limit(4)).await.unwrap();
    let mut found: Vec<_> = first.items.into_iter().map(|tuple| tuple.reference.id).collect();
    put(&*cx.a, bare(THREAD, id(99))).await;
    put(&*cx.a, bare(THREAD, id(3))).await;
    let mut token = first.next;
    while token.is_some() {
        let list = of(THREAD).with_limit(4).with_token(token);
        let page = cx.a.list_checkpoints(list).await.unwrap();
        found.extend(page.items.into_iter().map(|tuple| tuple.reference.id));
        token = page.next;
    }
    found.retain(|found| *found != id(3));
    assert_eq!(found, numbered((0..10).rev().map(|number| number * 2)));
}

pub(super) async fn stream(cx: Cx) {
    for number in 0..230 {
        put(&*cx.a, bare(THREAD, id(number))).await;
    }
    assert_eq!(ids(&*cx.b, of(THREAD)).await, numbered((0..230).rev()));
    let most = usize::MAX;
    let page = cx.b.list_checkpoints(of(THREAD).with_limit(most)).await.unwrap();
    assert!(page.items.len() <= cx.b.limits().page_items_max, "{} items", page.items.len());
}

pub(super) async fn filtered(cx: Cx) {
    // A page examines 1,000 records, and the last two match.
    let kept = || Metadata::new().with("kept", true);
    for number in 0..1_050 {
        let next = bare(THREAD, id(number));
        put(&*cx.a, if number < 2 { next.with_metadata(kept()) } else { next }).await;
    }
    let (mut found, mut token, mut pages) = (Vec::new(), None, 0);
    loop {
        let list = of(THREAD).with_filter(kept()).with_limit(1).with_token(token);
        let page = cx.b.list_checkpoints(list).await.unwrap();
        assert!(page.items.len() <= 1, "{} of at most 1", page.items.len());
        found.extend(page.items.into_iter().map(|tuple| tuple.reference.id));
        token = page.next;
        pages += 1;
        assert!(pages < 100, "pages without an end");
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, numbered([1, 0]), "in {pages} pages");
    let all = of(THREAD).with_filter(kept());
    assert_eq!(ids(&*cx.b, all).await, numbered([1, 0]), "as a stream");
}

pub(super) async fn limit_zero(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    for list in [of(THREAD), ListCheckpoints::all(), of("absent")] {
        let answer = cx.b.list_checkpoints(list.with_limit(0)).await;
        refused(answer, ErrorKind::Invalid, "a limit of 0");
    }
}

pub(super) async fn forged(cx: Cx) {
    steps(&*cx.a, THREAD, 4).await;
    let page = cx.b.list_checkpoints(of(THREAD).with_limit(2)).await.unwrap();
    let real = page.next.unwrap();
    let real = real.as_bytes();
    let longer = [real.as_ref(), b"x"].concat();
    let shorter = real.slice(..real.len() - 1);
    let made_up = ["", "0", "token", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "{}", "9"];
    let mut tokens: Vec<Bytes> = made_up.into_iter().map(Bytes::from).collect();
    tokens.extend([Bytes::from(longer), shorter]);
    for token in tokens {
        let token = Some(PageToken::from_bytes(token));
        for list in [of(THREAD), ListCheckpoints::all()] {
            let answer = cx.b.list_checkpoints(list.with_token(token.clone())).await;
            refused(answer, ErrorKind::Invalid, "a forged token");
        }
    }
}

pub(super) async fn of_another(cx: Cx) {
    steps(&*cx.a, THREAD, 4).await;
    steps(&*cx.a, "other", 4).await;
    let token = cx.b.list_checkpoints(of(THREAD).with_limit(2)).await.unwrap().next;
    assert!(token.is_some(), "two of four are still to come");
    for list in [of("other"), ListCheckpoints::all(), of("absent")] {
        let answer = cx.a.list_checkpoints(list.with_token(token.clone())).await;
        refused(answer, ErrorKind::Invalid, "the token of another listing");
    }
    let rest = cx.a.list_checkpoints(of(THREAD).with_token(token)).await.unwrap();
    assert_eq!(rest.items.len(), 2, "another instance goes on");
}
