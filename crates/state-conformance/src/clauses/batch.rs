//! The clauses of the family `batch`: many reads and writes in one call.

use state_core::{
    Bytes, DeleteOptions, ErrorKind, GetOptions, IncrementOptions, Key, OpId, Precondition,
    PutOptions, StateBackendExt, WriteOp, WriteOutcome,
};

use crate::Context;
use crate::expect::{present, refused, value_is};

clauses! { "batch": "many reads and writes in one call";
    /// A batch of reads gives one answer per key, in the order asked for, repeated keys included.
    MUST "batch.get.order" => get_order;
    /// A batch of reads answers values and versions as single reads do, and heads when asked for heads.
    MUST "batch.get.entries" => get_entries;
    /// A batch without keys answers nothing, and a batch without writes writes nothing.
    MUST "batch.empty" => empty;
    /// A key that is empty or too long fails alone in a batch of reads.
    MUST "batch.get.bad-key" => get_bad_key;
    /// A batch of writes gives one receipt per write, in the order given, each of the kind of its write.
    MUST "batch.write.order" => write_order;
    /// Each receipt of a batch names the version that its write gave the entry.
    MUST "batch.write.versions" => write_versions;
    /// Writes of one key in one batch are made in the order given, each seeing the ones before.
    MUST "batch.write.same-key" => write_same_key;
    /// A write that fails does not keep the other writes of its batch from being made.
    MUST "batch.write.partial" => write_partial;
    /// A write of a batch that fails has no effect.
    MUST "batch.write.failed" => write_failed;
    /// A delete in a batch returns what it removed when it is asked to.
    MUST "batch.write.delete-value" => write_delete_value;
    /// A batch of as many operations as the limit says is accepted.
    MUST "batch.limit.reached" => limit_reached;
    /// A batch of more operations than the limit says is refused as a whole with `TooLarge` and has no effect.
    MUST "batch.limit.exceeded" => limit_exceeded;
    /// `batch_get`, `batch_put` and `batch_delete` take more than one batch may hold.
    MUST "batch.limit.chunks" => limit_chunks;
    /// `batch_put` fails with the index of the first write that failed, and makes the others.
    MUST "batch.put.index" => put_index;
    /// `batch_delete` returns how many entries there were.
    MUST "batch.delete.count" => delete_count;
    /// Operation ids hold for the writes of a batch as they do for single writes.
    MUST "batch.op-id" needs [OpId] => op_ids;
}

async fn get_order(cx: Context) {
    for key in ["a", "b", "c"] {
        cx.a.put(key, key).await.unwrap();
    }
    let asked = ["c", "absent", "a", "c", "absent", "b"];
    let keys = asked.map(Key::from);
    let answers = cx.b.get_many(&keys, GetOptions::new()).await.unwrap();
    assert_eq!(answers.len(), asked.len(), "answers");
    for (key, answer) in asked.into_iter().zip(answers) {
        let value = answer.unwrap().map(|entry| entry.value);
        assert_eq!(value, (key != "absent").then(|| Bytes::from(key)), "the answer for `{key}`");
    }
}

async fn get_entries(cx: Context) {
    let keys = [Key::from("a"), Key::in_partition("p", "a"), Key::from("b")];
    for key in &keys {
        cx.a.put(key, key.to_string()).await.unwrap();
    }
    let full = cx.b.get_many(&keys, GetOptions::new()).await.unwrap();
    let heads = cx.b.get_many(&keys, GetOptions::new().with_head(true)).await.unwrap();
    for ((key, full), head) in keys.iter().zip(full).zip(heads) {
        let (single, full, head) = (present(&*cx.a, key).await, full.unwrap(), head.unwrap());
        let (full, head) = (full.unwrap(), head.unwrap());
        assert_eq!((full.value, full.version), (single.value, single.version), "{key:?}");
        assert_eq!((head.value, head.version), (Bytes::new(), single.version), "{key:?}");
    }
}

async fn empty(cx: Context) {
    assert!(cx.a.get_many(&[], GetOptions::new()).await.unwrap().is_empty(), "answers to nothing");
    assert!(cx.a.write_many(Vec::new()).await.unwrap().is_empty(), "receipts of nothing");
    assert_eq!(cx.b.count("").await.unwrap(), 0, "entries written by nothing");
}

async fn get_bad_key(cx: Context) {
    cx.a.put("k", "v").await.unwrap();
    let long = "x".repeat(cx.capabilities().limits.key_bytes_max + 1);
    let keys = [Key::from("k"), Key::from(""), Key::from(long), Key::from("absent")];
    let answers = cx.b.get_many(&keys, GetOptions::new()).await.unwrap();
    let [good, empty, long, absent] = answers.try_into().unwrap();
    assert_eq!(good.unwrap().unwrap().value, "v");
    refused(empty, ErrorKind::Invalid, "the empty key");
    refused(long, ErrorKind::TooLarge, "the key that is too long");
    assert_eq!(absent.unwrap(), None);
}

