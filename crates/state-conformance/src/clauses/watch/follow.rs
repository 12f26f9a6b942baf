//! Where a watch begins, who may read it, and how it ends.

use state_core::{
    Capability, Change, ErrorKind, StateBackend, StateBackendExt, Version, WatchOptions,
    WatchStart, WriteOp, WriteOutcome,
};

use super::{Events, follow, next, put, tells};
use crate::Context;
use crate::expect::refused;

pub(super) async fn undeclared(cx: Context) {
    assert!(cx.a.as_watch().is_none(), "the first instance hands the role out");
    assert!(cx.b.as_watch().is_none(), "the second instance hands the role out");
}

pub(super) async fn now(cx: Context) {
    for number in 0..10 {
        cx.a.put("k", number.to_string()).await.unwrap();
    }
    let mut events = follow(&*cx.b).await;
    let version = cx.a.put("k", "v").await.unwrap().version;
    tells(&mut events, put("k", version)).await;
    let options = WatchOptions::default().with_start(WatchStart::Now);
    let mut explicit = super::watch(&*cx.a, options).await;
    let version = cx.b.put("k", "w").await.unwrap().version;
    tells(&mut explicit, put("k", version)).await;
    tells(&mut events, put("k", version)).await;
}

pub(super) async fn instances(cx: Context) {
    let mut at_a = follow(&*cx.a).await;
    let mut at_b = follow(&*cx.b).await;
    for number in 0..20 {
        let store = if number % 2 == 0 { &cx.a } else { &cx.b };
        let version = store.put("k", "v").await.unwrap().version;
        for events in [&mut at_a, &mut at_b] {
            tells(events, put("k", version)).await;
        }
    }
}

pub(super) async fn dropped(cx: Context) {
    let ended = follow(&*cx.b).await;
    let mut begun = follow(&*cx.b).await;
    let mut events = follow(&*cx.b).await;
    cx.a.put("k", "1").await.unwrap();
    next(&mut begun, "the first put").await;
    drop(ended);
    drop(begun);
    next(&mut events, "the first put").await;
    let version = cx.a.put("k", "2").await.unwrap().version;
    tells(&mut events, put("k", version)).await;
    let unpolled = cx.b.as_watch().unwrap().watch(WatchOptions::default());
    drop(unpolled);
    let version = cx.b.put("k", "3").await.unwrap().version;
    tells(&mut events, put("k", version)).await;
}

/// Writes one key `count` times, in batches, and returns the versions.
pub(super) async fn write_many(store: &dyn StateBackend, count: usize) -> Vec<Version> {
    let step = store.capabilities().limits.batch_ops_max.min(1_000);
    let mut versions = Vec::with_capacity(count);
    while versions.len() < count {
        let ops = vec![WriteOp::put("k", "v"); step.min(count - versions.len())];
        for answer in store.write_many(ops).await.unwrap() {
            match answer.unwrap() {
                WriteOutcome::Written(written) => versions.push(written.version),
                other => panic!("of a put: {other:?}"),
            }
        }
    }
    versions
}

/// More writes than most stores retain changes.
pub(super) const MANY: usize = 12_000;

pub(super) async fn slow(cx: Context) {
    let mut events = follow(&*cx.b).await;
    let written = write_many(&*cx.a, MANY).await;
    let (told, gaps) = read_until(&mut events, written.last().copied()).await;
    let mut rest = written.iter();
    assert!(told.iter().all(|version| rest.any(|written| written == version)), "out of order");
    if gaps == 0 && cx.has(Capability::WatchLog) {
        assert!(told == written, "{} of {MANY} were told without a gap", told.len());
    }
    let version = cx.a.put("k", "last").await.unwrap().version;
    tells(&mut events, put("k", version)).await;
}

/// The versions that are told, and how many gaps, until `last` has come.
async fn read_until(events: &mut Events, last: Option<Version>) -> (Vec<Version>, usize) {
    let (mut told, mut gaps) = (Vec::new(), 0);
    while told.last().copied() != last {
        match next(events, "the last put").await.change {
            Change::Put { version, .. } => told.push(version),
            Change::Gap => gaps += 1,
            other => panic!("{other:?} was told"),
        }
    }
    (told, gaps)
}

pub(super) async fn nothing(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    let options = WatchOptions::default().with_follow(false);
    let answer = cx.a.as_watch().unwrap().watch(options).await.map(drop);
    refused(answer, ErrorKind::Invalid, "a watch that tells nothing");
}
