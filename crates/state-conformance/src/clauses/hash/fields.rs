//! Reading, writing, counting and removing fields.

use state_core::{Bytes, Consistency, ErrorKind, HashWriteOptions, Key, StateBackendExt};

use super::super::watch;
use super::{hashes, holds};
use crate::Context;
use crate::contents::contents;
use crate::expect::refused;

/// Every instance must say that the hash `h` has exactly these fields.
async fn fields_are(cx: &Context, expected: &[(&str, &str)]) {
    holds(&*cx.a, "h", expected).await;
    holds(&*cx.b, "h", expected).await;
}

pub(super) async fn set(cx: Context) {
    assert_eq!(super::set(&*cx.a, "h", &[("a", "1"), ("b", "2")]).await, 2, "both are new");
    assert_eq!(super::set(&*cx.b, "h", &[("b", "3"), ("c", "4")]).await, 1, "one is new");
    fields_are(&cx, &[("a", "1"), ("b", "3"), ("c", "4")]).await;
    assert_eq!(super::set(&*cx.a, "h", &[("b", "3")]).await, 0, "none is new");
    assert!(cx.a.put_field("h", "d", "").await.unwrap(), "a new field with an empty value");
    assert!(!cx.b.put_field("h", "d", "5").await.unwrap(), "a field that is there");
    fields_are(&cx, &[("a", "1"), ("b", "3"), ("c", "4"), ("d", "5")]).await;
}

pub(super) async fn set_twice(cx: Context) {
    let fields = [("a", "1"), ("b", "1"), ("a", "2"), ("a", "3")];
    assert_eq!(super::set(&*cx.a, "h", &fields).await, 2, "two fields are new");
    fields_are(&cx, &[("a", "3"), ("b", "1")]).await;
}

pub(super) async fn set_nothing(cx: Context) {
    assert_eq!(super::set(&*cx.a, "h", &[]).await, 0);
    fields_are(&cx, &[]).await;
    super::set(&*cx.a, "h", &[("a", "1")]).await;
    assert_eq!(super::set(&*cx.a, "h", &[]).await, 0);
    fields_are(&cx, &[("a", "1")]).await;
}

pub(super) async fn get(cx: Context) {
    let read = async |names: &[&'static str]| {
        let names: Vec<Bytes> = names.iter().copied().map(Bytes::from).collect();
        hashes(&*cx.b).hash_get(&Key::from("h"), &names, Consistency::Strong).await.unwrap()
    };
    assert_eq!(read(&["a", "b"]).await, [None, None], "of a hash that is not there");
    super::set(&*cx.a, "h", &[("a", "1"), ("b", ""), ("c", "3")]).await;
    let (one, empty, three) = (Some("1".into()), Some(Bytes::new()), Some("3".into()));
    let found = read(&["c", "gone", "b", "a", "c"]).await;
    assert_eq!(found, [three.clone(), None, empty, one, three]);
    assert_eq!(read(&[]).await, [], "of no field");
    assert_eq!(cx.b.get_field("h", "A").await.unwrap(), None, "names are literal");
}

pub(super) async fn any_bytes(cx: Context) {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let texts: [&[u8]; 9] =
        [&all, b"\0", b"\r\n", b"\xff\xfe", b"a*", b"{a}", b"[a]?", b"a:b", b" "];
    for text in texts {
        cx.a.put_field("h", text.to_vec(), text.to_vec()).await.unwrap();
    }
    cx.a.put_field("h", "empty", "").await.unwrap();
    for text in texts {
        let found = cx.b.get_field("h", text.to_vec()).await.unwrap();
        assert_eq!(found.as_deref(), Some(text), "the field {}", text.escape_ascii());
    }
    assert_eq!(cx.b.get_field("h", "empty").await.unwrap(), Some(Bytes::new()));
    assert_eq!(cx.b.fields("h").await.unwrap().len(), texts.len() + 1);
    for text in texts {
        assert!(cx.b.delete_field("h", text.to_vec()).await.unwrap(), "{}", text.escape_ascii());
    }
    fields_are(&cx, &[("empty", "")]).await;
}

pub(super) async fn delete(cx: Context) {
    let remove = async |names: &[&'static str]| {
        let names: Vec<Bytes> = names.iter().copied().map(Bytes::from).collect();
        let options = HashWriteOptions::new();
        hashes(&*cx.b).hash_delete(&Key::from("h"), &names, options).await.unwrap()
    };
    assert_eq!(remove(&["a"]).await, 0, "of a hash that is not there");
    super::set(&*cx.a, "h", &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]).await;
    assert_eq!(remove(&["gone"]).await, 0, "of a field that is not there");
    assert_eq!(remove(&[]).await, 0, "of no field");
    assert_eq!(remove(&["c", "gone", "a", "c"]).await, 2, "two were there");
    fields_are(&cx, &[("b", "2"), ("d", "4")]).await;
    assert_eq!(cx.a.get_field("h", "a").await.unwrap(), None);
    assert!(cx.a.delete_field("h", "b").await.unwrap(), "it was there");
    assert!(!cx.a.delete_field("h", "b").await.unwrap(), "it is gone");
}