async fn write_order(cx: Context) {
    cx.a.put("old", "v").await.unwrap();
    let ops = vec![
        WriteOp::delete("old"),
        WriteOp::increment("n", 7),
        WriteOp::put("k", "v"),
        WriteOp::delete("absent"),
        WriteOp::increment("n", -2),
    ];
    let receipts = cx.a.write_many(ops).await.unwrap();
    let shown: Vec<String> = receipts
        .into_iter()
        .map(|receipt| match receipt.unwrap() {
            WriteOutcome::Written(_) => "put".to_owned(),
            WriteOutcome::Deleted(deleted) => format!("delete {}", deleted.existed),
            WriteOutcome::Incremented(counted) => format!("increment {}", counted.value),
            other => panic!("an unknown receipt: {other:?}"),
        })
        .collect();
    assert_eq!(shown, ["delete true", "increment 7", "put", "delete false", "increment 5"]);
    value_is(&*cx.b, "old", None).await;
    value_is(&*cx.b, "n", Some("5")).await;
    value_is(&*cx.b, "k", Some("v")).await;
}

async fn write_versions(cx: Context) {
    let written = cx.a.batch_put([("a", "1"), ("b", "1"), ("c", "2")]).await.unwrap();
    assert_eq!(written.len(), 3, "receipts");
    for (key, written) in ["a", "b", "c"].into_iter().zip(written) {
        assert_eq!(present(&*cx.b, key).await.version, written.version, "the version of `{key}`");
    }
}

async fn write_same_key(cx: Context) {
    let absent = || PutOptions::new().with_precondition(Precondition::Absent);
    let ops = vec![
        WriteOp::put_opts("k", "1", absent()),
        WriteOp::increment("k", 1),
        WriteOp::put_opts("k", "7", absent()),
        WriteOp::delete("k"),
        WriteOp::put_opts("k", "4", absent()),
        WriteOp::increment("k", 5),
    ];
    let answers = cx.a.write_many(ops).await.unwrap();
    let kinds: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().err().map(state_core::Error::kind)).collect();
    assert_eq!(kinds, [None, None, Some(ErrorKind::Conflict), None, None, None]);
    value_is(&*cx.b, "k", Some("9")).await;
}

/// A batch in which every other write must fail, with the kinds of its failures.
fn half_bad(cx: &Context) -> (Vec<WriteOp>, [Option<ErrorKind>; 7]) {
    let long = "x".repeat(cx.capabilities().limits.key_bytes_max + 1);
    let present = PutOptions::new().with_precondition(Precondition::Present);
    let stale = DeleteOptions::new().with_precondition(Precondition::Absent);
    let ops = vec![
        WriteOp::put("a", "1"),
        WriteOp::put("", "2"),
        WriteOp::put_opts("absent", "2", present),
        WriteOp::increment("text", 1),
        WriteOp::put(long, "2"),
        WriteOp::delete_opts("text", stale),
        WriteOp::put("b", "1"),
    ];
    let kinds = [
        None,
        Some(ErrorKind::Invalid),
        Some(ErrorKind::Conflict),
        Some(ErrorKind::Invalid),
        Some(ErrorKind::TooLarge),
        Some(ErrorKind::Invalid),
        None,
    ];
    (ops, kinds)
}

async fn write_partial(cx: Context) {
    cx.a.put("text", "v").await.unwrap();
    let (ops, expected) = half_bad(&cx);
    let answers = cx.a.write_many(ops).await.unwrap();
    let kinds: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().err().map(state_core::Error::kind)).collect();
    assert_eq!(kinds, expected);
    value_is(&*cx.b, "a", Some("1")).await;
    value_is(&*cx.b, "b", Some("1")).await;
}

async fn write_failed(cx: Context) {
    let before = cx.a.put("text", "v").await.unwrap();
    let (ops, expected) = half_bad(&cx);
    for (answer, kind) in cx.a.write_many(ops).await.unwrap().into_iter().zip(expected) {
        if let Some(kind) = kind {
            refused(answer, kind, "a write of the batch");
        }
    }
    let text = present(&*cx.b, "text").await;
    assert_eq!((text.value.as_ref(), text.version), (b"v".as_ref(), before.version));
    value_is(&*cx.b, "absent", None).await;
    assert_eq!(cx.b.count("").await.unwrap(), 3, "entries: `a`, `b` and `text`");
}

