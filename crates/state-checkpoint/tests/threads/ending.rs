//! Ends of threads and of parts of them: nothing needed goes, nothing else stays.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use state_core::checkpoint::{
    CheckpointRef, Checkpointer, CheckpointerExt, DeleteThread, GetCheckpoint, ListCheckpoints,
    PutWrites, Retention, ThreadLifetime,
};
use state_core::{ErrorKind, Limits};

use crate::stand::{
    conversation, id, int, json, messages, stand, stand_with, step, with_messages, write,
};

#[tokio::test]
async fn twelve_thousand_writes_are_deleted_to_nothing() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    conversation(checkpoints, "t", 1).await;
    let reference = CheckpointRef::new("t", id(0));
    let many: Vec<_> =
        (0..12_000).map(|n| write(&format!("task {}", n / 3), n % 3, "1234567890")).collect();
    let receipt =
        checkpoints.put_writes(PutWrites::new(reference.clone(), many.clone())).await.unwrap();
    assert_eq!(receipt.written, 12_000);
    let again = stand.cold().put_writes(PutWrites::new(reference.clone(), many)).await.unwrap();
    assert_eq!((again.written, again.kept), (0, 12_000));
    let tuple = stand.cold().at(&reference).await.unwrap().unwrap();
    assert_eq!(tuple.pending_writes.len(), 12_000);
    assert!(checkpoints.delete_thread("t").await.unwrap());
    assert_eq!(stand.rows().await, 0);
    assert!(!checkpoints.delete_thread("t").await.unwrap());
    assert_eq!(stand.rows().await, 0);
}

#[tokio::test]
async fn a_thread_with_runs_and_namespaces_is_deleted_to_nothing_and_spares_others() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    conversation(checkpoints, "victim", 3).await;
    let before = stand.rows().await;
    for n in 0..20 {
        for namespace in ["", "child", "1:x"] {
            let mut put = with_messages(step("victim:1", n), n + 1).with_namespace(namespace);
            put.metadata = put.metadata.with("run_id", format!("run {}", n / 5));
            checkpoints.put_checkpoint(put).await.unwrap();
        }
    }
    assert!(stand.rows().await > before);
    assert!(checkpoints.delete_thread("victim:1").await.unwrap());
    assert_eq!(stand.rows().await, before);
    assert!(checkpoints.latest("victim").await.unwrap().is_some());
}

#[tokio::test]
async fn a_tombstone_refuses_late_writes_and_goes() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    conversation(checkpoints, "t", 5).await;
    let delete = DeleteThread::new("t").with_tombstone(Some(DeleteThread::TOMBSTONE));
    assert!(checkpoints.delete_thread_opts(delete).await.unwrap());
    assert_eq!(stand.rows().await, 1);
    let late = checkpoints.put_checkpoint(with_messages(step("t", 5), 6)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
    let writes = PutWrites::new(CheckpointRef::new("t", id(4)), vec![write("a", 0, "1")]);
    assert_eq!(checkpoints.put_writes(writes).await.unwrap_err().kind(), ErrorKind::Conflict);
    stand.clock.advance(DeleteThread::TOMBSTONE);
    checkpoints.put_checkpoint(with_messages(step("t", 5), 6)).await.unwrap();
    let delete = DeleteThread::new("t").with_tombstone(Some(DeleteThread::TOMBSTONE));
    checkpoints.delete_thread_opts(delete).await.unwrap();
    let recreate = with_messages(step("t", 6), 7).with_recreate(true);
    checkpoints.put_checkpoint(recreate).await.unwrap();
    let tuple = stand.cold().latest("t").await.unwrap().unwrap();
    assert_eq!(tuple.value("messages"), Some(&json(messages(7))));
}

