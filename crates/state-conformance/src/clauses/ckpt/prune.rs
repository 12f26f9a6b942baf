//! What pruning takes away, and what it keeps.

use std::time::Duration;

use state_core::ErrorKind;
use state_core::checkpoint::{
    ChannelHistories, ChannelValue, Checkpoint, CheckpointNamespace, CheckpointerExt,
    HistoryOptions, PruneOptions, PruneReport, PutCheckpoint, Retention, ThreadId,
};

use super::stage::{
    Cx, THREAD, TIME, absent, at, bare, got, id, ids, latest_id, listed, numbered, of, put,
    put_writes, shows, step, steps, text, tuple_of_step, tuples_of_steps, write, writes_at,
};
use crate::expect::refused;

async fn prune(cx: &Cx, threads: &[&str], retention: Retention) -> PruneReport {
    let threads: Vec<ThreadId> = threads.iter().map(ThreadId::new).collect();
    cx.b.prune(&threads, PruneOptions::new(retention)).await.unwrap()
}

pub(super) async fn latest(cx: Cx) {
    steps(&*cx.a, THREAD, 4).await;
    let report = prune(&cx, &[THREAD], Retention::KeepLatest).await;
    assert_eq!(report.removed + report.hidden, 3, "{report:?}");
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(ids(store, of(THREAD)).await, [id(3)]);
        assert_eq!(latest_id(store, THREAD).await, Some(id(3)));
        assert_eq!(store.at(&at(THREAD, 2)).await.unwrap(), None, "one that was pruned");
    }
}

pub(super) async fn latest_of_each_thread(cx: Cx) {
    steps(&*cx.a, "a", 3).await;
    steps(&*cx.a, "b", 2).await;
    prune(&cx, &["a", "b"], Retention::KeepLatest).await;
    assert_eq!(ids(&*cx.a, of("a")).await, [id(2)]);
    assert_eq!(ids(&*cx.a, of("b")).await, [id(1)]);
}

pub(super) async fn latest_of_each_namespace(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    for number in 0..2 {
        put(&*cx.a, step(THREAD, number).with_namespace("child:1")).await;
    }
    prune(&cx, &[THREAD], Retention::KeepLatest).await;
    for (namespace, left) in [("", 2), ("child:1", 1)] {
        let list = of(THREAD).with_namespace(CheckpointNamespace::new(namespace));
        assert_eq!(ids(&*cx.a, list).await, [id(left)], "in `{namespace}`");
    }
}

pub(super) async fn writes(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    for number in 0..3 {
        put_writes(&*cx.a, &at(THREAD, number), [write("t", 0, "x", &number.to_string())]).await;
    }
    prune(&cx, &[THREAD], Retention::KeepLatest).await;
    assert_eq!(writes_at(&*cx.a, &at(THREAD, 2)).await, [write("t", 0, "x", "2")]);
}

pub(super) async fn delete(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    steps(&*cx.a, "other", 1).await;
    let report = prune(&cx, &[THREAD], Retention::Delete).await;
    assert_eq!(report, PruneReport::new(3, 0));
    absent(&cx, THREAD, "after all of it was pruned").await;
    shows(&cx, "other", tuples_of_steps("other", 1), "after another was pruned").await;
}

pub(super) async fn other_threads(cx: Cx) {
    for thread in [THREAD, "thread2"] {
        steps(&*cx.a, thread, 3).await;
    }
    prune(&cx, &[THREAD], Retention::KeepLatest).await;
    shows(&cx, "thread2", tuples_of_steps("thread2", 3), "after another was pruned").await;
}

pub(super) async fn none(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    for retention in [Retention::KeepLatest, Retention::Delete] {
        assert_eq!(prune(&cx, &[], retention).await, PruneReport::new(0, 0));
    }
    shows(&cx, THREAD, tuples_of_steps(THREAD, 3), "after no thread was pruned").await;
}

pub(super) async fn unknown(cx: Cx) {
    steps(&*cx.a, THREAD, 3).await;
    for retention in [Retention::KeepLatest, Retention::KeepLast(2), Retention::Delete] {
        assert_eq!(prune(&cx, &["absent"], retention).await, PruneReport::new(0, 0));
    }
    absent(&cx, "absent", "after it was pruned").await;
    shows(&cx, THREAD, tuples_of_steps(THREAD, 3), "after no thread was pruned").await;
}

pub(super) async fn last(cx: Cx) {
    steps(&*cx.a, THREAD, 5).await;
    put(&*cx.a, step(THREAD, 0).with_namespace("child")).await;
    let report = prune(&cx, &[THREAD], Retention::KeepLast(5)).await;
    assert_eq!(report, PruneReport::new(0, 0), "there are no more than five");
    let report = prune(&cx, &[THREAD], Retention::KeepLast(2)).await;
    assert_eq!(report.removed + report.hidden, 3, "{report:?}");
    assert_eq!(ids(&*cx.a, of(THREAD)).await, numbered([4, 3, 0]), "the last two of each");
    prune(&cx, &[THREAD], Retention::KeepLast(1)).await;
    assert_eq!(ids(&*cx.a, of(THREAD)).await, numbered([4, 0]), "the last of each");
}

