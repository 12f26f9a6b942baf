//! Reading, writing and deleting values.

use std::time::Duration;

use state_core::{
    Bytes, Consistency, DeleteOptions, GetOptions, IncrementOptions, Key, PutOptions, Resend,
    StateBackendExt,
};

use crate::Context;
use crate::expect::{present, value_is};

pub(super) async fn get_absent(cx: Context) {
    value_is(&*cx.a, "k", None).await;
    cx.a.put("other", "v").await.unwrap();
    value_is(&*cx.a, "k", None).await;
}

pub(super) async fn get_last_write(cx: Context) {
    cx.a.put("k", "1").await.unwrap();
    value_is(&*cx.b, "k", Some("1")).await;
    cx.b.put("k", "2").await.unwrap();
    value_is(&*cx.a, "k", Some("2")).await;
    value_is(&*cx.b, "k", Some("2")).await;
}

pub(super) async fn get_version(cx: Context) {
    for value in ["1", "2"] {
        let written = cx.a.put("k", value).await.unwrap();
        for store in [&cx.a, &cx.b] {
            assert_eq!(present(&**store, "k").await.version, written.version);
        }
    }
}

pub(super) async fn get_head(cx: Context) {
    let head = GetOptions::new().with_head(true);
    let absent = cx.a.get_opts(&Key::from("k"), head.clone()).await.unwrap();
    assert_eq!(absent, None, "the head of an absent entry");
    let written = cx.a.put("k", "value").await.unwrap();
    let entry = cx.b.get_opts(&Key::from("k"), head).await.unwrap().unwrap();
    assert_eq!(entry.version, written.version);
    assert_eq!(entry.value, Bytes::new(), "a head holds no value");
}

pub(super) async fn get_eventual(cx: Context) {
    let eventual = GetOptions::new().with_consistency(Consistency::Eventual);
    cx.a.put("k", "first").await.unwrap();
    cx.a.put("k", "last").await.unwrap();
    for _ in 0..100 {
        let seen = cx.b.get_opts(&Key::from("k"), eventual.clone()).await.unwrap();
        match seen.map(|entry| entry.value).as_deref() {
            Some(b"last") => return,
            None | Some(b"first") => cx.advance(Duration::from_millis(50)).await,
            Some(other) => panic!("{} was never written", other.escape_ascii()),
        }
    }
    panic!("the last write was not seen within 5 s");
}

pub(super) async fn put_empty_value(cx: Context) {
    cx.a.put("k", Bytes::new()).await.unwrap();
    value_is(&*cx.b, "k", Some("")).await;
    assert!(cx.b.contains("k").await.unwrap(), "an entry with an empty value is not contained");
    assert_eq!(cx.b.count("").await.unwrap(), 1, "an entry with an empty value is not counted");
    cx.a.put("k", "full").await.unwrap();
    cx.a.put("k", Bytes::new()).await.unwrap();
    value_is(&*cx.b, "k", Some("")).await;
}

pub(super) async fn put_any_bytes(cx: Context) {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let values: [&[u8]; 8] =
        [&all, b"\0", b"\r\n", b"\xff\xfe", b"{}", b"nil", b"+OK\r\n", b"$-1\r\n"];
    for value in values {
        cx.a.put("k", Bytes::copy_from_slice(value)).await.unwrap();
        let read = cx.b.get("k").await.unwrap();
        assert_eq!(read.as_deref(), Some(value), "the value {}", value.escape_ascii());
    }
}

pub(super) async fn put_other_keys(cx: Context) {
    let keys = ["a", "b", "ab", "ba", "aa", "A", "a ", " a"];
    let mut versions = Vec::new();
    for key in keys {
        versions.push(cx.a.put(key, key).await.unwrap().version);
    }
    cx.a.put("x", "1").await.unwrap();
    cx.a.delete("x").await.unwrap();
    cx.a.increment("n", 1).await.unwrap();
    for (key, version) in keys.into_iter().zip(versions) {
        let entry = present(&*cx.b, key).await;
        assert_eq!(entry.value, key, "the value of `{key}`");
        assert_eq!(entry.version, version, "the version of `{key}`");
    }
}

pub(super) async fn put_resend_never(cx: Context) {
    let key = Key::from("n");
    let put = PutOptions::new().with_resend(Resend::Never);
    cx.a.put_opts(&key, "1".into(), put).await.unwrap();
    let increment = IncrementOptions::new().with_resend(Resend::Never);
    assert_eq!(cx.a.increment_opts(&key, 1, increment).await.unwrap().value, 2);
    value_is(&*cx.b, "n", Some("2")).await;
    let delete = DeleteOptions::new().with_resend(Resend::Never);
    assert!(cx.a.delete_opts(&key, delete).await.unwrap().existed);
    value_is(&*cx.b, "n", None).await;
}

pub(super) async fn key_partitions(cx: Context) {
    let keys = [
        Key::from("k"),
        Key::in_partition("p", "k"),
        Key::in_partition("q", "k"),
        Key::in_partition("k", "p"),
        Key::in_partition("pk", "k"),
        Key::from("pk"),
    ];
    for (number, key) in keys.iter().enumerate() {
        assert!(!cx.a.contains(key).await.unwrap(), "{key:?} is there before it was written");
        cx.a.put(key, number.to_string()).await.unwrap();
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(present(&*cx.b, key).await.value, number.to_string(), "{key:?}");
    }
    assert!(cx.a.delete(Key::in_partition("p", "k")).await.unwrap());
    value_is(&*cx.b, "k", Some("0")).await;
}

pub(super) async fn contains(cx: Context) {
    assert!(!cx.a.contains("k").await.unwrap(), "before the first write");
    cx.a.put("k", "v").await.unwrap();
    assert!(cx.b.contains("k").await.unwrap(), "after the write");
    cx.a.delete("k").await.unwrap();
    assert!(!cx.b.contains("k").await.unwrap(), "after the delete");
}

pub(super) async fn delete_removes(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    cx.a.delete("k").await.unwrap();
    value_is(&*cx.a, "k", None).await;
    value_is(&*cx.b, "k", None).await;
    assert_eq!(cx.b.count("").await.unwrap(), 0, "a deleted entry is counted");
}

pub(super) async fn delete_existed(cx: Context) {
    assert!(!cx.a.delete("k").await.unwrap(), "an entry that never was existed");
    cx.a.put("k", "v").await.unwrap();
    assert!(cx.b.delete("k").await.unwrap(), "an entry that was there did not exist");
    assert!(!cx.a.delete("k").await.unwrap(), "an entry existed after its delete");
}

pub(super) async fn delete_silent(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    let deleted = cx.a.delete_opts(&Key::from("k"), DeleteOptions::new()).await.unwrap();
    assert!(deleted.existed);
    assert_eq!(deleted.previous, None, "the value was not asked for");
}

pub(super) async fn get_and_delete(cx: Context) {
    let asking = DeleteOptions::new().with_return_value(true);
    let none = cx.a.delete_opts(&Key::from("k"), asking.clone()).await.unwrap();
    assert!(!none.existed && none.previous.is_none(), "there was nothing to return");
    let written = cx.a.put("k", "v").await.unwrap();
    let deleted = cx.b.delete_opts(&Key::from("k"), asking).await.unwrap();
    let previous = deleted.previous.unwrap();
    assert_eq!((previous.value.as_ref(), previous.version), (b"v".as_ref(), written.version));
    value_is(&*cx.a, "k", None).await;
    assert_eq!(cx.a.get_and_delete("k").await.unwrap(), None, "it is gone");
}
