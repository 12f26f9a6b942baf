//! Ids of checkpoints: UUIDs of version 6, which order by their time as text.

use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::checkpoint::CheckpointId;
use state_core::{Clock, Error, ErrorKind, Result};

/// Between the beginning of the Gregorian calendar and that of the Unix epoch, in ms.
const GREGORIAN_TO_UNIX_MS: u64 = 12_219_292_800_000;
const TICKS_PER_MS: u64 = 10_000;
/// The time of such a UUID has 60 bits.
const TICK_MAX: u64 = (1 << 60) - 1;

/// Makes ids that only ever grow.
///
/// Each is greater than all that this instance made before and than the parent that is named,
/// whatever the clock says. Clones share their state.
#[derive(Clone, Debug)]
pub struct CheckpointIds {
    clock: Arc<dyn Clock>,
    last_tick: Arc<Mutex<u64>>,
}

impl CheckpointIds {
    /// Ids by the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last_tick: Arc::new(Mutex::new(0)) }
    }

    /// A new id, greater than `parent`.
    ///
    /// # Errors
    /// `Invalid` when no id is greater than `parent`: it is one of the last that a UUID can
    /// express, or begins with a character above the digits of a UUID. `Internal` when the
    /// system has no random bits.
    pub fn next(&self, parent: Option<&CheckpointId>) -> Result<CheckpointId> {
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).map_err(|error| {
            Error::new(ErrorKind::Internal, "the system has no random bits").with_source(error)
        })?;
        self.next_with(parent, u64::from_le_bytes(bits))
    }

    fn next_with(&self, parent: Option<&CheckpointId>, random: u64) -> Result<CheckpointId> {
        let unix_ms = self.clock.wall().unix_ms();
        let now = unix_ms.saturating_add(GREGORIAN_TO_UNIX_MS).saturating_mul(TICKS_PER_MS);
        let mut last = self.last_tick.lock();
        let mut tick = now.max(last.saturating_add(1)).min(TICK_MAX);
        if let Some(parent) = parent
            && text(tick, random).as_str() <= parent.as_str()
        {
            tick = tick_above(parent).ok_or_else(too_great)?.max(tick);
        }
        let id = text(tick, random);
        if parent.is_some_and(|parent| id.as_str() <= parent.as_str()) || tick <= *last {
            return Err(too_great());
        }
        *last = tick;
        Ok(CheckpointId::new(id))
    }
}

fn too_great() -> Error {
    Error::invalid("no new id is greater than the parent's")
}

/// The least tick all of whose ids are greater than `parent`, as text.
fn tick_above(parent: &CheckpointId) -> Option<u64> {
    // The greatest tick whose least id is not greater; ids grow with their tick.
    let (mut below, mut above) = (0, TICK_MAX);
    if text(above, 0).as_str() <= parent.as_str() {
        return None;
    }
    while below < above {
        let middle = below + (above - below) / 2;
        if text(middle, 0).as_str() > parent.as_str() {
            above = middle;
        } else {
            below = middle + 1;
        }
    }
    Some(above)
}

/// The id of a tick, with 62 random bits.
fn text(tick: u64, random: u64) -> String {
    let high = tick >> 28;
    let middle = (tick >> 12) & 0xffff;
    let low = 0x6000 | (tick & 0x0fff);
    let variant = 0x8000 | ((random >> 48) & 0x3fff);
    let node = random & 0xffff_ffff_ffff;
    let mut text = String::with_capacity(36);
    // Writing to a string cannot fail.
    write!(text, "{high:08x}-{middle:04x}-{low:04x}-{variant:04x}-{node:012x}").ok();
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use state_core::{ManualClock, Timestamp};

    use super::*;

    fn at(unix_ms: u64) -> CheckpointIds {
        let clock = ManualClock::new();
        clock.set_wall(Timestamp::from_unix_ms(unix_ms));
        CheckpointIds::new(Arc::new(clock))
    }

    #[test]
    fn an_id_is_a_uuid_of_version_6() {
        // 2022-02-22 19:22:22 UTC, the example of RFC 9562.
        let id = at(1_645_557_742_000).next_with(None, 0x33c8_9f6b_deca_d846).unwrap();
        assert_eq!(id.as_str(), "1ec9414c-232a-6b00-b3c8-9f6bdecad846");
    }

    #[test]
    fn ids_of_one_instance_grow_though_the_clock_stands() {
        let ids = at(1_700_000_000_000);
        let made: Vec<_> = (0..1_000).map(|_| ids.next(None).unwrap()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_parent_that_nothing_follows_is_refused() {
        let ids = at(1_700_000_000_000);
        for parent in ["ffffffff-ffff-6fff-bfff-ffffffffffff", "zebra", "\u{10ffff}"] {
            let made = ids.next(Some(&parent.into())).map_err(|error| error.kind());
            assert_eq!(made, Err(ErrorKind::Invalid), "{parent}");
        }
        assert!(ids.next(None).is_ok(), "a refusal leaves the instance as it was");
    }

    proptest! {
        #[test]
        fn an_id_is_greater_than_its_parent_whatever_the_clocks_say(
            parent_ms in 0_u64..4_000_000_000_000,
            own_ms in 0_u64..4_000_000_000_000,
            (one, other) in any::<(u64, u64)>(),
        ) {
            let parent = at(parent_ms).next_with(None, one).unwrap();
            let id = at(own_ms).next_with(Some(&parent), other).unwrap();
            prop_assert!(id > parent, "{id} after {parent}");
            prop_assert_eq!(id.as_str().len(), 36);
            prop_assert_eq!(id.as_str().as_bytes()[14], b'6');
        }

        #[test]
        fn an_id_is_greater_than_any_text_that_one_can_be_greater_than(parent in "[0-9a-e][ -~]{0,40}") {
            let parent = CheckpointId::new(parent);
            prop_assert!(at(1_700_000_000_000).next(Some(&parent)).unwrap() > parent);
        }
    }
}
