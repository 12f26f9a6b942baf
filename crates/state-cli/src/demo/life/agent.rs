//! The agent: lives through conversations message by message, with a checkpoint after each.

use std::cell::RefCell;
use std::sync::Arc;

use futures_util::{TryStreamExt, stream};
use state_checkpoint::CheckpointIds;
use state_core::Clock;
use state_core::checkpoint::{
    ChannelVersion, Checkpoint, CheckpointTuple, Checkpointer, CheckpointerExt, Metadata,
    Ownership, Payload, PutCheckpoint,
};

use super::event::Event;
use super::input::{Conversation, Input, State};
use crate::failure::{Exit, Failure};
use crate::key_text::show_name;

/// The channel with all messages so far.
pub(super) const MESSAGES: &str = "messages";
/// The channel with the ids of the tool calls that await their answer.
const OPEN_CALLS: &str = "open_calls";

/// Replays conversations into threads.
pub(super) struct Agent {
    store: Arc<dyn Checkpointer>,
    ids: CheckpointIds,
    clock: Arc<dyn Clock>,
}

/// What is told, and how far all threads have come together.
struct Telling<T> {
    tell: T,
    /// Of the messages whose checkpoints are put, or were about to be.
    begun_bytes: u64,
    committed_bytes: u64,
}

impl Agent {
    pub(super) fn new(store: Arc<dyn Checkpointer>, clock: Arc<dyn Clock>) -> Self {
        Self { store, ids: CheckpointIds::new(Arc::clone(&clock)), clock }
    }

    /// Replays what is not in the store yet, so many threads at once.
    ///
    /// Each step is told to `tell`, whose failure ends the work at once.
    pub(super) async fn replay(
        &self,
        input: &Input,
        at_once: usize,
        tell: impl FnMut(Event) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let telling = RefCell::new(Telling { tell, begun_bytes: 0, committed_bytes: 0 });
        // One conversation is read when there is room to work on it.
        let conversations = stream::try_unfold(input.read()?, |mut all| async move {
            let conversation = all.next()?;
            Ok::<_, Failure>(conversation.map(|conversation| (conversation, all)))
        });
        conversations
            .map_ok(|conversation| {
                let telling = &telling;
                async move { self.live(&conversation, telling).await }
            })
            .try_buffer_unordered(at_once)
            .try_for_each(|()| async { Ok(()) })
            .await?;
        telling.borrow_mut().say(Event::Finished)
    }

    async fn live<T: FnMut(Event) -> Result<(), Failure>>(
        &self,
        conversation: &Conversation,
        telling: &RefCell<Telling<T>>,
    ) -> Result<(), Failure> {
        let mut latest = self.store.latest(conversation.thread.clone()).await?;
        let done = steps_done(conversation, latest.as_ref())?;
        let mut states = conversation.states();
        let mut done_bytes = 0;
        for _ in 0..done {
            done_bytes += states.next().map_or(0, |state| state.message.get().len() as u64);
        }
        telling.borrow_mut().resumed(conversation, done, done_bytes)?;
        let mut step = done;
        while let Some(state) = states.next() {
            let bytes = state.message.get().len() as u64;
            telling.borrow_mut().ready(bytes)?;
            latest = match self.put(conversation, latest.as_ref(), step, state).await {
                // What a process sent before it died may arrive late: then the step is done.
                Err(failure) if failure.exit() == Exit::Conflict => {
                    let found = self.store.latest(conversation.thread.clone()).await?;
                    if steps_done(conversation, found.as_ref())? != step + 1 {
                        return Err(failure);
                    }
                    found
                }
                put => Some(put?),
            };
            telling.borrow_mut().committed(bytes)?;
            step += 1;
        }
        Ok(())
    }

