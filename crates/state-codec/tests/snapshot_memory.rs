//! What snapshots take in memory, which does not grow with them.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "another test needs more of it")]
mod backend;

use std::io::{BufReader, Seek, Write};
use std::sync::Arc;

use backend::{MapStore, now};
use bytes::Bytes;
use state_codec::{
    Compression, CompressionId, RestoreFileOptions, SnapshotFileOptions, SnapshotWriter,
    restore_snapshot, verify_snapshot,
};
use state_core::{Clock, ErrorKind, Key, Timestamp};

const VALUE_BYTES: usize = 4 << 10;
const RECORDS: u64 = (64 << 20) / VALUE_BYTES as u64;

/// Beside the blocks: buffers of the file, and the records that are being dealt with.
const BESIDE_BYTES: u64 = 128 << 10;
/// The batch of a restore, whose records keep the blocks in memory in which they came.
const BATCH_BYTES: u64 = 4 << 20;

/// So many keys that what a store keeps of them is a part of one block.
const KEYS: u64 = 8;

fn compressions() -> impl Iterator<Item = Compression> {
    CompressionId::ALL.into_iter().map(|id| Compression::new(id).with_threshold_bytes(0))
}

/// Half of it is noise, so that compression has to do and cannot do much.
fn value(number: u64) -> Bytes {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = vec![b'v'; VALUE_BYTES];
    for chunk in bytes.chunks_exact_mut(8).take(VALUE_BYTES / 16) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    bytes.into()
}

#[test]
fn a_large_snapshot_is_written_verified_and_restored_in_three_copies_of_one_block() {
    for (compression, block_bytes) in compressions().zip([64 << 10, 256 << 10, 1 << 20]) {
        let blocks_max = 3 * block_bytes as u64 + BESIDE_BYTES;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let written = allocation_counter::measure(|| {
            let options = SnapshotFileOptions::new(Timestamp::from_unix_ms(1))
                .with_compression(compression)
                .with_block_bytes(block_bytes);
            let mut writer = SnapshotWriter::new(file.as_file_mut(), options).unwrap();
            for number in 0..RECORDS {
                let key = Key::from(format!("key:{}", number % KEYS));
                writer.write_entry(&key, &value(number), None).unwrap();
            }
            writer.finish().unwrap();
        });
        assert!(written.bytes_max <= blocks_max, "{compression:?}: {}", written.bytes_max);
        // It was not measured that nothing was done.
        assert!(written.bytes_total > RECORDS * VALUE_BYTES as u64);
        assert!(written.bytes_max > block_bytes as u64);

        file.rewind().unwrap();
        let verified = allocation_counter::measure(|| {
            let summary = verify_snapshot(BufReader::new(file.as_file()), |_| {}).unwrap();
            assert_eq!(summary.records, RECORDS);
        });
        assert!(verified.bytes_max <= blocks_max, "{compression:?}: {}", verified.bytes_max);

        let store = MapStore::new();
        let restored = allocation_counter::measure(|| {
            let options = RestoreFileOptions::new(Arc::clone(&store.clock) as Arc<dyn Clock>);
            let report = now(restore_snapshot(&store, file.path(), options, |_| {})).unwrap();
            assert_eq!(report.applied, RECORDS);
        });
        let restored_max = blocks_max + BATCH_BYTES + 2 * block_bytes as u64;
        assert!(restored.bytes_max <= restored_max, "{compression:?}: {}", restored.bytes_max);
    }
}

#[test]
fn a_block_that_lies_about_its_length_takes_what_is_there() {
    let options = SnapshotFileOptions::new(Timestamp::from_unix_ms(1));
    let (file, _) = SnapshotWriter::new(Vec::new(), options).unwrap().finish().unwrap();
    let header = &file[..32];
    for claimed in [1_u32 << 20, 64 << 20, u32::MAX] {
        for there in [0, 1_000, 300_000] {
            let mut lying = header.to_vec();
            lying.write_all(&[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
            lying.write_all(&[claimed.to_le_bytes(), claimed.to_le_bytes()].concat()).unwrap();
            lying.resize(lying.len() + there, 7);
            let taken = allocation_counter::measure(|| {
                let error = verify_snapshot(lying.as_slice(), |_| {}).expect_err("it lies");
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            });
            // A buffer that grows is there twice for a moment.
            let max = 3 * there as u64 + BESIDE_BYTES;
            assert!(taken.bytes_max <= max, "{claimed}, {there}: {}", taken.bytes_max);
        }
    }
}
