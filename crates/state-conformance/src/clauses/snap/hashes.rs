//! Hashes in snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{TryStreamExt, stream};
use state_core::{
    Bytes, Capability, Consistency, ErrorKind, Expiry, HashWriteOptions, Key, RestoreMode,
    RestoreOptions, SnapshotRecord, StateBackend, StateBackendExt, Timestamp,
};

use crate::Context;
use crate::expect::{refused, value_is};

/// Fields and deadlines by key, collected from all records of a hash.
type Hashes = BTreeMap<Key, (BTreeMap<Bytes, Bytes>, Option<Timestamp>)>;

async fn records_of(store: &dyn StateBackend) -> Vec<SnapshotRecord> {
    store.snapshot().await.unwrap().try_collect().await.unwrap()
}

fn hashes(records: &[SnapshotRecord]) -> Hashes {
    let mut hashes = Hashes::new();
    for record in records {
        if let SnapshotRecord::HashFields { key, fields, deadline } = record {
            let (held, known) = hashes.entry(key.clone()).or_default();
            held.extend(fields.iter().cloned());
            *known = *deadline;
        }
    }
    hashes
}

/// Writes `fields` fields into the hash `key`, and gives it a lifetime where that is offered.
async fn write(cx: &Context, key: &'static str, fields: usize) -> Option<Timestamp> {
    let deadline = cx
        .has(Capability::Expiry)
        .then(|| cx.now().checked_add(Duration::from_secs(1_000)).unwrap());
    let options = HashWriteOptions::new().with_expiry(deadline.map_or(Expiry::Never, Expiry::At));
    let fields = (0..fields).map(|at| (format!("f{at}").into(), format!("v{at}").into())).collect();
    let hash = cx.a.as_hash().unwrap();
    hash.hash_set(&Key::from(key), fields, options).await.unwrap();
    deadline
}

pub(super) async fn read(cx: Context) {
    cx.a.put("small", "an entry with the key of a hash").await.unwrap();
    let small = write(&cx, "small", 3).await;
    let large = write(&cx, "large", 2_500).await;
    let records = records_of(&*cx.b).await;
    let entries = records.iter().filter(|record| matches!(record, SnapshotRecord::Entry { .. }));
    assert_eq!(entries.count(), 1, "entries");
    let hashes = hashes(&records);
    let shown: Vec<_> =
        hashes.iter().map(|(key, (fields, at))| (key.to_string(), fields.len(), *at)).collect();
    assert_eq!(shown, [("large".into(), 2_500, large), ("small".into(), 3, small)]);
    for (fields, _) in hashes.values() {
        for (name, value) in fields {
            assert_eq!(name.slice(1..), value.slice(1..), "the value of a field");
        }
    }
}

pub(super) async fn restore(cx: Context) {
    write(&cx, "h", 2_500).await;
    let records = records_of(&*cx.a).await;
    let other = cx.open("-other").await.unwrap();
    other.put_field("h", "only there", "v").await.unwrap();
    let merge = RestoreOptions::new(RestoreMode::Merge);
    let source = stream::iter(records.clone().into_iter().map(Ok));
    other.restore(source, merge).await.unwrap();
    assert_eq!(hashes(&records_of(&*other).await), hashes(&records));
    let hash = other.as_hash().unwrap();
    let state = hash.hash_state(&Key::from("h"), Consistency::Strong).await.unwrap();
    assert_eq!(state.map(|state| state.fields), Some(2_500), "fields");
}

pub(super) async fn undeclared(cx: Context) {
    cx.a.put("mine", "1").await.unwrap();
    let hash = SnapshotRecord::HashFields {
        key: "h".into(),
        fields: vec![("f".into(), "v".into())],
        deadline: None,
    };
    let entry = SnapshotRecord::Entry { key: "k".into(), value: "v".into(), deadline: None };
    for mode in [RestoreMode::Merge, RestoreMode::ReplaceNamespace] {
        let records = stream::iter([Ok(hash.clone()), Ok(entry.clone())]);
        let answer = cx.a.restore(records, RestoreOptions::new(mode)).await;
        refused(answer, ErrorKind::Unsupported, "a restore that begins with a hash");
        value_is(&*cx.b, "mine", Some("1")).await;
        value_is(&*cx.b, "k", None).await;
    }
}
