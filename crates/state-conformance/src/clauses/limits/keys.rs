//! Bad keys, long keys and strange keys.

use state_core::{
    Capability, ErrorKind, GetOptions, Key, Namespace, Result, StateBackend, StateBackendExt,
    WriteOp,
};

use crate::Context;
use crate::expect::{present, refused, value_is};

/// The answer of every call that names `key`.
async fn every_call(store: &dyn StateBackend, key: &Key) -> Vec<(&'static str, Result<()>)> {
    let mut answers = vec![
        ("get", store.get(key).await.map(drop)),
        ("contains", store.contains(key).await.map(drop)),
        ("put", store.put(key, "v").await.map(drop)),
        ("delete", store.delete(key).await.map(drop)),
        ("get_and_delete", store.get_and_delete(key).await.map(drop)),
        ("increment", store.increment(key, 1).await.map(drop)),
    ];
    if store.capabilities().has(Capability::Expiry) {
        let answer = store.touch(key, std::time::Duration::from_secs(60)).await;
        answers.push(("touch", answer.map(drop)));
    }
    let read = store.get_many(std::slice::from_ref(key), GetOptions::new()).await;
    for answer in read.unwrap() {
        answers.push(("get_many", answer.map(drop)));
    }
    let ops = vec![WriteOp::put(key, "v"), WriteOp::delete(key), WriteOp::increment(key, 1)];
    for answer in store.write_many(ops).await.unwrap() {
        answers.push(("write_many", answer.map(drop)));
    }
    answers
}

/// Every call that names one of these keys must be refused with `kind` and leave nothing.
async fn all_refused(cx: &Context, keys: impl IntoIterator<Item = Key>, kind: ErrorKind) {
    for key in keys {
        let answers = every_call(&*cx.a, &key).await;
        assert!(answers.len() >= 10, "calls that were answered: {}", answers.len());
        for (call, answer) in answers {
            let of = format!("{call} of a key of {} bytes", key.len_bytes());
            refused(answer, kind, &of);
        }
    }
    assert_eq!(cx.b.count("").await.unwrap(), 0, "entries that were written");
}

pub(super) async fn empty(cx: Context) {
    let keys = [Key::from(""), Key::in_partition("p", "")];
    all_refused(&cx, keys, ErrorKind::Invalid).await;
}

pub(super) async fn empty_partition(cx: Context) {
    let keys = [Key::in_partition("", "k"), Key::in_partition("", "")];
    all_refused(&cx, keys, ErrorKind::Invalid).await;
}

pub(super) async fn too_large(cx: Context) {
    let most = cx.capabilities().limits.key_bytes_max;
    let keys = [
        Key::from("x".repeat(most + 1)),
        Key::from("x".repeat(most * 20)),
        Key::in_partition("p", "x".repeat(most)),
        Key::in_partition("p".repeat(most), "x"),
    ];
    all_refused(&cx, keys, ErrorKind::TooLarge).await;
}

pub(super) async fn declared(cx: Context) {
    let key = Key::from("x".repeat(1 << 10));
    cx.a.put(&key, "v").await.unwrap();
    assert_eq!(present(&*cx.b, &key).await.value, "v");
}

pub(super) async fn longest(cx: Context) {
    let most = cx.capabilities().limits.key_bytes_max;
    let mut keys = vec![Key::from("x".repeat(most)), Key::from(vec![0xff; most])];
    if most > 1 {
        keys.push(Key::in_partition("p", "x".repeat(most - 1)));
        keys.push(Key::in_partition("p".repeat(most - 1), "x"));
    }
    for key in &keys {
        cx.a.put(key, "v").await.unwrap();
        assert_eq!(present(&*cx.b, key).await.value, "v");
    }
    let mut listed = cx.b.list_keys("").await.unwrap();
    listed.sort();
    keys.sort();
    assert_eq!(listed, keys);
    for key in &keys {
        assert!(cx.b.delete(key).await.unwrap(), "a longest key was not deleted");
    }
    assert_eq!(cx.a.count("").await.unwrap(), 0);
}

/// Byte strings that parsers, protocols and shells trip over.
fn strange() -> Vec<Vec<u8>> {
    let single = (0..=u8::MAX).map(|byte| vec![byte]);
    let doubled = (0..=u8::MAX).map(|byte| vec![b'x', byte, b'x']);
    let famous: [&[u8]; 11] = [
        b"\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\0\0",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x92\xa9",
        b"\xef\xbb\xbf",
        b"{tag}k",
        b"a:b*[c]?\\%|",
        b"../../etc",
        b"null",
    ];
    single.chain(doubled).chain(famous.map(<[u8]>::to_vec)).collect()
}

pub(super) async fn any_bytes(cx: Context) {
    let names = strange();
    let plain = names.iter().map(|name| Key::from(&name[..]));
    let placed = names.iter().map(|name| Key::in_partition(name.clone(), "k"));
    let mut keys: Vec<Key> = plain.chain(placed).collect();
    for chunk in keys.chunks(cx.capabilities().limits.batch_ops_max) {
        cx.a.batch_put(chunk.iter().map(|key| (key, key.to_string()))).await.unwrap();
    }
    let values = cx.b.batch_get(&keys).await.unwrap();
    for (key, value) in keys.iter().zip(values) {
        assert_eq!(value.as_deref(), Some(key.to_string().as_bytes()), "the value of {key:?}");
    }
    let mut listed = cx.b.list_keys("").await.unwrap();
    listed.sort();
    keys.sort();
    assert!(listed == keys, "{} keys were written, {} listed", keys.len(), listed.len());
    assert_eq!(cx.a.batch_delete(&keys).await.unwrap(), keys.len() as u64, "keys deleted");
}

pub(super) async fn namespace_any_bytes(cx: Context) {
    let left = Namespace::BYTES_MAX - cx.namespace().as_bytes().len();
    let longest = vec![b'x'; left];
    let mut suffixes: Vec<&[u8]> =
        vec![b"\0", b"\r\n", b"\xff\xfe", b"{a}", b"*", b"a:b", b"%", b"/..", b" ", b"'\"\\"];
    suffixes.push(&longest);
    for suffix in suffixes {
        let store = cx.open(suffix).await.unwrap();
        store.put("k", "v").await.unwrap();
        let again = cx.open(suffix).await.unwrap();
        value_is(&*again, "k", Some("v")).await;
        assert_eq!(again.info().namespace, store.info().namespace);
        assert_eq!(again.list_keys("").await.unwrap(), [Key::from("k")]);
    }
    value_is(&*cx.a, "k", None).await;
}
