//! Restoring records: merged, replaced, resumed.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{TryStreamExt, stream};
use state_core::{
    Bytes, Capability, Error, ErrorKind, Expires, Key, Limits, PutOptions, RestoreMode,
    RestoreOptions, RestoreReport, Result, SnapshotRecord, StateBackend, StateBackendExt,
};

use super::read::{contents, write};
use crate::Context;
use crate::expect::{present, refused, value_is};

const MERGE: RestoreOptions = RestoreOptions::new(RestoreMode::Merge);
const REPLACE: RestoreOptions = RestoreOptions::new(RestoreMode::ReplaceNamespace);

async fn records_of(store: &dyn StateBackend) -> Vec<SnapshotRecord> {
    store.snapshot().await.unwrap().try_collect().await.unwrap()
}

async fn apply(
    store: &dyn StateBackend,
    records: &[SnapshotRecord],
    options: RestoreOptions,
) -> Result<RestoreReport> {
    store.restore(stream::iter(records.iter().cloned().map(Ok)), options).await
}

fn entry(key: impl Into<Key>, value: &'static str) -> SnapshotRecord {
    SnapshotRecord::Entry { key: key.into(), value: value.into(), deadline: None }
}

/// An entry that ends so much later.
pub(super) fn ending(cx: &Context, key: &'static str, later: Duration) -> SnapshotRecord {
    let deadline = cx.now().checked_add(later);
    SnapshotRecord::Entry { key: key.into(), value: "v".into(), deadline }
}

/// All values of the namespace.
async fn values(store: &dyn StateBackend) -> BTreeMap<Key, Bytes> {
    let entries: Vec<_> = store.entries("").try_collect().await.unwrap();
    entries.into_iter().map(|(key, entry)| (key, entry.value)).collect()
}

pub(super) async fn round_trip(cx: Context) {
    let contents = contents();
    write(&*cx.a, &contents).await;
    let records = records_of(&*cx.a).await;
    let other = cx.open("-other").await.unwrap();
    let report = apply(&*other, &records, MERGE).await.unwrap();
    assert_eq!((report.records, report.applied), (contents.len() as u64, contents.len() as u64));
    assert_eq!((report.expired, report.cleared), (0, 0));
    assert_eq!(values(&*other).await, contents);
}

pub(super) async fn deadlines(cx: Context) {
    cx.a.put_with_ttl("ends", "v", Duration::from_secs(1_000)).await.unwrap();
    let deadline = present(&*cx.a, "ends").await.expires.deadline();
    let never = PutOptions::new().with_expiry(state_core::Expiry::Never);
    cx.a.put_opts(&Key::from("never"), "v".into(), never).await.unwrap();
    let records = records_of(&*cx.a).await;
    cx.advance(Duration::from_millis(200)).await;
    let other = cx.open("-other").await.unwrap();
    apply(&*other, &records, MERGE).await.unwrap();
    let restored = present(&*other, "ends").await.expires.deadline();
    assert_eq!(restored, deadline, "the deadline of `ends`");
    assert_eq!(present(&*other, "never").await.expires, Expires::Never);
}

pub(super) async fn expired(cx: Context) {
    cx.a.put_with_ttl("ends", "v", cx.lifetime()).await.unwrap();
    cx.a.put("stays", "v").await.unwrap();
    let records = records_of(&*cx.a).await;
    cx.outlive().await;
    let other = cx.open("-other").await.unwrap();
    let merge = MERGE.with_as_of(cx.now());
    let report = apply(&*other, &records, merge).await.unwrap();
    assert_eq!((report.records, report.applied, report.expired), (2, 1, 1));
    assert_eq!(other.list_keys("").await.unwrap(), [Key::from("stays")]);
}

pub(super) async fn versions(cx: Context) {
    let before = cx.a.put("k", "v").await.unwrap();
    let records = records_of(&*cx.a).await;
    cx.a.delete("k").await.unwrap();
    apply(&*cx.b, &records, MERGE).await.unwrap();
    let restored = present(&*cx.a, "k").await.version;
    assert_ne!(restored, before.version, "the version from before the delete came back");
    apply(&*cx.b, &records, MERGE).await.unwrap();
    let again = present(&*cx.a, "k").await.version;
    assert!(again != restored && again != before.version, "a version came back");
}

pub(super) async fn merge(cx: Context) {
    cx.a.batch_put([("mine", "1"), ("both", "1")]).await.unwrap();
    let mine = present(&*cx.a, "mine").await.version;
    let records = [entry("both", "2"), entry("theirs", "2")];
    let report = apply(&*cx.b, &records, MERGE).await.unwrap();
    assert_eq!((report.applied, report.cleared), (2, 0));
    value_is(&*cx.a, "mine", Some("1")).await;
    value_is(&*cx.a, "both", Some("2")).await;
    value_is(&*cx.a, "theirs", Some("2")).await;
    assert_eq!(present(&*cx.a, "mine").await.version, mine, "the version of another key");
}

pub(super) async fn merge_lifetime(cx: Context) {
    cx.a.put_with_ttl("k", "1", cx.lifetime()).await.unwrap();
    apply(&*cx.b, &[entry("k", "2")], MERGE).await.unwrap();
    assert_eq!(present(&*cx.a, "k").await.expires, Expires::Never);
}

