//! What is put is what is read.

use state_core::checkpoint::{
    ChannelValue, Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, Metadata, Payload,
    PutCheckpoint, PutWrites, WriteIndex,
};
use state_core::{ErrorKind, Timestamp};

use crate::stand::{conversation, id, int, json, messages, stand, step, write};

#[tokio::test]
async fn every_step_of_a_conversation_is_read_back_warm_and_cold() {
    let stand = stand();
    conversation(&stand.checkpoints, "t", 200).await;
    for checkpoints in [stand.checkpoints.clone(), stand.cold()] {
        for n in (0..200).rev() {
            let tuple = checkpoints.at(&CheckpointRef::new("t", id(n))).await.unwrap().unwrap();
            assert_eq!(tuple.value("messages").unwrap(), &json(messages(n + 1)), "step {n}");
            assert_eq!(tuple.metadata.step(), Some(int(n)));
        }
        let latest = checkpoints.latest("t").await.unwrap().unwrap();
        assert_eq!(latest.reference.id.as_str(), id(199));
    }
}

#[tokio::test]
async fn what_is_put_comes_back_whole() {
    let stand = stand();
    let checkpoint = Checkpoint::new("b", Timestamp::from_unix_ms(7))
        .with_channel("int", 1)
        .with_channel("float", 1.5)
        .with_channel("text", "1.5")
        .with_channel("never", 9)
        .with_channel("empty", 3)
        .with_seen("node", "int", 1)
        .with_seen("node", "float", 2.0)
        .with_seen("other", "gone", "x")
        .with_updated(["int", "unknown"])
        .with_body(Payload::new("msgpack", vec![7; 500]));
    let metadata = Metadata::new().with("a", true).with("b", -5).with("c", 0.25).with("d", "text");
    let put = PutCheckpoint::new("a:b *?[]{}|%\0\n\u{e9}", checkpoint.clone())
        .with_namespace("x|y:1")
        .with_parent(Some("a".into()))
        .with_metadata(metadata.clone())
        .with_value("int", Payload::new("own kind", vec![1, 2, 3]))
        .with_value("float", json("x".repeat(100_000)))
        .with_value("text", Payload::new("null", ""))
        .with_value("empty", ChannelValue::Empty);
    let receipt = stand.checkpoints.put_checkpoint(put.clone()).await.unwrap();
    assert!(!receipt.existed);
    for checkpoints in [stand.checkpoints.clone(), stand.cold()] {
        let tuple = checkpoints.at(&receipt.reference).await.unwrap().unwrap();
        assert_eq!(tuple.checkpoint, checkpoint);
        assert_eq!(tuple.metadata, metadata);
        assert_eq!(tuple.parent, Some("a".into()));
        assert_eq!(tuple.values, put.values);
        assert!(checkpoints.put_checkpoint(put.clone()).await.unwrap().existed);
    }
    let mut other = put.clone();
    other.values.insert("int".into(), Payload::new("own kind", vec![1, 2, 4]).into());
    let refused = stand.cold().put_checkpoint(other).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn channels_are_found_by_the_versions_that_a_checkpoint_names() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    let mut first = step("t", 0);
    first.checkpoint = first.checkpoint.with_channel("a", 1).with_channel("b", "x");
    checkpoints
        .put_checkpoint(first.with_value("a", json("\"one\"")).with_value("b", json("2")))
        .await
        .unwrap();
    // A child without values, one without a parent, and one before its own parent.
    let mut child = step("t", 1);
    child.checkpoint = child.checkpoint.with_channel("a", 1).with_channel("b", "x");
    checkpoints.put_checkpoint(child).await.unwrap();
    let mut orphan = step("t", 2).with_parent(None);
    orphan.checkpoint = orphan.checkpoint.with_channel("a", 1).with_channel("b", "never put");
    checkpoints.put_checkpoint(orphan).await.unwrap();
    let mut early = step("t", 9);
    early.checkpoint = early.checkpoint.with_channel("a", 8);
    checkpoints.put_checkpoint(early).await.unwrap();
    assert!(checkpoints.latest("t").await.unwrap().unwrap().values.is_empty());
    let mut late = step("t", 8);
    late.checkpoint = late.checkpoint.with_channel("a", 8);
    checkpoints.put_checkpoint(late.with_value("a", json("\"eight\""))).await.unwrap();

    for checkpoints in [stand.checkpoints.clone(), stand.cold()] {
        let at = async |n| checkpoints.at(&CheckpointRef::new("t", id(n))).await.unwrap().unwrap();
        assert_eq!(at(1).await.value("a"), Some(&json("\"one\"")));
        assert_eq!(at(1).await.value("b"), Some(&json("2")));
        assert_eq!(at(2).await.value("a"), Some(&json("\"one\"")));
        assert_eq!(at(2).await.value("b"), None);
        assert_eq!(at(9).await.value("a"), Some(&json("\"eight\"")));
        assert_eq!(checkpoints.latest("t").await.unwrap().unwrap().reference.id.as_str(), id(9));
    }
}

#[tokio::test]
async fn writes_come_before_their_checkpoint_and_the_first_stays() {
    let stand = stand();
    let checkpoints = &stand.checkpoints;
    let reference = CheckpointRef::new("t", id(0));
    let long = "x".repeat(5_000);
    let put = |writes| checkpoints.put_writes(PutWrites::new(reference.clone(), writes));
    let one = put(vec![
        write("b", 0, "1").with_task_path("z"),
        write("a", 1, &long),
        write("a", 0, "3"),
        write("a", WriteIndex::ERROR.get(), "bad"),
    ]);
    let receipt = one.await.unwrap();
    assert_eq!((receipt.written, receipt.replaced, receipt.kept), (4, 0, 0));
    assert_eq!(checkpoints.latest("t").await.unwrap(), None);
    conversation(checkpoints, "t", 1).await;
    let receipt = put(vec![write("a", 0, "other"), write("a", -1, "worse"), write("a", 2, "new")]);
    let receipt = receipt.await.unwrap();
    assert_eq!((receipt.written, receipt.replaced, receipt.kept), (1, 1, 1));
    for checkpoints in [stand.checkpoints.clone(), stand.cold()] {
        let writes = checkpoints.latest("t").await.unwrap().unwrap().pending_writes;
        let told: Vec<_> = writes
            .iter()
            .map(|write| (&*write.task, write.index.get(), write.value.bytes().len()))
            .collect();
        assert_eq!(told, [("a", -1, 5), ("a", 0, 1), ("a", 1, 5_000), ("a", 2, 3), ("b", 0, 1)]);
    }
}
