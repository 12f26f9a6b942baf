//! What clauses say about answers, with messages that tell expected from got.
#![expect(clippy::panic, reason = "a clause reports a broken backend by panicking")]

use std::fmt::Debug;

use state_core::{
    Bytes, Entry, Error, ErrorKind, GetOptions, Key, Outcome, Result, StateBackend, StateBackendExt,
};

/// The error of a call that must be refused with `kind`, having had no effect.
#[track_caller]
pub(crate) fn refused<T: Debug>(result: Result<T>, kind: ErrorKind, what: &str) -> Error {
    match result {
        Ok(got) => panic!("{what}: expected the error `{kind}`, got {got:?}"),
        Err(error) if error.kind() != kind => {
            panic!("{what}: expected the error `{kind}`, got `{}`: {error}", error.kind())
        }
        Err(error) if error.outcome() != Outcome::NotApplied => panic!(
            "{what}: the error `{kind}` must have the outcome `not applied`, got `{}`",
            error.outcome()
        ),
        Err(error) => error,
    }
}

/// The entry under `key` must have the value `expected`, or be absent.
#[track_caller]
pub(crate) fn value_is(
    store: &dyn StateBackend,
    key: &'static str,
    expected: Option<&'static str>,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let found = match store.get(key).await {
            Ok(found) => found,
            Err(error) => panic!("reading `{key}` failed: {error} (asked at {caller})"),
        };
        let expected = expected.map(|value| Bytes::from_static(value.as_bytes()));
        assert!(
            found == expected,
            "the value of `{key}`: expected {expected:?}, got {found:?} (asked at {caller})"
        );
    }
}

/// The entry under `key`, which must be present.
#[track_caller]
pub(crate) fn present(
    store: &dyn StateBackend,
    key: impl Into<Key>,
) -> impl Future<Output = Entry> {
    let caller = std::panic::Location::caller();
    let key = key.into();
    async move {
        match store.get_opts(&key, GetOptions::new().with_expiry(true)).await {
            Ok(Some(entry)) => entry,
            Ok(None) => panic!("`{key}`: expected an entry, got none (asked at {caller})"),
            Err(error) => panic!("reading `{key}` failed: {error} (asked at {caller})"),
        }
    }
}
