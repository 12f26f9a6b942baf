//! The steps of a thread: one checkpoint for each message, as an agent writes them.

use state_core::Timestamp;
use state_core::checkpoint::{
    Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, Metadata, Payload, PutCheckpoint,
};
use state_tests::bench::Outcome;

use crate::input::Conversation;

/// The body of each checkpoint, beside its channels.
pub(crate) const BODY_BYTES: usize = 60;
const TIME_MS: u64 = 1_780_000_000_000;

/// The id of the checkpoint with this number: ordered as text, as ids of version 6 are.
pub(crate) fn id(number: usize) -> String {
    format!("1f{:06x}-{:04x}-6000-8000-000000000000", number >> 16, number & 0xffff)
}

/// A put of the step with this number; `channel` has the value `value`.
pub(crate) fn put(
    thread: &str,
    number: usize,
    channel: &str,
    value: impl Into<bytes::Bytes>,
) -> Outcome<PutCheckpoint> {
    let step = i64::try_from(number)?;
    let checkpoint = Checkpoint::new(id(number), Timestamp::from_unix_ms(TIME_MS))
        .with_channel(channel, step + 1)
        .with_body(Payload::new("json", vec![b'b'; BODY_BYTES]));
    let metadata = Metadata::new().with("source", "loop").with("step", step);
    Ok(PutCheckpoint::new(thread, checkpoint)
        .with_parent(number.checked_sub(1).map(|parent| id(parent).into()))
        .with_metadata(metadata)
        .with_value(channel, Payload::new("json", value)))
}

/// The list of messages as it is after each step.
pub(crate) fn lists(conversation: &Conversation) -> impl Iterator<Item = String> {
    let mut list = "[]".to_owned();
    conversation.messages.iter().enumerate().map(move |(number, message)| {
        list.pop();
        if number > 0 {
            list.push(',');
        }
        list.push_str(message);
        list.push(']');
        list.clone()
    })
}

/// Puts every step of a conversation.
pub(crate) async fn replay(
    checkpoints: &dyn Checkpointer,
    conversation: &Conversation,
) -> Outcome<()> {
    for (number, list) in lists(conversation).enumerate() {
        checkpoints.put_checkpoint(put(&conversation.thread, number, "messages", list)?).await?;
    }
    Ok(())
}

/// Reads every step of a conversation, and fails where one is not what was put.
pub(crate) async fn check(
    checkpoints: &dyn Checkpointer,
    conversation: &Conversation,
) -> Outcome<()> {
    for (number, list) in lists(conversation).enumerate() {
        let reference = CheckpointRef::new(conversation.thread.as_str(), id(number));
        let tuple = checkpoints.at(&reference).await?.ok_or("a step is missing")?;
        let value = tuple.value("messages").ok_or("a step has no messages")?;
        if value.bytes() != list.as_bytes() {
            return Err(
                format!("{}: step {number} is not what was put", conversation.thread).into()
            );
        }
    }
    Ok(())
}
