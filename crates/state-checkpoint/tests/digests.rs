//! The digest of a put is part of the stored format: the same put, sent again by a later build, is
//! known by it.

use std::sync::Arc;

use state_checkpoint::{CheckpointOptions, Checkpoints, record_digest};
use state_core::checkpoint::{
    ChannelValue, Checkpoint, Checkpointer, Metadata, Payload, PutCheckpoint,
};
use state_core::{ErrorKind, Namespace, StateBackend, StateBackendExt, Timestamp};
use state_local::MemoryStore;

fn put(state: &str) -> PutCheckpoint {
    let checkpoint = Checkpoint::new("1f0ab123", Timestamp::from_unix_ms(1_780_000_000_000))
        .with_channel("state", 3)
        .with_channel("gone", "7.1")
        .with_channel("same", 2.5)
        .with_seen("node", "state", 3)
        .with_body(Payload::new("json", r#"{"v":1}"#));
    PutCheckpoint::new("thread", checkpoint)
        .with_metadata(Metadata::new().with("source", "loop").with("step", 4))
        .with_value("state", Payload::new("json", state.to_owned()))
        .with_value("gone", ChannelValue::Empty)
}

#[tokio::test]
async fn digests_of_version_1_are_frozen() {
    let backend = Arc::new(MemoryStore::new().open(Namespace::default()).unwrap());
    let shared = Arc::clone(&backend) as Arc<dyn StateBackend>;
    let checkpoints = Checkpoints::open_with(shared, CheckpointOptions::new()).unwrap();
    let first = checkpoints.put_checkpoint(put("[1,2,3]")).await.unwrap();
    assert!(!first.existed);

    let keys = backend.list_keys("").await.unwrap();
    let is_record = |name: &[u8]| name.first() == Some(&b'g') && name.get(9) == Some(&b'c');
    let key = keys.iter().find(|key| is_record(key.name())).unwrap();
    let row = backend.get(key).await.unwrap().unwrap();
    // Behind the number that the record's own are relative to.
    let digest = record_digest(row.get(1..).unwrap()).unwrap();
    assert_eq!(digest, 0xec2e_a661_7bbf_817d, "{digest:#018x}");

    assert!(checkpoints.put_checkpoint(put("[1,2,3]")).await.unwrap().existed);
    let other = checkpoints.put_checkpoint(put("[1,2,4]")).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
}
