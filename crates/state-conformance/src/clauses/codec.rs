//! The clauses of the family `codec`: typed values over a backend.

mod damaged;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use state_codec::{Json, MessagePack, StateBackendTyped, TypedUpdate};
use state_core::{Bytes, ErrorKind, StateBackendExt};

use crate::Context;
use crate::expect::{present, refused};

clauses! { "codec": "typed values over a backend";
    /// A typed value is read as it was written, in each format, on every instance.
    MUST "codec.typed.round-trip" => round_trip;
    /// A typed value is read whichever format it was written in.
    MUST "codec.typed.formats" => formats;
    /// A large value that compresses well is stored in fewer bytes, and is read as it was written.
    MUST "codec.typed.compressed" => compressed;
    /// A typed read of bytes that are no envelope is refused with `Corrupt`, and leaves them as they are.
    MUST "codec.typed.foreign" => foreign;
    /// A typed read of a value of which any bit was flipped is refused, and never answers another value.
    MUST "codec.typed.flipped" => damaged::flipped;
    /// A typed read of a value that is cut short, tells a wrong length, unpacks to too much, nests too deep, has something behind its end, or is of a later version or an unknown format, is refused, and leaves it as it is.
    MUST "codec.typed.damaged" => damaged::crafted;
    /// A typed write on a version that is no longer that of the entry is refused with `Conflict`.
    MUST "codec.typed.compare-and-set" => compare_and_set;
    /// A typed update stores, removes or keeps the value as it is told, and changes nothing that it cannot read.
    MUST "codec.typed.update" => update;
    /// A typed read of a value of another schema is refused with `Unsupported` unless a migration is given.
    MUST "codec.typed.schema" => schema;
    /// A typed value ends with its lifetime.
    MUST "codec.typed.lifetime" needs [Expiry] => lifetime;
    /// Typed batches and streams answer the values of single typed reads.
    MUST "codec.typed.many" => many;
}

/// State as services keep it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Cart {
    owner: String,
    items: Vec<(String, u32)>,
    note: Option<String>,
    total: f64,
}

fn cart(owner: &str) -> Cart {
    Cart {
        owner: owner.to_owned(),
        items: vec![("apples \u{1f34e}".to_owned(), 3), (String::new(), u32::MAX)],
        note: None,
        total: 12.25,
    }
}

async fn round_trip(cx: Context) {
    cx.a.typed::<Cart, Json>().put("json", &cart("a")).await.unwrap();
    cx.a.typed::<Cart, MessagePack>().put("msgpack", &cart("b")).await.unwrap();
    let (json, msgpack) = (cx.b.typed::<Cart, Json>(), cx.b.typed::<Cart, MessagePack>());
    assert_eq!(json.get("json").await.unwrap(), Some(cart("a")));
    assert_eq!(msgpack.get("msgpack").await.unwrap(), Some(cart("b")));
    assert_eq!(json.get("absent").await.unwrap(), None);
    assert!(json.delete("json").await.unwrap());
    assert_eq!(json.get("json").await.unwrap(), None);
    assert_eq!(msgpack.get_and_delete("msgpack").await.unwrap(), Some(cart("b")));
}

async fn formats(cx: Context) {
    cx.a.typed::<Cart, Json>().put("k", &cart("a")).await.unwrap();
    assert_eq!(cx.b.typed::<Cart, MessagePack>().get("k").await.unwrap(), Some(cart("a")));
    cx.b.typed::<Cart, MessagePack>().put("k", &cart("b")).await.unwrap();
    assert_eq!(cx.a.typed::<Cart, Json>().get("k").await.unwrap(), Some(cart("b")));
}

async fn compressed(cx: Context) {
    let text = "the same words again and again; ".repeat(1_000);
    cx.a.typed::<String, Json>().put("k", &text).await.unwrap();
    let stored = present(&*cx.b, "k").await.value.len();
    assert!(stored < text.len() / 2, "{} bytes are stored as {stored}", text.len());
    assert_eq!(cx.b.typed::<String, Json>().get("k").await.unwrap(), Some(text));
}

