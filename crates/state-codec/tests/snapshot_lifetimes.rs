//! Snapshots with lifetimes that a store cannot hold, and with lifetimes that are over.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod backend;
mod files;

use std::time::Duration;

use backend::{MapStore, now};
use bytes::Bytes;
use files::{entry, file_of, plain, restore};
use futures_util::stream;
use state_codec::restore_snapshot;
use state_core::{
    Clock, ErrorKind, Limits, Outcome, RestoreMode, RestoreOptions, RestoreReport, Result,
    SnapshotRecord, StateBackendExt, Timestamp,
};

/// Ends so many seconds after the time of `store`.
fn ending(store: &MapStore, name: &'static str, seconds: u64) -> SnapshotRecord {
    let deadline = store.clock.wall().checked_add(Duration::from_secs(seconds));
    SnapshotRecord::Entry { key: name.into(), value: "v".into(), deadline }
}

const TEN_YEARS_S: u64 = Limits::LIFETIME_MAX.as_secs();

#[test]
fn nothing_is_applied_of_a_file_with_a_lifetime_that_the_store_cannot_hold() {
    let mut without_lifetimes = MapStore::new();
    without_lifetimes.has_lifetimes = false;
    for (store, seconds, kind) in [
        (without_lifetimes, 60, ErrorKind::Unsupported),
        (MapStore::new(), TEN_YEARS_S + 1, ErrorKind::Invalid),
    ] {
        now(store.put("mine", "untouched")).unwrap();
        let before = store.contents();
        // Whatever is tried fails in another way.
        store.fail_after(Some(0));
        let records = [entry("first", "1"), ending(&store, "second", seconds)];
        let file = Bytes::from(file_of(&records, plain()));
        for mode in [RestoreMode::Merge, RestoreMode::ReplaceNamespace] {
            let options = restore(&store).with_restore(RestoreOptions::new(mode));
            let error = now(restore_snapshot(&store, &file, options, |_| {})).unwrap_err();
            assert_eq!((error.kind(), error.index()), (kind, Some(1)), "{error}");
            assert_eq!(error.outcome(), Outcome::NotApplied);
            assert!(error.position().is_some());
            assert_eq!(store.contents(), before);
        }
    }
}

#[test]
fn the_longest_lifetime_and_one_that_is_over_need_nothing() {
    let store = MapStore::new();
    let longest = ending(&store, "longest", TEN_YEARS_S);
    let file = Bytes::from(file_of(&[longest], plain()));
    let report = now(restore_snapshot(&store, &file, restore(&store), |_| {})).unwrap();
    assert_eq!((report.applied, report.expired), (1, 0));
    let mut store = MapStore::new();
    store.has_lifetimes = false;
    let file = Bytes::from(file_of(&[ending(&store, "over", 1), entry("stays", "v")], plain()));
    store.clock.advance(Duration::from_secs(1));
    let report = now(restore_snapshot(&store, &file, restore(&store), |_| {})).unwrap();
    assert_eq!((report.records, report.applied, report.expired), (2, 1, 1));
}

/// Restores one record into `store` by a clock that is so many seconds ahead of the store's.
fn restored_by(
    store: &MapStore,
    record: SnapshotRecord,
    seconds_ahead: i64,
) -> Result<RestoreReport> {
    let as_of = store.clock.wall().unix_ms().saturating_add_signed(seconds_ahead * 1_000);
    let options = RestoreOptions::new(RestoreMode::ReplaceNamespace);
    let options = options.with_as_of(Timestamp::from_unix_ms(as_of));
    now(store.restore(stream::iter([Ok(record)]), options))
}

#[test]
fn a_refused_deadline_is_expired_only_if_it_has_passed() {
    let store = MapStore::new();
    let year_s = TEN_YEARS_S / 10;
    let far = || ending(&store, "far", 11 * year_s);
    let fields = vec![("f".into(), "v".into())];
    let hash = SnapshotRecord::HashFields { key: "h".into(), fields, deadline: far().deadline() };
    // The clock of who restores may be some years behind or ahead.
    for years in [-2, 0, 2, 4] {
        for record in [far(), hash.clone()] {
            now(store.put("mine", "untouched")).unwrap();
            let error = restored_by(&store, record, years * year_s.cast_signed()).unwrap_err();
            assert_eq!((error.kind(), error.index()), (ErrorKind::Invalid, Some(0)), "{years}");
            // What is refused before it is sent has had no effect.
            assert_eq!(now(store.contains("mine")).unwrap(), years < 2, "{years}");
        }
        let report = restored_by(&store, ending(&store, "over", 0), years * year_s.cast_signed());
        assert_eq!(report.unwrap().expired, 1, "{years}");
    }
}
