//! Single entries under many callers.

use std::collections::BTreeSet;

use state_core::{
    DeleteOptions, ErrorKind, Expiry, GetOptions, IncrementOptions, Key, PutOptions, StateBackend,
    StateBackendExt, Version,
};

use super::at_once;
use crate::Context;
use crate::expect::{present, refused, value_is};

const TASKS: u64 = 8;

pub(super) async fn increment(cx: Context) {
    at_once(&cx, TASKS, |store, _| async move {
        for _ in 0..50 {
            store.increment("n", 3).await.unwrap();
            store.increment("n", -1).await.unwrap();
        }
    })
    .await;
    value_is(&*cx.a, "n", Some("800")).await;
}

pub(super) async fn increment_sums(cx: Context) {
    let sums = at_once(&cx, TASKS, |store, _| async move {
        let mut sums = Vec::new();
        for _ in 0..50 {
            sums.push(store.increment("n", 1).await.unwrap());
        }
        sums
    })
    .await;
    for own in &sums {
        assert!(own.is_sorted(), "the sums that one caller got go back");
    }
    let mut all = sums.concat();
    all.sort_unstable();
    assert!(all.iter().copied().eq(1..=400), "the sums are not 1 to 400, each once");
}

pub(super) async fn compare_and_set(cx: Context) {
    cx.a.put("n", "0").await.unwrap();
    at_once(&cx, TASKS, |store, _| async move {
        for _ in 0..20 {
            add_one(&*store).await;
        }
    })
    .await;
    value_is(&*cx.b, "n", Some("160")).await;
}

/// Adds 1 to `n` by compare-and-set, as often as it takes.
async fn add_one(store: &dyn StateBackend) {
    loop {
        let entry = present(store, "n").await;
        let number: u64 = String::from_utf8_lossy(&entry.value).parse().unwrap();
        match store.compare_and_set("n", entry.version, (number + 1).to_string()).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

pub(super) async fn one_winner(cx: Context) {
    for _ in 0..20 {
        let seen = cx.a.put("k", "start").await.unwrap().version;
        let answers = at_once(&cx, TASKS, |store, number| async move {
            store.compare_and_set("k", seen, number.to_string()).await
        })
        .await;
        let mut winner = None;
        for (number, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(written) => {
                    assert_eq!(winner, None, "two callers have written over one version");
                    winner = Some((number.to_string(), written.version));
                }
                Err(error) => drop(refused::<()>(Err(error), ErrorKind::Conflict, "who was late")),
            }
        }
        let entry = present(&*cx.b, "k").await;
        let there = String::from_utf8_lossy(&entry.value).into_owned();
        assert_eq!(winner, Some((there, entry.version)), "the winner, and what is there");
    }
}

pub(super) async fn create(cx: Context) {
    for round in 0..20 {
        let key = format!("k{round}");
        let created =
            at_once(&cx, TASKS, |store, number| {
                let key = key.clone();
                async move {
                    store.set_if_not_exists(key, number.to_string(), Expiry::Never).await.unwrap()
                }
            })
            .await;
        let winners: Vec<_> = (0..TASKS).zip(created).filter(|(_, created)| *created).collect();
        let [(winner, _)] = winners.as_slice() else {
            panic!("expected one creator, got {}", winners.len())
        };
        let there = cx.b.get(&key).await.unwrap();
        assert_eq!(there, Some(winner.to_string().into()), "the value of the creator");
    }
}

/// Fills the queue `q0` to `q39` and lets many callers take from it, each asked to `take` one.
async fn taken<F, Fut>(cx: &Context, take: F) -> Vec<u64>
where
    F: Fn(std::sync::Arc<dyn StateBackend>, String) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = bool> + Send,
{
    for item in 0..40 {
        cx.a.put(format!("q{item}"), item.to_string()).await.unwrap();
    }
    let taken = at_once(cx, TASKS, |store, _| {
        let take = take.clone();
        async move {
            let mut taken = Vec::new();
            for item in 0..40 {
                if take(std::sync::Arc::clone(&store), format!("q{item}")).await {
                    taken.push(item);
                }
            }
            taken
        }
    });
    let mut taken = taken.await.concat();
    taken.sort_unstable();
    taken
}

pub(super) async fn get_and_delete(cx: Context) {
    let taken = taken(&cx, |store, key| async move {
        let value = store.get_and_delete(&key).await.unwrap();
        assert!(value.as_ref().is_none_or(|value| key.as_bytes().ends_with(value)), "{value:?}");
        value.is_some()
    });
    assert!(taken.await.into_iter().eq(0..40), "each entry is to be taken once");
    assert_eq!(cx.b.count("").await.unwrap(), 0, "entries that are left");
}

pub(super) async fn delete(cx: Context) {
    let taken = taken(&cx, |store, key| async move { store.delete(key).await.unwrap() });
    assert!(taken.await.into_iter().eq(0..40), "each entry is to exist for one delete");
    assert_eq!(cx.b.count("").await.unwrap(), 0, "entries that are left");
}

pub(super) async fn version(cx: Context) {
    let versions = at_once(&cx, TASKS, |store, number| async move {
        let key = Key::from("k");
        let mut versions: Vec<Version> = Vec::new();
        for round in 0..25 {
            let put = store.put_opts(&key, "1".into(), PutOptions::new()).await.unwrap();
            versions.push(put.version);
            let sum = store.increment_opts(&key, 1, IncrementOptions::new()).await.unwrap();
            versions.push(sum.version);
            if (number + round) % 3 == 0 {
                store.delete_opts(&key, DeleteOptions::new()).await.unwrap();
            }
        }
        versions
    });
    let versions = versions.await.concat();
    let distinct: BTreeSet<_> = versions.iter().map(|version| *version.as_bytes()).collect();
    assert_eq!(distinct.len(), versions.len(), "distinct versions, and versions given out");
}

/// The number that is stored in `k`; 0 when it is absent.
async fn number(store: &dyn StateBackend) -> u64 {
    let value = store.get("k").await.unwrap();
    value.map_or(0, |value| String::from_utf8_lossy(&value).parse().unwrap())
}

pub(super) async fn read_forward(cx: Context) {
    at_once(&cx, TASKS, |store, task| async move {
        let mut last = 0;
        for round in 1..=200 {
            if task == 0 {
                store.put("k", round.to_string()).await.unwrap();
                assert_eq!(number(&*store).await, round, "what the only writer has written");
            } else {
                let seen = number(&*store).await;
                assert!(seen >= last, "{seen} was read after {last}");
                last = seen;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(super) async fn read_whole(cx: Context) {
    let parts = at_once(&cx, TASKS, |store, task| async move {
        let (mut written, mut read) = (Vec::new(), Vec::new());
        for round in 0..40_u64 {
            if task < 4 {
                let value = format!("{task}-{round}").repeat(1 + (round % 7) as usize * 50);
                let put = store.put("k", value.clone()).await.unwrap();
                written.push((put.version, value));
            } else if let Some(entry) =
                store.get_opts(&"k".into(), GetOptions::new()).await.unwrap()
            {
                read.push((entry.version, String::from_utf8_lossy(&entry.value).into_owned()));
            }
        }
        (written, read)
    });
    let (written, read): (Vec<_>, Vec<_>) = parts.await.into_iter().unzip();
    let written: std::collections::HashMap<_, _> = written.into_iter().flatten().collect();
    for (version, value) in read.into_iter().flatten() {
        let of_write = written.get(&version);
        assert!(of_write == Some(&value), "version {version} was read with a value of another");
    }
}
