//! The clears that go on now: what they remove is told by them and not key by key.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use state_core::{Change, Key};
use tokio::time::Instant;

use super::Arrival;
use super::announcement::{ANNOUNCEMENT_LIFETIME, Announcement, Phase};
use crate::client::NodeId;

/// Clears whose end is remembered, because their announcements expire after it.
const FINISHED_MAX: usize = 1_024;

/// The clears of one namespace.
#[derive(Debug, Default)]
pub(super) struct Clears {
    going_on: HashMap<[u8; 16], Clear>,
    finished: VecDeque<[u8; 16]>,
}

#[derive(Debug)]
struct Clear {
    what: Announcement,
    /// The primaries that have nothing left to remove, and the number under which they said so.
    ended_at: HashMap<NodeId, u64>,
    /// The announcements of that up to which everything was looked at.
    done: HashSet<Bytes>,
    renewed: Instant,
}

/// What a clear has to do with a key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Cover {
    Nothing,
    /// It removes such keys on this primary now.
    GoesOn,
    /// It ended on this primary before the key changed, and is to be told first.
    ComesFirst,
    /// It has removed such keys on this primary, and is to be told first.
    Ended,
}

/// What an announcement means for those who watch.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Meaning {
    Nothing,
    /// When all that has been told up to now was looked at, [`Clears::finish`] follows.
    Finish,
    /// It was given up in between.
    Gap,
}

impl Clears {
    /// Takes note of what is at the key of an announcement now.
    pub(super) fn announced(
        &mut self,
        id: [u8; 16],
        found: Option<Announcement>,
        arrival: Arrival<'_>,
    ) -> Meaning {
        if self.finished.contains(&id) {
            return Meaning::Nothing;
        }
        let Some(found) = found else {
            return if self.going_on.remove(&id).is_some() {
                Meaning::Gap
            } else {
                Meaning::Nothing
            };
        };
        let phase = found.phase;
        let clear = self.going_on.entry(id).or_insert_with(|| Clear {
            what: found,
            ended_at: HashMap::new(),
            done: HashSet::new(),
            renewed: arrival.at,
        });
        clear.renewed = clear.renewed.max(arrival.at);
        if phase == Phase::Done {
            clear.ended_at.entry(arrival.node.clone()).or_insert(arrival.number);
            return Meaning::Finish;
        }
        Meaning::Nothing
    }

    /// Everything up to the end of a clear on one primary was looked at: the change to tell when
    /// that was the last one.
    pub(super) fn finish(&mut self, id: [u8; 16], announced_by: &Bytes) -> Option<Change> {
        let clear = self.going_on.get_mut(&id)?;
        clear.done.insert(announced_by.clone());
        if clear.done.len() < usize::try_from(clear.what.parts).unwrap_or(usize::MAX) {
            return None;
        }
        let Announcement { prefix, scope, .. } = self.going_on.remove(&id)?.what;
        if self.finished.len() >= FINISHED_MAX {
            self.finished.pop_front();
        }
        self.finished.push_back(id);
        Some(Change::Cleared { prefix, scope })
    }

    /// What the clears that go on have to do with a key that has changed.
    pub(super) fn cover(&self, key: &Key, arrival: Arrival<'_>) -> Cover {
        let covers = self.going_on.values().map(|clear| {
            let Announcement { prefix, scope, .. } = &clear.what;
            let covers = key.name().starts_with(prefix) && scope.covers(key.partition());
            match (clear.ended_at.get(arrival.node), covers) {
                (Some(_), true) => Cover::Ended,
                (Some(ended), false) if *ended < arrival.number => Cover::ComesFirst,
                (None, true) => Cover::GoesOn,
                _ => Cover::Nothing,
            }
        });
        covers.max().unwrap_or(Cover::Nothing)
    }

