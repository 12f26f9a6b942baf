//! The greatest token that a store has seen, and what raises it.

use state_core::{
    AcquireOptions, Acquired, ClearOptions, DeleteOptions, ErrorKind, Expiry, Fence, FenceToken,
    GetOptions, IncrementOptions, Key, OwnerId, Precondition, PutOptions, StateBackend,
    StateBackendExt,
};

use super::call::Call;
use super::{fence, fill, p};
use crate::Context;
use crate::contents::contents;
use crate::expect::refused;

/// The greatest token seen must be `number`.
async fn mark_is(store: &dyn StateBackend, number: u64, what: &str) {
    let below = Call::Get.make(store, fence(number - 1)).await;
    refused(below, ErrorKind::Fenced, &format!("{what}: {} after {number}", number - 1));
    let same = Call::Get.make(store, fence(number)).await;
    assert!(same.is_ok(), "{what}: {number} is refused: {same:?}");
}

/// Each of `calls` must raise the mark.
async fn raised_by(cx: &Context, calls: &[Call]) {
    let mut number = 10;
    for call in calls {
        fill(&*cx.a).await;
        call.make(&*cx.a, fence(number)).await.unwrap();
        mark_is(&*cx.b, number, &format!("{call:?}")).await;
        number += 10;
    }
}

pub(super) async fn raised_by_writes(cx: Context) {
    raised_by(&cx, Call::WRITES).await;
}

pub(super) async fn raised_by_reads(cx: Context) {
    raised_by(&cx, Call::READS).await;
}

pub(super) async fn raised_by_transact(cx: Context) {
    raised_by(&cx, Call::TRANSACTIONS).await;
}

pub(super) async fn raised_by_hash(cx: Context) {
    raised_by(&cx, Call::HASHES).await;
}

pub(super) async fn raised_by_touch(cx: Context) {
    raised_by(&cx, Call::TOUCHES).await;
}

pub(super) async fn equal(cx: Context) {
    fill(&*cx.a).await;
    for _ in 0..3 {
        for store in [&cx.a, &cx.b] {
            for call in [Call::Put, Call::Get, Call::Increment] {
                let answer = call.make(&**store, fence(7)).await;
                assert!(answer.is_ok(), "{call:?} under the same token: {answer:?}");
            }
        }
    }
}

pub(super) async fn none(cx: Context) {
    Call::PutNew.make(&*cx.a, fence(u64::MAX)).await.unwrap();
    cx.b.put(p("new"), "3").await.unwrap();
    assert_eq!(cx.b.get(p("new")).await.unwrap().as_deref(), Some(b"3".as_ref()));
    assert_eq!(cx.b.increment(p("new"), 1).await.unwrap(), 4);
    assert!(cx.b.delete(p("new")).await.unwrap());
    cx.b.clear().await.unwrap();
}

pub(super) async fn not_by_stale(cx: Context) {
    Call::PutNew.make(&*cx.a, fence(5)).await.unwrap();
    for number in [4, 1] {
        let stale = Call::PutNew.make(&*cx.b, fence(number)).await;
        refused(stale, ErrorKind::Fenced, &format!("{number} after 5"));
        mark_is(&*cx.a, 5, "after a stale call").await;
    }
}

pub(super) async fn not_by_bad_input(cx: Context) {
    fill(&*cx.a).await;
    Call::Get.make(&*cx.a, fence(5)).await.unwrap();
    let store = &*cx.a;
    let limits = cx.capabilities().limits;
    let put = || PutOptions::new().with_fence(fence(100));
    let get = || GetOptions::new().with_fence(fence(100));
    let large = vec![0; limits.value_bytes_max + 1];
    let long = Key::in_partition("p", vec![b'x'; limits.key_bytes_max]);
    let absent = DeleteOptions::new().with_precondition(Precondition::Absent);
    let increment = IncrementOptions::new().with_fence(fence(100));
    let bad = [
        ("a put of no key", store.put_opts(&p(""), "v".into(), put()).await.map(drop)),
        ("a put of a long key", store.put_opts(&long, "v".into(), put()).await.map(drop)),
        ("a put of a large value", store.put_opts(&p("n"), large.into(), put()).await.map(drop)),
        ("a read of no key", store.get_opts(&p(""), get()).await.map(drop)),
        ("a read that keeps", {
            store.get_opts(&p("n"), get().with_touch(Expiry::Keep)).await.map(drop)
        }),
        ("a delete of what is absent", {
            store.delete_opts(&p("n"), absent.with_fence(fence(100))).await.map(drop)
        }),
        ("an increment of no key", store.increment_opts(&p(""), 1, increment).await.map(drop)),
        ("a lifetime of 0", {
            let living = put().with_expiry(std::time::Duration::ZERO);
            store.put_opts(&p("n"), "v".into(), living).await.map(drop)
        }),
    ];
    for (what, answer) in bad {
        assert!(answer.is_err(), "{what} was accepted");
    }
    mark_is(&*cx.b, 5, "after calls that can never succeed").await;
}

