//! Snapshot files: written from a store, refused when damaged, restored into another store.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod backend;
mod files;

use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backend::{MapStore, now};
use bytes::Bytes;
use files::{entry, file_of, plain, restore};
use proptest::prelude::*;
use state_codec::{
    Compression, CompressionId, RestoreFileOptions, SnapshotFileOptions, SnapshotReader,
    SnapshotSource, SnapshotStage, SnapshotSummary, SnapshotWriter, Spool, restore_snapshot,
    verify_snapshot, write_snapshot,
};
use state_core::{
    Clock, ErrorKind, HashStore, HashWriteOptions, Key, ManualClock, Outcome, PutOptions,
    RestoreMode, RestoreOptions, Result, SnapshotOptions, SnapshotRecord, StateBackend,
    StateBackendExt, Timestamp,
};

/// A file of several blocks, about 8 KiB.
fn sample() -> Vec<u8> {
    let records: Vec<_> =
        (0..40).map(|n| entry(format!("key:{n}"), vec![n as u8; 150 + n % 11])).collect();
    file_of(&records, plain())
}

fn verified(file: &[u8]) -> Result<SnapshotSummary> {
    verify_snapshot(file, |_| {})
}

fn records(file: &[u8]) -> Vec<SnapshotRecord> {
    SnapshotReader::new(file).unwrap().map(|record| record.unwrap()).collect()
}

/// A store with entries, hashes, partitions and lifetimes.
fn filled() -> MapStore {
    let store = MapStore::new();
    let hour = Duration::from_secs(3_600);
    for n in 0..3_000_u32 {
        let key = if n % 3 == 0 {
            Key::in_partition(format!("p{}", n % 5), format!("k{n}"))
        } else {
            Key::from(format!("k{n}"))
        };
        let mut options = PutOptions::new();
        if n % 4 == 0 {
            options = options.with_expiry(hour * (n % 7 + 1));
        }
        now(store.put_opts(&key, vec![n as u8; n as usize % 300].into(), options)).unwrap();
    }
    now(store.put("large", vec![7; 200_000])).unwrap();
    now(store.put("empty", "")).unwrap();
    for n in 0..5_u32 {
        let fields = (0..n * 700).map(|f| (format!("f{f}").into(), vec![1; 40].into())).collect();
        let fields = [fields, vec![("first".into(), "".into())]].concat();
        let options = HashWriteOptions::new().with_expiry(hour * (n + 1));
        now(HashStore::hash_set(&store, &format!("h{n}").into(), fields, options)).unwrap();
    }
    store
}

fn written(store: &MapStore, options: SnapshotFileOptions) -> Bytes {
    let written = write_snapshot(store, SnapshotOptions::default(), Vec::new(), options, |_| {});
    now(written).unwrap().0.into()
}

#[test]
fn a_store_comes_back_whole_in_every_compression() {
    let store = filled();
    for id in CompressionId::ALL.into_iter().filter(|id| id.is_built_in()) {
        let options = SnapshotFileOptions::new(store.clock.wall());
        let file = written(&store, options.with_compression(Compression::new(id)));
        let summary = verified(&file).unwrap();
        assert_eq!(summary.entries, 3_002);
        assert!(summary.hash_parts > 5, "large hashes take several records");
        assert_eq!(summary.file_bytes, file.len() as u64);
        let other = MapStore::new();
        let report = now(restore_snapshot(&other, &file, restore(&other), |_| {})).unwrap();
        assert_eq!((report.applied, report.expired), (summary.records, 0));
        assert_eq!(other.contents(), store.contents(), "{id}");
    }
}

#[test]
fn an_empty_snapshot_is_a_snapshot() {
    let file = Bytes::from(file_of(&[], plain()));
    assert_eq!(verified(&file).unwrap().records, 0);
    let store = filled();
    let replace = restore(&store).with_restore(RestoreOptions::new(RestoreMode::ReplaceNamespace));
    let report = now(restore_snapshot(&store, &file, replace, |_| {})).unwrap();
    assert_eq!((report.records, report.cleared), (0, 3_007));
    assert_eq!(store.contents(), []);
}

