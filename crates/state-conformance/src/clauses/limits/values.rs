//! Values over the limit and large values, and the order of checks.

use std::time::Duration;

use state_core::{
    Acks, Bytes, Capability, DeleteOptions, ErrorKind, IncrementOptions, Key, PutOptions,
    StateBackendExt, TouchOptions, WriteOp,
};

use crate::Context;
use crate::expect::{present, refused, value_is};

/// The largest value that is tried: larger ones cost time and show nothing new.
const LARGE_BYTES: usize = 4 << 20;

pub(super) async fn declared(cx: Context) {
    let limits = cx.capabilities().limits;
    for (name, limit) in [
        ("key_bytes_max", limits.key_bytes_max),
        ("value_bytes_max", limits.value_bytes_max),
        ("field_bytes_max", limits.field_bytes_max),
        ("batch_ops_max", limits.batch_ops_max),
        ("transaction_ops_max", limits.transaction_ops_max),
        ("page_items_max", limits.page_items_max),
    ] {
        assert!(limit >= 1, "{name} is {limit}");
    }
}

/// A value of one byte more than the limit.
fn too_large_value(cx: &Context) -> Bytes {
    Bytes::from(vec![0; cx.capabilities().limits.value_bytes_max + 1])
}

pub(super) async fn too_large(cx: Context) {
    let value = too_large_value(&cx);
    refused(cx.a.put("k", value.clone()).await, ErrorKind::TooLarge, "a put that creates");
    value_is(&*cx.b, "k", None).await;
    let before = cx.a.put("k", "v").await.unwrap();
    refused(cx.a.put("k", value).await, ErrorKind::TooLarge, "a put that overwrites");
    let after = present(&*cx.b, "k").await;
    assert_eq!((after.value.as_ref(), after.version), (b"v".as_ref(), before.version));
}

pub(super) async fn too_large_in_batch(cx: Context) {
    let ops = vec![
        WriteOp::put("a", "1"),
        WriteOp::put("k", too_large_value(&cx)),
        WriteOp::put("b", "2"),
    ];
    let answers = cx.a.write_many(ops).await.unwrap();
    let [first, second, third] = answers.try_into().unwrap();
    first.unwrap();
    refused(second, ErrorKind::TooLarge, "a value over the limit");
    third.unwrap();
    let values = cx.b.batch_get(["a", "k", "b"]).await.unwrap();
    assert_eq!(values, [Some("1".into()), None, Some("2".into())]);
}

pub(super) async fn large(cx: Context) {
    let most = cx.capabilities().limits.value_bytes_max.min(LARGE_BYTES);
    // The low bytes of a multiplicative sequence: no long repeats, and no page like another.
    let bytes = (0..most as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8);
    let value: Bytes = bytes.collect();
    cx.a.put("k", value.clone()).await.unwrap();
    let read = present(&*cx.b, "k").await.value;
    assert_eq!(read.len(), value.len(), "bytes read");
    assert!(read == value, "the value came back changed");
    let taken = cx.b.get_and_delete("k").await.unwrap();
    assert!(taken == Some(value), "the value was returned changed by its delete");
}

pub(super) async fn limits_first(cx: Context) {
    let (acks, empty) = (Acks::Replicas(1), Key::from(""));
    let put = || PutOptions::new().with_acks(acks);
    let answer = cx.a.put_opts(&empty, "v".into(), put()).await;
    refused(answer, ErrorKind::Invalid, "a put under an empty key");
    let answer = cx.a.put_opts(&Key::from("k"), too_large_value(&cx), put()).await;
    refused(answer, ErrorKind::TooLarge, "a put of a value over the limit");
    let answer = cx.a.delete_opts(&empty, DeleteOptions::new().with_acks(acks)).await;
    refused(answer, ErrorKind::Invalid, "a delete of an empty key");
    let options = IncrementOptions::new().with_acks(acks);
    let answer = cx.a.increment_opts(&empty, 1, options).await;
    refused(answer, ErrorKind::Invalid, "an increment under an empty key");
    let ops = vec![
        WriteOp::put_opts("", "v", put()),
        WriteOp::put_opts("k", too_large_value(&cx), put()),
    ];
    let answers = cx.a.write_many(ops).await.unwrap();
    let [first, second] = answers.try_into().unwrap();
    refused(first, ErrorKind::Invalid, "an empty key in a batch");
    refused(second, ErrorKind::TooLarge, "a value over the limit in a batch");
    if cx.has(Capability::Expiry) {
        let options = TouchOptions::default().with_acks(acks);
        let answer = cx.a.touch_opts(&empty, options).await;
        refused(answer, ErrorKind::Invalid, "a touch of an empty key");
        let answer =
            cx.a.put_opts(&Key::from("k"), "v".into(), put().with_expiry(Duration::ZERO)).await;
        refused(answer, ErrorKind::Invalid, "a put with a lifetime of 0");
    }
    value_is(&*cx.b, "k", None).await;
}