    /// Forgets clears whose announcements must have expired; whether there was any.
    pub(super) fn give_up_stale(&mut self, now: Instant) -> bool {
        let before = self.going_on.len();
        let fresh = |clear: &Clear| now - clear.renewed < 2 * ANNOUNCEMENT_LIFETIME;
        self.going_on.retain(|_, clear| fresh(clear));
        self.going_on.len() < before
    }

    /// Forgets the clears that go on, because a gap is told.
    pub(super) fn give_up(&mut self) {
        self.going_on.clear();
    }
}

#[cfg(test)]
mod tests {
    use state_core::Scope;

    use super::*;

    fn announcement(phase: Phase) -> Announcement {
        Announcement { phase, parts: 2, prefix: "a".into(), scope: Scope::All }
    }

    #[test]
    fn a_clear_is_told_when_every_primary_has_finished_it() {
        let (x, y) = (NodeId::new("x:1"), NodeId::new("y:1"));
        let at = |node| Arrival { node, number: 1, at: Instant::now() };
        let mut clears = Clears::default();
        let id = [1; 16];
        assert_eq!(
            clears.announced(id, Some(announcement(Phase::Begun)), at(&x)),
            Meaning::Nothing
        );
        assert_eq!(clears.cover(&"ab".into(), at(&x)), Cover::GoesOn);
        assert_eq!(clears.cover(&"b".into(), at(&x)), Cover::Nothing);
        assert_eq!(clears.announced(id, Some(announcement(Phase::Done)), at(&x)), Meaning::Finish);
        assert_eq!(clears.cover(&"ab".into(), at(&x)), Cover::Ended);
        let later = Arrival { number: 2, ..at(&x) };
        assert_eq!(clears.cover(&"b".into(), at(&x)), Cover::Nothing);
        assert_eq!(clears.cover(&"b".into(), later), Cover::ComesFirst);
        assert_eq!(clears.cover(&"ab".into(), at(&y)), Cover::GoesOn);
        assert_eq!(clears.finish(id, &"x".into()), None);
        assert_eq!(clears.finish(id, &"x".into()), None, "the same one again");
        assert_eq!(clears.announced(id, Some(announcement(Phase::Done)), at(&y)), Meaning::Finish);
        let told = Change::Cleared { prefix: "a".into(), scope: Scope::All };
        assert_eq!(clears.finish(id, &"y".into()), Some(told));
        assert_eq!(clears.cover(&"ab".into(), at(&x)), Cover::Nothing);
        assert_eq!(clears.announced(id, Some(announcement(Phase::Done)), at(&x)), Meaning::Nothing);
        assert_eq!(clears.announced(id, None, at(&x)), Meaning::Nothing);
    }

    #[test]
    fn a_clear_that_is_given_up_is_a_gap() {
        let node = NodeId::new("x:1");
        let at = Arrival { node: &node, number: 1, at: Instant::now() };
        let mut clears = Clears::default();
        assert_eq!(clears.announced([1; 16], None, at), Meaning::Nothing, "nothing was held back");
        clears.announced([1; 16], Some(announcement(Phase::Begun)), at);
        assert_eq!(clears.announced([1; 16], None, at), Meaning::Gap);
        assert_eq!(clears.cover(&"ab".into(), at), Cover::Nothing);
    }

    #[test]
    fn a_clear_of_which_nothing_more_is_heard_is_given_up() {
        let node = NodeId::new("x:1");
        let begun = Instant::now();
        let at = |at| Arrival { node: &node, number: 1, at };
        let mut clears = Clears::default();
        clears.announced([1; 16], Some(announcement(Phase::Begun)), at(begun));
        let later = begun + ANNOUNCEMENT_LIFETIME;
        assert!(!clears.give_up_stale(later));
        clears.announced([1; 16], Some(announcement(Phase::Begun)), at(later));
        assert!(!clears.give_up_stale(begun + 2 * ANNOUNCEMENT_LIFETIME));
        assert!(clears.give_up_stale(later + 2 * ANNOUNCEMENT_LIFETIME));
        assert_eq!(clears.cover(&"ab".into(), at(later)), Cover::Nothing);
    }
}
