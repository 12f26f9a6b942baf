//! What is left after the store was closed and opened again.

use std::time::Duration;

use state_core::{Key, StateBackendExt};

use crate::Context;
use crate::expect::{present, value_is};

pub(super) async fn values(cx: Context) {
    let placed = Key::in_partition("p", "k");
    cx.a.batch_put([("a", "1"), ("b", ""), ("gone", "1")]).await.unwrap();
    cx.a.put(&placed, "3").await.unwrap();
    cx.b.increment("n", 4).await.unwrap();
    cx.b.delete("gone").await.unwrap();
    let last = cx.a.put("a", "2").await.unwrap();
    let mut cx = cx;
    for _ in 0..2 {
        cx = cx.restart().await.unwrap();
        let entry = present(&*cx.a, "a").await;
        assert_eq!((entry.value.as_ref(), entry.version), (b"2".as_ref(), last.version));
        value_is(&*cx.b, "b", Some("")).await;
        value_is(&*cx.b, "n", Some("4")).await;
        value_is(&*cx.b, "gone", None).await;
        assert_eq!(present(&*cx.b, &placed).await.value, "3");
        assert_eq!(cx.a.count("").await.unwrap(), 4, "entries after a restart");
    }
}

pub(super) async fn lifetimes(cx: Context) {
    cx.a.put_with_ttl("short", "v", cx.lifetime()).await.unwrap();
    cx.a.put_with_ttl("long", "v", Duration::from_secs(3_600)).await.unwrap();
    let long = present(&*cx.a, "long").await.expires.deadline();
    let cx = cx.restart().await.unwrap();
    assert_eq!(present(&*cx.a, "long").await.expires.deadline(), long, "the deadline of `long`");
    value_is(&*cx.a, "short", Some("v")).await;
    cx.outlive().await;
    let cx = cx.restart().await.unwrap();
    value_is(&*cx.a, "short", None).await;
    value_is(&*cx.b, "long", Some("v")).await;
}
