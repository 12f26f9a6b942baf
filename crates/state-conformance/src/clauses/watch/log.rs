//! Changes that are retained, and resuming after one of them.

use futures_util::StreamExt;
use state_core::{
    Change, ErrorKind, Key, ResumeToken, Scope, StateBackendExt, WatchEvent, WatchOptions,
    WatchStart,
};

use super::follow::{MANY, write_many};
use super::{all, next, put, tells, told, versions, watch};
use crate::Context;
use crate::expect::refused;

pub(super) async fn undeclared(cx: Context) {
    let token = ResumeToken::from_bytes([0; 32]);
    for start in [WatchStart::Oldest, WatchStart::After(token)] {
        for follow in [true, false] {
            let options = WatchOptions::default().with_start(start.clone()).with_follow(follow);
            let answer = cx.a.as_watch().unwrap().watch(options).await.map(drop);
            refused(answer, ErrorKind::Unsupported, &format!("{start:?}"));
        }
    }
}

/// Makes changes of several kinds and keys.
async fn change(cx: &Context) {
    for number in 0..5 {
        let store = if number % 2 == 0 { &cx.a } else { &cx.b };
        store.put("k", number.to_string()).await.unwrap();
        store.put(Key::in_partition("p", "k"), "v").await.unwrap();
        store.put("kk", "v").await.unwrap();
        store.delete("kk").await.unwrap();
        store.increment("n", 1).await.unwrap();
    }
}

pub(super) async fn oldest(cx: Context) {
    assert_eq!(told(&*cx.a, WatchStart::Oldest).await, [], "before the first change");
    change(&cx).await;
    for store in [&*cx.a, &*cx.b] {
        let told = told(store, WatchStart::Oldest).await;
        let puts = versions(&told).len();
        let deletes = told.iter().filter(|event| matches!(event.change, Change::Deleted { .. }));
        assert_eq!((puts, deletes.count(), told.len()), (20, 5, 25), "puts, deletes, all");
    }
    let following = WatchOptions::default().with_start(WatchStart::Oldest);
    let mut events = watch(&*cx.b, following).await;
    for expected in told(&*cx.a, WatchStart::Oldest).await {
        assert_eq!(next(&mut events, "a retained change").await, expected);
    }
    let version = cx.a.put("k", "live").await.unwrap().version;
    tells(&mut events, put("k", version)).await;
}

pub(super) async fn resume(cx: Context) {
    change(&cx).await;
    let all = told(&*cx.a, WatchStart::Oldest).await;
    let later = cx.open("").await.unwrap();
    for (place, event) in all.iter().enumerate() {
        for store in [&*cx.a, &*cx.b, &*later] {
            let rest = told(store, WatchStart::After(event.token.clone())).await;
            assert!(rest.iter().eq(all.iter().skip(place + 1)), "after event {place}: {rest:?}");
        }
    }
}

pub(super) async fn resume_follows(cx: Context) {
    change(&cx).await;
    let all = told(&*cx.a, WatchStart::Oldest).await;
    for place in [0, all.len() / 2, all.len() - 1] {
        let token = all.get(place).map(|event| event.token.clone()).unwrap();
        let options = WatchOptions::default().with_start(WatchStart::After(token.clone()));
        let mut events = watch(&*cx.b, options).await;
        for expected in told(&*cx.a, WatchStart::After(token.clone())).await {
            assert_eq!(next(&mut events, "a retained change").await, expected);
        }
        for _ in 0..3 {
            let version = cx.a.put("k", "live").await.unwrap().version;
            tells(&mut events, put("k", version)).await;
        }
    }
}

