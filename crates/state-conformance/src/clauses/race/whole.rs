//! What is written together, and what is read over many entries, under many callers.

use futures_util::TryStreamExt;
use state_core::{
    ErrorKind, Key, ListOptions, SnapshotOptions, SnapshotRecord, StateBackend, StateBackendExt,
    Transaction, WriteOp,
};

use super::at_once;
use crate::Context;
use crate::expect::{present, refused};

const TASKS: u64 = 8;

fn p(name: &'static str) -> Key {
    Key::in_partition("p", name)
}

/// The number that is stored; 0 when it is absent.
async fn number(store: &dyn StateBackend, key: impl Into<Key>) -> u64 {
    let value = store.get(key.into()).await.unwrap();
    value.map_or(0, |value| String::from_utf8_lossy(&value).parse().unwrap())
}

pub(super) async fn transaction(cx: Context) {
    at_once(&cx, TASKS, |store, task| async move {
        for round in 0..60 {
            if task < 2 {
                let both = Transaction::new()
                    .op(WriteOp::increment(p("x"), 1))
                    .op(WriteOp::put(p(if task == 0 { "padding" } else { "other" }), "v"))
                    .op(WriteOp::increment(p("y"), 1));
                store.as_transact().unwrap().transact(both).await.unwrap();
                continue;
            }
            // Both only grow, so whichever is read last can only be ahead.
            let (first, last) = if round % 2 == 0 { ("x", "y") } else { ("y", "x") };
            let seen = number(&*store, p(first)).await;
            let then = number(&*store, p(last)).await;
            assert!(then >= seen, "`{first}` was {seen} and then `{last}` was {then}");
        }
    })
    .await;
    assert_eq!((number(&*cx.a, p("x")).await, number(&*cx.b, p("y")).await), (120, 120));
}

/// Moves 1 from one account to another, if nobody is faster and there is enough.
async fn transfer(store: &dyn StateBackend, from: Key, to: Key) -> bool {
    let (source, target) = (present(store, &from).await, present(store, &to).await);
    let parsed = |value: &[u8]| String::from_utf8_lossy(value).parse::<u64>().unwrap();
    let (has, gets) = (parsed(&source.value), parsed(&target.value));
    if has == 0 {
        return false;
    }
    let transaction = Transaction::new()
        .check(&from, source.version)
        .check(&to, target.version)
        .op(WriteOp::put(&from, (has - 1).to_string()))
        .op(WriteOp::put(&to, (gets + 1).to_string()));
    match store.as_transact().unwrap().transact(transaction).await {
        Ok(_) => true,
        Err(error) => {
            refused::<()>(Err(error), ErrorKind::Conflict, "a transfer");
            false
        }
    }
}

pub(super) async fn transfer_amounts(cx: Context) {
    for name in ["a", "b", "c"] {
        cx.a.put(p(name), "20").await.unwrap();
    }
    let moved = at_once(&cx, TASKS, |store, task| async move {
        let mut moved = 0;
        for round in 0..40 {
            let place = |number: u64| match number % 3 {
                0 => "a",
                1 => "b",
                _ => "c",
            };
            let (from, to) = (place(task + round), place(task + round + 1 + round % 2));
            moved += u64::from(transfer(&*store, p(from), p(to)).await);
        }
        moved
    });
    assert!(moved.await.into_iter().sum::<u64>() > 0, "no transfer was made at all");
    let mut sum = 0;
    for name in ["a", "b", "c"] {
        sum += number(&*cx.b, p(name)).await;
    }
    assert_eq!(sum, 60, "the sum of all accounts");
}

pub(super) async fn batch_order(cx: Context) {
    at_once(&cx, TASKS, |store, task| async move {
        for round in 0..30 {
            let key = format!("of-{task}");
            let last = format!("{round}");
            let ops = vec![
                WriteOp::put(&key, "first"),
                WriteOp::delete(&key),
                WriteOp::increment("shared", 1),
                WriteOp::increment(&key, 5),
                WriteOp::put(&key, last.clone()),
            ];
            for answer in store.write_many(ops).await.unwrap() {
                answer.unwrap();
            }
            assert_eq!(store.get(&key).await.unwrap(), Some(last.into()), "the last of the batch");
        }
    })
    .await;
    assert_eq!(number(&*cx.b, "shared").await, 240);
}

