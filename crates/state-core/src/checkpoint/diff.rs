//! What changed between two checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ChannelValue, CheckpointTuple};

/// What happened to one channel.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChannelChange {
    /// It is new.
    Added(ChannelValue),
    /// It is gone.
    Removed(ChannelValue),
    /// It holds something else.
    Changed {
        /// What it held.
        from: ChannelValue,
        /// What it holds.
        to: ChannelValue,
    },
}

/// What changed from one checkpoint to another, by channel; what is equal is left out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CheckpointDiff {
    /// The channels that differ.
    pub channels: BTreeMap<Arc<str>, ChannelChange>,
}

impl CheckpointDiff {
    /// What changed from `a` to `b`. Values are compared, not versions.
    pub fn between(a: &CheckpointTuple, b: &CheckpointTuple) -> Self {
        let mut channels = BTreeMap::new();
        for (channel, from) in &a.values {
            let change = match b.values.get(channel) {
                None => ChannelChange::Removed(from.clone()),
                Some(to) if to != from => {
                    ChannelChange::Changed { from: from.clone(), to: to.clone() }
                }
                Some(_) => continue,
            };
            channels.insert(Arc::clone(channel), change);
        }
        for (channel, to) in &b.values {
            if !a.values.contains_key(channel) {
                channels.insert(Arc::clone(channel), ChannelChange::Added(to.clone()));
            }
        }
        Self { channels }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::checkpoint::{Checkpoint, CheckpointRef, Metadata, Payload};

    fn tuple(values: &[(&str, &'static str)]) -> CheckpointTuple {
        let checkpoint = Checkpoint::new("1", Timestamp::from_unix_ms(0));
        let mut tuple =
            CheckpointTuple::new(CheckpointRef::new("t", "1"), checkpoint, Metadata::new());
        for (channel, text) in values {
            tuple.values.insert(Arc::from(*channel), Payload::new("json", *text).into());
        }
        tuple
    }

    #[test]
    fn what_came_went_and_changed_is_told_and_what_stayed_is_not() {
        let diff = CheckpointDiff::between(
            &tuple(&[("gone", "1"), ("same", "2"), ("other", "3")]),
            &tuple(&[("same", "2"), ("other", "4"), ("new", "5")]),
        );
        let kinds: Vec<_> = diff.channels.iter().map(|(name, change)| (&**name, change)).collect();
        assert!(matches!(
            kinds[..],
            [
                ("gone", ChannelChange::Removed(_)),
                ("new", ChannelChange::Added(_)),
                ("other", ChannelChange::Changed { .. })
            ]
        ));
    }
}
