//! How writes, touches and increments set a lifetime.

use std::time::Duration;

use state_core::{
    Consistency, ErrorKind, Expires, Expiry, GetOptions, IncrementOptions, Key, LifetimeOn,
    PutOptions, StateBackendExt, Timestamp, Ttl, WriteOp,
};

use crate::Context;
use crate::expect::{present, refused, value_is};

/// Writes `k` with this lifetime.
async fn put(cx: &Context, expiry: impl Into<Expiry>) {
    let options = PutOptions::new().with_expiry(expiry.into());
    cx.a.put_opts(&Key::from("k"), "v".into(), options).await.unwrap();
}

/// The deadline of `key`, if it has one.
async fn deadline(cx: &Context, key: &'static str) -> Option<Timestamp> {
    match present(&*cx.b, key).await.expires {
        Expires::Never => None,
        Expires::At { deadline, .. } => Some(deadline),
        other => panic!("`{key}`: the lifetime was asked for and is {other:?}"),
    }
}

/// The lifetime of `key` must end `lifetime` from now.
async fn ends_in(cx: &Context, key: &'static str, lifetime: Duration) {
    let got = deadline(cx, key).await.map(Timestamp::unix_ms);
    let expected = cx.now().checked_add(lifetime).unwrap().unix_ms();
    let Some(got) = got else { panic!("`{key}` has no lifetime, expected {lifetime:?}") };
    let apart = Duration::from_millis(got.abs_diff(expected));
    assert!(apart <= cx.tolerance(), "`{key}`: expected {expected} ms, got {got} ms");
}