pub(super) async fn age(cx: Cx) {
    let day = Duration::from_secs(86_400);
    let now = cx.now().unix_ms();
    // How old each is, in days; ids do not say how old a checkpoint is.
    for (number, days) in [9, 1, 5, 0, 2].into_iter().enumerate() {
        let time = state_core::Timestamp::from_unix_ms(now - days * 86_400_000);
        put(&*cx.a, PutCheckpoint::new(THREAD, Checkpoint::new(id(number), time))).await;
    }
    let ancient = bare(THREAD, id(0)).with_namespace("child");
    put(&*cx.a, ancient.clone()).await;
    let mut older = ancient;
    older.checkpoint.id = id(1);
    put(&*cx.a, older).await;
    let report = prune(&cx, &[THREAD], Retention::MaxAge(day * 3)).await;
    assert_eq!(report.removed + report.hidden, 3, "{report:?}");
    let found: Vec<_> = listed(&*cx.a, of(THREAD)).await;
    let found: Vec<_> =
        found.iter().map(|t| (t.reference.namespace.as_str(), t.reference.id.clone())).collect();
    let wanted = [("", id(4)), ("", id(3)), ("", id(1)), ("child", id(1))];
    assert_eq!(found, wanted, "the young, and the latest in any case");
}

pub(super) async fn survivors(cx: Cx) {
    steps(&*cx.a, THREAD, 6).await;
    put_writes(&*cx.a, &at(THREAD, 4), [write("t", 0, "x", "v")]).await;
    let before = listed(&*cx.a, of(THREAD)).await;
    prune(&cx, &[THREAD], Retention::KeepLast(2)).await;
    let wanted: Vec<_> = before.into_iter().take(2).collect();
    shows(&cx, THREAD, wanted, "after the rest was pruned").await;
    put(&*cx.a, step(THREAD, 6)).await;
    assert_eq!(got(&*cx.b, &at(THREAD, 6)).await, tuple_of_step(THREAD, 6), "it goes on");
}

/// Steps of which the channel `log` is rebuilt from the writes beside them: stored at step 1,
/// and at later ones empty or never put.
async fn logged(cx: &Cx, steps: usize) {
    for number in 0..steps {
        let version = i64::try_from(number).unwrap();
        let checkpoint = Checkpoint::new(id(number), TIME).with_channel("log", version);
        let mut next = PutCheckpoint::new(THREAD, checkpoint);
        next.parent = number.checked_sub(1).map(id);
        next = match number {
            1 => next.with_value("log", text("seed")),
            _ if number % 2 == 0 => next.with_value("log", ChannelValue::Empty),
            _ => next,
        };
        put(&*cx.a, next).await;
        let writes = [write("t", 0, "log", &number.to_string()), write("t", 1, "x", "not asked")];
        put_writes(&*cx.a, &at(THREAD, number), writes).await;
    }
}

async fn history(cx: &Cx, number: usize) -> ChannelHistories {
    cx.b.channel_history(HistoryOptions::new(at(THREAD, number), ["log"])).await.unwrap()
}

pub(super) async fn histories(cx: Cx) {
    for last in [6, 7] {
        logged(&cx, last + 1).await;
        let before = history(&cx, last).await;
        assert_eq!(before.get("log").unwrap().writes.len(), last - 1, "{before:?}");
        let report = prune(&cx, &[THREAD], Retention::KeepLatest).await;
        assert_eq!(report.removed + report.hidden, last as u64, "{report:?}");
        assert!(report.hidden > 0, "the log is rebuilt from records that are no longer shown");
        assert_eq!(history(&cx, last).await, before, "after its ancestors were pruned");
        prune(&cx, &[THREAD], Retention::KeepLatest).await;
        assert_eq!(history(&cx, last).await, before, "after it was pruned twice");
        cx.a.delete_thread(THREAD).await.unwrap();
    }
}

pub(super) async fn unnamed(cx: Cx) {
    for number in 0..4 {
        put(&*cx.a, step(THREAD, number)).await;
        put_writes(&*cx.a, &at(THREAD, number), [write("t", 0, "log", "entry")]).await;
    }
    assert_eq!(history(&cx, 3).await.get("log").unwrap().writes.len(), 3, "before the pruning");
    let report = prune(&cx, &[THREAD], Retention::KeepLatest).await;
    assert_eq!(report, PruneReport::new(3, 0), "no survivor names the channel");
    let left = history(&cx, 3).await;
    assert_eq!(left.get("log").unwrap().writes, [], "the writes went with their checkpoints");
    assert_eq!(writes_at(&*cx.a, &at(THREAD, 3)).await.len(), 1, "beside the survivor");
}

pub(super) async fn hidden(cx: Cx) {
    logged(&cx, 6).await;
    prune(&cx, &[THREAD], Retention::KeepLatest).await;
    for store in [&*cx.a, &*cx.b] {
        assert_eq!(ids(store, of(THREAD)).await, [id(5)], "listed");
        for number in 0..5 {
            assert_eq!(store.at(&at(THREAD, number)).await.unwrap(), None, "read by id");
            let list = of(THREAD).with_id(id(number));
            assert_eq!(ids(store, list).await, [], "listed by id");
        }
    }
    let summary = super::stage::summary(&*cx.a, THREAD).await.unwrap();
    assert_eq!(summary.checkpoints, 1, "the number of checkpoints");
}

pub(super) async fn bad_retention(cx: Cx) {
    steps(&*cx.a, THREAD, 2).await;
    for retention in [Retention::KeepLast(0), Retention::MaxAge(Duration::ZERO)] {
        let answer = cx.b.prune(&[THREAD.into()], PruneOptions::new(retention)).await;
        refused(answer, ErrorKind::Invalid, "a retention that keeps nothing");
    }
    shows(&cx, THREAD, tuples_of_steps(THREAD, 2), "after refused retentions").await;
}

pub(super) async fn no_records(cx: Cx) {
    for number in 0..30 {
        let mut next = step(THREAD, number);
        next = next.with_value("count", text("x".repeat(1_000 + number)));
        put(&*cx.a, next).await;
        put_writes(&*cx.a, &at(THREAD, number), [write("t", 0, "x", "v")]).await;
    }
    prune(&cx, &[THREAD], Retention::Delete).await;
    assert_eq!(cx.records().await.unwrap(), 0, "records that a pruned thread leaves");
}
