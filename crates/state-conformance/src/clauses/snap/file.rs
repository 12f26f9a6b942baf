//! Snapshot files: whole ones are restored, damaged ones leave everything as it is.

use std::ops::Range;
use std::time::Duration;

use state_codec::{
    RestoreFileOptions, SnapshotFileOptions, SnapshotReader, SnapshotWriter, restore_snapshot,
    write_snapshot,
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

/// What a disk writes at once, or does not.
const SECTOR_BYTES: usize = 512;

/// A snapshot file of many blocks and sectors, all of them different; `text` tells two of them
/// apart that have the same length.
async fn large_file(cx: &Context, text: &str) -> Vec<u8> {
    let value = |number| format!("{text} {number:03} ").repeat(10);
    let entries = (0..100).map(|number| (format!("n{number:03}"), value(number)));
    cx.a.batch_put(entries).await.unwrap();
    let what = SnapshotOptions::default();
    write_snapshot(&*cx.a, what, Vec::new(), options(cx), |_| ()).await.unwrap().0
}

/// Where the blocks of a file lie, the one at its end included.
fn blocks(file: &[u8]) -> Vec<Range<usize>> {
    let mut reader = SnapshotReader::new(file).unwrap();
    let end = |reader: &SnapshotReader<&[u8]>| usize::try_from(reader.position()).unwrap();
    let mut blocks = Vec::new();
    let mut start = end(&reader);
    while let Some(record) = reader.next() {
        record.unwrap();
        if end(&reader) != start {
            blocks.push(start..end(&reader));
            start = end(&reader);
        }
    }
    blocks.push(start..file.len());
    blocks
}

/// A file in which a sector is not what was written last, for each of them.
fn torn_sectors(file: &[u8], before: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for start in (0..file.len()).step_by(SECTOR_BYTES) {
        let end = file.len().min(start + SECTOR_BYTES);
        let mut zeroed = file.to_vec();
        zeroed.splice(start..end, vec![0; end - start]);
        files.push((format!("the sector at {start} zeroed"), zeroed));
        let mut stale = file.to_vec();
        stale.splice(start..end, before.iter().copied().skip(start).take(end - start));
        files.push((format!("the sector at {start} as it was before"), stale));
    }
    files.retain(|(_, torn)| torn != file);
    files
}

/// A file in which a block is not where it was written.
fn torn_blocks(file: &[u8], before: &[u8]) -> Vec<(String, Vec<u8>)> {
    let at = blocks(file);
    let head = at.first().map_or(0, |first| first.start);
    let bytes = |file: &[u8], place: &Range<usize>| {
        file.iter().copied().skip(place.start).take(place.len()).collect::<Vec<u8>>()
    };
    let parts: Vec<_> = at.iter().map(|place| bytes(file, place)).collect();
    let others: Vec<_> = blocks(before).iter().map(|place| bytes(before, place)).collect();
    let whole = |parts: &[Vec<u8>]| [&bytes(file, &(0..head))[..], &parts.concat()].concat();
    assert_eq!(whole(&parts), file, "what is taken apart is not what is put together");
    let mut files = Vec::new();
    for number in 0..parts.len() {
        let mut add = |what: &str, change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut parts = parts.clone();
            change(&mut parts);
            files.push((format!("block {number} {what}"), whole(&parts)));
        };
        add("missing", &|parts| drop(parts.remove(number)));
        add("repeated", &|parts| {
            let again = parts.get(number).cloned().unwrap_or_default();
            parts.insert(number, again);
        });
        add("of another file", &|parts| {
            if let (Some(part), Some(other)) = (parts.get_mut(number), others.get(number)) {
                part.clone_from(other);
            }
        });
        if number > 0 {
            add("exchanged with the one before", &|parts| parts.swap(number - 1, number));
            add("moved to the beginning", &|parts| {
                let moved = parts.remove(number);
                parts.insert(0, moved);
            });
        }
    }
    files
}

pub(super) async fn torn(cx: Context) {
    let before = large_file(&cx, "before").await;
    let file = large_file(&cx, "behind").await;
    assert_eq!(before.len(), file.len(), "the lengths of the files");
    let blocks = blocks(&file).len();
    assert!(blocks > 8, "there are {blocks} blocks");
    let torn = torn_sectors(&file, &before).into_iter().chain(torn_blocks(&file, &before));
    all_refused(&cx, torn.map(|(damage, file)| (damage, file.into()))).await;
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
