//! How long threads live.

use std::time::Duration;

use state_core::checkpoint::{
    CheckpointerExt, CopyOptions, DeleteThread, GetCheckpoint, PutCheckpoint, PutWrites,
    ThreadLifetime, TouchThread,
};
use state_core::{ErrorKind, Expires, Result};

use super::stage::{
    Cx, THREAD, absent, at, bare, got, holding, id, listed, of, put, put_writes, shows, step,
    steps, summary, tuple_of, tuples_of_steps, write,
};
use crate::expect::refused;

/// A lifetime for clauses that move time.
const LIFE: Duration = Duration::from_secs(10);

fn after(put: PutCheckpoint, life: Duration) -> PutCheckpoint {
    put.with_lifetime(ThreadLifetime::After(life))
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Whether the thread is there, by all ways of looking; what is gone is gone for all.
async fn alive(cx: &Cx) -> bool {
    let alive = summary(&*cx.b, THREAD).await.is_some();
    if !alive {
        absent(cx, THREAD, "after its lifetime").await;
    }
    alive
}

pub(super) async fn expires(cx: Cx) {
    put(&*cx.a, step(THREAD, 0)).await;
    put_writes(&*cx.a, &at(THREAD, 0), [write("t", 0, "x", "v")]).await;
    put(&*cx.a, after(step(THREAD, 1), cx.lifetime())).await;
    steps(&*cx.a, "other", 1).await;
    cx.outlive().await;
    absent(&cx, THREAD, "after its lifetime").await;
    for number in 0..2 {
        assert_eq!(cx.b.at(&at(THREAD, number)).await.unwrap(), None);
    }
    shows(&cx, "other", tuples_of_steps("other", 1), "of a thread without a lifetime").await;
}

pub(super) async fn gone(cx: Cx) {
    put(&*cx.a, holding(THREAD, id(0), "v")).await;
    put_writes(&*cx.a, &at(THREAD, 1), [write("t", 0, "x", "early")]).await;
    put(&*cx.a, after(bare(THREAD, id(2)), cx.lifetime())).await;
    cx.outlive().await;
    assert!(!cx.b.delete_thread(THREAD).await.unwrap(), "there is no thread to delete");
    let mut naming = holding(THREAD, id(1), "v");
    naming.values.clear();
    put(&*cx.a, naming.clone()).await;
    shows(&cx, THREAD, vec![tuple_of(&naming)], "made anew after its lifetime").await;
}

pub(super) async fn exact(cx: Cx) {
    put(&*cx.a, after(step(THREAD, 0), LIFE)).await;
    cx.advance(LIFE.saturating_sub(Duration::from_millis(1))).await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 1), "1 ms before the end").await;
    cx.advance(Duration::from_millis(1)).await;
    absent(&cx, THREAD, "after its lifetime").await;
}

pub(super) async fn as_a_whole(cx: Cx) {
    put_writes(&*cx.a, &at(THREAD, 0), [write("t", 0, "x", "v")]).await;
    put(&*cx.a, after(step(THREAD, 0), LIFE)).await;
    cx.advance(secs(6)).await;
    put(&*cx.a, after(step(THREAD, 0).with_namespace("child"), LIFE)).await;
    cx.advance(secs(6)).await;
    let root = got(&*cx.b, &at(THREAD, 0)).await;
    assert_eq!(root.values, step(THREAD, 0).values, "the first checkpoint is still whole");
    assert_eq!(root.pending_writes.len(), 1, "with its writes");
    cx.advance(secs(4)).await;
    assert!(!alive(&cx).await, "all of it ends at once");
    let child = at(THREAD, 0).with_namespace("child");
    assert_eq!(cx.a.at(&child).await.unwrap(), None, "in the namespace that was put last");
}

pub(super) async fn writes_renew(cx: Cx) {
    put(&*cx.a, after(step(THREAD, 0), LIFE)).await;
    cx.advance(secs(6)).await;
    let writes = PutWrites::new(at(THREAD, 0), vec![write("t", 0, "x", "v")]);
    cx.b.put_writes(writes.with_lifetime(ThreadLifetime::After(LIFE))).await.unwrap();
    cx.advance(secs(6)).await;
    assert!(alive(&cx).await, "the writes began its lifetime anew");
    cx.advance(secs(4)).await;
    assert!(!alive(&cx).await, "after the lifetime that the writes named");
}