#[tokio::test]
async fn a_thread_expires_whole_and_leaves_nothing() {
    let hour = Duration::from_secs(3_600);
    let stand = stand_with(|options| options.with_lifetime(hour).with_refresh_on_read(true));
    let checkpoints = &stand.checkpoints;
    for thread in ["a", "b", "c"] {
        conversation(checkpoints, thread, 10).await;
    }
    let pinned = with_messages(step("c", 10), 11).with_lifetime(ThreadLifetime::Pinned);
    checkpoints.put_checkpoint(pinned).await.unwrap();
    stand.clock.advance(hour / 2);
    assert!(checkpoints.latest("a").await.unwrap().is_some(), "reading begins its hour anew");
    let quiet = GetCheckpoint::latest("b").with_refresh(Some(false));
    assert!(checkpoints.get_checkpoint(quiet).await.unwrap().is_some());
    stand.clock.advance(hour / 2);
    assert!(checkpoints.latest("a").await.unwrap().is_some());
    assert_eq!(checkpoints.latest("b").await.unwrap(), None);
    conversation(checkpoints, "b", 2).await;
    let tuple = checkpoints.latest("b").await.unwrap().unwrap();
    assert_eq!(tuple.value("messages"), Some(&json(messages(2))));
    stand.clock.advance(Limits::LIFETIME_MAX);
    let left: Vec<_> = checkpoints.threads().try_collect().await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].pinned && left[0].thread.as_str() == "c");
    checkpoints.delete_thread("c").await.unwrap();
    assert_eq!(stand.rows().await, 0);
}

#[tokio::test]
async fn pruning_keeps_what_survivors_need_and_frees_the_rest() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    for n in 0..300 {
        // One channel grows, one is another each time.
        let mut put = with_messages(step("t", n), n + 1);
        put.checkpoint = put.checkpoint.with_channel("noise", int(n));
        let noise: String = (0..400)
            .map(|k| char::from(b'a' + u8::try_from((k * (n + 3) * 7 + n) % 26).unwrap()))
            .collect();
        checkpoints.put_checkpoint(put.with_value("noise", json(noise))).await.unwrap();
    }
    let before = checkpoints.threads().next().await.unwrap().unwrap();
    let report = checkpoints.prune_thread("t", Retention::KeepLast(3)).await.unwrap();
    assert_eq!((report.removed, report.hidden), (297, 0));
    for checkpoints in [stand.checkpoints.clone(), stand.cold()] {
        let all: Vec<_> = checkpoints.list(ListCheckpoints::of("t")).try_collect().await.unwrap();
        let kept: Vec<_> = all.iter().map(|tuple| tuple.reference.id.as_str().to_owned()).collect();
        assert_eq!(kept, [id(299), id(298), id(297)]);
        assert_eq!(all[0].value("messages"), Some(&json(messages(300))));
    }
    let after = checkpoints.threads().next().await.unwrap().unwrap();
    assert_eq!(after.checkpoints, 3);
    assert!(after.bytes < before.bytes, "{} then {}", before.bytes, after.bytes);
    // It goes on from here, and what was pruned is not found again.
    let mut next = with_messages(step("t", 300), 301);
    next.checkpoint = next.checkpoint.with_channel("noise", 5);
    checkpoints.put_checkpoint(next).await.unwrap();
    let tuple = stand.cold().latest("t").await.unwrap().unwrap();
    assert_eq!(tuple.value("messages"), Some(&json(messages(301))));
    assert_eq!(tuple.values.get("noise"), None);
    let none = checkpoints.prune_thread("t", Retention::Delete).await.unwrap();
    assert_eq!(none.removed, 4);
    assert_eq!(stand.rows().await, 0);
}

#[tokio::test]
async fn what_was_hidden_and_put_again_stays_in_sight() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    // The channel never has a value, and is written to: all ancestors are needed.
    let put = |n: usize| {
        let mut put = step("t", n);
        put.checkpoint = put.checkpoint.with_channel("c", int(n));
        put
    };
    for n in 0..4 {
        checkpoints.put_checkpoint(put(n)).await.unwrap();
        let reference = CheckpointRef::new("t", id(n));
        let writes = PutWrites::new(reference, vec![write("task", 0, "1")]);
        checkpoints.put_writes(writes).await.unwrap();
    }
    let report = checkpoints.prune_thread("t", Retention::KeepLatest).await.unwrap();
    assert_eq!((report.removed, report.hidden), (0, 3));
    assert!(!checkpoints.put_checkpoint(put(0)).await.unwrap().existed);
    // Nothing descends from it now, so the record out of sight is not needed.
    let mut root = step("t", 4).with_parent(None);
    root.checkpoint = root.checkpoint.with_channel("other", 1);
    checkpoints.put_checkpoint(root).await.unwrap();
    let report = checkpoints.prune_thread("t", Retention::KeepLast(9)).await.unwrap();
    assert_eq!((report.removed, report.hidden), (0, 0));
    let ids = async |it: &state_checkpoint::Checkpoints| -> Vec<String> {
        let all: Vec<_> = it.list(ListCheckpoints::of("t")).try_collect().await.unwrap();
        all.iter().map(|tuple| tuple.reference.id.as_str().to_owned()).collect()
    };
    assert_eq!(ids(checkpoints).await, [id(4), id(3), id(0)]);
    let one = checkpoints.prune_thread("t", Retention::KeepLatest).await.unwrap();
    assert_eq!((one.removed, one.hidden), (2, 0), "counted once");
    let left = checkpoints.threads().next().await.unwrap().unwrap();
    assert_eq!(left.checkpoints, 1);
}

