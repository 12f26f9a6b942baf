//! Operation ids: what is sent twice has one effect.

use std::time::Duration;

use state_core::{
    DeleteOptions, Deleted, ErrorKind, IncrementOptions, Incremented, Key, OpId, Precondition,
    PutOptions, Result, StateBackend, StateBackendExt, Written,
};

use crate::Context;
use crate::expect::{refused, value_is};

/// An id that nobody else uses.
fn fresh(cx: &Context) -> OpId {
    OpId::from_bytes(cx.random_bytes())
}

async fn put_as(store: &dyn StateBackend, id: OpId, value: &'static str) -> Result<Written> {
    store.put_opts(&Key::from("k"), value.into(), PutOptions::new().with_op_id(id)).await
}

async fn add_as(store: &dyn StateBackend, id: OpId, by: i64) -> Result<Incremented> {
    store.increment_opts(&Key::from("k"), by, IncrementOptions::new().with_op_id(id)).await
}

async fn take_as(store: &dyn StateBackend, id: OpId) -> Result<Deleted> {
    let options = DeleteOptions::new().with_op_id(id).with_return_value(true);
    store.delete_opts(&Key::from("k"), options).await
}

pub(super) async fn undeclared(cx: Context) {
    let id = fresh(&cx);
    refused(put_as(&*cx.a, id, "1").await, ErrorKind::Unsupported, "a put that creates");
    value_is(&*cx.b, "k", None).await;
    refused(add_as(&*cx.a, id, 1).await, ErrorKind::Unsupported, "an increment that creates");
    value_is(&*cx.b, "k", None).await;
    cx.a.put("k", "7").await.unwrap();
    refused(put_as(&*cx.a, id, "1").await, ErrorKind::Unsupported, "put");
    refused(add_as(&*cx.a, id, 1).await, ErrorKind::Unsupported, "increment");
    refused(take_as(&*cx.a, id).await, ErrorKind::Unsupported, "delete");
    value_is(&*cx.b, "k", Some("7")).await;
}

pub(super) async fn put(cx: Context) {
    let id = fresh(&cx);
    let first = put_as(&*cx.a, id, "mine").await.unwrap();
    assert_eq!(put_as(&*cx.a, id, "mine").await.unwrap().version, first.version, "at once");
    cx.b.put("k", "another's").await.unwrap();
    let again = put_as(&*cx.a, id, "mine").await.unwrap();
    assert_eq!(again.version, first.version, "after another's write");
    value_is(&*cx.b, "k", Some("another's")).await;
}

pub(super) async fn increment(cx: Context) {
    let id = fresh(&cx);
    let first = add_as(&*cx.a, id, 5).await.unwrap();
    cx.b.increment("k", 10).await.unwrap();
    let again = add_as(&*cx.a, id, 5).await.unwrap();
    assert_eq!((again.value, again.version), (first.value, first.version), "the receipt");
    value_is(&*cx.b, "k", Some("15")).await;
}

pub(super) async fn delete(cx: Context) {
    cx.a.put("k", "first").await.unwrap();
    let id = fresh(&cx);
    let first = take_as(&*cx.a, id).await.unwrap();
    cx.b.put("k", "second").await.unwrap();
    let again = take_as(&*cx.a, id).await.unwrap();
    assert!(again.existed, "the receipt says that nothing was there");
    let [first, again] = [first, again].map(|receipt| receipt.previous.unwrap());
    assert_eq!((again.value, again.version), (first.value, first.version), "what was removed");
    value_is(&*cx.b, "k", Some("second")).await;
}

pub(super) async fn conditional(cx: Context) {
    let id = fresh(&cx);
    let create = || PutOptions::new().with_precondition(Precondition::Absent).with_op_id(id);
    let key = Key::from("k");
    let first = cx.a.put_opts(&key, "v".into(), create()).await.unwrap();
    let again = cx.b.put_opts(&key, "v".into(), create()).await.unwrap();
    assert_eq!(again.version, first.version);
}

