//! Walking along the checkpoints of a thread without holding more than a few of them.

use futures_util::StreamExt;
use state_core::checkpoint::{
    CheckpointTuple, Checkpointer, CheckpointerExt, ListCheckpoints, ThreadId,
};
use state_core::{BoxStream, PageToken, Result};

use super::Line;

/// How many checkpoints are read at a time: each comes with all of its values.
const PER_PAGE: usize = 8;

/// The next item of a stream.
pub(crate) async fn next<T>(stream: &mut BoxStream<'_, Result<T>>) -> Result<Option<T>> {
    stream.next().await.transpose()
}

/// Whether a thread has any checkpoint.
pub(crate) async fn is_there(store: &dyn Checkpointer, thread: &ThreadId) -> Result<bool> {
    let any = ListCheckpoints::of(thread.clone()).with_values(false).with_limit(1);
    Ok(next(&mut store.list(any)).await?.is_some())
}

/// The checkpoints of a line, newest first, each with the one that it continued from.
pub(crate) struct Walk<'a> {
    store: &'a dyn Checkpointer,
    line: Line,
    page: std::vec::IntoIter<CheckpointTuple>,
    token: Option<PageToken>,
    begun: bool,
    ahead: Option<CheckpointTuple>,
}

/// A checkpoint and the one that it continued from.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) tuple: CheckpointTuple,
    /// `None` where it names none, and where that is gone.
    pub(crate) parent: Option<CheckpointTuple>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(store: &'a dyn Checkpointer, line: Line) -> Self {
        let page = Vec::new().into_iter();
        Self { store, line, page, token: None, begun: false, ahead: None }
    }

    /// The next older checkpoint; `None` at the end.
    pub(crate) async fn step(&mut self) -> Result<Option<Step>> {
        let tuple = match self.ahead.take() {
            Some(tuple) => tuple,
            None => match self.read().await? {
                Some(tuple) => tuple,
                None => return Ok(None),
            },
        };
        self.ahead = self.read().await?;
        let parent = match (&tuple.parent, &self.ahead) {
            (Some(id), Some(ahead)) if ahead.reference.id == *id => Some(ahead.clone()),
            (Some(id), _) => self.store.at(&self.line.at(id.clone())).await?,
            (None, _) => None,
        };
        Ok(Some(Step { tuple, parent }))
    }

    async fn read(&mut self) -> Result<Option<CheckpointTuple>> {
        loop {
            if let Some(tuple) = self.page.next() {
                return Ok(Some(tuple));
            }
            if self.begun && self.token.is_none() {
                return Ok(None);
            }
            let list = self.line.list().with_limit(PER_PAGE).with_token(self.token.take());
            let page = self.store.list_checkpoints(list).await?;
            self.begun = true;
            self.page = page.items.into_iter();
            self.token = page.next;
        }
    }
}
