//! Many callers of one thread at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use state_core::checkpoint::{CheckpointerExt, Ownership, PutWrites, WritesReceipt};
use state_core::{ErrorKind, Result};

use super::super::race::at_once;
use super::stage::{
    Cx, THREAD, at, bare, got, holding, id, ids, listed, numbered, of, put, step, steps, text,
    tuple_of_step, write, writes_at,
};

/// How many callers there are.
const CALLERS: u64 = 8;

/// The number of a caller as a number of a checkpoint.
fn place(caller: u64) -> usize {
    usize::try_from(caller).unwrap()
}

pub(super) async fn parent_is_latest(cx: Cx) {
    for round in 0..5 {
        let thread = format!("thread {round}");
        put(&*cx.a, bare(&thread, id(0))).await;
        let answers = at_once(&cx, CALLERS, |store, caller| {
            let mine = bare(&thread, id(place(caller) + 1)).with_parent(id(0));
            async move { store.put_checkpoint(mine.with_ownership(Ownership::ParentIsLatest)).await }
        })
        .await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "callers whose parent was the latest");
        let conflict = |answer: &Result<_>| {
            answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict)
        };
        assert!(lost.iter().all(conflict), "{lost:?}");
        let winner = won.into_iter().find_map(Result::ok).unwrap().reference.id;
        assert_eq!(ids(&*cx.b, of(&thread)).await, [winner, id(0)]);
    }
}

pub(super) async fn forks(cx: Cx) {
    put(&*cx.a, bare(THREAD, id(0))).await;
    let each = 5;
    at_once(&cx, CALLERS, |store, caller| async move {
        for turn in 0..each {
            let mine = id(1 + turn * place(CALLERS) + place(caller));
            put(&*store, bare(THREAD, mine).with_parent(id(0))).await;
        }
    })
    .await;
    let all = 1 + each * place(CALLERS);
    assert_eq!(ids(&*cx.b, of(THREAD)).await, numbered((0..all).rev()));
}

pub(super) async fn same_put(cx: Cx) {
    for number in 0..5 {
        let answers = at_once(&cx, CALLERS, |store, _| async move {
            store.put_checkpoint(step(THREAD, number)).await.unwrap().existed
        })
        .await;
        let first = answers.iter().filter(|existed| !**existed).count();
        assert_eq!(first, 1, "callers that put what was not there");
        let found = got(&*cx.b, &at(THREAD, number)).await;
        assert_eq!(found, tuple_of_step(THREAD, number));
    }
}

pub(super) async fn other_put(cx: Cx) {
    for number in 0..5 {
        let answers = at_once(&cx, CALLERS, |store, caller| async move {
            store.put_checkpoint(holding(THREAD, id(number), &caller.to_string())).await
        })
        .await;
        let won: Vec<_> = (0..CALLERS).zip(&answers).filter(|(_, answer)| answer.is_ok()).collect();
        let [(winner, _)] = won[..] else { panic!("of one id there is one: {won:?}") };
        let found = got(&*cx.b, &at(THREAD, number)).await;
        assert_eq!(found.value("x"), Some(&text(winner.to_string())));
    }
}

pub(super) async fn same_write(cx: Cx) {
    let place = put(&*cx.a, bare(THREAD, id(0))).await;
    for index in 0..5 {
        let answers: Vec<WritesReceipt> = at_once(&cx, CALLERS, |store, caller| {
            let writes = vec![write("t", index, "x", &caller.to_string())];
            let put = PutWrites::new(place.clone(), writes);
            async move { store.put_writes(put).await.unwrap() }
        })
        .await;
        let first = answers.iter().position(|receipt| receipt.written == 1).unwrap();
        let written: usize = answers.iter().map(|receipt| receipt.written).sum();
        assert_eq!(written, 1, "the first one wins");
        let found = writes_at(&*cx.b, &place).await;
        assert_eq!(found.last(), Some(&write("t", index, "x", &first.to_string())));
    }
}

