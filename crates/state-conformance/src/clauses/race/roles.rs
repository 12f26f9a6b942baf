//! Roles and options under many callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use state_core::{
    AcquireOptions, Acquired, Bytes, Change, Consistency, DeleteOptions, ErrorKind, Fence,
    FenceToken, HashWriteOptions, IncrementOptions, Key, OpId, OwnerId, Precondition, PutOptions,
    StateBackendExt, Transaction, WatchOptions, WatchStart, WriteOp,
};

use super::at_once;
use crate::Context;
use crate::expect::{present, refused, value_is};

const TASKS: u64 = 8;

pub(super) async fn op_id(cx: Context) {
    let key = Key::from("n");
    let mut expected = 0;
    for _ in 0..15 {
        let id = OpId::from_bytes(cx.random_bytes());
        let receipts = at_once(&cx, TASKS, |store, _| {
            let key = key.clone();
            let options = IncrementOptions::new().with_op_id(id);
            async move { store.increment_opts(&key, 1, options).await.unwrap() }
        })
        .await;
        expected += 1;
        let first = receipts.first().copied().unwrap();
        assert_eq!(first.value, expected, "the sum");
        assert!(receipts.iter().all(|receipt| *receipt == first), "got {receipts:?}");
        assert_eq!(present(&*cx.b, "n").await.version, first.version);
    }
    let id = OpId::from_bytes(cx.random_bytes());
    let options = DeleteOptions::new().with_op_id(id).with_return_value(true);
    let taken = at_once(&cx, TASKS, |store, _| {
        let (key, options) = (key.clone(), options.clone());
        async move { store.delete_opts(&key, options).await.unwrap() }
    })
    .await;
    for taken in taken {
        let value = taken.previous.map(|entry| entry.value);
        assert_eq!(value, Some("15".into()), "each gets the receipt of the one delete");
    }
    value_is(&*cx.b, "n", None).await;
}

pub(super) async fn op_id_transaction(cx: Context) {
    let key = |name: &'static str| Key::in_partition("p", name);
    for round in 1..=15 {
        let transaction = Transaction::new()
            .with_op_id(OpId::from_bytes(cx.random_bytes()))
            .op(WriteOp::increment(key("n"), 1))
            .op(WriteOp::increment(key("m"), 2));
        let receipts = at_once(&cx, TASKS, |store, _| {
            let transaction = transaction.clone();
            async move { store.as_transact().unwrap().transact(transaction).await.unwrap() }
        })
        .await;
        let first = receipts.first().cloned().unwrap();
        assert!(receipts.iter().all(|receipt| *receipt == first), "got {receipts:?}");
        let sums = (present(&*cx.b, key("n")).await.value, present(&*cx.b, key("m")).await.value);
        assert_eq!(sums, (round.to_string().into(), (2 * round).to_string().into()));
    }
}

pub(super) async fn lease(cx: Context) {
    let mut last = FenceToken::new(0);
    for _ in 0..20 {
        let name = Key::from("lease");
        let answers = at_once(&cx, TASKS, |store, _| {
            let name = name.clone();
            let options = AcquireOptions::new(OwnerId::random(), Duration::from_secs(60));
            async move {
                let leases = store.as_lease().unwrap();
                (options.owner, leases.acquire_lease(&name, options).await.unwrap())
            }
        })
        .await;
        let mut holder = None;
        for (owner, answer) in answers {
            match answer {
                Acquired::Granted(grant) => {
                    assert_eq!(holder, None, "two callers hold the lease");
                    holder = Some((owner, grant.token));
                }
                Acquired::Held { .. } => {}
                other => panic!("an answer of no known kind: {other:?}"),
            }
        }
        let Some((owner, token)) = holder else { panic!("nobody got the lease") };
        assert!(token > last, "the token {token} came after {last}");
        last = token;
        let leases = cx.a.as_lease().unwrap();
        assert!(leases.release_lease(&name, owner, token).await.unwrap());
    }
}

