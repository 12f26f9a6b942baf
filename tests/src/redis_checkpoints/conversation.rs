//! A conversation that grows by a message with each checkpoint.

use libtest_mimic::Failed;
use state_core::Timestamp;
use state_core::checkpoint::{
    Checkpoint, CheckpointRef, Checkpointer, Metadata, MetadataValue, Payload, PutCheckpoint,
};

pub(super) fn payload(text: &str) -> Payload {
    Payload::new("json", text.to_owned())
}

/// The id of a turn, as long as a UUID.
pub(super) fn id(number: usize) -> String {
    format!("1f0{number:05x}-0000-6000-8000-000000000000")
}

pub(super) fn reference(thread: &str, number: usize) -> CheckpointRef {
    CheckpointRef::new(thread, id(number))
}

/// The put of a turn, which adds `message`, a JSON text, to `list`.
pub(super) fn turn(thread: &str, number: usize, list: &mut String, message: &str) -> PutCheckpoint {
    let message =
        if message.starts_with(['{', '"']) { message.to_owned() } else { format!("\"{message}\"") };
    list.pop();
    if list.len() > 1 {
        list.push(',');
    }
    list.push_str(&message);
    list.push(']');
    let version = i64::try_from(number).unwrap_or(i64::MAX);
    let time = Timestamp::from_unix_ms(1_780_000_000_000 + number as u64 * 1_000);
    let mut checkpoint = Checkpoint::new(id(number), time).with_channel("messages", version);
    // As large as what else a small agent keeps.
    checkpoint.body = Some(payload(&format!("{{\"next\":\"{:<48}\"}}", "agent")));
    let metadata = Metadata::new()
        .with("source", "loop")
        .with("step", version)
        .with("parents", MetadataValue::Map(std::collections::BTreeMap::new()));
    PutCheckpoint::new(thread, checkpoint)
        .with_parent(number.checked_sub(1).map(|parent| id(parent).into()))
        .with_metadata(metadata)
        .with_value("messages", payload(list))
}

pub(super) async fn put_turn(
    store: &dyn Checkpointer,
    thread: &str,
    number: usize,
    list: &mut String,
    message: &str,
) -> Result<(), Failed> {
    store.put_checkpoint(turn(thread, number, list, message)).await?;
    Ok(())
}