pub(super) async fn list_stable(cx: Context) {
    for item in 0..30 {
        cx.a.put(format!("stay-{item:02}"), "v").await.unwrap();
    }
    at_once(&cx, TASKS, |store, task| async move {
        for round in 0..20 {
            if task < 4 {
                let name = format!("stay-{round:02}-{task}");
                store.put(&name, "v").await.unwrap();
                store.put(format!("stay-{round:02}"), "again").await.unwrap();
                store.delete(&name).await.unwrap();
                continue;
            }
            let mut stayed = std::collections::BTreeSet::new();
            let mut token = None;
            loop {
                let options = ListOptions::new("stay-").with_limit(7_usize).with_token(token);
                let page = store.list_page(options).await.unwrap();
                let keys = page.items.into_iter().map(|meta| meta.key);
                stayed.extend(keys.filter(|key| key.name().len() == 7));
                token = page.next;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(stayed.len(), 30, "entries listed that were there the whole time");
            assert!(store.count("stay-").await.unwrap() >= 30, "entries counted");
        }
    })
    .await;
}

pub(super) async fn clear(cx: Context) {
    for round in 0..6_u64 {
        for item in 0..30 {
            cx.a.put(format!("k{item}"), round.to_string()).await.unwrap();
        }
        let cleared = at_once(&cx, TASKS, |store, task| async move {
            if task == 0 {
                return store.clear().await.unwrap();
            }
            for item in 0..30 {
                let found = store.get(format!("k{item}")).await.unwrap();
                let expected = round.to_string();
                let whole = found.as_ref().is_none_or(|value| *value == expected);
                assert!(whole, "{found:?} was read, and {round} was written");
            }
            0
        });
        assert_eq!(cleared.await.into_iter().sum::<u64>(), 30, "entries removed");
        assert_eq!(cx.b.count("").await.unwrap(), 0, "entries left");
    }
}

pub(super) async fn clear_whole(cx: Context) {
    let names: Vec<String> = (0..60).map(|item| format!("k{item:02}")).collect();
    for _ in 0..8 {
        cx.a.batch_put(names.iter().map(|name| (name, "v"))).await.unwrap();
        at_once(&cx, TASKS, |store, task| {
            let mut names = names.clone();
            async move {
                if task == 0 {
                    assert_eq!(store.clear().await.unwrap(), 60, "entries removed");
                    return;
                }
                if task % 2 == 0 {
                    names.reverse();
                }
                let mut gone = false;
                for name in names {
                    let there = store.contains(&name).await.unwrap();
                    assert!(!(there && gone), "`{name}` was there when another was gone already");
                    gone |= !there;
                }
            }
        })
        .await;
    }
}

pub(super) async fn snapshot(cx: Context) {
    at_once(&cx, TASKS, |store, task| async move {
        for round in 1..=40_u64 {
            if task == 0 {
                store.put("first", round.to_string()).await.unwrap();
                store.put("second", round.to_string()).await.unwrap();
                continue;
            }
            let records = store.snapshot_opts(SnapshotOptions::default()).await.unwrap();
            let records: Vec<_> = records.try_collect().await.unwrap();
            let number = |name: &str| {
                let of_name = records.iter().find_map(|record| match record {
                    SnapshotRecord::Entry { key, value, .. } if *key == Key::from(name) => {
                        Some(String::from_utf8_lossy(value).parse::<u64>().unwrap())
                    }
                    _ => None,
                });
                of_name.unwrap_or_default()
            };
            let (first, second) = (number("first"), number("second"));
            let together = first == second || first == second + 1;
            assert!(together, "a snapshot shows {first}, and {second} of what follows it");
        }
    })
    .await;
}
