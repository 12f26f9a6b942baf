//! Lifetimes that no write may name.

use std::time::Duration;

use state_core::{
    ErrorKind, Expires, Expiry, GetOptions, IncrementOptions, Key, LifetimeOn, Limits, PutOptions,
    StateBackendExt, Timestamp, WriteOp,
};

use crate::Context;
use crate::expect::{present, refused, value_is};

/// Lifetimes that no write may name.
fn illegal(cx: &Context) -> Vec<Expiry> {
    let now = cx.now();
    let too_far = now.checked_add(Limits::LIFETIME_MAX + Duration::from_secs(60)).unwrap();
    vec![
        Expiry::After(Duration::ZERO),
        Expiry::After(Duration::from_nanos(1)),
        Expiry::After(Duration::from_micros(999)),
        Expiry::After(Limits::LIFETIME_MAX + Duration::from_millis(1)),
        Expiry::After(Duration::MAX),
        Expiry::At(Timestamp::from_unix_ms(0)),
        Expiry::At(Timestamp::from_unix_ms(now.unix_ms() - 60_000)),
        Expiry::At(now),
        Expiry::At(too_far),
        Expiry::At(Timestamp::from_unix_ms(u64::MAX)),
    ]
}

/// The entry `n` must be there, be `1`, and have no lifetime.
async fn untouched(cx: &Context, what: &str) {
    let entry = present(&*cx.b, "n").await;
    assert_eq!(entry.value, "1", "the value after {what}");
    assert_eq!(entry.expires, Expires::Never, "the lifetime after {what}");
}

async fn write_one(cx: &Context) {
    let never = PutOptions::new().with_expiry(Expiry::Never);
    cx.a.put_opts(&Key::from("n"), "1".into(), never).await.unwrap();
}

pub(super) async fn put(cx: Context) {
    write_one(&cx).await;
    for expiry in illegal(&cx) {
        let what = format!("a put with {expiry:?}");
        let options = PutOptions::new().with_expiry(expiry);
        let answer = cx.a.put_opts(&Key::from("n"), "2".into(), options.clone()).await;
        refused(answer, ErrorKind::Invalid, &what);
        untouched(&cx, &what).await;
        let answer = cx.a.put_opts(&Key::from("absent"), "2".into(), options).await;
        refused(answer, ErrorKind::Invalid, &what);
        value_is(&*cx.b, "absent", None).await;
    }
}

pub(super) async fn increment(cx: Context) {
    write_one(&cx).await;
    for expiry in illegal(&cx) {
        for on in [LifetimeOn::Create, LifetimeOn::Every] {
            let what = format!("an increment with {expiry:?} on {on:?}");
            let options = IncrementOptions::new().with_expiry(expiry).with_lifetime_on(on);
            let answer = cx.a.increment_opts(&Key::from("n"), 1, options.clone()).await;
            refused(answer, ErrorKind::Invalid, &what);
            untouched(&cx, &what).await;
            let answer = cx.a.increment_opts(&Key::from("absent"), 1, options).await;
            refused(answer, ErrorKind::Invalid, &what);
            value_is(&*cx.b, "absent", None).await;
        }
    }
}

pub(super) async fn touch(cx: Context) {
    write_one(&cx).await;
    for expiry in illegal(&cx) {
        let what = format!("a touch with {expiry:?}");
        for key in ["n", "absent"] {
            refused(cx.a.touch(key, expiry).await, ErrorKind::Invalid, &what);
            let touching = GetOptions::new().with_touch(expiry);
            let answer = cx.a.get_opts(&Key::from(key), touching).await;
            refused(answer, ErrorKind::Invalid, &what);
        }
        untouched(&cx, &what).await;
    }
}

pub(super) async fn batch(cx: Context) {
    let illegal = illegal(&cx);
    let mut ops = Vec::new();
    for (number, expiry) in illegal.iter().enumerate() {
        ops.push(WriteOp::put(format!("good{number}"), "v"));
        let options = PutOptions::new().with_expiry(*expiry);
        ops.push(WriteOp::put_opts(format!("bad{number}"), "v", options));
        let options = IncrementOptions::new().with_expiry(*expiry);
        ops.push(WriteOp::increment_opts(format!("bad{number}"), 1, options));
    }
    let mut answers = cx.a.write_many(ops).await.unwrap().into_iter();
    for expiry in &illegal {
        answers.next().unwrap().unwrap();
        for what in ["put", "increment"] {
            let what = format!("{what} with {expiry:?}");
            refused(answers.next().unwrap(), ErrorKind::Invalid, &what);
        }
    }
    assert_eq!(cx.b.count("good").await.unwrap(), illegal.len() as u64, "good writes");
    assert_eq!(cx.b.count("bad").await.unwrap(), 0, "bad writes");
}