pub(super) async fn hash_increment(cx: Context) {
    at_once(&cx, TASKS, |store, task| async move {
        for _ in 0..50 {
            store.increment_field("h", "n", 2).await.unwrap();
            store.put_field("h", format!("of-{task}"), "v").await.unwrap();
            store.increment_field("h", "n", -1).await.unwrap();
            store.delete_field("h", format!("of-{task}")).await.unwrap();
        }
    })
    .await;
    assert_eq!(cx.a.fields("h").await.unwrap(), [("n".into(), "400".into())]);
}

pub(super) async fn hash_whole(cx: Context) {
    at_once(&cx, TASKS, |store, task| async move {
        let hashes = store.as_hash().unwrap();
        let key = Key::from("h");
        let names = ["a", "b", "c"].map(Bytes::from);
        for round in 0..60 {
            if task < 4 {
                let value: Bytes = format!("{task}-{round}").into();
                let fields = names.iter().map(|name| (name.clone(), value.clone())).collect();
                hashes.hash_set(&key, fields, HashWriteOptions::new()).await.unwrap();
                if round % 5 == 0 {
                    hashes.hash_remove(&key, HashWriteOptions::new()).await.unwrap();
                }
            } else {
                let found = hashes.hash_get(&key, &names, Consistency::Strong).await.unwrap();
                let same = found.windows(2).all(|pair| pair.first() == pair.last());
                assert!(same, "fields of different writes were read together: {found:?}");
            }
        }
    })
    .await;
}

pub(super) async fn watch(cx: Context) {
    let written = at_once(&cx, TASKS, |store, _| async move {
        let mut versions = Vec::new();
        for _ in 0..40 {
            versions.push(store.put("k", "v").await.unwrap().version);
        }
        versions
    });
    let written = written.await.concat();
    let options = WatchOptions::default().with_start(WatchStart::Oldest).with_follow(false);
    let events = cx.b.as_watch().unwrap().watch(options).await.unwrap();
    let events: Vec<_> = events.try_collect().await.unwrap();
    let told: Vec<_> = events
        .into_iter()
        .map(|event| match event.change {
            Change::Put { version, .. } => version,
            other => panic!("{other:?} was told"),
        })
        .collect();
    assert_eq!(told.last().copied(), Some(present(&*cx.a, "k").await.version), "the last one told");
    let sorted = |versions: Vec<state_core::Version>| {
        let mut bytes: Vec<_> = versions.iter().map(|version| *version.as_bytes()).collect();
        bytes.sort_unstable();
        bytes
    };
    assert!(sorted(told) == sorted(written), "what was told is not what was written");
}

pub(super) async fn fence(cx: Context) {
    let greatest = Arc::new(AtomicU64::new(0));
    at_once(&cx, TASKS, |store, task| {
        let greatest = Arc::clone(&greatest);
        async move {
            let key = Key::in_partition("p", "k");
            for round in 0..40 {
                let number = 1 + round * TASKS + task;
                let before = greatest.load(Ordering::SeqCst);
                let fence = Fence::new("lease", FenceToken::new(number));
                let options = PutOptions::new().with_fence(fence);
                match store.put_opts(&key, number.to_string().into(), options).await {
                    Ok(_) => {
                        assert!(number >= before, "{number} passed after {before}");
                        greatest.fetch_max(number, Ordering::SeqCst);
                    }
                    Err(error) => drop(refused::<()>(Err(error), ErrorKind::Fenced, "a put")),
                }
            }
        }
    })
    .await;
    let last = present(&*cx.b, Key::in_partition("p", "k")).await.value;
    assert_eq!(last, greatest.load(Ordering::SeqCst).to_string(), "the value that is there");
    let create = PutOptions::new().with_precondition(Precondition::Absent);
    let stale = create.with_fence(Fence::new("lease", FenceToken::new(1)));
    let answer = cx.a.put_opts(&Key::in_partition("p", "new"), "v".into(), stale).await;
    refused(answer, ErrorKind::Fenced, "the smallest token in the end");
}