pub(super) async fn replace(cx: Context) {
    let other = cx.open("b").await.unwrap();
    other.put("k", "theirs").await.unwrap();
    cx.a.batch_put([("mine", "1"), ("both", "1")]).await.unwrap();
    cx.a.put(Key::in_partition("p", "mine"), "1").await.unwrap();
    let records = [entry("both", "2"), entry(Key::in_partition("q", "theirs"), "2")];
    let report = apply(&*cx.b, &records, REPLACE).await.unwrap();
    assert_eq!((report.applied, report.cleared), (2, 3), "records applied, entries removed");
    let expected = [Key::from("both"), Key::in_partition("q", "theirs")];
    let got = values(&*cx.a).await;
    assert_eq!(got.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    value_is(&*cx.a, "both", Some("2")).await;
    value_is(&*other, "k", Some("theirs")).await;
}

pub(super) async fn replace_empty(cx: Context) {
    cx.a.batch_put([("a", "1"), ("b", "1")]).await.unwrap();
    let report = apply(&*cx.b, &[], REPLACE).await.unwrap();
    assert_eq!((report.records, report.applied, report.cleared), (0, 0, 2));
    assert_eq!(cx.a.count("").await.unwrap(), 0, "entries left");
}

/// Ten entries, `r0` to `r9`.
fn ten() -> Vec<SnapshotRecord> {
    (0..10).map(|number| entry(format!("r{number}"), "restored")).collect()
}

pub(super) async fn resume(cx: Context) {
    let records = ten();
    let (first, _) = records.split_at(4);
    apply(&*cx.a, first, REPLACE).await.unwrap();
    cx.a.put("r0", "changed since").await.unwrap();
    let report = apply(&*cx.b, &records, REPLACE.with_resume_after_records(4_u64)).await.unwrap();
    assert_eq!((report.records, report.applied, report.cleared), (10, 6, 0));
    assert_eq!(cx.a.count("r").await.unwrap(), 10, "entries");
    value_is(&*cx.a, "r0", Some("changed since")).await;
    value_is(&*cx.a, "r9", Some("restored")).await;
}

pub(super) async fn failed(cx: Context) {
    let broken = ten().into_iter().take(7).map(Ok).chain([Err(Error::corrupt("cut off"))]);
    let error = cx.a.restore(stream::iter(broken), REPLACE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let dealt = error.index().unwrap() as u64;
    assert!(dealt <= 7, "{dealt} records were dealt with, and only 7 were there");
    let go_on = REPLACE.with_resume_after_records(dealt);
    let report = apply(&*cx.b, &ten(), go_on).await.unwrap();
    assert_eq!(report.records, 10);
    let expected = ten().iter().map(|record| record.key().clone()).collect::<Vec<_>>();
    let got = values(&*cx.a).await;
    assert_eq!(got.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
}

pub(super) async fn bad_record(cx: Context) {
    let limits = cx.capabilities().limits;
    let large = Bytes::from(vec![0; limits.value_bytes_max + 1]);
    let too_large = SnapshotRecord::Entry { key: "k".into(), value: large, deadline: None };
    let mut bad = vec![
        (entry("", "v"), ErrorKind::Invalid),
        (entry("x".repeat(limits.key_bytes_max + 1), "v"), ErrorKind::TooLarge),
        (too_large, ErrorKind::TooLarge),
    ];
    if cx.has(Capability::Expiry) {
        let too_long = Limits::LIFETIME_MAX + Duration::from_secs(60);
        bad.push((ending(&cx, "k", too_long), ErrorKind::Invalid));
    }
    for (record, kind) in bad {
        cx.a.put("mine", "1").await.unwrap();
        let replace = REPLACE.with_as_of(cx.now());
        let error = refused(apply(&*cx.a, &[record], replace).await, kind, "a bad record");
        assert_eq!(error.index(), Some(0), "the index of the bad record");
        value_is(&*cx.b, "mine", Some("1")).await;
    }
}

pub(super) async fn expiry_undeclared(cx: Context) {
    cx.a.put("mine", "1").await.unwrap();
    for options in [MERGE, REPLACE] {
        for options in [options, options.with_as_of(cx.now())] {
            let records = [ending(&cx, "ends", Duration::from_secs(1_000)), entry("k", "v")];
            let answer = apply(&*cx.a, &records, options).await;
            let error = refused(answer, ErrorKind::Unsupported, "a record with a lifetime");
            assert_eq!(error.index(), Some(0), "the index of the record");
            value_is(&*cx.b, "mine", Some("1")).await;
            assert_eq!(cx.b.count("").await.unwrap(), 1, "entries");
        }
    }
}

pub(super) async fn large(cx: Context) {
    let count = cx.capabilities().limits.batch_ops_max.min(10_000) + 10;
    let records: Vec<_> = (0..count).map(|number| entry(format!("k{number}"), "v")).collect();
    let report = apply(&*cx.a, &records, MERGE).await.unwrap();
    assert_eq!(report.applied, count as u64);
    assert_eq!(cx.b.count("k").await.unwrap(), count as u64);
}