pub(super) async fn resume_filtered(cx: Context) {
    change(&cx).await;
    let all_events = told(&*cx.a, WatchStart::Oldest).await;
    let place = all_events.len() / 3;
    let token = all_events.get(place).map(|event| event.token.clone()).unwrap();
    let partition = Scope::Partition("p".into());
    for filter in [
        WatchOptions::new("kk"),
        WatchOptions::new("n"),
        WatchOptions::default().with_scope(partition),
        WatchOptions::new("nobody"),
    ] {
        let expected = all_events.iter().skip(place + 1);
        let expected: Vec<WatchEvent> = expected
            .filter(|event| event.change.key().is_some_and(|key| filter.covers(key)))
            .cloned()
            .collect();
        let options = filter.with_start(WatchStart::After(token.clone())).with_follow(false);
        let rest = all(watch(&*cx.b, options.clone()).await).await;
        assert_eq!(rest, expected, "under {options:?}");
        let Some(first) = rest.first() else { continue };
        let after = told(&*cx.a, WatchStart::After(first.token.clone())).await;
        let place = all_events.iter().position(|event| event.token == first.token);
        assert!(after.iter().eq(all_events.iter().skip(place.unwrap() + 1)), "unfiltered again");
    }
}

pub(super) async fn trimmed(cx: Context) {
    let first = cx.a.put("k", "v").await.unwrap().version;
    let beginning = told(&*cx.a, WatchStart::Oldest).await;
    assert_eq!(versions(&beginning), [first]);
    let start = WatchStart::After(beginning.last().map(|event| event.token.clone()).unwrap());
    let written = write_many(&*cx.a, MANY).await;
    let rest = told(&*cx.b, start).await;
    let gaps = rest.iter().filter(|event| event.change == Change::Gap).count();
    if gaps == 0 {
        assert!(versions(&rest) == written, "changes are missing and no gap is told");
        return;
    }
    let gap = rest.first().filter(|event| event.change == Change::Gap);
    let Some(gap) = gap else { panic!("changes were told before the gap") };
    assert_eq!(gaps, 1, "gaps while nobody writes");
    let retained = versions(&rest);
    assert!(written.ends_with(&retained), "changes are missing after the gap");
    let again = told(&*cx.a, WatchStart::After(gap.token.clone())).await;
    assert!(versions(&again) == retained, "after the gap, {} changes were told", again.len());
}

pub(super) async fn foreign_token(cx: Context) {
    let other = cx.open("-other").await.unwrap();
    for _ in 0..3 {
        cx.a.put("k", "v").await.unwrap();
        other.put("k", "v").await.unwrap();
        other.put("k", "v").await.unwrap();
    }
    let mine = told(&*cx.a, WatchStart::Oldest).await;
    let theirs = told(&*other, WatchStart::Oldest).await;
    let mut altered = mine.first().map(|event| event.token.as_bytes().to_vec()).unwrap();
    for byte in &mut altered {
        *byte ^= 0x55;
    }
    let made_up = [vec![], vec![0; 32], vec![0xff; 32], vec![0; altered.len()], altered];
    let made_up = made_up.map(ResumeToken::from_bytes);
    let foreign = theirs.iter().map(|event| event.token.clone()).chain(made_up);
    for token in foreign {
        let options =
            WatchOptions::default().with_start(WatchStart::After(token.clone())).with_follow(false);
        match cx.a.as_watch().unwrap().watch(options).await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{token:?}: {error}"),
            Ok(mut events) => {
                let first = events.next().await.map(|event| event.unwrap().change);
                assert_eq!(first, Some(Change::Gap), "the first change after {token:?}");
            }
        }
    }
}

pub(super) async fn restart(cx: Context) {
    change(&cx).await;
    let before = told(&*cx.a, WatchStart::Oldest).await;
    let cx = cx.restart().await.unwrap();
    assert_eq!(told(&*cx.a, WatchStart::Oldest).await, before, "the retained changes");
    let version = cx.b.put("k", "later").await.unwrap().version;
    for place in [0, before.len() / 2, before.len() - 1] {
        let start = WatchStart::After(before.get(place).unwrap().token.clone());
        let mut rest = told(&*cx.a, start).await;
        let last = rest.pop().map(|event| event.change);
        assert_eq!(last, Some(put("k", version)), "the change after the restart");
        assert!(rest.iter().eq(before.iter().skip(place + 1)), "after event {place}: {rest:?}");
    }
}

pub(super) async fn tokens(cx: Context) {
    change(&cx).await;
    let all = told(&*cx.a, WatchStart::Oldest).await;
    let mut tokens: Vec<_> = all.iter().map(|event| event.token.as_bytes()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), all.len(), "different tokens");
    assert_eq!(told(&*cx.b, WatchStart::Oldest).await, all, "the tokens on another instance");
}
