//! Snapshot files: whole ones are restored, damaged ones leave everything as it is.

use state_codec::{
    RestoreFileOptions, SnapshotFileOptions, SnapshotWriter, restore_snapshot, write_snapshot,
};
use state_core::{
    Bytes, ErrorKind, Outcome, RestoreMode, RestoreOptions, RestoreReport, Result, SnapshotOptions,
    SnapshotRecord, StateBackend, StateBackendExt,
};

use super::read::{contents, write};
use crate::Context;
use crate::expect::value_is;

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

pub(super) async fn bad_record(cx: Context) {
    cx.a.put("mine", "1").await.unwrap();
    let over = cx.capabilities().limits.key_bytes_max + 1;
    let mut writer = SnapshotWriter::new(Vec::new(), options(&cx)).unwrap();
    for name in ["good".to_owned(), "x".repeat(over)] {
        let record = SnapshotRecord::Entry { key: name.into(), value: "v".into(), deadline: None };
        writer.write(&record).unwrap();
    }
    let (file, _) = writer.finish().unwrap();
    let error = restore(&cx, &*cx.a, file.into()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Outcome::NotApplied));
    assert_eq!(error.index(), Some(1), "the index of the record");
    value_is(&*cx.b, "mine", Some("1")).await;
    value_is(&*cx.b, "good", None).await;
}