async fn write_delete_value(cx: Context) {
    let written = cx.a.put("k", "v").await.unwrap();
    let asking = DeleteOptions::new().with_return_value(true);
    let ops = vec![WriteOp::delete_opts("k", asking.clone()), WriteOp::delete_opts("k", asking)];
    let mut previous = Vec::new();
    for receipt in cx.b.write_many(ops).await.unwrap() {
        match receipt.unwrap() {
            WriteOutcome::Deleted(deleted) => previous.push(deleted.previous),
            other => panic!("expected the receipt of a delete, got {other:?}"),
        }
    }
    let [Some(first), None] = &previous[..] else { panic!("got {previous:?}") };
    assert_eq!((first.value.as_ref(), first.version), (b"v".as_ref(), written.version));
}

async fn limit_reached(cx: Context) {
    let most = cx.capabilities().limits.batch_ops_max;
    let ops = (0..most).map(|number| WriteOp::put(format!("k{number}"), "v")).collect();
    let receipts = cx.a.write_many(ops).await.unwrap();
    assert_eq!(receipts.iter().filter(|receipt| receipt.is_ok()).count(), most, "writes made");
    assert_eq!(cx.b.count("k").await.unwrap(), most as u64, "entries written");
    let keys: Vec<Key> = (0..most).map(|number| Key::from(format!("k{number}"))).collect();
    let answers = cx.b.get_many(&keys, GetOptions::new().with_head(true)).await.unwrap();
    let found = answers.iter().filter(|answer| matches!(answer, Ok(Some(_)))).count();
    assert_eq!(found, most, "entries read");
}

async fn limit_exceeded(cx: Context) {
    let over = cx.capabilities().limits.batch_ops_max + 1;
    let ops = vec![WriteOp::put("k", "v"); over];
    refused(cx.a.write_many(ops).await, ErrorKind::TooLarge, "a batch of writes");
    value_is(&*cx.b, "k", None).await;
    let keys = vec![Key::from("k"); over];
    let answer = cx.a.get_many(&keys, GetOptions::new()).await;
    refused(answer, ErrorKind::TooLarge, "a batch of reads");
}

async fn limit_chunks(cx: Context) {
    let many = cx.capabilities().limits.batch_ops_max + 5;
    let keys: Vec<String> = (0..many).map(|number| format!("k{number}")).collect();
    let written = cx.a.batch_put(keys.iter().map(|key| (key, key.clone()))).await.unwrap();
    assert_eq!(written.len(), many, "receipts");
    let values = cx.b.batch_get(&keys).await.unwrap();
    assert_eq!(values.len(), many, "answers");
    for (key, value) in keys.iter().zip(values) {
        assert_eq!(value.as_deref(), Some(key.as_bytes()), "the value of `{key}`");
    }
    assert_eq!(cx.a.batch_delete(&keys).await.unwrap(), many as u64, "entries deleted");
}

async fn put_index(cx: Context) {
    let answer = cx.a.batch_put([("a", "1"), ("", "2"), ("b", "3"), ("", "4")]).await;
    let error = refused(answer, ErrorKind::Invalid, "a batch with an empty key");
    assert_eq!(error.index(), Some(1), "the index of the first write that failed");
    value_is(&*cx.b, "a", Some("1")).await;
    value_is(&*cx.b, "b", Some("3")).await;
}

async fn delete_count(cx: Context) {
    cx.a.batch_put([("a", "1"), ("b", "2"), ("c", "3")]).await.unwrap();
    assert_eq!(cx.b.batch_delete(["a", "absent", "b", "a"]).await.unwrap(), 2);
    assert_eq!(cx.a.list_keys("").await.unwrap(), [Key::from("c")]);
}

async fn op_ids(cx: Context) {
    let id = OpId::from_bytes(cx.random_bytes());
    let ops = || {
        vec![
            WriteOp::increment_opts("n", 3, IncrementOptions::new().with_op_id(id)),
            WriteOp::put_opts("k", "v", PutOptions::new().with_op_id(id)),
        ]
    };
    let first: Vec<_> =
        cx.a.write_many(ops()).await.unwrap().into_iter().map(Result::unwrap).collect();
    cx.b.put("k", "another's").await.unwrap();
    let again: Vec<_> =
        cx.a.write_many(ops()).await.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(versions(&again), versions(&first), "the versions in the receipts");
    value_is(&*cx.b, "n", Some("3")).await;
    value_is(&*cx.b, "k", Some("another's")).await;
}

fn versions(receipts: &[WriteOutcome]) -> Vec<state_core::Version> {
    receipts
        .iter()
        .map(|receipt| match receipt {
            WriteOutcome::Written(written) => written.version,
            WriteOutcome::Incremented(counted) => counted.version,
            other => panic!("an unexpected receipt: {other:?}"),
        })
        .collect()
}
