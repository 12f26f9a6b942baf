//! The what-if: a branch from the middle of a thread, which leaves the thread as it is.

use std::sync::Arc;

use state_checkpoint::CheckpointIds;
use state_core::checkpoint::{
    Checkpoint, CheckpointRef, Checkpointer, CheckpointerExt, Metadata, Payload, PutCheckpoint,
};

use super::Worked;
use super::agent::MESSAGES;
use super::input::{Conversation, Input};
use crate::checkpoint::Line;
use crate::context::Context;
use crate::failure::Failure;

/// What goes on differently.
const MESSAGE: &str = r#"{"role":"user","content":"What if we had decided otherwise here? (added by the demonstration)"}"#;

/// A branch that was made.
#[derive(Debug)]
pub(super) struct Branch {
    /// The thread that it branches from.
    pub(super) thread: String,
    pub(super) name: String,
    /// The step that both share last.
    pub(super) step: u64,
    /// The checkpoint that both share last.
    pub(super) checkpoint: String,
    /// Whether the thread is what it was before.
    pub(super) left_alone: bool,
}

/// Branches from the middle of the longest thread that was resumed, or of the longest one.
pub(super) async fn branch(
    input: &Input,
    worked: &[Worked],
    store: Arc<dyn Checkpointer>,
    context: &Context,
) -> Result<Branch, Failure> {
    let conversation = choose(input, worked)?;
    let thread = conversation.thread.clone();
    let step = middle(&conversation);
    let gone = || Failure::corrupt("the thread that was replayed is gone", "run it again");
    let line = Line::root(thread.clone());
    let at = line.find(&format!("step:{step}"), &*store, context).await?;
    let at = at.ok_or_else(gone)?;
    let before = store.latest(thread.clone()).await?;
    let name = format!("{}/what-if", thread.as_str());
    store.fork(&at.reference, name.as_str()).await?;

    let mut messages = at.value(MESSAGES).ok_or_else(gone)?.bytes().to_vec();
    messages.pop();
    messages.extend_from_slice(b",");
    messages.extend_from_slice(MESSAGE.as_bytes());
    messages.extend_from_slice(b"]");
    let id = CheckpointIds::new(Arc::clone(&context.clock)).next(Some(&at.reference.id))?;
    let mut checkpoint = Checkpoint::new(id, context.clock.wall());
    checkpoint.channel_versions = at.checkpoint.channel_versions.clone();
    let next = i64::try_from(step + 2).unwrap_or(i64::MAX);
    let metadata = Metadata::new().with("source", "fork").with("step", next - 1);
    let put = PutCheckpoint::new(name.as_str(), checkpoint.with_channel(MESSAGES, next))
        .with_parent(Some(at.reference.id.clone()))
        .with_metadata(metadata)
        .with_value(MESSAGES, Payload::new("json", messages));
    store.put_checkpoint(put).await?;

    let left_alone = store.latest(thread.clone()).await? == before
        && store.at(&CheckpointRef::new(thread.clone(), at.reference.id.clone())).await?
            == Some(at.clone());
    let checkpoint = at.reference.id.as_str().to_owned();
    Ok(Branch { thread: thread.as_str().to_owned(), name, step, checkpoint, left_alone })
}

/// The longest conversation of those that were resumed, or of all.
fn choose(input: &Input, worked: &[Worked]) -> Result<Conversation, Failure> {
    let resumed = |conversation: &Conversation| {
        let mut names = worked.iter().flat_map(|worked| &worked.resumed);
        names.any(|(name, ..)| name == conversation.thread.as_str())
    };
    let mut best: Option<((bool, usize), Conversation)> = None;
    let mut all = input.read()?;
    while let Some(conversation) = all.next()? {
        let rank = (resumed(&conversation), conversation.messages.len());
        if best.as_ref().is_none_or(|(best, _)| rank > *best) {
            best = Some((rank, conversation));
        }
    }
    let gone = || Failure::usage("the input has become empty", "run it again");
    best.map(|(_, conversation)| conversation).ok_or_else(gone)
}

/// The last step of the first half after which the user had spoken; else the middle.
fn middle(conversation: &Conversation) -> u64 {
    let half = (conversation.messages.len() / 2).min(conversation.messages.len() - 1);
    let mut states = conversation.states();
    let spoken =
        (0..=half).filter(|_| states.next().is_some_and(|state| state.about.role == "user")).last();
    spoken.unwrap_or(half) as u64
}
