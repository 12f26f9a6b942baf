//! The clauses of the family `cancel`: calls whose future is dropped before it has answered.

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::poll;
use state_core::{
    BoxFuture, Bytes, Capability, Clock, Consistency, Expires, Expiry, GetOptions,
    HashWriteOptions, Key, PutOptions, StateBackendExt, SystemClock, Transaction, WriteOp,
};

use crate::Context;

clauses! { "cancel": "calls whose future is dropped before it has answered";
    /// A put that is dropped half-way leaves the entry as it was, or with the new value and the new lifetime.
    MUST "cancel.put" => put;
    /// A batch that is dropped half-way leaves each of its writes made whole or not at all.
    MUST "cancel.batch" => batch;
    /// A transaction that is dropped half-way leaves all of its writes made, or none.
    MUST "cancel.transaction" needs [Transact] => transaction;
    /// A write of several fields of a hash that is dropped half-way leaves all of them written, or none.
    MUST "cancel.hash" needs [Hash] => hash;
}

/// How many calls are dropped; each is polled once, or a few times more.
const ROUNDS: usize = 24;
const POLLS_MAX: usize = 4;

/// Polls a call so many times, unless it answers before, and drops it.
async fn begin_and_drop(polls: usize, call: impl Future) {
    let mut call = pin!(call);
    for _ in 0..polls {
        if poll!(call.as_mut()).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Drops `ROUNDS` calls, and demands of what is there after each that `is_whole` says yes.
///
/// What was begun may still be on its way, and be made while one looks: what is not whole must
/// become so.
async fn each_is_whole<'a, T: Debug + Send>(
    cx: &Context,
    begin: impl Fn(usize, usize) -> BoxFuture<'a, ()> + Send,
    look: impl Fn() -> BoxFuture<'a, T> + Send,
    is_whole: impl Fn(&T) -> bool + Send,
) {
    for round in 1..=ROUNDS {
        begin(round, 1 + round % POLLS_MAX).await;
        cx.settle().await;
        let mut seen = look().await;
        for _ in 0..200 {
            if is_whole(&seen) {
                break;
            }
            SystemClock::new().sleep(Duration::from_millis(10)).await;
            seen = look().await;
        }
        assert!(is_whole(&seen), "after a call was dropped, and for 2 s, there is {seen:?}");
    }
}

/// A value that tells in which round it was written, and whether all of it is there.
fn value(round: usize) -> Bytes {
    format!("{round:04}").repeat(500).into()
}

/// The round in which a value was written; `None` for one that no round has written.
fn round_of(found: &[u8]) -> Option<usize> {
    let round = std::str::from_utf8(found.get(..4)?).ok()?.parse().ok()?;
    (value(round) == found).then_some(round)
}

/// Every other round writes with a lifetime, where there are any.
fn has_lifetime(cx: &Context, round: usize) -> bool {
    cx.has(Capability::Expiry) && round.is_multiple_of(2)
}

fn options(cx: &Context, round: usize) -> PutOptions {
    let options = PutOptions::new();
    if has_lifetime(cx, round) {
        return options.with_expiry(Duration::from_secs(600));
    }
    if cx.has(Capability::Expiry) { options.with_expiry(Expiry::Never) } else { options }
}

/// What is under a key: absent, a round, or nothing that a round has written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Absent,
    Round(usize),
    Torn,
}

async fn seen(cx: &Context, key: &Key) -> Seen {
    let asking = GetOptions::new().with_expiry(cx.has(Capability::Expiry));
    let Some(entry) = cx.b.get_opts(key, asking).await.unwrap() else { return Seen::Absent };
    let lives = matches!(entry.expires, Expires::At { .. });
    match round_of(&entry.value) {
        Some(round) if lives == has_lifetime(cx, round) => Seen::Round(round),
        _ => Seen::Torn,
    }
}

async fn put(cx: Context) {
    let (cx, key) = (&cx, &Key::from("k"));
    each_is_whole(
        cx,
        |round, polls| {
            Box::pin(async move {
                let call = cx.a.put_opts(key, value(round), options(cx, round));
                begin_and_drop(polls, call).await;
            })
        },
        || {
            Box::pin(async move {
                let (seen, listed) = (seen(cx, key).await, cx.b.list_keys("").await.unwrap());
                (seen, listed.contains(key), cx.b.count("").await.unwrap())
            })
        },
        |(seen, listed, count)| match seen {
            Seen::Absent => !listed && *count == 0,
            Seen::Round(_) => *listed && *count == 1,
            Seen::Torn => false,
        },
    )
    .await;
}

fn keys() -> [Key; 3] {
    ["a", "b", "c"].map(|name| Key::in_partition("p", name))
}

fn writes(cx: &Context, round: usize) -> Vec<WriteOp> {
    let put = |key| WriteOp::put_opts(key, value(round), options(cx, round));
    keys().into_iter().map(put).collect()
}

async fn all_seen(cx: &Context) -> Vec<Seen> {
    let mut all = Vec::new();
    for key in keys() {
        all.push(seen(cx, &key).await);
    }
    all
}

async fn batch(cx: Context) {
    let cx = &cx;
    each_is_whole(
        cx,
        |round, polls| Box::pin(begin_and_drop(polls, cx.a.write_many(writes(cx, round)))),
        || Box::pin(all_seen(cx)),
        |all| !all.contains(&Seen::Torn),
    )
    .await;
}

/// Whether all items are the same.
fn are_one<T: PartialEq>(all: &[T]) -> bool {
    all.iter().zip(all.iter().skip(1)).all(|(one, next)| one == next)
}

async fn transaction(cx: Context) {
    let cx = &cx;
    each_is_whole(
        cx,
        |round, polls| {
            let ops = writes(cx, round).into_iter();
            let transaction = ops.fold(Transaction::new(), Transaction::op);
            let transact = cx.a.as_transact().unwrap();
            Box::pin(begin_and_drop(polls, transact.transact(transaction)))
        },
        || Box::pin(all_seen(cx)),
        |all| !all.contains(&Seen::Torn) && are_one(all),
    )
    .await;
}

async fn hash(cx: Context) {
    let (cx, key) = (&cx, &Key::from("h"));
    let names = &["a", "b", "c"].map(|name| Bytes::from_static(name.as_bytes()));
    each_is_whole(
        cx,
        |round, polls| {
            let fields = names.iter().map(|name| (name.clone(), value(round))).collect();
            let hashes = cx.a.as_hash().unwrap();
            let call = hashes.hash_set(key, fields, HashWriteOptions::new());
            Box::pin(begin_and_drop(polls, call))
        },
        || {
            Box::pin(async move {
                let hashes = cx.b.as_hash().unwrap();
                let found = hashes.hash_get(key, names, Consistency::Strong).await.unwrap();
                let rounds = found.iter().map(|value| value.as_deref().map(round_of));
                rounds.collect::<Vec<_>>()
            })
        },
        |rounds| are_one(rounds) && !rounds.contains(&Some(None)),
    )
    .await;
}
