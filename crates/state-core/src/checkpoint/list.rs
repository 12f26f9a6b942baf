//! Reading one checkpoint, a page of them, or a page of threads.

use super::{CheckpointId, CheckpointNamespace, Metadata, ThreadId};
use crate::options::with_methods;
use crate::{Consistency, PageToken};

/// Which checkpoint is read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GetCheckpoint {
    /// The thread.
    pub thread: ThreadId,
    /// The namespace. Default: the root.
    pub namespace: CheckpointNamespace,
    /// The checkpoint. Default: the latest, which is the one with the greatest id.
    pub id: Option<CheckpointId>,
    /// Begins the lifetime of the thread anew. Default: as configured.
    pub refresh: Option<bool>,
    /// How fresh the answer must be. Default: `Strong`.
    pub consistency: Consistency,
}

impl GetCheckpoint {
    /// The latest checkpoint of the root namespace of `thread`.
    pub fn latest(thread: impl Into<ThreadId>) -> Self {
        Self {
            thread: thread.into(),
            namespace: CheckpointNamespace::root(),
            id: None,
            refresh: None,
            consistency: Consistency::Strong,
        }
    }

    /// The checkpoint `id` of the root namespace of `thread`.
    pub fn at(thread: impl Into<ThreadId>, id: impl Into<CheckpointId>) -> Self {
        Self { id: Some(id.into()), ..Self::latest(thread) }
    }
}

with_methods!(GetCheckpoint {
    /// Sets the namespace.
    with_namespace => into namespace: CheckpointNamespace,
    /// Begins the lifetime of the thread anew, or does not.
    with_refresh => into refresh: Option<bool>,
    /// Sets how fresh the answer must be.
    with_consistency => consistency: Consistency,
});

/// Which checkpoints are listed: newest first, which is by falling id; equal ids of several
/// namespaces or threads in the order of these.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ListCheckpoints {
    /// The thread. Default: all threads, one after the other, in the order of
    /// [`list_threads`](super::Checkpointer::list_threads).
    pub thread: Option<ThreadId>,
    /// The namespace; the root alone is `Some("")`. Default: all of them.
    pub namespace: Option<CheckpointNamespace>,
    /// Only this checkpoint.
    pub id: Option<CheckpointId>,
    /// Only ids smaller than this one, whether or not there is such a checkpoint.
    pub before: Option<CheckpointId>,
    /// Only checkpoints whose metadata holds each of these single values.
    pub filter: Metadata,
    /// The most checkpoints of the page, from 1, counted after all filters; a page may hold
    /// fewer, even none, while its token is there. Default: 100.
    pub limit: usize,
    /// Where to go on. Default: at the newest.
    pub token: Option<PageToken>,
    /// Whether channel values and pending writes are read too. Default: yes.
    pub values: bool,
    /// How fresh the answer must be. Default: `Strong`.
    pub consistency: Consistency,
}

impl ListCheckpoints {
    /// All checkpoints of all threads.
    pub fn all() -> Self {
        Self {
            thread: None,
            namespace: None,
            id: None,
            before: None,
            filter: Metadata::new(),
            limit: 100,
            token: None,
            values: true,
            consistency: Consistency::Strong,
        }
    }

    /// All checkpoints of `thread`.
    pub fn of(thread: impl Into<ThreadId>) -> Self {
        Self { thread: Some(thread.into()), ..Self::all() }
    }
}

with_methods!(ListCheckpoints {
    /// Sets the namespace.
    with_namespace => into namespace: Option<CheckpointNamespace>,
    /// Lists only the checkpoint with this id.
    with_id => into id: Option<CheckpointId>,
    /// Lists only ids smaller than this one.
    with_before => into before: Option<CheckpointId>,
    /// Lists only checkpoints whose metadata holds each of these single values.
    with_filter => filter: Metadata,
    /// Sets the most checkpoints of the page.
    with_limit => limit: usize,
    /// Sets where to go on.
    with_token => into token: Option<PageToken>,
    /// Sets whether channel values and pending writes are read too.
    with_values => values: bool,
    /// Sets how fresh the answer must be.
    with_consistency => consistency: Consistency,
});

/// Which threads are listed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ListThreads {
    /// The most threads of the page, from 1; may be fewer, even none, while its token is there.
    /// Default: 100.
    pub limit: usize,
    /// Where to go on. Default: at the beginning.
    pub token: Option<PageToken>,
    /// How fresh the answer must be. Default: `Strong`.
    pub consistency: Consistency,
}

impl ListThreads {
    /// All threads.
    pub const fn new() -> Self {
        Self { limit: 100, token: None, consistency: Consistency::Strong }
    }
}

impl Default for ListThreads {
    fn default() -> Self {
        Self::new()
    }
}

with_methods!(ListThreads {
    /// Sets the most threads of the page.
    with_limit => limit: usize,
    /// Sets where to go on.
    with_token => into token: Option<PageToken>,
    /// Sets how fresh the answer must be.
    with_consistency => consistency: Consistency,
});
