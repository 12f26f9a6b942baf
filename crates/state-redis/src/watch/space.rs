//! The watchers of one namespace: what is told to which of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use state_core::{Change, Key, WatchOptions};
use tokio::time::Instant;

use super::clears::{Clears, Cover, Meaning};
use super::dirty::Told;
use super::look::{Expected, Seen};
use super::mailbox::Mailbox;
use super::memory::{Known, Memory, State};
use super::{Arrival, meets};
use crate::client::NodeId;
use crate::keys::{KeySpace, Kind};

/// The server's clock stands still while it executes a few commands, and counts in milliseconds.
const CLOCK_ERROR: Duration = Duration::from_millis(10);

/// Keys that are looked at again after a clear; more of them, and they give way to a gap.
const HELD_MAX: usize = 65_536;

/// Who follows changes, and from where on.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) id: u64,
    pub(super) options: WatchOptions,
    pub(super) mailbox: Arc<Mailbox>,
    /// For each primary whose changes it is told: the last arrival that was before that.
    pub(super) joined: HashMap<NodeId, u64>,
    /// The call has returned: from then on nothing may be missed without a gap.
    pub(super) begun: bool,
}

impl Watcher {
    fn hears(&self, arrival: Arrival<'_>) -> bool {
        self.joined.get(arrival.node).is_some_and(|joined| *joined < arrival.number)
    }
}

/// What was found when a key was looked at.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) seen: Seen,
    /// Before the question went out.
    pub(super) asked: Instant,
    /// The last arrival before the answer came.
    pub(super) until: u64,
}

#[derive(Debug)]
pub(super) struct Space {
    pub(super) watchers: Vec<Watcher>,
    keys: KeySpace,
    memory: Memory,
    clears: Clears,
    /// What was found while a clear goes on that may have met it: looked at again after that.
    held: HashMap<NodeId, HashMap<Bytes, Told>>,
    released: HashMap<NodeId, HashMap<Bytes, Told>>,
}

impl Space {
    pub(super) fn new(keys: KeySpace) -> Self {
        Self {
            watchers: Vec::new(),
            keys,
            memory: Memory::default(),
            clears: Clears::default(),
            held: HashMap::new(),
            released: HashMap::new(),
        }
    }

    /// What the keys begin with that its watchers have to be told of.
    pub(super) fn watched(&self) -> [Bytes; 5] {
        self.keys.watched()
    }

    /// What is looked for at a key; `None` when it matters to nobody.
    pub(super) fn expected(&self, stored: &[u8]) -> Option<Expected> {
        if self.keys.read_announcement(stored).is_some() {
            return Some(Expected::Announcement);
        }
        let (key, expected) = self.read(stored)?;
        self.watchers.iter().any(|watcher| watcher.options.covers(&key)).then_some(expected)
    }

    fn read(&self, stored: &[u8]) -> Option<(Key, Expected)> {
        let entry = self.keys.read(Kind::Entry, stored).map(|key| (key, Expected::Entry));
        entry.or_else(|| self.keys.read(Kind::Hash, stored).map(|key| (key, Expected::Hash)))
    }

    /// Tells what was found at a key that has changed; whether the end of a clear is to follow.
    pub(super) fn found(&mut self, stored: &Bytes, found: Found, arrival: Arrival<'_>) -> bool {
        if let Some(id) = self.keys.read_announcement(stored) {
            let what = if let Seen::Announcement(what) = found.seen { Some(what) } else { None };
            return match self.clears.announced(id, what, arrival) {
                Meaning::Nothing => false,
                Meaning::Finish => true,
                Meaning::Gap => {
                    self.gap();
                    false
                }
            };
        }
        let Some((key, expected)) = self.read(stored) else { return false };
        let cover = self.clears.cover(&key, arrival);
        let covered = matches!(cover, Cover::GoesOn | Cover::Ended);
        let removed = covered && found.seen == Seen::Absent;
        if cover != Cover::Nothing && !removed {
            // It was written while the clear went on, or after it: that is told after it.
            self.hold(stored, arrival);
            if cover != Cover::GoesOn {
                return false;
            }
        }
        if expected == Expected::Entry {
            self.entry(stored, &key, &found, arrival, removed);
        } else if !removed {
            for watcher in &self.watchers {
                if watcher.hears(arrival) && watcher.options.covers(&key) {
                    watcher.mailbox.tell(Change::HashChanged { key: key.clone() });
                }
            }
        }
        false
    }

