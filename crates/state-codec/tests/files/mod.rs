//! Snapshot files that tests make, and how they restore them.

use std::sync::Arc;

use bytes::Bytes;
use state_codec::{Compression, RestoreFileOptions, SnapshotFileOptions, SnapshotWriter};
use state_core::{Key, ManualClock, SnapshotRecord, Timestamp};

use crate::backend::MapStore;

pub(crate) fn plain() -> SnapshotFileOptions {
    let options = SnapshotFileOptions::new(Timestamp::from_unix_ms(1_700_000_000_000));
    options.with_compression(Compression::none()).with_block_bytes(1 << 10)
}

pub(crate) fn file_of(records: &[SnapshotRecord], options: SnapshotFileOptions) -> Vec<u8> {
    let mut writer = SnapshotWriter::new(Vec::new(), options).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    writer.finish().unwrap().0
}

pub(crate) fn entry(name: impl Into<Key>, value: impl Into<Bytes>) -> SnapshotRecord {
    SnapshotRecord::Entry { key: name.into(), value: value.into(), deadline: None }
}

pub(crate) fn restore(store: &MapStore) -> RestoreFileOptions {
    RestoreFileOptions::new(Arc::<ManualClock>::clone(&store.clock))
}