pub(super) async fn other_kind(cx: Context) {
    let id = fresh(&cx);
    put_as(&*cx.a, id, "1").await.unwrap();
    refused(add_as(&*cx.a, id, 1).await, ErrorKind::Invalid, "an increment under a put's id");
    refused(take_as(&*cx.a, id).await, ErrorKind::Invalid, "a delete under a put's id");
    value_is(&*cx.b, "k", Some("1")).await;
}

pub(super) async fn other_value(cx: Context) {
    let id = fresh(&cx);
    put_as(&*cx.a, id, "1").await.unwrap();
    refused(put_as(&*cx.a, id, "2").await, ErrorKind::Invalid, "a put of another value");
    value_is(&*cx.b, "k", Some("1")).await;
    let id = fresh(&cx);
    add_as(&*cx.a, id, 1).await.unwrap();
    refused(add_as(&*cx.a, id, 2).await, ErrorKind::Invalid, "an increment by another amount");
    value_is(&*cx.b, "k", Some("2")).await;
}

pub(super) async fn per_key(cx: Context) {
    let id = fresh(&cx);
    put_as(&*cx.a, id, "1").await.unwrap();
    let options = PutOptions::new().with_op_id(id);
    cx.a.put_opts(&Key::from("other"), "2".into(), options.clone()).await.unwrap();
    cx.a.put_opts(&Key::in_partition("p", "k"), "3".into(), options).await.unwrap();
    value_is(&*cx.b, "k", Some("1")).await;
    value_is(&*cx.b, "other", Some("2")).await;
    assert_eq!(cx.b.get(Key::in_partition("p", "k")).await.unwrap().as_deref(), Some(&b"3"[..]));
}

pub(super) async fn per_namespace(cx: Context) {
    let other = cx.open("-other").await.unwrap();
    let id = fresh(&cx);
    add_as(&*cx.a, id, 1).await.unwrap();
    add_as(&*other, id, 1).await.unwrap();
    value_is(&*other, "k", Some("1")).await;
}

pub(super) async fn window(cx: Context) {
    let id = fresh(&cx);
    let first = add_as(&*cx.a, id, 1).await.unwrap();
    cx.advance(Duration::from_secs(100)).await;
    cx.b.delete("k").await.unwrap();
    cx.advance(Duration::from_secs(100)).await;
    cx.b.put("k", "another's").await.unwrap();
    cx.b.delete("k").await.unwrap();
    cx.advance(Duration::from_secs(99)).await;
    let again = add_as(&*cx.a, id, 1).await.unwrap();
    assert_eq!((again.value, again.version), (first.value, first.version), "after 299 s");
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn instances(cx: Context) {
    let id = fresh(&cx);
    add_as(&*cx.a, id, 1).await.unwrap();
    add_as(&*cx.b, id, 1).await.unwrap();
    let later = cx.open("").await.unwrap();
    assert_eq!(add_as(&*later, id, 1).await.unwrap().value, 1);
    value_is(&*cx.a, "k", Some("1")).await;
}

pub(super) async fn restart(cx: Context) {
    let id = fresh(&cx);
    let first = add_as(&*cx.a, id, 1).await.unwrap();
    let cx = cx.restart().await.unwrap();
    let again = add_as(&*cx.a, id, 1).await.unwrap();
    assert_eq!((again.value, again.version), (first.value, first.version), "the receipt");
    value_is(&*cx.b, "k", Some("1")).await;
}

pub(super) async fn refused_first(cx: Context) {
    let id = fresh(&cx);
    let update = || PutOptions::new().with_precondition(Precondition::Present).with_op_id(id);
    let key = Key::from("k");
    let answer = cx.a.put_opts(&key, "new".into(), update()).await;
    refused(answer, ErrorKind::Conflict, "a put on `Present`");
    cx.b.put("k", "old").await.unwrap();
    cx.a.put_opts(&key, "new".into(), update()).await.unwrap();
    value_is(&*cx.b, "k", Some("new")).await;
}