    fn hold(&mut self, stored: &Bytes, arrival: Arrival<'_>) {
        let told = Told { number: arrival.number, at: arrival.at };
        self.held.entry(arrival.node.clone()).or_default().insert(stored.clone(), told);
        if self.held.values().map(HashMap::len).sum::<usize>() > HELD_MAX {
            self.gap();
        }
    }

    fn entry(
        &mut self,
        stored: &Bytes,
        key: &Key,
        found: &Found,
        arrival: Arrival<'_>,
        removed: bool,
    ) {
        let before = self.memory.get(stored);
        let (state, change, told) = judge(key.clone(), before, found, arrival);
        for watcher in &self.watchers {
            // Who was told the very same already is not told it again.
            let joined = watcher.joined.get(arrival.node);
            let again = told.is_some_and(|told| joined.is_some_and(|joined| *joined < told));
            if !removed && !again && watcher.hears(arrival) && watcher.options.covers(key) {
                watcher.mailbox.tell(change.clone());
            }
        }
        let known = Known { state, since: arrival.number, until: found.until };
        self.memory.put(stored, known);
    }

    /// Everything up to the end of a clear on one primary was looked at.
    pub(super) fn finish(&mut self, announced_by: &Bytes, arrival: Arrival<'_>) {
        let Some(id) = self.keys.read_announcement(announced_by) else { return };
        let Some(change) = self.clears.finish(id, announced_by) else { return };
        let Change::Cleared { prefix, scope } = &change else { return };
        for watcher in &self.watchers {
            if watcher.hears(arrival) && meets(&watcher.options, prefix, scope) {
                watcher.mailbox.tell(change.clone());
            }
        }
        for (node, held) in self.held.drain() {
            for stored in held.keys() {
                self.memory.forget(stored);
            }
            self.released.entry(node).or_default().extend(held);
        }
    }

    /// What is to be looked at again on a primary.
    pub(super) fn take_released(&mut self, node: &NodeId) -> HashMap<Bytes, Told> {
        self.released.remove(node).unwrap_or_default()
    }

    /// Tells everybody that changes may have been missed. Clears that go on are part of that.
    pub(super) fn gap(&mut self) {
        self.clears.give_up();
        self.held.clear();
        self.released.clear();
        for watcher in self.watchers.iter().filter(|watcher| watcher.begun) {
            watcher.mailbox.tell(Change::Gap);
        }
    }

    /// Forgets what was told: it is not there any more.
    pub(super) fn forget(&mut self) {
        self.memory.clear();
    }

    /// Gives up clears of which nothing more is heard.
    pub(super) fn give_up_stale_clears(&mut self) {
        if self.clears.give_up_stale(Instant::now()) {
            self.gap();
        }
    }
}

/// What has become of an entry, how it is told, and, when just that was told before, for which
/// arrival.
fn judge(
    key: Key,
    before: Option<Known>,
    found: &Found,
    arrival: Arrival<'_>,
) -> (State, Change, Option<u64>) {
    let Seen::Entry { version, deadline, remaining_ms } = found.seen else {
        let expired = match before.map(|known| known.state) {
            Some(State::There { expires: Some(expires), .. }) => {
                arrival.at + CLOCK_ERROR >= expires
            }
            _ => false,
        };
        // What came before the last answer was a part of what that answer told.
        let told =
            before.filter(|known| known.state == State::Absent && arrival.number <= known.until);
        let change = if expired { Change::Expired { key } } else { Change::Deleted { key } };
        return (State::Absent, change, told.map(|known| known.since));
    };
    let expires = remaining_ms.map(|ms| found.asked + Duration::from_millis(ms));
    let state = State::There { version, deadline, expires };
    match before {
        Some(Known { state: State::There { version: old, deadline: end, .. }, since, .. })
            if old == version =>
        {
            if end == deadline {
                (state, Change::Put { key, version, deadline }, Some(since))
            } else {
                (state, Change::Touched { key, deadline }, None)
            }
        }
        _ => (state, Change::Put { key, version, deadline }, None),
    }
}