pub(super) async fn put_after(cx: Context) {
    for lifetime in [60, 3_600, 5].map(Duration::from_secs) {
        put(&cx, lifetime).await;
        ends_in(&cx, "k", lifetime).await;
    }
    put(&cx, Duration::from_secs(3_600)).await;
    put(&cx, cx.lifetime()).await;
    cx.outlive().await;
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn put_at(cx: Context) {
    for lifetime in [60, 3_600, 5].map(Duration::from_secs) {
        let named = cx.now().checked_add(lifetime).unwrap();
        put(&cx, named).await;
        assert_eq!(deadline(&cx, "k").await, Some(named));
    }
    put(&cx, cx.now().checked_add(cx.lifetime()).unwrap()).await;
    cx.outlive().await;
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn put_default(cx: Context) {
    cx.a.put("fresh", "v").await.unwrap();
    let configured = cx.b.ttl("fresh").await.unwrap();
    put(&cx, Duration::from_secs(1_234)).await;
    put(&cx, Expiry::Default).await;
    match (configured, cx.b.ttl("k").await.unwrap()) {
        (Ttl::Forever, got) => assert_eq!(got, Ttl::Forever, "the earlier lifetime was kept"),
        (Ttl::Remaining(expected), Ttl::Remaining(got)) => {
            assert!(expected.abs_diff(got) <= cx.tolerance(), "{expected:?} expected, got {got:?}");
        }
        (expected, got) => panic!("expected {expected:?}, got {got:?}"),
    }
}

pub(super) async fn put_never(cx: Context) {
    put(&cx, cx.lifetime()).await;
    put(&cx, Expiry::Never).await;
    assert_eq!(deadline(&cx, "k").await, None);
    cx.outlive().await;
    value_is(&*cx.b, "k", Some("v")).await;
}

pub(super) async fn put_keep(cx: Context) {
    put(&cx, Expiry::Keep).await;
    assert_eq!(deadline(&cx, "k").await, None, "an entry that `Keep` created");
    put(&cx, Duration::from_secs(100)).await;
    let before = deadline(&cx, "k").await;
    cx.advance(Duration::from_millis(20)).await;
    put(&cx, Expiry::Keep).await;
    assert_eq!(deadline(&cx, "k").await, before, "the deadline that `Keep` left");
}

pub(super) async fn touch_sets(cx: Context) {
    put(&cx, Expiry::Never).await;
    for lifetime in [60, 3_600, 5].map(Duration::from_secs) {
        assert!(cx.a.touch("k", lifetime).await.unwrap(), "the entry is there");
        ends_in(&cx, "k", lifetime).await;
    }
    let named = cx.now().checked_add(Duration::from_secs(77)).unwrap();
    assert!(cx.a.touch("k", named).await.unwrap());
    assert_eq!(deadline(&cx, "k").await, Some(named));
    value_is(&*cx.b, "k", Some("v")).await;
    assert!(cx.a.touch("k", cx.lifetime()).await.unwrap());
    cx.outlive().await;
    value_is(&*cx.b, "k", None).await;
}

pub(super) async fn touch_never(cx: Context) {
    put(&cx, cx.lifetime()).await;
    assert!(cx.a.touch("k", Expiry::Never).await.unwrap());
    assert_eq!(deadline(&cx, "k").await, None);
    cx.outlive().await;
    value_is(&*cx.b, "k", Some("v")).await;
}

pub(super) async fn touch_absent(cx: Context) {
    for expiry in [Expiry::Never, Expiry::Default, Expiry::After(cx.lifetime())] {
        assert!(!cx.a.touch("k", expiry).await.unwrap(), "{expiry:?} touched an absent entry");
        value_is(&*cx.b, "k", None).await;
    }
}

pub(super) async fn touch_keep(cx: Context) {
    put(&cx, Duration::from_secs(100)).await;
    refused(cx.a.touch("k", Expiry::Keep).await, ErrorKind::Invalid, "touch with `Keep`");
    let touching = GetOptions::new().with_touch(Expiry::Keep);
    let answer = cx.a.get_opts(&Key::from("k"), touching).await;
    refused(answer, ErrorKind::Invalid, "a read that touches with `Keep`");
}

pub(super) async fn get_touch(cx: Context) {
    put(&cx, Expiry::Never).await;
    let lifetime = Duration::from_secs(60);
    let touching = GetOptions::new().with_touch(Expiry::After(lifetime));
    let read = cx.a.get_opts(&Key::from("k"), touching.clone()).await.unwrap();
    assert_eq!(read.map(|entry| entry.value).as_deref(), Some(b"v".as_slice()));
    ends_in(&cx, "k", lifetime).await;
    let absent = cx.a.get_opts(&Key::from("absent"), touching).await.unwrap();
    assert_eq!(absent, None, "a read that touches created an entry");
    value_is(&*cx.b, "absent", None).await;
}

pub(super) async fn get_touch_eventual(cx: Context) {
    put(&cx, Expiry::Never).await;
    let touching = GetOptions::new()
        .with_touch(Expiry::After(cx.lifetime()))
        .with_consistency(Consistency::Eventual);
    let answer = cx.a.get_opts(&Key::from("k"), touching).await;
    refused(answer, ErrorKind::Invalid, "an eventual read that touches");
    assert_eq!(deadline(&cx, "k").await, None, "it was touched all the same");
}

pub(super) async fn get_many_touch(cx: Context) {
    put(&cx, Expiry::Never).await;
    cx.a.put("l", "v").await.unwrap();
    let lifetime = Duration::from_secs(60);
    let touching = GetOptions::new().with_touch(Expiry::After(lifetime));
    let keys = ["k", "absent", "l"].map(Key::from);
    cx.a.get_many(&keys, touching).await.unwrap();
    ends_in(&cx, "k", lifetime).await;
    ends_in(&cx, "l", lifetime).await;
    value_is(&*cx.b, "absent", None).await;
}

/// Adds 1 to `n` with this lifetime.
async fn add(cx: &Context, lifetime: Duration, on: LifetimeOn) {
    let options = IncrementOptions::new().with_expiry(lifetime).with_lifetime_on(on);
    cx.a.increment_opts(&Key::from("n"), 1, options).await.unwrap();
}

pub(super) async fn increment_create(cx: Context) {
    let lifetime = Duration::from_secs(60);
    add(&cx, lifetime, LifetimeOn::Create).await;
    ends_in(&cx, "n", lifetime).await;
    let before = deadline(&cx, "n").await;
    cx.advance(Duration::from_millis(20)).await;
    add(&cx, Duration::from_secs(3_600), LifetimeOn::Create).await;
    assert_eq!(deadline(&cx, "n").await, before, "the window moved");
    assert_eq!(cx.b.increment_with_ttl("n", 1, lifetime).await.unwrap(), 3);
    assert_eq!(deadline(&cx, "n").await, before, "the window moved");

    cx.a.put("n", "5").await.unwrap();
    cx.a.touch("n", Expiry::Never).await.unwrap();
    add(&cx, lifetime, LifetimeOn::Create).await;
    assert_eq!(deadline(&cx, "n").await, None, "a counter that was there got a lifetime");
}

pub(super) async fn increment_every(cx: Context) {
    let lifetime = Duration::from_secs(60);
    add(&cx, lifetime, LifetimeOn::Every).await;
    ends_in(&cx, "n", lifetime).await;
    cx.advance(Duration::from_millis(20)).await;
    add(&cx, lifetime, LifetimeOn::Every).await;
    ends_in(&cx, "n", lifetime).await;
    add(&cx, Duration::from_secs(3_600), LifetimeOn::Every).await;
    ends_in(&cx, "n", Duration::from_secs(3_600)).await;
    value_is(&*cx.b, "n", Some("3")).await;
}

pub(super) async fn increment_plain(cx: Context) {
    cx.a.put_with_ttl("n", "1", Duration::from_secs(60)).await.unwrap();
    let before = deadline(&cx, "n").await;
    assert!(before.is_some());
    cx.b.increment("n", 1).await.unwrap();
    assert_eq!(deadline(&cx, "n").await, before);
}

pub(super) async fn batch(cx: Context) {
    let after = |lifetime| PutOptions::new().with_expiry(lifetime);
    let short = IncrementOptions::new().with_expiry(cx.lifetime());
    let ops = vec![
        WriteOp::put_opts("never", "v", after(Expiry::Never)),
        WriteOp::put_opts("short", "v", after(Expiry::After(cx.lifetime()))),
        WriteOp::put_opts("long", "v", after(Expiry::After(Duration::from_secs(3_600)))),
        WriteOp::increment_opts("counter", 1, short),
    ];
    for answer in cx.a.write_many(ops).await.unwrap() {
        answer.unwrap();
    }
    assert_eq!(deadline(&cx, "never").await, None);
    ends_in(&cx, "short", cx.lifetime()).await;
    ends_in(&cx, "long", Duration::from_secs(3_600)).await;
    ends_in(&cx, "counter", cx.lifetime()).await;
    cx.outlive().await;
    let values = cx.b.batch_get(["never", "short", "long", "counter"]).await.unwrap();
    assert_eq!(values, [Some("v".into()), None, Some("v".into()), None]);
}

pub(super) async fn set_if_not_exists(cx: Context) {
    let lifetime = Duration::from_secs(60);
    assert!(cx.a.set_if_not_exists("k", "v", Expiry::After(lifetime)).await.unwrap());
    ends_in(&cx, "k", lifetime).await;
    let before = deadline(&cx, "k").await;
    let later = Expiry::After(Duration::from_secs(3_600));
    assert!(!cx.a.set_if_not_exists("k", "w", later).await.unwrap());
    assert_eq!(deadline(&cx, "k").await, before, "what was there got another lifetime");
}
