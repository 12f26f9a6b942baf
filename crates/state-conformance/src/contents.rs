//! Everything that is in a namespace, to tell whether a call has changed anything.
#![expect(clippy::panic, reason = "a clause reports a broken backend by panicking")]

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use state_core::{
    Bytes, GetOptions, Key, Result, SnapshotOptions, SnapshotRecord, StateBackend, StateBackendExt,
    Timestamp, Version,
};

/// The entries and hashes of a namespace at a time when nobody writes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Contents {
    /// Value, version and end of the lifetime of each entry.
    pub(crate) entries: BTreeMap<Key, (Bytes, Version, Option<Timestamp>)>,
    /// Fields and end of the lifetime of each hash.
    pub(crate) hashes: BTreeMap<Key, (BTreeMap<Bytes, Bytes>, Option<Timestamp>)>,
}

/// What is in the namespace of `store` now.
#[track_caller]
pub(crate) fn contents(store: &dyn StateBackend) -> impl Future<Output = Contents> {
    let caller = std::panic::Location::caller();
    async move {
        match read(store).await {
            Ok(contents) => contents,
            Err(error) => panic!("reading everything failed: {error} (asked at {caller})"),
        }
    }
}

async fn read(store: &dyn StateBackend) -> Result<Contents> {
    let mut contents = Contents::default();
    for key in store.list_keys("").await? {
        let asking = GetOptions::new().with_expiry(true);
        let Some(entry) = store.get_opts(&key, asking).await? else { continue };
        let deadline = entry.expires.deadline();
        contents.entries.insert(key, (entry.value, entry.version, deadline));
    }
    let mut records = store.snapshot_opts(SnapshotOptions::default()).await?;
    while let Some(record) = records.try_next().await? {
        if let SnapshotRecord::HashFields { key, fields, deadline } = record {
            let hash = contents.hashes.entry(key).or_insert((BTreeMap::new(), deadline));
            hash.0.extend(fields);
        }
    }
    Ok(contents)
}