#[test]
fn a_file_cut_at_any_byte_is_refused_where_it_ends() {
    let file = sample();
    for len in 0..file.len() {
        let error = verified(&file[..len]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{len}");
        assert_eq!(error.position(), Some(len as u64), "{len}");
    }
}

#[test]
fn every_flipped_bit_is_refused_with_a_position_not_behind_it() {
    let file = sample();
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = verified(&damaged).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{bit}");
        // Of a length that grew the end of the file is reported.
        let position = error.position().unwrap();
        assert!(position <= bit as u64 / 8 || position == file.len() as u64, "{bit}: {position}");
    }
}

/// Where the blocks of a file begin, by their lengths.
fn block_starts(file: &[u8]) -> Vec<usize> {
    let mut starts = vec![32];
    while starts[starts.len() - 1] < file.len() {
        let start = starts[starts.len() - 1];
        let stored = u32::from_le_bytes(file[start + 20..start + 24].try_into().unwrap());
        starts.push(start + 24 + stored as usize + 8);
    }
    starts
}

#[test]
fn blocks_that_are_missing_repeated_moved_or_of_another_file_are_refused_where_they_begin() {
    let file = sample();
    let starts = block_starts(&file);
    let block = |n: usize| &file[starts[n]..starts[n + 1]];
    assert!(starts.len() > 5);
    let other = file_of(&[entry("other", "file")], plain());
    let foreign = &other[32..block_starts(&other)[1]];
    let rest = &file[starts[3]..];
    let [head, first, second, third] = [&file[..32], block(0), block(1), block(2)];
    for (what, parts, position) in [
        ("missing", vec![head, first, third, rest], starts[1]),
        ("missing at the front", vec![head, second, third, rest], starts[0]),
        ("repeated", vec![head, first, first, second, third, rest], starts[1]),
        ("moved", vec![head, first, third, second, rest], starts[1]),
        ("foreign", vec![head, first, foreign, third, rest], starts[1]),
        ("trailing", vec![&file, b"x"], file.len()),
        ("twice", vec![&file, &file], file.len()),
    ] {
        let error = verified(&parts.concat()).unwrap_err();
        assert_eq!(
            (error.kind(), error.position()),
            (ErrorKind::Corrupt, Some(position as u64)),
            "{what}"
        );
    }
    assert_eq!(verified(&[head, first, second, third, rest].concat()).unwrap().records, 40);
}

#[test]
fn other_files_are_refused_at_the_byte_that_differs() {
    for (foreign, position) in [
        (&b"PK\x03\x04 an archive of some kind, long enough"[..], 0),
        (b"{\"json\": true}", 0),
        (&[0; 100], 0),
        (b"\xC1SSF\n\x1A\n read as text, so the carriage return is gone", 4),
        (b"\xC1SVE\x01\0\0\0 an envelope and no snapshot", 2),
    ] {
        let error = verified(foreign).unwrap_err();
        assert_eq!((error.kind(), error.position()), (ErrorKind::Corrupt, Some(position)));
    }
}

#[test]
fn a_later_version_and_unknown_parts_are_unsupported() {
    let mut file = sample();
    file[8] = 2;
    let error = verified(&file).unwrap_err();
    assert_eq!((error.kind(), error.position()), (ErrorKind::Unsupported, Some(8)));
}

#[test]
fn nothing_is_applied_of_a_damaged_file() {
    let source = filled();
    let file = written(&source, plain());
    for cut in [file.len() - 1, file.len() / 2, 40] {
        let store = MapStore::new();
        now(store.put("mine", "untouched")).unwrap();
        let before = store.contents();
        let replace =
            restore(&store).with_restore(RestoreOptions::new(RestoreMode::ReplaceNamespace));
        let error = now(restore_snapshot(&store, &file.slice(..cut), replace, |progress| {
            assert_eq!(progress.stage, SnapshotStage::Verify);
        }))
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.position(), Some(cut as u64));
        assert_eq!(error.outcome(), Outcome::NotApplied);
        assert_eq!(store.contents(), before);
    }
}