pub(super) async fn writes(cx: Cx) {
    let place = put(&*cx.a, bare(THREAD, id(0))).await;
    at_once(&cx, CALLERS, |store, caller| {
        let place = place.clone();
        async move {
            for index in 0..20 {
                let one = write(&format!("t{caller}"), index, "x", "v");
                let receipt = store.put_writes(PutWrites::new(place.clone(), vec![one])).await;
                assert_eq!(receipt.unwrap().written, 1);
            }
        }
    })
    .await;
    assert_eq!(writes_at(&*cx.b, &place).await.len(), 20 * self::place(CALLERS));
}

pub(super) async fn readers(cx: Cx) {
    put(&*cx.a, holding(THREAD, id(0), "0")).await;
    let done = Arc::new(AtomicBool::new(false));
    at_once(&cx, CALLERS, |store, caller| {
        let done = Arc::clone(&done);
        async move {
            if caller == 0 {
                for number in 1..60 {
                    put(&*store, holding(THREAD, id(number), &number.to_string())).await;
                }
                done.store(true, Ordering::Release);
                return;
            }
            let mut newest = id(0);
            loop {
                let last = done.load(Ordering::Acquire);
                let found = store.latest(THREAD).await.unwrap().unwrap();
                assert!(found.reference.id >= newest, "the latest went back");
                newest = found.reference.id.clone();
                let version = found.checkpoint.channel_versions.get("x").cloned().unwrap();
                let value = found.value("x").unwrap().bytes();
                assert_eq!(version.to_string().as_bytes(), &value[..], "of {newest}");
                if last {
                    assert_eq!(newest, id(59), "after the last put");
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
}

pub(super) async fn copy(cx: Cx) {
    steps(&*cx.a, THREAD, 10).await;
    let last = 60;
    let copies = at_once(&cx, 4, |store, caller| async move {
        if caller == 0 {
            for number in 10..last {
                put(&*store, step(THREAD, number)).await;
                put(&*store, step(THREAD, number).with_namespace("child")).await;
            }
            return Vec::new();
        }
        let mut copies = Vec::new();
        for turn in 0..5 {
            let copy = format!("copy {caller} {turn}");
            let count = store.copy_thread(THREAD, &copy).await.unwrap();
            copies.push((copy, count));
        }
        copies
    })
    .await;
    for (copy, count) in copies.into_iter().flatten() {
        let found = listed(&*cx.b, of(&copy)).await;
        assert_eq!(found.len() as u64, count, "checkpoints of `{copy}`");
        let root = found.iter().filter(|tuple| tuple.reference.namespace.is_root()).count();
        let child = found.len() - root;
        let one_moment = child + 10 == root || child + 11 == root;
        assert!(one_moment, "`{copy}` has {root} and {child}, which were never there together");
        for tuple in found.iter().filter(|tuple| tuple.reference.namespace.is_root()) {
            let number = usize::try_from(tuple.metadata.step().unwrap()).unwrap();
            assert_eq!(*tuple, tuple_of_step(&copy, number));
        }
    }
}

pub(super) async fn delete(cx: Cx) {
    for round in 0..10 {
        let thread = format!("thread {round}");
        steps(&*cx.a, &thread, 3).await;
        let deleted = at_once(&cx, CALLERS, |store, caller| {
            let thread = thread.clone();
            async move {
                if caller < 4 {
                    return store.delete_thread(thread.as_str()).await.unwrap();
                }
                let mine = holding(&thread, id(10 + place(caller)), &caller.to_string());
                store.put_checkpoint(mine).await.unwrap();
                false
            }
        })
        .await;
        assert!(deleted.contains(&true), "somebody has deleted it");
        let left = listed(&*cx.b, of(&thread)).await;
        let left: BTreeSet<_> = left
            .iter()
            .map(|tuple| {
                assert!(tuple.value("x").is_some(), "a checkpoint without its value: {tuple:?}");
                tuple.reference.id.clone()
            })
            .collect();
        let late: BTreeSet<_> = (4..CALLERS).map(|caller| id(10 + place(caller))).collect();
        assert!(left.is_subset(&late), "left of `{thread}`: {left:?}");
    }
}
