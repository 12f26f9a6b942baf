//! Operations that are remembered by their id, so that sending one twice has one effect.

use std::time::Duration;

use state_core::{Error, Key, OpDigest, OpId, Result};

use super::{Tx, View};
use crate::tables::{OpOutcome, Remembered};

/// How long an operation is remembered.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Whether an operation was made before.
pub(super) enum Replay {
    /// It was, with this result.
    Before(OpOutcome),
    /// It was not, as far as is remembered.
    New,
}

impl View<'_> {
    #[inline]
    pub(super) fn replay(
        &self,
        key: &Key,
        id: Option<OpId>,
        digest: Option<OpDigest>,
    ) -> Result<Replay> {
        let (Some(id), Some(digest)) = (id, digest) else { return Ok(Replay::New) };
        self.replay_of(key, id, digest)
    }

    fn replay_of(&self, key: &Key, id: OpId, digest: OpDigest) -> Result<Replay> {
        let Some(remembered) = self.tables.remembered(key, id)? else { return Ok(Replay::New) };
        if self.now.is_past(Some(remembered.deadline)) {
            return Ok(Replay::New);
        }
        if remembered.digest == digest.get() {
            Ok(Replay::Before(remembered.outcome))
        } else {
            Err(Error::invalid("the operation id was used for a different operation on this key"))
        }
    }
}

impl Tx<'_> {
    #[inline]
    pub(super) fn remember(
        &mut self,
        key: &Key,
        id: Option<OpId>,
        digest: Option<OpDigest>,
        outcome: impl FnOnce() -> OpOutcome,
    ) -> Result<()> {
        let (Some(id), Some(digest)) = (id, digest) else { return Ok(()) };
        let now = self.now.get();
        let deadline = now.checked_add(WINDOW).unwrap_or(now);
        let remembered = Remembered { digest: digest.get(), outcome: outcome(), deadline };
        self.tables.remember(key, id, remembered)
    }
}