pub(super) async fn lease_name(cx: Context) {
    let names = [
        Key::from("lease"),
        Key::from("lease2"),
        Key::from("leas"),
        Key::from("LEASE"),
        Key::from("{lease}"),
        Key::in_partition("p", "lease"),
        Key::in_partition("lease", "p"),
    ];
    let read = async |name: &Key, number| {
        let options = GetOptions::new().with_fence(Fence::new(name, FenceToken::new(number)));
        cx.a.get_opts(&p("k"), options).await
    };
    for (number, name) in (10..).zip(&names) {
        read(name, number).await.unwrap();
    }
    for (number, name) in (10..).zip(&names) {
        let below = read(name, number - 1).await;
        refused(below, ErrorKind::Fenced, &format!("below the token of {name:?}"));
        read(name, number).await.unwrap();
    }
}

pub(super) async fn namespace(cx: Context) {
    let other = cx.open("-other").await.unwrap();
    Call::PutNew.make(&*other, fence(100)).await.unwrap();
    Call::PutNew.make(&*cx.a, fence(5)).await.unwrap();
    mark_is(&*cx.b, 5, "in this namespace").await;
    mark_is(&*other, 100, "in the other namespace").await;
}

pub(super) async fn kept_by_clear(cx: Context) {
    fill(&*cx.a).await;
    Call::Put.make(&*cx.a, fence(5)).await.unwrap();
    cx.b.clear().await.unwrap();
    mark_is(&*cx.b, 5, "after a clear").await;
    cx.b.clear_opts(ClearOptions::default().with_fence(fence(6))).await.unwrap();
    let stale = cx.a.clear_opts(ClearOptions::default().with_fence(fence(5))).await;
    refused(stale, ErrorKind::Fenced, "a clear under 5 after a clear under 6");
}

pub(super) async fn restart(cx: Context) {
    fill(&*cx.a).await;
    Call::Put.make(&*cx.a, fence(5)).await.unwrap();
    // A mark that nothing but a read has raised is kept too.
    Call::Get.make(&*cx.b, fence(9)).await.unwrap();
    let cx = cx.restart().await.unwrap();
    mark_is(&*cx.a, 9, "a restart").await;
    let before = contents(&*cx.b).await;
    let stale = Call::Put.make(&*cx.b, fence(8)).await;
    refused(stale, ErrorKind::Fenced, "a put under the token before");
    assert_eq!(contents(&*cx.a).await, before, "a refused put has had an effect");
}

pub(super) async fn exact(cx: Context) {
    let big = 1_u64 << 53;
    for number in [2, 10, 100, 255, 256, 1_000_000, big, big + 1, big + 2, u64::MAX - 1, u64::MAX] {
        Call::PutNew.make(&*cx.a, fence(number)).await.unwrap();
        mark_is(&*cx.b, number, "in order").await;
        let smaller = Call::PutNew.make(&*cx.a, fence(number / 2)).await;
        refused(smaller, ErrorKind::Fenced, &format!("{} after {number}", number / 2));
    }
}

pub(super) async fn bad_name(cx: Context) {
    cx.a.put(p("k"), "v").await.unwrap();
    let before = contents(&*cx.b).await;
    let long = Key::from(vec![b'x'; cx.capabilities().limits.key_bytes_max + 1]);
    for (name, kind) in [
        (Key::from(""), ErrorKind::Invalid),
        (Key::in_partition("", "k"), ErrorKind::Invalid),
        (long, ErrorKind::TooLarge),
    ] {
        let what = format!("a lease name of {} bytes", name.len_bytes());
        let fence = Fence::new(name, FenceToken::new(1));
        let put = PutOptions::new().with_fence(fence.clone());
        refused(cx.a.put_opts(&p("k"), "2".into(), put).await, kind, &what);
        let get = GetOptions::new().with_fence(fence);
        refused(cx.a.get_opts(&p("k"), get).await, kind, &what);
    }
    assert_eq!(contents(&*cx.b).await, before, "what was refused has had an effect");
}

pub(super) async fn successor(cx: Context) {
    let name = Key::from("lease");
    let held = async |ttl| {
        let options = AcquireOptions::new(OwnerId::random(), ttl);
        match cx.a.as_lease().unwrap().acquire_lease(&name, options).await.unwrap() {
            Acquired::Granted(grant) => (options.owner, grant.token),
            other => panic!("expected the lease to be granted, got {other:?}"),
        }
    };
    let mut last = None;
    for released in [true, false, true] {
        let (owner, token) = held(cx.lifetime()).await;
        let now = fence(token.get());
        for call in [Call::Get, Call::PutNew] {
            call.make(&*cx.b, now.clone()).await.unwrap();
            if let Some(before) = &last {
                let stale = call.make(&*cx.a, Fence::clone(before)).await;
                refused(stale, ErrorKind::Fenced, &format!("{call:?} of the holder before"));
            }
        }
        last = Some(now);
        if released {
            cx.a.as_lease().unwrap().release_lease(&name, owner, token).await.unwrap();
        } else {
            cx.outlive().await;
        }
    }
}
