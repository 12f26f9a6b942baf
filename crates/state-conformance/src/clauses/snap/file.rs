//! Snapshot files: whole ones are restored, damaged ones leave everything as it is.

use std::time::Duration;

use state_codec::{
    RestoreFileOptions, SnapshotFileOptions, SnapshotWriter, restore_snapshot, write_snapshot,
};
use state_core::{
    Bytes, Capability, ErrorKind, Limits, Outcome, RestoreMode, RestoreOptions, RestoreReport,
    Result, SnapshotOptions, SnapshotRecord, StateBackend, StateBackendExt,
};

use super::read::{contents, write};
use super::restore::ending;
use crate::Context;
use crate::expect::{refused, value_is};

/// Blocks of 1 KiB, so that a small file has several.
fn options(cx: &Context) -> SnapshotFileOptions {
    SnapshotFileOptions::new(cx.now()).with_block_bytes(1 << 10)
}

/// A snapshot file of the contents that `a` is given.
async fn file(cx: &Context) -> Bytes {
    write(&*cx.a, &contents()).await;
    let what = SnapshotOptions::default();
    let (file, summary) =
        write_snapshot(&*cx.a, what, Vec::new(), options(cx), |_| ()).await.unwrap();
    assert_eq!(summary.records, contents().len() as u64, "records written");
    file.into()
}

async fn restore(cx: &Context, store: &dyn StateBackend, file: Bytes) -> Result<RestoreReport> {
    let replace = RestoreOptions::new(RestoreMode::ReplaceNamespace);
    let options = RestoreFileOptions::new(cx.clock()).with_restore(replace);
    restore_snapshot(store, &file, options, |_| ()).await
}

pub(super) async fn round_trip(cx: Context) {
    let file = file(&cx).await;
    let other = cx.open("-other").await.unwrap();
    other.put("goes", "v").await.unwrap();
    let report = restore(&cx, &*other, file).await.unwrap();
    assert_eq!((report.applied, report.cleared), (contents().len() as u64, 1));
    for (key, value) in contents() {
        assert_eq!(other.get(&key).await.unwrap(), Some(value), "the value of {key:?}");
    }
    assert_eq!(other.count("").await.unwrap(), contents().len() as u64, "entries");
}

/// Each damaged file must be refused, with the position where it can be told, and another
/// namespace with one entry must stay as it is.
async fn all_refused(cx: &Context, files: impl IntoIterator<Item = (String, Bytes)>) {
    let other = cx.open("-other").await.unwrap();
    other.put("stays", "v").await.unwrap();
    for (damage, file) in files {
        let error = match restore(cx, &*other, file).await {
            Ok(report) => panic!("{damage}: expected an error, got {report:?}"),
            Err(error) => error,
        };
        let kinds = [ErrorKind::Corrupt, ErrorKind::Unsupported];
        assert!(kinds.contains(&error.kind()), "{damage}: got `{}`: {error}", error.kind());
        assert_eq!(error.outcome(), Outcome::NotApplied, "{damage}");
        assert!(error.position().is_some(), "{damage}: no position: {error}");
        value_is(&*other, "stays", Some("v")).await;
        assert_eq!(other.count("").await.unwrap(), 1, "{damage}: entries");
    }
}

pub(super) async fn truncated(cx: Context) {
    let file = file(&cx).await;
    let cut = |at: usize| (format!("cut off at byte {at}"), file.slice(..at));
    let some = (0..file.len()).step_by(37).chain(file.len().saturating_sub(20)..file.len());
    all_refused(&cx, some.map(cut)).await;
}

pub(super) async fn flipped(cx: Context) {
    let file = file(&cx).await;
    let flip = |at: usize| {
        let mut bytes = file.to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        (format!("a bit flipped in byte {at}"), Bytes::from(bytes))
    };
    all_refused(&cx, (0..file.len()).step_by(23).map(flip)).await;
}

pub(super) async fn foreign(cx: Context) {
    let file = file(&cx).await;
    let behind = [file.as_ref(), b"x"].concat();
    let twice = [file.as_ref(), file.as_ref()].concat();
    all_refused(
        &cx,
        [
            ("nothing".into(), Bytes::new()),
            (
                "text".into(),
                Bytes::from_static(b"REDIS0011 or some other file, long enough to read"),
            ),
            ("zeros".into(), Bytes::from(vec![0; 4_096])),
            ("a byte behind the end".into(), behind.into()),
            ("a file behind the end".into(), twice.into()),
        ],
    )
    .await;
}

/// A record that the backend cannot hold, for each reason that there is, and how it is refused.
fn bad_records(cx: &Context) -> Vec<(SnapshotRecord, ErrorKind)> {
    let limits = cx.capabilities().limits;
    let entry = |name: String| SnapshotRecord::Entry {
        key: name.into(),
        value: "v".into(),
        deadline: None,
    };
    let mut bad = vec![(entry("x".repeat(limits.key_bytes_max + 1)), ErrorKind::TooLarge)];
    bad.push(if cx.has(Capability::Expiry) {
        let too_long = Limits::LIFETIME_MAX + Duration::from_secs(60);
        (ending(cx, "ends", too_long), ErrorKind::Invalid)
    } else {
        (ending(cx, "ends", Duration::from_secs(1_000)), ErrorKind::Unsupported)
    });
    if !cx.has(Capability::Hash) {
        let fields = vec![("f".into(), "v".into())];
        let hash = SnapshotRecord::HashFields { key: "h".into(), fields, deadline: None };
        bad.push((hash, ErrorKind::Unsupported));
    }
    bad
}

pub(super) async fn bad_record(cx: Context) {
    cx.a.put("mine", "1").await.unwrap();
    for (bad, kind) in bad_records(&cx) {
        let mut writer = SnapshotWriter::new(Vec::new(), options(&cx)).unwrap();
        let good = SnapshotRecord::Entry { key: "good".into(), value: "v".into(), deadline: None };
        for record in [&good, &bad] {
            writer.write(record).unwrap();
        }
        let (file, _) = writer.finish().unwrap();
        let answer = restore(&cx, &*cx.a, file.into()).await;
        let error = refused(answer, kind, &format!("the record {:?}", bad.key()));
        assert_eq!(error.index(), Some(1), "the index of the record");
        value_is(&*cx.b, "mine", Some("1")).await;
        value_is(&*cx.b, "good", None).await;
    }
}
