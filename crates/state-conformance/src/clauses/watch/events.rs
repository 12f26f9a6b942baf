//! Which changes are told, and as what.

use std::time::Duration;

use futures_util::StreamExt;
use state_core::{
    Capability, Change, ClearOptions, ErrorKind, Expiry, HashWriteOptions, IncrementOptions, Key,
    Precondition, PutOptions, Scope, StateBackendExt, Timestamp, Transaction, WriteOp,
    WriteOutcome,
};

use super::{Events, follow, next, put as told_put, same_in_any_order, tells};
use crate::Context;
use crate::expect::{present, refused};

fn deleted(key: impl Into<Key>) -> Change {
    Change::Deleted { key: key.into() }
}

/// The change that comes next must be a last put, so that nothing was told before it.
async fn nothing_else(cx: &Context, events: &mut Events) {
    let version = cx.a.put("last", "v").await.unwrap().version;
    tells(events, told_put("last", version)).await;
}

pub(super) async fn put(cx: Context) {
    let mut events = follow(&*cx.b).await;
    for key in [Key::from("k"), Key::in_partition("p", "k"), Key::from(b"\0\xff")] {
        for value in ["1", "2", ""] {
            let version = cx.a.put(&key, value).await.unwrap().version;
            tells(&mut events, told_put(&key, version)).await;
        }
        cx.a.put(&key, "1").await.unwrap();
        next(&mut events, "the fourth put").await;
        let counted = cx.a.increment_opts(&key, 1, IncrementOptions::new()).await.unwrap();
        tells(&mut events, told_put(&key, counted.version)).await;
    }
    nothing_else(&cx, &mut events).await;
}

pub(super) async fn put_deadline(cx: Context) {
    let mut events = follow(&*cx.b).await;
    let at = cx.now().checked_add(cx.lifetime() * 5).unwrap();
    for expiry in [Expiry::After(cx.lifetime() * 4), Expiry::At(at), Expiry::Keep, Expiry::Never] {
        let options = PutOptions::new().with_expiry(expiry);
        let version = cx.a.put_opts(&Key::from("k"), "v".into(), options).await.unwrap().version;
        let deadline = present(&*cx.a, "k").await.expires.deadline();
        tells(&mut events, Change::Put { key: "k".into(), version, deadline }).await;
    }
}

pub(super) async fn delete(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    let mut events = follow(&*cx.b).await;
    cx.a.delete("gone").await.unwrap();
    cx.a.delete("k").await.unwrap();
    tells(&mut events, deleted("k")).await;
    cx.a.delete("k").await.unwrap();
    nothing_else(&cx, &mut events).await;
    assert!(cx.a.get_and_delete("last").await.unwrap().is_some());
    tells(&mut events, deleted("last")).await;
    nothing_else(&cx, &mut events).await;
}

pub(super) async fn touch(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    let mut events = follow(&*cx.b).await;
    let at = cx.now().checked_add(cx.lifetime() * 5).unwrap();
    assert!(!cx.a.touch("gone", at).await.unwrap());
    for (expiry, deadline) in [(Expiry::At(at), Some(at)), (Expiry::Never, None)] {
        assert!(cx.a.touch("k", expiry).await.unwrap());
        tells_touch(&cx, &mut events, deadline).await;
    }
    let reading = state_core::GetOptions::new().with_touch(Expiry::At(at));
    cx.a.get_opts(&Key::from("k"), reading).await.unwrap();
    tells_touch(&cx, &mut events, Some(at)).await;
    nothing_else(&cx, &mut events).await;
}

/// The next change must be a touch of `k`. Who looks at entries only when they have changed may not
/// know that the version was there before.
async fn tells_touch(cx: &Context, events: &mut Events, deadline: Option<Timestamp>) {
    let touched = Change::Touched { key: "k".into(), deadline };
    let version = present(&*cx.a, "k").await.version;
    let put = Change::Put { key: "k".into(), version, deadline };
    let told = next(events, "a touch").await.change;
    let as_put = !cx.has(Capability::WatchLog) && told == put;
    assert!(told == touched || as_put, "{told:?} was told, expected {touched:?}");
}

pub(super) async fn expired(cx: Context) {
    let mut events = follow(&*cx.b).await;
    cx.a.put_with_ttl("k", "v", cx.lifetime()).await.unwrap();
    next(&mut events, "the put").await;
    cx.outlive().await;
    for _ in 0..50 {
        let soon = tokio::time::timeout(Duration::from_millis(100), events.next());
        if let Ok(event) = soon.await {
            let told = event.map(|event| event.unwrap().change);
            assert_eq!(told, Some(Change::Expired { key: "k".into() }));
            return nothing_else(&cx, &mut events).await;
        }
        cx.advance(Duration::from_secs(1)).await;
    }
    panic!("the expiry was not told within 50 s");
}

pub(super) async fn hash(cx: Context) {
    let mut events = follow(&*cx.b).await;
    let changed = || Change::HashChanged { key: "h".into() };
    cx.a.put_field("h", "f", "1").await.unwrap();
    tells(&mut events, changed()).await;
    cx.a.increment_field("h", "f", 1).await.unwrap();
    tells(&mut events, changed()).await;
    cx.a.put_field("h", "g", "1").await.unwrap();
    tells(&mut events, changed()).await;
    cx.a.delete_field("h", "f").await.unwrap();
    tells(&mut events, changed()).await;
    let hashes = cx.a.as_hash().unwrap();
    assert!(hashes.hash_remove(&"h".into(), HashWriteOptions::new()).await.unwrap());
    tells(&mut events, changed()).await;
    refused(cx.a.put_field("h", "", "1").await, ErrorKind::Invalid, "an empty field");
    nothing_else(&cx, &mut events).await;
}