#[tokio::test]
async fn runs_are_deleted_wherever_they_are() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    for thread in ["a", "b"] {
        for n in 0..6 {
            let mut put = with_messages(step(thread, n), n + 1);
            let run = if thread == "a" || n < 3 { "one" } else { "two" };
            put.metadata = put.metadata.with("run_id", run);
            checkpoints.put_checkpoint(put).await.unwrap();
        }
    }
    assert_eq!(stand.cold().delete_for_runs(&[]).await.unwrap(), 0);
    assert_eq!(stand.cold().delete_for_runs(&["never".into()]).await.unwrap(), 0);
    assert_eq!(stand.cold().delete_for_runs(&["one".into()]).await.unwrap(), 9);
    let threads: Vec<_> = checkpoints.threads().try_collect().await.unwrap();
    assert_eq!(threads.len(), 1);
    let tuple = stand.cold().latest("b").await.unwrap().unwrap();
    assert_eq!(tuple.value("messages"), Some(&json(messages(6))));
    assert_eq!(checkpoints.delete_for_runs(&["two".into()]).await.unwrap(), 3);
    assert_eq!(stand.rows().await, 0);
}

#[tokio::test]
async fn copies_and_forks_stand_on_their_own() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    conversation(checkpoints, "from", 50).await;
    let child = with_messages(step("from", 7), 3).with_namespace("child").with_parent(None);
    checkpoints.put_checkpoint(child).await.unwrap();
    let reference = CheckpointRef::new("from", id(49));
    let writes = PutWrites::new(reference, vec![write("a", 0, &"y".repeat(300))]);
    checkpoints.put_writes(writes).await.unwrap();
    assert_eq!(checkpoints.copy_thread("from", "copy").await.unwrap(), 51);
    let fork = CheckpointRef::new("from", id(20));
    assert_eq!(checkpoints.fork(&fork, "fork").await.unwrap(), 21);
    assert_eq!(checkpoints.copy_thread("absent", "x").await.unwrap(), 0);
    assert_eq!(
        checkpoints.copy_thread("from", "copy").await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(
        checkpoints.copy_thread("from", "from").await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    checkpoints.delete_thread("from").await.unwrap();
    let cold = stand.cold();
    let all: Vec<_> =
        cold.list(ListCheckpoints::of("copy").with_limit(usize::MAX)).try_collect().await.unwrap();
    assert_eq!(all.len(), 51);
    assert_eq!(all[0].pending_writes.len(), 1);
    assert_eq!(all[0].value("messages"), Some(&json(messages(50))));
    let forked = cold.latest("fork").await.unwrap().unwrap();
    assert_eq!(forked.value("messages"), Some(&json(messages(21))));
    let mut next = with_messages(step("fork", 21), 22);
    next.parent = Some(id(20).into());
    cold.put_checkpoint(next).await.unwrap();
    for n in 0..22 {
        let tuple = stand.cold().at(&CheckpointRef::new("fork", id(n))).await.unwrap().unwrap();
        assert_eq!(tuple.value("messages"), Some(&json(messages(n + 1))));
    }
    checkpoints.delete_thread("copy").await.unwrap();
    checkpoints.delete_thread("fork").await.unwrap();
    assert_eq!(stand.rows().await, 0);
}