#[test]
fn nothing_is_applied_that_the_store_cannot_hold() {
    let file = written(&filled(), plain());
    let mut without_hashes = MapStore::new();
    without_hashes.has_hashes = false;
    let mut small = MapStore::new();
    small.limits = small.limits.with_value_bytes_max(100_000);
    for (store, kind) in [(without_hashes, ErrorKind::Unsupported), (small, ErrorKind::TooLarge)] {
        let error = now(restore_snapshot(&store, &file, restore(&store), |_| {})).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.position().is_some() && error.index().is_some());
        assert_eq!(store.contents(), []);
    }
}

#[test]
fn merge_keeps_what_the_snapshot_does_not_name_and_replace_does_not() {
    let file = Bytes::from(file_of(&[entry("a", "new")], plain()));
    for (mode, left) in [
        (RestoreMode::Merge, vec![entry("a", "new"), entry("b", "old")]),
        (RestoreMode::ReplaceNamespace, vec![entry("a", "new")]),
    ] {
        let store = MapStore::new();
        now(store.put("a", "old")).unwrap();
        now(store.put("b", "old")).unwrap();
        let options = restore(&store).with_restore(RestoreOptions::new(mode));
        now(restore_snapshot(&store, &file, options, |_| {})).unwrap();
        assert_eq!(store.contents(), left, "{mode:?}");
    }
}

#[test]
fn what_has_expired_meanwhile_is_left_out_counted_and_does_no_harm() {
    let source = filled();
    let file = written(&source, plain());
    let store = MapStore::new();
    now(store.put("k4", "mine")).unwrap();
    let fields = vec![("mine".into(), "too".into())];
    now(HashStore::hash_set(&store, &"h0".into(), fields, HashWriteOptions::new())).unwrap();
    for clock in [&source.clock, &store.clock] {
        clock.advance(Duration::from_secs(3 * 3_600));
    }
    let report = now(restore_snapshot(&store, &file, restore(&store), |_| {})).unwrap();
    let summary = verified(&file).unwrap();
    assert_eq!(report.records, summary.records);
    assert_eq!(report.applied + report.expired, summary.records);
    assert!(report.expired > 300);
    // Their lifetimes in the snapshot were over: what the store had stays.
    assert_eq!(now(store.get("k8")).unwrap().is_some(), 8 % 7 + 1 > 3);
    assert_eq!(now(store.get("k0")).unwrap(), None);
    let kept = store.contents().into_iter().find(|record| record.key().name() == "h0");
    assert!(matches!(kept, Some(SnapshotRecord::HashFields { fields, .. }) if fields.len() == 1));
}

#[test]
fn an_interrupted_restore_goes_on_where_it_stopped() {
    let source = filled();
    source.clock.advance(Duration::from_secs(30));
    let file = written(&source, plain());
    for advance_hours in [0, 2] {
        let expected = MapStore::new();
        let store = MapStore::new();
        now(store.put("before", "cleared")).unwrap();
        for clock in [&store.clock, &expected.clock] {
            clock.advance(Duration::from_secs(30 + advance_hours * 3_600));
        }
        now(restore_snapshot(&expected, &file, restore(&expected), |_| {})).unwrap();

        let mut resume = 0;
        let mut interruptions = 0;
        loop {
            // Fewer than a batch, so that whole batches fail too.
            store.fail_after(Some(457));
            let mode = RestoreOptions::new(RestoreMode::ReplaceNamespace);
            let options = mode.with_resume_after_records(resume);
            let options = restore(&store).with_restore(options);
            match now(restore_snapshot(&store, &file, options, |_| {})) {
                Ok(report) => {
                    assert_eq!(report.records, verified(&file).unwrap().records);
                    break;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    let dealt = error.index().unwrap() as u64;
                    assert!(dealt > resume, "{dealt} after {resume}");
                    resume = dealt;
                    interruptions += 1;
                }
            }
        }
        assert!(interruptions >= 4, "{interruptions}");
        assert_eq!(store.contents(), expected.contents());
    }
}