pub(super) async fn kept(cx: Cx) {
    put(&*cx.a, after(step(THREAD, 0), LIFE)).await;
    cx.advance(secs(6)).await;
    put(&*cx.b, step(THREAD, 1).with_lifetime(ThreadLifetime::Keep)).await;
    let writes = PutWrites::new(at(THREAD, 1), vec![write("t", 0, "x", "v")]);
    cx.b.put_writes(writes.with_lifetime(ThreadLifetime::Keep)).await.unwrap();
    cx.advance(secs(3)).await;
    assert!(alive(&cx).await, "1 s before the end");
    cx.advance(secs(1)).await;
    assert!(!alive(&cx).await, "the lifetime was to be kept");
}

pub(super) async fn shortened(cx: Cx) {
    put(&*cx.a, after(step(THREAD, 0), LIFE * 100)).await;
    put(&*cx.b, after(step(THREAD, 1), LIFE)).await;
    cx.advance(LIFE).await;
    assert!(!alive(&cx).await, "the last lifetime that was named");
}

pub(super) async fn pinned(cx: Cx) {
    put(&*cx.a, after(step(THREAD, 0), LIFE)).await;
    put(&*cx.b, step(THREAD, 1).with_lifetime(ThreadLifetime::Pinned)).await;
    put(&*cx.a, step(THREAD, 2)).await;
    put(&*cx.a, step(THREAD, 3).with_lifetime(ThreadLifetime::Keep)).await;
    put_writes(&*cx.a, &at(THREAD, 9), [write("t", 0, "x", "v")]).await;
    cx.b.get_checkpoint(GetCheckpoint::latest(THREAD).with_refresh(true)).await.unwrap();
    cx.advance(secs(3_000_000)).await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 4), "a month later").await;
    assert!(summary(&*cx.b, THREAD).await.unwrap().pinned, "it is said to be pinned");
}

pub(super) async fn unpinned(cx: Cx) {
    put(&*cx.a, step(THREAD, 0).with_lifetime(ThreadLifetime::Pinned)).await;
    put(&*cx.b, after(step(THREAD, 1), LIFE)).await;
    assert!(!summary(&*cx.b, THREAD).await.unwrap().pinned, "it is no longer pinned");
    cx.advance(LIFE).await;
    assert!(!alive(&cx).await, "after the lifetime that was named");
}

pub(super) async fn touched(cx: Cx) {
    let with = |life| TouchThread::new(THREAD).with_lifetime(life);
    let after = ThreadLifetime::After(LIFE);
    assert!(!cx.b.touch_thread(with(after)).await.unwrap(), "there is no thread");
    absent(&cx, THREAD, "after its lifetime was to be set").await;
    steps(&*cx.a, THREAD, 2).await;
    put_writes(&*cx.a, &at(THREAD, 1), [write("t", 0, "x", "v")]).await;
    let before = listed(&*cx.a, of(THREAD)).await;
    assert!(cx.b.touch_thread(with(ThreadLifetime::Pinned)).await.unwrap(), "there is one");
    assert!(summary(&*cx.a, THREAD).await.unwrap().pinned, "it was pinned");
    assert!(cx.b.touch_thread(with(after)).await.unwrap());
    cx.advance(secs(6)).await;
    assert!(cx.a.touch_thread(with(ThreadLifetime::Keep)).await.unwrap(), "nothing is to change");
    cx.advance(secs(3)).await;
    shows(&cx, THREAD, before.clone(), "1 s before the end that was set").await;
    assert!(cx.a.touch_thread(with(after)).await.unwrap(), "begun anew");
    cx.advance(secs(9)).await;
    shows(&cx, THREAD, before, "1 s before the end that was set last").await;
    cx.advance(secs(1)).await;
    assert!(!alive(&cx).await, "at that end");
}

pub(super) async fn read_refreshes(cx: Cx) {
    put(&*cx.a, after(step(THREAD, 0), LIFE)).await;
    for by_id in [false, true] {
        cx.advance(secs(6)).await;
        let get =
            if by_id { GetCheckpoint::at(THREAD, id(0)) } else { GetCheckpoint::latest(THREAD) };
        let found = cx.b.get_checkpoint(get.with_refresh(true)).await.unwrap();
        assert!(found.is_some(), "it was read {} s after the last refresh", 6);
    }
    cx.advance(secs(9)).await;
    assert!(alive(&cx).await, "1 s before the end of the refreshed lifetime");
    cx.advance(secs(1)).await;
    assert!(!alive(&cx).await, "at the end of the refreshed lifetime");
}

