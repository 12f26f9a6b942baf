//! What a file store is set to.

use std::sync::Arc;
use std::time::Duration;

use state_core::{Capability, Clock, Error, Limits, Result, SystemClock};

use crate::space::Rules;

/// How a commit reaches the disk. Every way survives a power cut with all that was acknowledged.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum CommitMode {
    /// One sync for each commit. After an unclean end the whole file is checked when it is
    /// opened, and a torn last commit, which was never acknowledged, is taken back.
    #[default]
    OnePhase,
    /// Two syncs for each commit. Damage of the disk that hits the last commit of a store that
    /// was not closed is told apart from a torn commit, and refused.
    TwoPhase,
    /// Two syncs, and what is needed to open the file quickly after an unclean end: for stores
    /// of many gigabytes. Pages are not checked then.
    QuickRepair,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) default_ttl: Option<Duration>,
    pub(super) cross_partition: bool,
    pub(super) change_log_events_max: usize,
    pub(super) cache_bytes: usize,
    pub(super) group_ops_max: usize,
    pub(super) group_bytes_max: usize,
    pub(super) waiting_ops_max: usize,
    pub(super) verify_bytes_max: u64,
    pub(super) commit_mode: CommitMode,
    pub(super) compact_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            limits: Limits::DEFAULT,
            default_ttl: None,
            cross_partition: false,
            change_log_events_max: 10_000,
            cache_bytes: 64 << 20,
            group_ops_max: 4_096,
            group_bytes_max: 16 << 20,
            waiting_ops_max: 16_384,
            verify_bytes_max: 256 << 20,
            commit_mode: CommitMode::OnePhase,
            compact_bytes_max: 64 << 20,
        }
    }
}

impl Settings {
    pub(super) fn check(&self) -> Result<()> {
        let zero = [
            (self.change_log_events_max, "change_log_events_max"),
            (self.cache_bytes, "cache_bytes"),
            (self.group_ops_max, "group_ops_max"),
            (self.group_bytes_max, "group_bytes_max"),
            (self.waiting_ops_max, "waiting_ops_max"),
        ];
        match zero.iter().find(|(value, _)| *value == 0) {
            Some((_, name)) => Err(Error::invalid(format!("{name} must be at least 1"))),
            None => self.default_ttl.map_or(Ok(()), Limits::check_lifetime),
        }
    }

    pub(super) fn rules(&self) -> Rules {
        Rules::of_both(self.limits, self.cross_partition, self.default_ttl)
            .with(Capability::AckFsync)
            .with(Capability::Durable)
    }
}
