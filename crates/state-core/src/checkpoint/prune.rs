//! What stays of a thread's history.

use std::time::Duration;

use super::Ownership;
use crate::Acks;
use crate::options::with_methods;

/// Which checkpoints of a thread stay, counted in each namespace on its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Retention {
    /// The latest.
    KeepLatest,
    /// This many of the latest, from 1.
    KeepLast(usize),
    /// Those whose [`time`](super::Checkpoint::time) is at most this long ago, and the latest
    /// in any case.
    MaxAge(Duration),
    /// None: the thread is deleted.
    Delete,
}

/// How threads are pruned.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PruneOptions {
    /// Which checkpoints stay.
    pub retention: Retention,
    /// Who may prune. `ParentIsLatest` is `Invalid` here.
    pub ownership: Ownership,
    /// How safe the removal must be. Default: applied by the primary.
    pub acks: Acks,
}

impl PruneOptions {
    /// Keeps what `retention` says.
    pub const fn new(retention: Retention) -> Self {
        Self { retention, ownership: Ownership::Anyone, acks: Acks::Primary }
    }
}

with_methods!(PruneOptions {
    /// Sets who may prune.
    with_ownership => ownership: Ownership,
    /// Sets how safe the removal must be.
    with_acks => acks: Acks,
});

/// Runs whose checkpoints are deleted, in all threads.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeleteRuns {
    /// The runs.
    pub runs: Vec<String>,
    /// Who may delete, asked of each thread. `ParentIsLatest` is `Invalid` here.
    pub ownership: Ownership,
    /// How safe the removal must be. Default: applied by the primary.
    pub acks: Acks,
}

impl DeleteRuns {
    /// The checkpoints of `runs`.
    pub fn new<R: AsRef<str>>(runs: impl IntoIterator<Item = R>) -> Self {
        let runs = runs.into_iter().map(|run| run.as_ref().to_owned()).collect();
        Self { runs, ownership: Ownership::Anyone, acks: Acks::Primary }
    }
}

with_methods!(DeleteRuns {
    /// Sets who may delete.
    with_ownership => ownership: Ownership,
    /// Sets how safe the removal must be.
    with_acks => acks: Acks,
});

/// What was pruned. Where others remove from the thread at the same time, or an answer is lost on
/// the way, what was meant to go and is gone is counted, whoever removed it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PruneReport {
    /// Checkpoints that are gone.
    pub removed: u64,
    /// Records that are no longer shown and stay because others are rebuilt from them.
    pub hidden: u64,
}

impl PruneReport {
    /// A report with these numbers.
    pub const fn new(removed: u64, hidden: u64) -> Self {
        Self { removed, hidden }
    }
}