pub(super) async fn read_leaves(cx: Cx) {
    put(&*cx.a, after(step(THREAD, 0), LIFE)).await;
    cx.advance(secs(6)).await;
    let get = GetCheckpoint::latest(THREAD).with_refresh(false);
    assert!(cx.b.get_checkpoint(get).await.unwrap().is_some());
    shows(&cx, THREAD, tuples_of_steps(THREAD, 1), "listed").await;
    cx.advance(secs(4)).await;
    assert!(!alive(&cx).await, "reading was not to refresh it");
}

pub(super) async fn default(cx: Cx) {
    let left = async |thread: &str| match summary(&*cx.b, thread).await.unwrap().expires {
        Expires::At { remaining, .. } => Some(remaining),
        _ => None,
    };
    steps(&*cx.a, "fresh", 1).await;
    put(&*cx.a, after(step(THREAD, 0), secs(100))).await;
    put(&*cx.a, step(THREAD, 1)).await;
    match (left("fresh").await, left(THREAD).await) {
        (None, None) => {}
        (Some(fresh), Some(again)) => {
            assert!(fresh.abs_diff(again) <= cx.tolerance(), "{fresh:?} and {again:?} are left");
        }
        other => panic!("a default lifetime differs from that of a fresh thread: {other:?}"),
    }
}

pub(super) async fn shown(cx: Cx) {
    put(&*cx.a, after(step(THREAD, 0), secs(100))).await;
    let found = summary(&*cx.b, THREAD).await.unwrap();
    let Expires::At { remaining, deadline } = found.expires else {
        panic!("its end is not told: {found:?}")
    };
    assert!(remaining <= secs(100) && remaining + cx.tolerance() >= secs(100), "{remaining:?}");
    let wanted = cx.now().checked_add(secs(100)).unwrap();
    let (early, late) = (wanted.saturating_since(deadline), deadline.saturating_since(wanted));
    assert!(early.max(late) <= cx.tolerance(), "the end is told as {deadline}");
    assert!(!found.pinned, "it was not pinned");
    put(&*cx.a, step(THREAD, 1).with_lifetime(ThreadLifetime::Pinned)).await;
    let found = summary(&*cx.b, THREAD).await.unwrap();
    assert_eq!((found.expires, found.pinned), (Expires::Never, true));
}

pub(super) async fn bad(cx: Cx) {
    let bad = [Duration::ZERO, Duration::from_micros(999), secs(315_576_001), Duration::MAX];
    for life in bad {
        let answer = cx.a.put_checkpoint(after(step(THREAD, 0), life)).await;
        refused(answer, ErrorKind::Invalid, "a put with a bad lifetime");
        let writes = PutWrites::new(at(THREAD, 0), vec![write("t", 0, "x", "v")]);
        let writes = writes.with_lifetime(ThreadLifetime::After(life));
        refused(cx.a.put_writes(writes).await, ErrorKind::Invalid, "writes with a bad lifetime");
        let delete = DeleteThread::new(THREAD).with_tombstone(life);
        let answer = cx.a.delete_thread_opts(delete).await;
        refused(answer, ErrorKind::Invalid, "a mark with a bad lifetime");
        refused(copied(&cx, life).await, ErrorKind::Invalid, "a copy of nothing with a bad one");
        let touch = TouchThread::new(THREAD).with_lifetime(ThreadLifetime::After(life));
        refused(cx.a.touch_thread(touch).await, ErrorKind::Invalid, "a bad lifetime set alone");
    }
    absent(&cx, THREAD, "after refused puts").await;
    steps(&*cx.b, THREAD, 1).await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 1), "and nothing was kept").await;
    for life in bad {
        refused(copied(&cx, life).await, ErrorKind::Invalid, "a copy with a bad lifetime");
    }
    absent(&cx, "copy", "after refused copies").await;
}

async fn copied(cx: &Cx, life: Duration) -> Result<u64> {
    let options = CopyOptions::new().with_lifetime(ThreadLifetime::After(life));
    cx.a.copy_thread_opts(&THREAD.into(), &"copy".into(), options).await
}
