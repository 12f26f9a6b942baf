//! The change log: how events come to the file in blocks, and go from it.

use state_core::{Change, Result};

use super::FileTables;
use crate::file::format::{Counts, EventBlock};
use crate::file::keys;
use crate::file::names::Name;
use crate::file::source::{self, Source};

/// Events past those that are retained which may lie in the file, so that not every commit
/// has to touch the old end of the change log too.
const EVENTS_SLACK_MAX: u64 = 1_024;
/// Events of one block, of which one may lie in the file past those and half out of date.
const BLOCK_EVENTS_MAX: u64 = 256;

impl FileTables<'_> {
    /// Adds an event to the block that is not stored yet, and stores the block when it is full.
    pub(super) fn push_event(&mut self, change: &Change) -> Result<()> {
        let events_max = self.events_slack().min(BLOCK_EVENTS_MAX);
        let sequence = self.current.counts.next_event;
        let session = self.session;
        let before = self.current.block.as_ref().map_or(0, EventBlock::len_bytes);
        let block = self.current.block.get_or_insert_with(|| EventBlock::new(sequence, session));
        block.push(change)?;
        let (bytes, full) = (block.len_bytes() - before, block.is_full(events_max));
        self.written_bytes = self.written_bytes.saturating_add(bytes);
        self.current.counts.next_event = sequence.saturating_add(1);
        self.current.logged = true;
        self.changed = true;
        if full {
            self.write_block()?;
        }
        Ok(())
    }

    /// Events past those that are retained which may lie in the file, besides a part of a block.
    fn events_slack(&self) -> u64 {
        (self.events_max() / 8).clamp(1, EVENTS_SLACK_MAX)
    }

    /// Stores the events that are not stored yet.
    pub(super) fn write_block(&mut self) -> Result<()> {
        let Some(block) = self.current.block.take() else { return Ok(()) };
        let key = keys::of_event(self.prefix(), block.first());
        // Counted event by event so far, and now as a whole.
        self.written_bytes = self.written_bytes.saturating_sub(block.len_bytes());
        let record = block.seal(&key);
        self.insert(Name::Events, &key, &record)
    }

    /// Drops the blocks that hold no event which is retained, when they have become many.
    pub(super) fn drop_old_events(&mut self) -> Result<()> {
        let Counts { first_event, next_event, .. } = self.current.counts;
        let retained = self.events_max();
        let stored = next_event.saturating_sub(first_event);
        if stored <= retained.saturating_add(self.events_slack()) {
            return Ok(());
        }
        let oldest = next_event.saturating_sub(retained);
        let first = source::block_of(self, oldest)?.unwrap_or(oldest);
        if first <= first_event {
            return Ok(());
        }
        let (start, end) =
            (keys::of_event(self.prefix(), first_event), keys::of_event(self.prefix(), first));
        self.remove_range(Name::Events, &start, &end)?;
        self.current.counts.first_event = first;
        Ok(())
    }
}
