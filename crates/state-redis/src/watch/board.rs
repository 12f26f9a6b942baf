//! All watchers of a hub, and how far each primary tells of changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use state_core::{Error, ErrorKind, WatchOptions};

use super::Arrival;
use super::dirty::Told;
use super::look::Expected;
use super::mailbox::Mailbox;
use super::space::{Found, Space, Watcher};
use crate::client::NodeId;
use crate::keys::{self, KeySpace};

/// Shared by the feeds of all primaries, under one lock.
#[derive(Debug, Default)]
pub(super) struct Board {
    spaces: HashMap<Bytes, Space>,
    /// The primaries whose changes matter.
    nodes: Vec<NodeId>,
    last_number: u64,
    last_id: u64,
    /// Why a primary could not be followed, the last time that one could not.
    pub(super) trouble: Option<String>,
}

/// What has to be asked of a primary.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// What keys begin with that it is to tell of from now on.
    pub(super) prefixes: Vec<Bytes>,
    /// The watchers that are told from then on.
    pub(super) watchers: Vec<u64>,
}

impl Board {
    /// Adds somebody who is told nothing yet.
    pub(super) fn enter(
        &mut self,
        keys: &KeySpace,
        options: WatchOptions,
        mailbox: Arc<Mailbox>,
    ) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let watcher = Watcher { id, options, mailbox, joined: HashMap::new(), begun: false };
        let space =
            self.spaces.entry(keys.base().clone()).or_insert_with(|| Space::new(keys.clone()));
        space.watchers.push(watcher);
        id
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.spaces.retain(|_, space| {
            space.watchers.retain(|watcher| watcher.id != id);
            !space.watchers.is_empty()
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spaces.is_empty()
    }

    /// Says which primaries there are now. What they told before they came or went may be missing.
    pub(super) fn set_nodes(&mut self, nodes: Vec<NodeId>) {
        for watcher in self.watchers_mut() {
            watcher.joined.retain(|node, _| nodes.contains(node));
        }
        self.nodes = nodes;
    }

    /// Lets a watcher begin when every primary tells of its changes.
    pub(super) fn begin(&mut self, id: u64) -> bool {
        let Self { spaces, nodes, .. } = self;
        let mut watchers = spaces.values_mut().flat_map(|space| &mut space.watchers);
        let Some(watcher) = watchers.find(|watcher| watcher.id == id) else {
            return false;
        };
        let told = nodes.iter().all(|node| watcher.joined.contains_key(node));
        watcher.begun |= told && !nodes.is_empty();
        watcher.begun
    }

    /// What a primary has to be asked, if it tells of keys with the beginnings `told` already.
    pub(super) fn due(&self, node: &NodeId, told: &HashSet<Bytes>) -> Due {
        let mut due = Due::default();
        for space in self.spaces.values() {
            let mut waiting =
                space.watchers.iter().filter(|watcher| !watcher.joined.contains_key(node));
            if let Some(first) = waiting.next() {
                due.watchers.push(first.id);
                due.watchers.extend(waiting.map(|watcher| watcher.id));
                due.prefixes.extend(space.watched().into_iter().filter(|one| !told.contains(one)));
            }
        }
        due
    }

    /// A primary tells of changes from now on. Who had begun before learns that there was a gap.
    pub(super) fn joined(&mut self, node: &NodeId, ids: &[u64]) {
        let number = self.last_number;
        for watcher in self.watchers_mut().filter(|watcher| ids.contains(&watcher.id)) {
            watcher.joined.insert(node.clone(), number);
            if watcher.begun {
                watcher.mailbox.tell(state_core::Change::Gap);
            }
        }
    }

    /// A primary does not tell of changes any more.
    pub(super) fn lost(&mut self, node: &NodeId) {
        for space in self.spaces.values_mut() {
            for watcher in &mut space.watchers {
                watcher.joined.remove(node);
            }
            space.gap();
        }
    }

    /// Changes of any key may have been missed.
    pub(super) fn gap(&mut self) {
        self.spaces.values_mut().for_each(Space::gap);
    }

    /// Everything was removed at once.
    pub(super) fn flushed(&mut self) {
        for space in self.spaces.values_mut() {
            space.forget();
            space.gap();
        }
    }

    pub(super) fn give_up_stale_clears(&mut self) {
        self.spaces.values_mut().for_each(Space::give_up_stale_clears);
    }

    /// Numbers an arrival.
    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn last_number(&self) -> u64 {
        self.last_number
    }

    /// What is looked for at a key; `None` when it matters to nobody.
    pub(super) fn expected(&self, stored: &[u8]) -> Option<Expected> {
        self.spaces.get(keys::base_of(stored)?)?.expected(stored)
    }

    /// Tells what was found at a key; whether the end of a clear is to follow.
    pub(super) fn found(&mut self, stored: &Bytes, found: Found, arrival: Arrival<'_>) -> bool {
        self.space(stored).is_some_and(|space| space.found(stored, found, arrival))
    }

    /// What was found at a key can not be told.
    pub(super) fn unreadable(&mut self, stored: &Bytes) {
        if let Some(space) = self.space(stored) {
            space.gap();
        }
    }

    /// Everything up to the end of a clear on one primary was looked at.
    pub(super) fn finish(&mut self, announced_by: &Bytes, arrival: Arrival<'_>) {
        if let Some(space) = self.space(announced_by) {
            space.finish(announced_by, arrival);
        }
    }

    /// What is to be looked at again on a primary.
    pub(super) fn take_released(&mut self, node: &NodeId) -> HashMap<Bytes, Told> {
        self.spaces.values_mut().flat_map(|space| space.take_released(node)).collect()
    }

    /// Ends every watch.
    pub(super) fn end_all(&mut self, kind: ErrorKind, message: &str) {
        for space in std::mem::take(&mut self.spaces).into_values() {
            for watcher in space.watchers {
                watcher.mailbox.end(Error::new(kind, message.to_owned()).with_op("watch"));
            }
        }
    }

    fn space(&mut self, stored: &[u8]) -> Option<&mut Space> {
        self.spaces.get_mut(keys::base_of(stored)?)
    }

    fn watchers_mut(&mut self) -> impl Iterator<Item = &mut Watcher> {
        self.spaces.values_mut().flat_map(|space| &mut space.watchers)
    }
}
