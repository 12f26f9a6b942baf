//! Which events are told to those who follow threads.

use std::time::Duration;

use futures_util::StreamExt;
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, DeleteThread, Retention, ThreadEvent, ThreadId, ThreadLifetime,
};
use state_core::{BoxStream, ErrorKind, Result};

use super::stage::{Cx, THREAD, at, bare, id, put, put_writes, step, steps, write};
use crate::expect::refused;

type Events = BoxStream<'static, Result<ThreadEvent>>;

pub(super) async fn undeclared(cx: Cx) {
    for thread in [None, Some(ThreadId::new(THREAD))] {
        match cx.a.watch_threads(thread).await {
            Ok(_) => panic!("a store that cannot be followed was followed"),
            Err(error) => refused::<()>(Err(error), ErrorKind::Unsupported, "following"),
        };
    }
}

async fn follow(store: &dyn Checkpointer, thread: Option<&str>) -> Events {
    store.watch_threads(thread.map(ThreadId::new)).await.unwrap()
}

/// The next event must be `expected`, and come within 10 s.
async fn tells(events: &mut Events, expected: ThreadEvent) {
    let told = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
    match told.unwrap_or_else(|_elapsed| panic!("{expected:?} was not told within 10 s")) {
        Some(Ok(event)) => assert_eq!(event, expected, "the next event that is told"),
        Some(Err(error)) => panic!("the watch failed instead of telling {expected:?}: {error}"),
        None => panic!("the watch has ended instead of telling {expected:?}"),
    }
}

pub(super) async fn puts(cx: Cx) {
    let mut events = follow(&*cx.b, Some(THREAD)).await;
    steps(&*cx.a, THREAD, 2).await;
    let child = put(&*cx.a, step(THREAD, 0).with_namespace("child")).await;
    for reference in [at(THREAD, 0), at(THREAD, 1), child] {
        tells(&mut events, ThreadEvent::Put(reference)).await;
    }
}

pub(super) async fn writes(cx: Cx) {
    steps(&*cx.a, THREAD, 1).await;
    let mut events = follow(&*cx.b, Some(THREAD)).await;
    put_writes(&*cx.a, &at(THREAD, 0), [write("t", 0, "x", "1"), write("t", 1, "x", "2")]).await;
    tells(&mut events, ThreadEvent::Writes(at(THREAD, 0))).await;
    put(&*cx.a, step(THREAD, 1)).await;
    tells(&mut events, ThreadEvent::Put(at(THREAD, 1))).await;
}

pub(super) async fn deleted(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let mut events = follow(&*cx.b, Some(THREAD)).await;
    cx.a.delete_thread(THREAD).await.unwrap();
    tells(&mut events, ThreadEvent::Deleted(THREAD.into())).await;
    put(&*cx.a, step(THREAD, 0)).await;
    tells(&mut events, ThreadEvent::Put(at(THREAD, 0))).await;
}

pub(super) async fn changed(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    let mut events = follow(&*cx.b, Some(THREAD)).await;
    let mut copies = follow(&*cx.b, Some("copy")).await;
    cx.a.prune_thread(THREAD, Retention::KeepLatest).await.unwrap();
    tells(&mut events, ThreadEvent::Changed(THREAD.into())).await;
    cx.a.copy_thread(THREAD, "copy").await.unwrap();
    tells(&mut copies, ThreadEvent::Changed("copy".into())).await;
}

pub(super) async fn expired(cx: Cx) {
    let ends = || step(THREAD, 0).with_lifetime(ThreadLifetime::After(cx.lifetime()));
    let mut events = if cx.time_moves() {
        put(&*cx.a, ends()).await;
        follow(&*cx.b, Some(THREAD)).await
    } else {
        // It could end before it is followed.
        let mut events = follow(&*cx.b, Some(THREAD)).await;
        put(&*cx.a, ends()).await;
        tells(&mut events, ThreadEvent::Put(at(THREAD, 0))).await;
        events
    };
    cx.outlive().await;
    assert_eq!(cx.a.latest(THREAD).await.unwrap(), None, "it has expired");
    tells(&mut events, ThreadEvent::Deleted(THREAD.into())).await;
}

pub(super) async fn from_now_on(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    let mut events = follow(&*cx.a, Some(THREAD)).await;
    put(&*cx.a, step(THREAD, 2)).await;
    tells(&mut events, ThreadEvent::Put(at(THREAD, 2))).await;
}

pub(super) async fn only_this(cx: Cx) {
    let mut one = follow(&*cx.b, Some("thread:1")).await;
    let mut all = follow(&*cx.b, None).await;
    for thread in ["thread", "thread:1", "thread:1:2", "*"] {
        put(&*cx.a, step(thread, 0)).await;
        tells(&mut all, ThreadEvent::Put(at(thread, 0))).await;
    }
    put(&*cx.a, step("thread:1", 1)).await;
    tells(&mut one, ThreadEvent::Put(at("thread:1", 0))).await;
    tells(&mut one, ThreadEvent::Put(at("thread:1", 1))).await;
}

pub(super) async fn not_refused(cx: Cx) {
    steps(&*cx.a, THREAD, 1).await;
    let mut events = follow(&*cx.b, Some(THREAD)).await;
    assert!(cx.a.put_checkpoint(bare(THREAD, id(0))).await.is_err(), "another under its id");
    assert!(cx.a.put_checkpoint(step(THREAD, 0)).await.unwrap().existed);
    assert!(!cx.a.delete_thread("absent").await.unwrap());
    let none = DeleteThread::new(THREAD).with_tombstone(Duration::ZERO);
    assert!(cx.a.delete_thread_opts(none).await.is_err(), "a mark without a lifetime");
    put(&*cx.a, step(THREAD, 1)).await;
    tells(&mut events, ThreadEvent::Put(at(THREAD, 1))).await;
}
