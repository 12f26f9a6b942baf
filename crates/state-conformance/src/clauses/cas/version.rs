//! Versions: fresh with every write, and never seen again.

use std::collections::HashSet;

use state_core::{
    DeleteOptions, ErrorKind, Expiry, GetOptions, Key, Precondition, PutOptions, StateBackendExt,
    Version,
};

use crate::Context;
use crate::expect::{present, refused};

/// How often a key is written where its versions must all differ.
const ROUNDS: usize = 50;

pub(super) async fn fresh(cx: Context) {
    let mut seen = HashSet::new();
    for round in 0..ROUNDS {
        let version = cx.a.put("k", "same").await.unwrap().version;
        assert!(seen.insert(version), "write {round} gave a version that was there before");
    }
}

pub(super) async fn instances(cx: Context) {
    let mut seen = HashSet::new();
    for round in 0..ROUNDS / 5 {
        let later = cx.open("").await.unwrap();
        for store in [&cx.a, &cx.b, &later] {
            let version = store.put("k", "same").await.unwrap().version;
            assert!(seen.insert(version), "round {round} gave a version that was there before");
        }
    }
}

/// Writes and removes `k` again and again, and checks that no version comes back.
async fn never_again<R>(cx: &Context, remove: fn(Context, Version) -> R)
where
    R: Future<Output = ()>,
{
    let mut seen = HashSet::new();
    for round in 0..ROUNDS {
        let version = cx.a.put("k", "same").await.unwrap().version;
        assert!(seen.insert(version), "after {round} removals a version came back");
        remove(cx.clone(), version).await;
        assert!(!cx.b.contains("k").await.unwrap(), "the entry was not removed");
    }
}

pub(super) async fn after_delete(cx: Context) {
    never_again(&cx, |cx, version| async move {
        let options = DeleteOptions::new().with_precondition(version);
        cx.a.delete_opts(&Key::from("k"), options).await.unwrap();
    })
    .await;
}

pub(super) async fn after_clear(cx: Context) {
    never_again(&cx, |cx, _| async move {
        assert_eq!(cx.b.clear().await.unwrap(), 1, "cleared");
    })
    .await;
}

pub(super) async fn after_expiry(cx: Context) {
    let mut seen = HashSet::new();
    for round in 0..3 {
        let written = cx.a.put_with_ttl("k", "same", cx.lifetime()).await.unwrap();
        assert!(seen.insert(written.version), "after {round} expiries a version came back");
        cx.outlive().await;
        assert!(!cx.b.contains("k").await.unwrap(), "the entry has not expired");
    }
    let written = cx.b.put("k", "same").await.unwrap();
    assert!(seen.insert(written.version), "in the end a version came back");
}

pub(super) async fn touch(cx: Context) {
    let written = cx.a.put("k", "v").await.unwrap();
    assert!(cx.b.touch("k", cx.lifetime()).await.unwrap());
    assert_eq!(present(&*cx.a, "k").await.version, written.version, "after a touch");
    let touching = GetOptions::new().with_touch(Expiry::Never);
    let read = cx.b.get_opts(&Key::from("k"), touching).await.unwrap().unwrap();
    assert_eq!(read.version, written.version, "in the answer of a touching read");
    assert_eq!(present(&*cx.a, "k").await.version, written.version, "after a touching read");
}

pub(super) async fn refused_write(cx: Context) {
    let written = cx.a.put("k", "v").await.unwrap();
    let absent = PutOptions::new().with_precondition(Precondition::Absent);
    let answer = cx.b.put_opts(&Key::from("k"), "w".into(), absent).await;
    refused(answer, ErrorKind::Conflict, "a put on `Absent`");
    refused(cx.b.increment("k", 1).await, ErrorKind::Invalid, "an increment of `v`");
    assert_eq!(present(&*cx.a, "k").await.version, written.version);
}

pub(super) async fn keys(cx: Context) {
    let mut seen = HashSet::new();
    for number in 0..ROUNDS {
        let version = cx.a.put(format!("k{number}"), "same").await.unwrap().version;
        assert!(seen.insert(version), "key {number} has the version of another key");
    }
}

pub(super) async fn after_restart(cx: Context) {
    let mut seen = HashSet::new();
    let mut cx = cx;
    for round in 0..3 {
        for _ in 0..3 {
            let version = cx.a.put("k", "same").await.unwrap().version;
            assert!(seen.insert(version), "after {round} restarts a version came back");
        }
        cx.a.delete("k").await.unwrap();
        cx = cx.restart().await.unwrap();
    }
}