    /// Puts the checkpoint of one step, if its parent is still the latest: a step that was put
    /// already, by whomever, is refused. Returns what the next step continues from.
    async fn put(
        &self,
        conversation: &Conversation,
        parent: Option<&CheckpointTuple>,
        step: u64,
        state: State<'_>,
    ) -> Result<CheckpointTuple, Failure> {
        let parent_id = parent.map(|parent| &parent.reference.id);
        let id = self.ids.next(parent_id)?;
        let version = i64::try_from(step + 1).unwrap_or(i64::MAX);
        let calls = Payload::new("json", state.open_calls);
        let old_calls = parent.filter(|parent| parent.value(OPEN_CALLS) == Some(&calls));
        let calls_version = old_calls
            .and_then(|parent| parent.checkpoint.channel_versions.get(OPEN_CALLS))
            .cloned()
            .unwrap_or(ChannelVersion::Int(version));
        let checkpoint = Checkpoint::new(id, self.clock.wall())
            .with_channel(MESSAGES, version)
            .with_channel(OPEN_CALLS, calls_version);
        let messages = Payload::new("json", state.messages);
        let mut put = PutCheckpoint::new(conversation.thread.clone(), checkpoint)
            .with_parent(parent_id.cloned())
            .with_metadata(metadata(&state.about.role, step))
            .with_ownership(Ownership::ParentIsLatest)
            .with_value(MESSAGES, messages.clone());
        if old_calls.is_none() {
            put = put.with_value(OPEN_CALLS, calls.clone());
        }
        let (checkpoint, about) = (put.checkpoint.clone(), put.metadata.clone());
        let receipt = self.store.put_checkpoint(put).await?;
        let mut tuple = CheckpointTuple::new(receipt.reference, checkpoint, about);
        tuple.values = [(MESSAGES, messages), (OPEN_CALLS, calls)]
            .map(|(name, value)| (Arc::from(name), value.into()))
            .into();
        Ok(tuple)
    }
}

fn metadata(role: &str, step: u64) -> Metadata {
    let source = if matches!(role, "user" | "system") { "input" } else { "loop" };
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let process = i64::from(std::process::id());
    Metadata::new().with("source", source).with("step", step).with("process", process)
}

/// How many messages of a conversation its thread holds; they must be the first ones.
pub(super) fn steps_done(
    conversation: &Conversation,
    latest: Option<&CheckpointTuple>,
) -> Result<u64, Failure> {
    let Some(latest) = latest else { return Ok(0) };
    let other = || {
        let thread = show_name(conversation.thread.as_str());
        Failure::conflict(
            format!("the thread `{thread}` in this store holds another conversation"),
            "name another store or another namespace, or leave out --store",
        )
    };
    let step = latest.metadata.step().and_then(|step| u64::try_from(step).ok());
    let stored = latest.value(MESSAGES).ok_or_else(other)?;
    let mut states = conversation.states();
    let mut expected = None;
    for _ in 0..=step.ok_or_else(other)? {
        expected = Some(states.next().ok_or_else(other)?.messages);
    }
    if expected.as_deref() != Some(&**stored.bytes()) {
        return Err(other());
    }
    Ok(step.unwrap_or_default() + 1)
}

impl<T: FnMut(Event) -> Result<(), Failure>> Telling<T> {
    fn say(&mut self, event: Event) -> Result<(), Failure> {
        (self.tell)(event)
    }

    fn resumed(
        &mut self,
        conversation: &Conversation,
        step: u64,
        done: u64,
    ) -> Result<(), Failure> {
        if step == 0 {
            return Ok(());
        }
        self.begun_bytes += done;
        self.committed_bytes += done;
        let (bytes, of) = (self.committed_bytes, conversation.messages.len() as u64);
        if step == of {
            return self.say(Event::Complete { bytes });
        }
        let thread = conversation.thread.as_str().to_owned();
        self.say(Event::Resumed { thread, step, of, bytes })
    }

    fn ready(&mut self, bytes: u64) -> Result<(), Failure> {
        self.begun_bytes += bytes;
        self.say(Event::Ready { bytes: self.begun_bytes })
    }

    fn committed(&mut self, bytes: u64) -> Result<(), Failure> {
        self.committed_bytes += bytes;
        self.say(Event::Committed { bytes: self.committed_bytes })
    }
}