#[test]
fn resuming_past_the_end_is_invalid() {
    let store = MapStore::new();
    let file = Bytes::from(sample());
    let options = restore(&store)
        .with_restore(RestoreOptions::new(RestoreMode::Merge).with_resume_after_records(41_u64));
    let error = now(restore_snapshot(&store, &file, options, |_| {})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// Another content at each reading.
struct Changing(Mutex<Vec<Vec<u8>>>);

impl SnapshotSource for Changing {
    fn open(&self) -> std::io::Result<Box<dyn Read + Send>> {
        let content = self.0.lock().unwrap().remove(0);
        Ok(Box::new(Cursor::new(content)))
    }
}

#[test]
fn a_source_that_changes_between_the_readings_is_a_conflict() {
    let other = |ms| SnapshotFileOptions::new(Timestamp::from_unix_ms(ms));
    let files = [1, 2].map(|ms| file_of(&[entry("a", "1")], other(ms)));
    let store = MapStore::new();
    let source = Changing(Mutex::new(files.to_vec()));
    let error = now(restore_snapshot(&store, &source, restore(&store), |_| {})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(store.contents(), []);
}

#[test]
fn a_pipe_is_spooled_up_to_a_limit() {
    let file = sample();
    let spool = Spool::copy(file.as_slice(), None, file.len() as u64).unwrap();
    assert_eq!(spool.len_bytes(), file.len() as u64);
    let store = MapStore::new();
    let report = now(restore_snapshot(&store, &spool, restore(&store), |_| {})).unwrap();
    assert_eq!(report.applied, 40);
    let error = Spool::copy(file.as_slice(), None, file.len() as u64 - 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn two_readers_of_a_spool_do_not_disturb_each_other() {
    let spool = Spool::copy(&[1_u8, 2, 3, 4][..], None, 4).unwrap();
    let [mut one, mut two] = [spool.open().unwrap(), spool.open().unwrap()];
    let mut read = [0; 2];
    one.read_exact(&mut read).unwrap();
    let mut all = Vec::new();
    two.read_to_end(&mut all).unwrap();
    assert_eq!(all, [1, 2, 3, 4]);
    one.read_exact(&mut read).unwrap();
    assert_eq!(read, [3, 4]);
}

#[test]
fn a_path_where_no_snapshot_can_be_is_invalid_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("file"), "").unwrap();
    let store = MapStore::new();
    for (path, says) in [
        (at("no-such-folder/no-such-snapshot"), "cannot be opened"),
        (folder.path().to_owned(), "it is a folder; name a file"),
        (at("file/below"), "leads through a file"),
        (at(&"n".repeat(300)), "too long"),
        (at("zero\0byte"), "name another one"),
    ] {
        let restored = now(restore_snapshot(&store, &path, restore(&store), |_| {}));
        let error = restored.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert_eq!(error.outcome(), Outcome::NotApplied, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let spooled = Spool::copy(&b"x"[..], Some(&at("file")), 9).unwrap_err();
    assert_eq!(spooled.kind(), ErrorKind::Invalid, "{spooled}");
}

#[test]
fn progress_tells_every_stage_and_ends_with_the_whole() {
    let file = Bytes::from(sample());
    let store = MapStore::new();
    let mut told = Vec::new();
    let restored = restore_snapshot(&store, &file, restore(&store), |now| told.push(now));
    now(restored).unwrap();
    assert!(told.is_sorted_by_key(|now| (now.stage == SnapshotStage::Apply, now.bytes)));
    let applied: Vec<_> = told.iter().filter(|now| now.stage == SnapshotStage::Apply).collect();
    assert!(applied.len() > 2);
    assert_eq!(applied[0].records_total, Some(40));
    assert_eq!(applied[0].bytes_total, Some(file.len() as u64));
    let last = applied[applied.len() - 1];
    assert_eq!((last.records, last.bytes), (40, file.len() as u64));
}

#[test]
fn futures_of_snapshots_can_change_threads() {
    fn is_send<T: Send>(_: T) {}
    let store: Arc<dyn StateBackend> = Arc::new(MapStore::new());
    let what = SnapshotOptions::default();
    is_send(write_snapshot(&*store, what, Vec::new(), plain(), |_| {}));
    let options = RestoreFileOptions::new(Arc::new(ManualClock::new()));
    is_send(restore_snapshot(&*store, &Bytes::new(), options, |_| {}));
}

/// Accepts so many bytes, then fails.
#[derive(Debug)]
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_and_stays_one() {
    let mut writer = SnapshotWriter::new(Full(2_000), plain()).unwrap();
    let record = entry("key", vec![0; 900]);
    let error = (0..10).find_map(|_| writer.write(&record).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(writer.write(&record).is_err());
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn options_out_of_range_are_invalid() {
    for block_bytes in [0, 1_023, (16 << 20) + 1] {
        let error = SnapshotWriter::new(Vec::new(), plain().with_block_bytes(block_bytes));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn the_largest_value_fits_and_a_larger_one_is_too_large() {
    let mut writer = SnapshotWriter::new(Vec::new(), plain()).unwrap();
    let key = Key::in_partition(vec![1; 512], vec![2; 512]);
    let largest = Bytes::from(vec![3; state_codec::VALUE_BYTES_MAX]);
    writer.write_entry(&key, &largest, Some(Timestamp::from_unix_ms(5))).unwrap();
    let larger = Bytes::from(vec![3; state_codec::VALUE_BYTES_MAX + (64 << 10)]);
    let error = writer.write_entry(&key, &larger, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let (file, _) = writer.finish().unwrap();
    assert_eq!(
        records(&file),
        [SnapshotRecord::Entry { key, value: largest, deadline: Some(Timestamp::from_unix_ms(5)) }]
    );
}

fn any_key() -> impl Strategy<Value = Key> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..40);
    (proptest::option::of(bytes()), bytes()).prop_map(|(partition, name)| {
        Key::from_parts(partition.map(Bytes::from), Bytes::from(name))
    })
}

fn any_record() -> impl Strategy<Value = SnapshotRecord> {
    let bytes = |max| proptest::collection::vec(any::<u8>(), 0..max).prop_map(Bytes::from);
    let deadline = || proptest::option::of(any::<u64>().prop_map(Timestamp::from_unix_ms));
    let fields = proptest::collection::vec((bytes(20), bytes(50)), 1..5);
    prop_oneof![
        (any_key(), bytes(3_000), deadline())
            .prop_map(|(key, value, deadline)| SnapshotRecord::Entry { key, value, deadline }),
        (any_key(), fields, deadline()).prop_map(|(key, fields, deadline)| {
            SnapshotRecord::HashFields { key, fields, deadline }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_records_come_back_in_order(
        written in proptest::collection::vec(any_record(), 0..60),
        block_bytes in 1_024_usize..8_000,
    ) {
        for id in CompressionId::ALL.into_iter().filter(|id| id.is_built_in()) {
            let compression = Compression::new(id).with_threshold_bytes(0);
            let options = plain().with_compression(compression).with_block_bytes(block_bytes);
            prop_assert_eq!(&records(&file_of(&written, options)), &written);
        }
    }

    #[test]
    fn no_mutated_file_is_accepted(seed in any::<u64>()) {
        let file = sample();
        let mut random = seed | 1;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % below as u64).unwrap()
        };
        for _ in 0..200 {
            let mut mutant = file.clone();
            for _ in 0..=next(4) {
                let at = next(mutant.len());
                match next(4) {
                    0 => mutant[at] ^= 1 << next(8),
                    1 => mutant[at] = next(256) as u8,
                    2 => drop(mutant.drain(at..(at + next(64)).min(mutant.len()))),
                    _ => mutant.insert(at, next(256) as u8),
                }
                if mutant.is_empty() {
                    break;
                }
            }
            if mutant != file {
                prop_assert!(verified(&mutant).is_err());
            }
        }
    }
}
