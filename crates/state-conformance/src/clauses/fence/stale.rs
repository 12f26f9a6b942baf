//! What is refused under a stale token.

use state_core::{
    Capability, DeleteOptions, ErrorKind, Precondition, PutOptions, StateBackendExt, WriteOp,
};

use super::call::Call;
use super::{fence, fill, p};
use crate::Context;
use crate::contents::contents;
use crate::expect::refused;

pub(super) async fn undeclared(cx: Context) {
    fill(&*cx.a).await;
    let mut calls = [Call::READS, Call::WRITES].concat();
    if cx.has(Capability::Expiry) {
        calls.extend(Call::TOUCHES);
    }
    if cx.has(Capability::Transact) {
        calls.extend(Call::TRANSACTIONS);
    }
    if cx.has(Capability::Hash) {
        calls.extend(Call::HASHES);
    }
    let before = contents(&*cx.b).await;
    for call in calls {
        let what = format!("{call:?}");
        refused(call.make(&*cx.a, fence(1)).await, ErrorKind::Unsupported, &what);
        assert_eq!(contents(&*cx.b).await, before, "{what}: what was refused has had an effect");
    }
}

/// Each of `calls` must be refused under every token that is smaller than one seen, on every
/// instance, and pass under the one seen.
async fn refused_when_stale(cx: &Context, calls: &[Call]) {
    fill(&*cx.a).await;
    Call::Put.make(&*cx.a, fence(5)).await.unwrap();
    for call in calls {
        let before = contents(&*cx.b).await;
        for (store, number) in [(&cx.a, 4), (&cx.b, 4), (&cx.b, 1), (&cx.a, 0)] {
            let what = format!("{call:?} under {number} after 5");
            refused(call.make(&**store, fence(number)).await, ErrorKind::Fenced, &what);
            assert_eq!(contents(&*cx.b).await, before, "{what}: it has had an effect");
        }
    }
    for call in calls {
        fill(&*cx.a).await;
        call.make(&*cx.b, fence(5)).await.unwrap();
    }
}

pub(super) async fn get(cx: Context) {
    refused_when_stale(&cx, &[Call::Get, Call::GetAbsent, Call::GetHead]).await;
}

pub(super) async fn get_many(cx: Context) {
    refused_when_stale(&cx, &[Call::GetMany]).await;
}

pub(super) async fn put(cx: Context) {
    refused_when_stale(&cx, &[Call::Put, Call::PutNew]).await;
}

pub(super) async fn delete(cx: Context) {
    refused_when_stale(&cx, &[Call::Delete]).await;
}

pub(super) async fn increment(cx: Context) {
    refused_when_stale(&cx, &[Call::Increment]).await;
}

pub(super) async fn touch(cx: Context) {
    fill(&*cx.a).await;
    let living = PutOptions::new().with_expiry(cx.lifetime() * 5).with_fence(fence(5));
    cx.a.put_opts(&p("n"), "1".into(), living).await.unwrap();
    let before = contents(&*cx.b).await;
    for call in Call::TOUCHES {
        refused(call.make(&*cx.b, fence(4)).await, ErrorKind::Fenced, &format!("{call:?}"));
        assert_eq!(contents(&*cx.b).await, before, "{call:?} has had an effect");
    }
    refused_when_stale(&cx, Call::TOUCHES).await;
}

pub(super) async fn write_many(cx: Context) {
    refused_when_stale(&cx, &[Call::BatchPut, Call::BatchDelete, Call::BatchIncrement]).await;
    let put =
        |name, number| WriteOp::put_opts(p(name), "2", PutOptions::new().with_fence(fence(number)));
    let batch = vec![put("x", 5), put("y", 4), WriteOp::put(p("z"), "2")];
    let answers = cx.a.write_many(batch).await.unwrap();
    for (name, answer) in ["x", "y", "z"].into_iter().zip(answers) {
        if name == "y" {
            refused(answer, ErrorKind::Fenced, "the write under a stale token");
        } else {
            answer.unwrap();
        }
        assert_eq!(cx.b.contains(p(name)).await.unwrap(), name != "y", "`{name}`");
    }
}

pub(super) async fn clear(cx: Context) {
    refused_when_stale(&cx, &[Call::Clear]).await;
}

pub(super) async fn transact(cx: Context) {
    refused_when_stale(&cx, Call::TRANSACTIONS).await;
}

pub(super) async fn hash(cx: Context) {
    refused_when_stale(&cx, Call::HASHES).await;
}

pub(super) async fn first(cx: Context) {
    cx.a.put(p("text"), "five").await.unwrap();
    Call::Get.make(&*cx.a, fence(5)).await.unwrap();
    let put = PutOptions::new().with_precondition(Precondition::Absent).with_fence(fence(4));
    let answer = cx.b.put_opts(&p("text"), "2".into(), put).await;
    refused(answer, ErrorKind::Fenced, "a put whose precondition does not hold");
    let delete = DeleteOptions::new().with_precondition(Precondition::Present).with_fence(fence(4));
    let answer = cx.b.delete_opts(&p("gone"), delete).await;
    refused(answer, ErrorKind::Fenced, "a delete whose precondition does not hold");
    let increment = state_core::IncrementOptions::new().with_fence(fence(4));
    let answer = cx.b.increment_opts(&p("text"), 1, increment).await;
    refused(answer, ErrorKind::Fenced, "an increment of no number");
}
