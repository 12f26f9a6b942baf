//! Listings, histories, owners and events.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt};
use state_checkpoint::Checkpoints;
use state_core::checkpoint::{
    CheckpointRef, Checkpointer, CheckpointerExt, DeleteThread, HistoryOptions, ListCheckpoints,
    Metadata, Ownership, PendingWrite, PutWrites, Retention, ThreadEvent,
};
use state_core::{ErrorKind, Fence, FenceToken};

use crate::stand::{conversation, id, int, json, messages, stand, step, with_messages, write};

#[tokio::test]
async fn listings_are_newest_first_with_every_filter() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    for n in 0..30 {
        for namespace in ["", "child"] {
            if n % 3 == 0 || namespace.is_empty() {
                let put = with_messages(step("t", n), n + 1).with_namespace(namespace);
                checkpoints.put_checkpoint(put).await.unwrap();
            }
        }
    }
    conversation(checkpoints, "other", 4).await;
    let ids = async |list: ListCheckpoints| -> Vec<(String, String)> {
        let all: Vec<_> = stand.cold().list(list).try_collect().await.unwrap();
        all.iter()
            .map(|tuple| {
                let reference = &tuple.reference;
                (reference.id.as_str().to_owned(), reference.namespace.as_str().to_owned())
            })
            .collect()
    };
    let all = ids(ListCheckpoints::of("t").with_limit(usize::MAX)).await;
    assert_eq!(all.len(), 40);
    assert!(all.is_sorted_by(|a, b| (&b.0, &a.1) < (&a.0, &b.1)), "{all:?}");
    assert_eq!(ids(ListCheckpoints::all().with_limit(usize::MAX)).await.len(), 44);
    let root = ListCheckpoints::of("t").with_namespace(Some("".into()));
    assert_eq!(ids(root.clone().with_limit(usize::MAX)).await.len(), 30);
    let before = root.clone().with_before(Some(id(10).into())).with_limit(3);
    let expected: Vec<_> = [9, 8, 7].map(|n| (id(n), String::new())).into();
    assert_eq!(ids(before).await, expected);
    let filter = Metadata::new().with("step", 6.0).with("source", "loop");
    assert_eq!(ids(ListCheckpoints::of("t").with_filter(filter)).await.len(), 2);
    let none = Metadata::new().with("step", 6).with("source", "input");
    assert_eq!(ids(ListCheckpoints::of("t").with_filter(none)).await.len(), 0);
    let one = ListCheckpoints::of("t").with_id(Some(id(9).into()));
    assert_eq!(ids(one).await.len(), 2);
    for limit in [1, 2, 7] {
        let mut token = None;
        let mut paged = Vec::new();
        loop {
            let list = ListCheckpoints::of("t").with_limit(limit).with_token(token);
            let page = checkpoints.list_checkpoints(list).await.unwrap();
            assert!(page.items.len() <= limit);
            paged.extend(page.items.iter().map(|tuple| tuple.reference.id.as_str().to_owned()));
            let Some(next) = page.next else { break };
            token = Some(next);
        }
        assert_eq!(paged, all.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    }
    let page = checkpoints.list_checkpoints(ListCheckpoints::of("t").with_limit(1)).await.unwrap();
    let elsewhere = ListCheckpoints::of("other").with_token(page.next);
    let forged = checkpoints.list_checkpoints(elsewhere).await.unwrap_err();
    assert_eq!(forged.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_stale_owner_writes_nothing() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    let holder = |token| Ownership::Holder(Fence::new("lease", FenceToken::new(token)));
    checkpoints.put_checkpoint(step("t", 0).with_ownership(holder(7))).await.unwrap();
    let stale = checkpoints.put_checkpoint(step("t", 1).with_ownership(holder(6))).await;
    assert_eq!(stale.unwrap_err().kind(), ErrorKind::Fenced);
    let latest = Ownership::ParentIsLatest;
    checkpoints.put_checkpoint(step("t", 1).with_ownership(latest.clone())).await.unwrap();
    let mut fork = step("t", 2).with_ownership(latest.clone());
    fork.parent = Some(id(0).into());
    let late = checkpoints.put_checkpoint(fork.clone()).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
    // Sent twice, it is there once: its own success is no conflict.
    let again = checkpoints.put_checkpoint(step("t", 1).with_ownership(latest)).await.unwrap();
    assert!(again.existed);
    let delete = DeleteThread::new("t").with_ownership(holder(3));
    let refused = checkpoints.delete_thread_opts(delete).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Fenced);
    fork.ownership = Ownership::Anyone;
    checkpoints.put_checkpoint(fork).await.unwrap();
    assert_eq!(checkpoints.threads().next().await.unwrap().unwrap().checkpoints, 3);
}