pub(super) async fn delete_absent(cx: Context) {
    super::set(&*cx.a, "h", &[("a", "1")]).await;
    let mut events = watch::follow(&*cx.b).await;
    for (key, names) in [("gone", &["a"][..]), ("h", &["b", "c"]), ("h", &[])] {
        let names: Vec<Bytes> = names.iter().copied().map(Bytes::from).collect();
        let options = HashWriteOptions::new();
        let removed = hashes(&*cx.a).hash_delete(&Key::from(key), &names, options).await.unwrap();
        assert_eq!(removed, 0, "{names:?} of {key}");
    }
    let version = cx.a.put("last", "v").await.unwrap().version;
    watch::tells(&mut events, watch::put("last", version)).await;
    fields_are(&cx, &[("a", "1")]).await;
}

pub(super) async fn delete_last(cx: Context) {
    super::set(&*cx.a, "h", &[("a", "1"), ("b", "2")]).await;
    assert!(cx.a.delete_field("h", "a").await.unwrap());
    assert!(cx.b.delete_field("h", "b").await.unwrap());
    fields_are(&cx, &[]).await;
    let options = HashWriteOptions::new();
    let removed = hashes(&*cx.a).hash_remove(&Key::from("h"), options).await.unwrap();
    assert!(!removed, "a hash without fields is there");
}

pub(super) async fn remove(cx: Context) {
    let remove = async |key: &str| {
        hashes(&*cx.b).hash_remove(&Key::from(key), HashWriteOptions::new()).await.unwrap()
    };
    assert!(!remove("h").await, "there was none");
    super::set(&*cx.a, "h", &[("a", "1"), ("b", "2")]).await;
    super::set(&*cx.a, "other", &[("a", "1")]).await;
    assert!(remove("h").await, "there was one");
    fields_are(&cx, &[]).await;
    assert!(!remove("h").await, "it is gone");
    holds(&*cx.a, "other", &[("a", "1")]).await;
    assert_eq!(super::set(&*cx.a, "h", &[("a", "9")]).await, 1, "the field is new again");
    fields_are(&cx, &[("a", "9")]).await;
}

pub(super) async fn increment(cx: Context) {
    assert_eq!(cx.a.increment_field("h", "n", 5).await.unwrap(), 5, "absent is 0");
    assert_eq!(cx.b.increment_field("h", "n", -7).await.unwrap(), -2);
    assert_eq!(cx.a.increment_field("h", "zero", 0).await.unwrap(), 0);
    fields_are(&cx, &[("n", "-2"), ("zero", "0")]).await;
    let big = (1_i64 << 53) + 1;
    for start in [i64::MAX, i64::MIN, big, -big] {
        cx.a.put_field("h", "n", start.to_string()).await.unwrap();
        let next = start - start.signum();
        let sum = cx.b.increment_field("h", "n", -start.signum()).await.unwrap();
        assert_eq!(sum, next, "next to {start}");
        let stored = cx.a.get_field("h", "n").await.unwrap();
        assert_eq!(stored, Some(next.to_string().into()), "the stored number");
    }
}

pub(super) async fn increment_invalid(cx: Context) {
    let (max, min) = (i64::MAX.to_string(), i64::MIN.to_string());
    for (value, by) in [
        (max.as_str(), 1),
        (min.as_str(), -1),
        ("five", 1),
        ("", 1),
        ("+5", 1),
        ("007", 0),
        (" 5", 1),
        ("1.0", 1),
        ("9223372036854775808", -1),
    ] {
        super::set(&*cx.a, "h", &[("n", value), ("other", "1")]).await;
        let before = contents(&*cx.b).await;
        let what = format!("adding {by} to `{value}`");
        refused(cx.a.increment_field("h", "n", by).await, ErrorKind::Invalid, &what);
        assert_eq!(contents(&*cx.b).await, before, "{what}: it has had an effect");
    }
}

pub(super) async fn bad_input(cx: Context) {
    super::set(&*cx.a, "h", &[("a", "1")]).await;
    let limits = cx.capabilities().limits;
    let before = contents(&*cx.b).await;
    let long_field = Bytes::from(vec![b'x'; limits.field_bytes_max + 1]);
    let long_key = Key::from(vec![b'x'; limits.key_bytes_max + 1]);
    let (h, good) = (Key::from("h"), Bytes::from("a"));
    for (key, field, kind) in [
        (&h, Bytes::new(), ErrorKind::Invalid),
        (&h, long_field, ErrorKind::TooLarge),
        (&Key::from(""), good.clone(), ErrorKind::Invalid),
        (&long_key, good.clone(), ErrorKind::TooLarge),
    ] {
        let what = format!("a key of {} and a field of {} bytes", key.len_bytes(), field.len());
        let (store, options) = (hashes(&*cx.a), HashWriteOptions::new);
        let fields = vec![(good.clone(), "2".into()), (field.clone(), "2".into())];
        refused(store.hash_set(key, fields, options()).await, kind, &what);
        let names = [good.clone(), field.clone()];
        refused(store.hash_get(key, &names, Consistency::Strong).await, kind, &what);
        refused(store.hash_delete(key, &names, options()).await, kind, &what);
        refused(store.hash_increment(key, &field, 1, options()).await, kind, &what);
    }
    let large = vec![(good.clone(), vec![0; limits.value_bytes_max + 1].into())];
    let answer = hashes(&*cx.a).hash_set(&h, large, HashWriteOptions::new()).await;
    refused(answer, ErrorKind::TooLarge, "a value over the limit");
    let longest = vec![b'x'; limits.field_bytes_max];
    assert_eq!(contents(&*cx.b).await, before, "what was refused has had an effect");
    assert!(cx.a.put_field("h", longest, "1").await.unwrap(), "a field name at the limit");
}
