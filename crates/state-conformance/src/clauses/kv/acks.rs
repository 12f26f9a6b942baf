//! How safe a write must be, and how safe its receipt says it is.

use state_core::{
    Acks, AcksReached, Capability, ClearOptions, DeleteOptions, Error, ErrorKind, IncrementOptions,
    Key, Outcome, PutOptions, Result, StateBackend, StateBackendExt, TouchOptions, WriteOp,
};

use crate::Context;
use crate::expect::{refused, value_is};

pub(super) async fn primary(cx: Context) {
    let put = cx.a.put("n", "1").await.unwrap();
    let key = Key::from("n");
    let counted = cx.a.increment_opts(&key, 1, IncrementOptions::new()).await.unwrap();
    let deleted = cx.a.delete_opts(&key, DeleteOptions::new()).await.unwrap();
    for reached in [put.acks, counted.acks, deleted.acks] {
        assert_eq!(reached.replicas, 0, "replicas that nobody asked for");
    }
}

/// Every kind of write, asking for `acks`, must be refused and have no effect.
async fn all_refused(cx: &Context, acks: Acks) {
    let (key, absent) = (Key::from("n"), Key::from("absent"));
    let before = cx.a.put("n", "1").await.unwrap();
    let put = || PutOptions::new().with_acks(acks);
    let answers: [(&str, Result<()>); 7] = [
        ("put", cx.a.put_opts(&key, "2".into(), put()).await.map(drop)),
        ("a put that creates", cx.a.put_opts(&absent, "2".into(), put()).await.map(drop)),
        ("delete", {
            cx.a.delete_opts(&key, DeleteOptions::new().with_acks(acks)).await.map(drop)
        }),
        ("increment", {
            cx.a.increment_opts(&key, 1, IncrementOptions::new().with_acks(acks)).await.map(drop)
        }),
        ("touch", cx.a.touch_opts(&key, TouchOptions::default().with_acks(acks)).await.map(drop)),
        ("clear", cx.a.clear_opts(ClearOptions::default().with_acks(acks)).await.map(drop)),
        ("write_many", only(&*cx.a, WriteOp::put_opts("n", "2", put())).await),
    ];
    for (what, answer) in answers {
        refused(answer, ErrorKind::Unsupported, what);
    }
    let entry = crate::expect::present(&*cx.b, "n").await;
    assert_eq!((entry.value.as_ref(), entry.version), (b"1".as_ref(), before.version));
    value_is(&*cx.b, "absent", None).await;
}

/// The answer to a batch of one write.
async fn only(store: &dyn StateBackend, op: WriteOp) -> Result<()> {
    let mut answers = store.write_many(vec![op]).await?;
    answers.pop().unwrap_or_else(|| Err(Error::invalid("no answer"))).map(drop)
}

pub(super) async fn replicas_zero(cx: Context) {
    let (key, acks) = (Key::from("n"), Acks::Replicas(0));
    let put = || PutOptions::new().with_acks(acks);
    let written = cx.a.put_opts(&key, "1".into(), put()).await.unwrap();
    let increment = IncrementOptions::new().with_acks(acks);
    let counted = cx.a.increment_opts(&key, 1, increment).await.unwrap();
    value_is(&*cx.b, "n", Some("2")).await;
    only(&*cx.a, WriteOp::put_opts("n", "3", put())).await.unwrap();
    value_is(&*cx.b, "n", Some("3")).await;
    let delete = DeleteOptions::new().with_acks(acks);
    let deleted = cx.a.delete_opts(&key, delete).await.unwrap();
    for reached in [written.acks, counted.acks, deleted.acks] {
        assert_eq!(reached.replicas, 0, "replicas that nobody asked for");
    }
    if cx.has(Capability::Expiry) {
        let touch = TouchOptions::default().with_acks(acks);
        assert!(!cx.a.touch_opts(&key, touch).await.unwrap(), "the entry was deleted");
    }
    cx.a.put("n", "4").await.unwrap();
    let clear = ClearOptions::default().with_acks(acks);
    assert_eq!(cx.a.clear_opts(clear).await.unwrap(), 1, "entries cleared");
    value_is(&*cx.b, "n", None).await;
}

pub(super) async fn replicas_undeclared(cx: Context) {
    all_refused(&cx, Acks::Replicas(1)).await;
}

pub(super) async fn fsync_undeclared(cx: Context) {
    all_refused(&cx, Acks::Fsynced).await;
}

pub(super) async fn replicas_reached(cx: Context) {
    let asking = PutOptions::new().with_acks(Acks::Replicas(1));
    match cx.a.put_opts(&Key::from("k"), "v".into(), asking).await {
        Ok(written) => assert!(written.acks.replicas >= 1, "got {:?}", written.acks),
        Err(error) => unacknowledged(&error),
    }
    value_is(&*cx.b, "k", Some("v")).await;
}

pub(super) async fn replicas_short(cx: Context) {
    let asking = PutOptions::new().with_acks(Acks::Replicas(10_000));
    let answer = cx.a.put_opts(&Key::from("k"), "v".into(), asking).await;
    unacknowledged(&answer.unwrap_err());
    value_is(&*cx.b, "k", Some("v")).await;
}

fn unacknowledged(error: &Error) {
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Unacknowledged, Outcome::Applied),
        "{error}"
    );
}

pub(super) async fn fsync_reached(cx: Context) {
    let key = Key::from("n");
    let put = PutOptions::new().with_acks(Acks::Fsynced);
    let put = cx.a.put_opts(&key, "1".into(), put).await.unwrap();
    let increment = IncrementOptions::new().with_acks(Acks::Fsynced);
    let counted = cx.a.increment_opts(&key, 1, increment).await.unwrap();
    let delete = DeleteOptions::new().with_acks(Acks::Fsynced);
    let deleted = cx.a.delete_opts(&key, delete).await.unwrap();
    for reached in [put.acks, counted.acks, deleted.acks] {
        assert!(reached.fsynced, "expected a synced write, got {reached:?}");
    }
    let touched = TouchOptions::default().with_acks(Acks::Fsynced);
    if cx.has(Capability::Expiry) {
        assert!(!cx.a.touch_opts(&key, touched).await.unwrap(), "the entry was deleted");
    }
    let cleared = ClearOptions::default().with_acks(Acks::Fsynced);
    assert_eq!(cx.a.clear_opts(cleared).await.unwrap(), 0);
    assert_ne!(put.acks, AcksReached::PRIMARY);
}
