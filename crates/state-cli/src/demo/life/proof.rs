//! The proof: every checkpoint of every thread, compared with the input byte for byte.

use std::collections::HashSet;

use indicatif::ProgressBar;
use state_core::PageToken;
use state_core::checkpoint::{CheckpointId, Checkpointer, CheckpointerExt, ListCheckpoints};

use super::agent::MESSAGES;
use super::input::{Conversation, Input};
use crate::checkpoint::{change, walk};
use crate::failure::Failure;

/// How many checkpoints are read at a time: each comes with its whole state.
const PER_PAGE: usize = 16;

/// What a comparison of the store with the input has found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proof {
    /// Checkpoints that are what the input says.
    pub(super) exact: u64,
    /// Steps that are in the store more than once.
    pub(super) twice: u64,
    /// Steps that are not in the store.
    pub(super) lost: u64,
    /// Checkpoints whose state or parent is another than it should be.
    pub(super) wrong: u64,
    /// What the states of all checkpoints would need as copies of their own.
    pub(super) copies_bytes: u64,
    /// What the threads use, as the store counts it.
    pub(super) stored_bytes: u64,
}

impl Proof {
    pub(super) const fn is_exact(&self) -> bool {
        self.twice == 0 && self.lost == 0 && self.wrong == 0
    }
}

/// Compares every checkpoint in the store with the input.
pub(super) async fn compare(
    input: &Input,
    store: &dyn Checkpointer,
    bar: &ProgressBar,
) -> Result<Proof, Failure> {
    let mut proof = Proof::default();
    let mut names = HashSet::new();
    let mut all = input.read()?;
    while let Some(conversation) = all.next()? {
        names.insert(conversation.thread.clone());
        compare_thread(&conversation, store, &mut proof).await?;
        bar.inc(conversation.messages.len() as u64);
    }
    let mut threads = store.threads();
    while let Some(summary) = walk::next(&mut threads).await? {
        if names.contains(&summary.thread) {
            proof.stored_bytes += summary.bytes;
        }
    }
    Ok(proof)
}

async fn compare_thread(
    conversation: &Conversation,
    store: &dyn Checkpointer,
    proof: &mut Proof,
) -> Result<(), Failure> {
    let mut ends = Vec::new();
    let mut whole = Vec::new();
    let mut states = conversation.states();
    while let Some(state) = states.next() {
        // The state after a message is the beginning of the last one, and a bracket.
        ends.push(state.messages.len() - 1);
        whole = state.messages;
    }
    let mut seen = vec![0_u64; ends.len()];
    // From the newest on, each checkpoint must be the parent of the one before.
    let mut parent: Option<Option<CheckpointId>> = None;
    let mut token: Option<PageToken> = None;
    loop {
        let list = ListCheckpoints::of(conversation.thread.clone());
        let page = store.list_checkpoints(list.with_limit(PER_PAGE).with_token(token)).await?;
        for tuple in page.items {
            proof.copies_bytes += change::state_bytes(&tuple) as u64;
            let linked = parent.replace(tuple.parent.clone());
            let is_linked = linked.is_none_or(|id| id.as_ref() == Some(&tuple.reference.id));
            let step = tuple.metadata.step().and_then(|step| usize::try_from(step).ok());
            let place = step.and_then(|step| Some((seen.get_mut(step)?, *ends.get(step)?)));
            let Some((times, end)) = place else {
                proof.wrong += 1;
                continue;
            };
            *times += 1;
            let stored = tuple.value(MESSAGES).map(|payload| &**payload.bytes());
            let is_same = stored
                .and_then(|stored| stored.strip_suffix(b"]"))
                .is_some_and(|stored| whole.get(..end) == Some(stored));
            if is_same && is_linked {
                proof.exact += 1;
            } else {
                proof.wrong += 1;
            }
        }
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    if parent.flatten().is_some() {
        proof.wrong += 1;
    }
    proof.lost += seen.iter().filter(|times| **times == 0).count() as u64;
    proof.twice += seen.iter().map(|times| times.saturating_sub(1)).sum::<u64>();
    Ok(())
}