pub(super) async fn clear(cx: Context) {
    let mut events = follow(&*cx.b).await;
    let partition = Scope::Partition("p".into());
    for (prefix, scope) in
        [("a*", Scope::All), ("a", Scope::Unpartitioned), ("", partition), ("", Scope::All)]
    {
        cx.a.put("a*1", "v").await.unwrap();
        next(&mut events, "a put").await;
        cx.a.put(Key::in_partition("p", "a*1"), "v").await.unwrap();
        next(&mut events, "a put").await;
        let options = ClearOptions::new(prefix).with_scope(scope.clone());
        assert!(cx.a.clear_opts(options).await.unwrap() > 0, "something was there to clear");
        let expected = Change::Cleared { prefix: prefix.into(), scope };
        tells(&mut events, expected).await;
    }
    nothing_else(&cx, &mut events).await;
}

pub(super) async fn batch(cx: Context) {
    let mut events = follow(&*cx.b).await;
    cx.a.put("old", "v").await.unwrap();
    next(&mut events, "the put").await;
    let create = PutOptions::new().with_precondition(Precondition::Absent);
    let answers = cx.a.write_many(vec![
        WriteOp::put("new", "1"),
        WriteOp::put_opts("old", "2", create),
        WriteOp::increment("count", 1),
        WriteOp::delete("gone"),
        WriteOp::delete("old"),
    ]);
    let mut expected = vec![deleted("old")];
    for (key, answer) in ["new", "old", "count"].into_iter().zip(answers.await.unwrap()) {
        match answer {
            Ok(WriteOutcome::Written(written)) => expected.push(told_put(key, written.version)),
            Ok(WriteOutcome::Incremented(sum)) => expected.push(told_put(key, sum.version)),
            other => drop(refused(other, ErrorKind::Conflict, key)),
        }
    }
    same_in_any_order(&mut events, expected).await;
    nothing_else(&cx, &mut events).await;
}

pub(super) async fn transaction(cx: Context) {
    let key = |name: &str| Key::in_partition("p", name.to_owned());
    cx.a.put(key("old"), "v").await.unwrap();
    let mut events = follow(&*cx.b).await;
    let writes = || {
        Transaction::new()
            .op(WriteOp::put(key("new"), "1"))
            .op(WriteOp::delete(key("old")))
            .op(WriteOp::increment(key("count"), 1))
            .op(WriteOp::delete(key("gone")))
    };
    let transact = cx.a.as_transact().unwrap();
    let failing = writes().check(key("old"), Precondition::Absent);
    refused(transact.transact(failing).await, ErrorKind::Conflict, "a check");
    let receipts = transact.transact(writes()).await.unwrap();
    let mut expected = vec![deleted(key("old"))];
    for (name, receipt) in ["new", "old", "count"].into_iter().zip(receipts) {
        match receipt {
            WriteOutcome::Written(written) => expected.push(told_put(key(name), written.version)),
            WriteOutcome::Incremented(sum) => expected.push(told_put(key(name), sum.version)),
            _ => {}
        }
    }
    same_in_any_order(&mut events, expected).await;
    nothing_else(&cx, &mut events).await;
}

pub(super) async fn refused_calls(cx: Context) {
    cx.a.put("text", "five").await.unwrap();
    let mut events = follow(&*cx.b).await;
    let create = PutOptions::new().with_precondition(Precondition::Absent);
    let answer = cx.a.put_opts(&Key::from("text"), "v".into(), create).await;
    refused(answer, ErrorKind::Conflict, "a put");
    refused(cx.a.increment("text", 1).await, ErrorKind::Invalid, "an increment");
    refused(cx.a.put("", "v").await, ErrorKind::Invalid, "a put of no key");
    cx.a.get("text").await.unwrap();
    cx.a.list_keys("").await.unwrap();
    if cx.has(Capability::Lease) {
        let options = state_core::AcquireOptions::new(state_core::OwnerId::random(), cx.lifetime());
        cx.a.as_lease().unwrap().acquire_lease(&Key::from("lease"), options).await.unwrap();
    }
    nothing_else(&cx, &mut events).await;
}

pub(super) async fn order(cx: Context) {
    let mut events = follow(&*cx.b).await;
    let mut written = Vec::new();
    for number in 0..200 {
        let store = if number % 2 == 0 { &cx.a } else { &cx.b };
        written.push(store.put("k", number.to_string()).await.unwrap().version);
    }
    let last = written.last().copied();
    let mut told = Vec::new();
    while told.last().copied() != last {
        match next(&mut events, "the last put").await.change {
            Change::Put { version, .. } => told.push(version),
            other => panic!("{other:?} was told"),
        }
    }
    if cx.has(Capability::WatchLog) {
        assert_eq!(told, written, "the versions that were told");
    } else {
        let mut rest = written.iter();
        let in_order = told.iter().all(|version| rest.any(|written| written == version));
        assert!(in_order, "the versions were not told in their order");
    }
}