async fn foreign(cx: Context) {
    for bytes in ["", "{\"owner\":\"a\"}", "plain text that is longer than any header could be"] {
        cx.a.put("k", bytes).await.unwrap();
        let answer = cx.b.typed::<Cart, Json>().get("k").await;
        refused(answer, ErrorKind::Corrupt, &format!("reading `{bytes}`"));
        assert_eq!(present(&*cx.a, "k").await.value, bytes);
    }
}

async fn compare_and_set(cx: Context) {
    let carts = cx.a.typed::<Cart, Json>();
    carts.put("k", &cart("a")).await.unwrap();
    let seen = cx.b.typed::<Cart, Json>().get_entry("k").await.unwrap().unwrap();
    carts.compare_and_set("k", seen.version, &cart("b")).await.unwrap();
    let answer = carts.compare_and_set("k", seen.version, &cart("c")).await;
    refused(answer, ErrorKind::Conflict, "a write on the version from before");
    assert_eq!(carts.get("k").await.unwrap(), Some(cart("b")));
}

async fn update(cx: Context) {
    let carts = cx.a.typed::<Cart, Json>();
    let put = carts.update("k", |seen| {
        assert_eq!(seen, None, "what an update of an absent entry sees");
        TypedUpdate::Put(cart("a"))
    });
    assert_eq!(put.await.unwrap(), Some(cart("a")));
    let kept = carts.update("k", |_| TypedUpdate::Keep).await.unwrap();
    assert_eq!(kept, Some(cart("a")));
    assert_eq!(carts.update("k", |_| TypedUpdate::Delete).await.unwrap(), None);
    assert!(!cx.b.contains("k").await.unwrap(), "the entry was not removed");
    cx.b.put("k", "foreign").await.unwrap();
    let answer = carts.update("k", |_| TypedUpdate::Put(cart("b"))).await;
    refused(answer, ErrorKind::Corrupt, "an update of foreign bytes");
    assert_eq!(present(&*cx.b, "k").await.value, "foreign");
}

async fn schema(cx: Context) {
    cx.a.typed::<String, Json>().with_schema(1).put("k", &"a".to_owned()).await.unwrap();
    let carts = cx.b.typed::<Cart, Json>().with_schema(2);
    refused(carts.get("k").await, ErrorKind::Unsupported, "a value of schema 1");
    let carts = carts.with_migration(1, |owner: String| Ok(cart(&owner)));
    assert_eq!(carts.get("k").await.unwrap(), Some(cart("a")));
}

async fn lifetime(cx: Context) {
    let carts = cx.a.typed::<Cart, Json>();
    carts.put_with_ttl("k", &cart("a"), cx.lifetime()).await.unwrap();
    assert_eq!(carts.get("k").await.unwrap(), Some(cart("a")));
    cx.outlive().await;
    assert_eq!(cx.b.typed::<Cart, Json>().get("k").await.unwrap(), None);
}

async fn many(cx: Context) {
    let carts = cx.a.typed::<Cart, Json>();
    let written = carts.batch_put([("a", cart("a")), ("b", cart("b"))]).await.unwrap();
    assert_eq!(written.len(), 2, "receipts");
    let read = carts.batch_get(["b", "absent", "a"]).await.unwrap();
    assert_eq!(read, [Some(cart("b")), None, Some(cart("a"))]);
    let carts = cx.b.typed::<Cart, Json>();
    let mut streamed: Vec<_> = carts.entries(Bytes::new()).try_collect().await.unwrap();
    streamed.sort_by(|(left, _), (right, _)| left.cmp(right));
    let values: Vec<Cart> = streamed.into_iter().map(|(_, entry)| entry.value).collect();
    assert_eq!(values, [cart("a"), cart("b")]);
}
