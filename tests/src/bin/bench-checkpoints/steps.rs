//! The steps of a thread: one checkpoint for each message, as an agent writes them.

use std::collections::BTreeMap;

use state_core::Timestamp;
use state_core::checkpoint::{
    Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, Metadata, MetadataValue, Payload,
    PutCheckpoint,
};
use state_tests::bench::Outcome;

use crate::input::Conversation;

/// The body of each checkpoint, beside its channels.
pub(crate) const BODY_BYTES: usize = 60;
/// The shape of the records, for people.
pub(crate) const SHAPE: &str = "each step: an id of a UUID's 36 characters, of which 64 bits are random; its time; a body of 60 \
     bytes, half of them random; metadata source, step, parents; one channel";
const TIME_MS: u64 = 1_780_000_000_000;
const STEP_MS: u64 = 1_700;
/// Of the clock of UUIDs before 1970, in its ticks of 100 ns.
const UNIX_TICKS: u64 = 0x01b2_1dd2_1381_4000;

/// The id of the checkpoint with this number: a UUID of version 6, and the same each time.
pub(crate) fn id(number: usize) -> String {
    let random = scatter(number);
    let tick = UNIX_TICKS + time_ms(number) * 10_000 + random % 10_000;
    let node = random & 0xffff_ffff_ffff;
    let (high, mid, low) = (tick >> 28, tick >> 12 & 0xffff, tick & 0xfff);
    format!("{high:08x}-{mid:04x}-6{low:03x}-{:04x}-{node:012x}", 0x8000 | random >> 50)
}

fn time_ms(number: usize) -> u64 {
    TIME_MS + number as u64 * STEP_MS
}

/// Bits that look random, the same for a number each time (`SplitMix64`).
fn scatter(number: usize) -> u64 {
    let mut bits = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// The body of the step with this number, of [`BODY_BYTES`].
pub(crate) fn body(number: usize) -> String {
    let random = format!("{:016x}{:016x}", scatter(number), scatter(number ^ 1 << 40));
    let mut body = format!("{{\"next\":\"agent\",\"seed\":\"{random}\"");
    while body.len() + 1 < BODY_BYTES {
        body.push(' ');
    }
    body.push('}');
    body
}

/// A put of the step with this number; `channel` has the value `value`.
pub(crate) fn put(
    thread: &str,
    number: usize,
    channel: &str,
    value: impl Into<bytes::Bytes>,
) -> Outcome<PutCheckpoint> {
    let step = i64::try_from(number)?;
    let checkpoint = Checkpoint::new(id(number), Timestamp::from_unix_ms(time_ms(number)))
        .with_channel(channel, step + 1)
        .with_body(Payload::new("json", body(number)));
    let metadata = Metadata::new()
        .with("source", "loop")
        .with("step", step)
        .with("parents", MetadataValue::Map(BTreeMap::new()));
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