#[tokio::test]
async fn a_history_is_the_seed_and_the_writes_since() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    for n in 0..6 {
        let mut put = step("t", n);
        put.checkpoint = put.checkpoint.with_channel("log", int(n));
        if n == 1 {
            put = put.with_value("log", json("\"seed\""));
        }
        checkpoints.put_checkpoint(put).await.unwrap();
        let reference = CheckpointRef::new("t", id(n));
        let write = PendingWrite::new("task", 0, "log", json(format!("{n}")));
        checkpoints.put_writes(PutWrites::new(reference, vec![write])).await.unwrap();
    }
    let check = async |checkpoints: &Checkpoints, from: usize| {
        let options = HistoryOptions::new(CheckpointRef::new("t", id(from)), ["log", "other"]);
        let histories = checkpoints.channel_history(options).await.unwrap();
        assert_eq!(histories.len(), 2);
        let log = &histories["log"];
        let texts = log.writes.iter().map(|write| write.value.bytes().clone());
        let texts: Vec<_> = texts.map(|bytes| String::from_utf8(bytes.into()).unwrap()).collect();
        (log.seed.clone(), texts)
    };
    let expected = (Some(json("\"seed\"")), vec!["1".into(), "2".into(), "3".into(), "4".into()]);
    assert_eq!(check(checkpoints, 5).await, expected);
    assert_eq!(check(checkpoints, 1).await, (None, vec!["0".into()]));
    let report = checkpoints.prune_thread("t", Retention::KeepLatest).await.unwrap();
    assert_eq!((report.removed, report.hidden), (1, 4));
    let shown: Vec<_> = checkpoints.list(ListCheckpoints::of("t")).try_collect().await.unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(check(&stand.cold(), 5).await, expected);
}

#[tokio::test]
async fn what_happens_to_a_thread_is_told() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    let mut events = checkpoints.watch_threads(Some("t".into())).await.unwrap();
    conversation(checkpoints, "other", 1).await;
    conversation(checkpoints, "t", 2).await;
    let reference = CheckpointRef::new("t", id(1));
    let put = PutWrites::new(reference.clone(), vec![write("a", 0, "1"), write("b", 0, "1")]);
    checkpoints.put_writes(put).await.unwrap();
    checkpoints.prune_thread("t", Retention::KeepLatest).await.unwrap();
    checkpoints.delete_thread("t").await.unwrap();
    let expected = [
        ThreadEvent::Put(CheckpointRef::new("t", id(0))),
        ThreadEvent::Put(reference.clone()),
        ThreadEvent::Writes(reference),
        ThreadEvent::Changed("t".into()),
        ThreadEvent::Deleted("t".into()),
    ];
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(event.unwrap());
        if told.last() == expected.last() {
            break;
        }
    }
    // Rows of a generation that is gone by now are not told.
    assert_eq!(told.last(), expected.last());
    assert!(told.iter().all(|event| expected.contains(event)), "{told:?}");
}

#[tokio::test]
async fn many_writers_on_one_thread_lose_nothing() {
    let stand = stand();
    conversation(&stand.checkpoints, "t", 1).await;
    let writers = (0..8_usize).map(|writer| {
        let checkpoints = stand.cold();
        tokio::spawn(async move {
            for n in 0..25 {
                let own = 1 + writer * 100 + n;
                let mut put = with_messages(step("t", own), own);
                put.parent = Some(id(0).into());
                checkpoints.put_checkpoint(put).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let all: Vec<_> = stand
        .cold()
        .list(ListCheckpoints::of("t").with_limit(usize::MAX))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all.len(), 201);
    let by_id: BTreeMap<_, _> =
        all.iter().map(|tuple| (tuple.reference.id.as_str().to_owned(), tuple)).collect();
    for writer in 0..8 {
        for n in 0..25 {
            let own = 1 + writer * 100 + n;
            assert_eq!(by_id[&id(own)].value("messages"), Some(&json(messages(own))));
        }
    }
}
