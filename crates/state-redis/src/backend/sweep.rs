//! Which nodes a listing by cursor has seen, and which it has to scan again because keys moved.
//!
//! `SCAN` promises to tell of what is on *one* server all the time. So a sweep remembers what each
//! node said of itself before its scan began ([`View`]), and asks again when all are scanned. A node
//! whose view has changed is scanned again, and so is one that nobody knew to hold keys; keys that
//! come to a node change its view, unless a slot is on its way there. Such a node is scanned again
//! when another one has been scanned since. The decision record 0011 says why that is enough.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::time::Instant;

use crate::client::NodeId;
use crate::topology::View;

/// A sweep over all nodes. It can travel in a page token.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Sweep {
    /// Whether the nodes to scan have been chosen.
    begun: bool,
    /// Whether every key that was there all the time has been seen.
    pub(super) done: bool,
    /// Nodes that are still to be scanned; the first one is being scanned.
    todo: VecDeque<NodeId>,
    /// The scan that is under way.
    current: Option<Current>,
    scanned: Vec<Scanned>,
    /// Counts beginnings and ends of scans.
    clock: u32,
    /// How often nodes had to be scanned again.
    pub(super) rescans: u32,
    /// Until when a call goes on although keys move or nodes fail; not in tokens.
    pub(super) deadline: Option<Instant>,
}

/// The scan of one node that is under way.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Current {
    name: String,
    digest: u64,
    began: u32,
    cursor: u64,
}

/// A node that was scanned, once or more, without a change of its view.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Scanned {
    node: NodeId,
    name: String,
    digest: u64,
    /// When the first of the scans began and ended.
    first: (u32, u32),
    /// When the last of them began and ended.
    last: (u32, u32),
}

/// What is to be done next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Scan this node from its beginning, and ask it for its view first.
    Begin(NodeId),
    /// Go on with the scan of this node.
    GoOn(NodeId, u64),
    /// Ask for the views, see whether anything moved.
    Check,
}

/// What has to be scanned again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Due {
    pub(super) nodes: Vec<NodeId>,
    /// Whether keys may have been missed, other than those of slots that were on the move all the
    /// time.
    pub(super) changed: bool,
}

impl Sweep {
    /// What is to be done next; `nodes` are those to begin with.
    pub(super) fn next(&mut self, nodes: impl FnOnce() -> Vec<NodeId>) -> Next {
        if !self.begun {
            self.begun = true;
            self.todo = nodes().into();
        }
        match (self.todo.front(), &self.current) {
            (Some(node), Some(current)) => Next::GoOn(node.clone(), current.cursor),
            (Some(node), None) => Next::Begin(node.clone()),
            (None, _) => Next::Check,
        }
    }

    /// The same for a call of its own, which has its own deadline.
    pub(super) fn for_another_call(&self) -> Self {
        Self { deadline: None, ..self.clone() }
    }

    /// Whether nothing was done yet.
    pub(super) fn is_new(&self) -> bool {
        !self.begun
    }

    /// Notes the view of the node whose scan begins.
    pub(super) fn begin(&mut self, node: &NodeId, view: &View) {
        self.clock = self.clock.saturating_add(1);
        let (name, digest) = (name_of(node, view).to_owned(), view.digest);
        self.current = Some(Current { name, digest, began: self.clock, cursor: 0 });
    }

    /// Notes how far the scan has come; 0 is its end.
    pub(super) fn went_on(&mut self, cursor: u64) {
        let Some(mut current) = self.current.take() else { return };
        if cursor != 0 {
            current.cursor = cursor;
            self.current = Some(current);
            return;
        }
        let Some(node) = self.todo.pop_front() else { return };
        self.clock = self.clock.saturating_add(1);
        let ended = self.clock;
        let Current { name, digest, began, .. } = current;
        let scan = (began, ended);
        let known = self.scanned.iter_mut().find(|scanned| scanned.name == name);
        match known {
            Some(known) if known.digest == digest => (known.node, known.last) = (node, scan),
            Some(known) => *known = Scanned { node, name, digest, first: scan, last: scan },
            None => self.scanned.push(Scanned { node, name, digest, first: scan, last: scan }),
        }
    }

    /// Leaves out the node whose scan failed; the check decides whether it is needed.
    pub(super) fn skip(&mut self) {
        self.current = None;
        self.todo.pop_front();
    }

    /// The nodes that were scanned.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.scanned.iter().map(|scanned| &scanned.node)
    }

    /// What has to be scanned again, going by what the nodes say now.
    pub(super) fn due(&self, views: &[(NodeId, View)]) -> Due {
        let now: BTreeMap<&str, (&NodeId, &View)> =
            views.iter().map(|(node, view)| (name_of(node, view), (node, view))).collect();
        let mut holders: BTreeMap<&str, Option<NodeId>> = BTreeMap::new();
        for (node, view) in views {
            if view.name.is_empty() {
                holders.insert(node.as_str(), Some(node.clone()));
            }
            for (name, address) in &view.holders {
                let told = address.as_ref().map(|address| NodeId::new(&address.to_string()));
                let known = holders.entry(name).or_default();
                *known = known.take().or(told);
            }
        }
        let mut due = Due::default();
        let mut again = BTreeSet::new();
        for (name, told) in &holders {
            let (asked, scanned) = (now.get(name), self.scanned(name));
            let same = asked
                .zip(scanned)
                .is_some_and(|((_, view), scanned)| view.digest == scanned.digest);
            if !same {
                due.changed = true;
                let known = asked.map(|(node, _)| (*node).clone());
                again.extend(known.or_else(|| told.clone()));
            }
        }
        if !due.changed {
            let mut open = Vec::new();
            for scanned in &self.scanned {
                let view = now.get(scanned.name.as_str()).map(|(_, view)| view);
                if view.is_some_and(|view| view.imports) {
                    open.push(scanned);
                }
            }
            for one in &open {
                let is_behind = |other: &Scanned| one.last.0 < other.first.1;
                if self.scanned.iter().any(|other| other.name != one.name && is_behind(other)) {
                    again.insert(one.node.clone());
                }
                let others = open.iter().filter(|other| other.first < one.first);
                again.extend(others.filter_map(|other| to_and_fro(one, other)).cloned());
            }
        }
        due.changed |= holders.is_empty();
        due.nodes = again.into_iter().collect();
        due
    }

    /// Has these nodes scanned.
    pub(super) fn again(&mut self, nodes: Vec<NodeId>) {
        self.rescans = self.rescans.saturating_add(1);
        self.current = None;
        self.todo = nodes.into();
    }

    fn scanned(&self, name: &str) -> Option<&Scanned> {
        self.scanned.iter().find(|scanned| scanned.name == name)
    }

    /// Writes it as page tokens hold it.
    pub(super) fn write(&self, token: &mut BytesMut) {
        token.put_u8(u8::from(self.begun) | u8::from(self.done) << 1);
        token.put_u32(self.clock);
        token.put_u32(self.rescans);
        put_count(token, self.todo.len());
        for node in &self.todo {
            put_text(token, node.as_str());
        }
        put_count(token, self.current.iter().len());
        if let Some(current) = &self.current {
            put_text(token, &current.name);
            token.put_u64(current.digest);
            token.put_u32(current.began);
            token.put_u64(current.cursor);
        }
        put_count(token, self.scanned.len());
        for scanned in &self.scanned {
            put_text(token, scanned.node.as_str());
            put_text(token, &scanned.name);
            token.put_u64(scanned.digest);
            for at in [scanned.first.0, scanned.first.1, scanned.last.0, scanned.last.1] {
                token.put_u32(at);
            }
        }
    }

    /// Reads it from a page token; `None` if it is not there.
    pub(super) fn read(token: &mut Bytes) -> Option<Self> {
        let flags = token.try_get_u8().ok().filter(|flags| *flags < 4)?;
        let (begun, done) = (flags & 1 != 0, flags & 2 != 0);
        let (clock, rescans) = (token.try_get_u32().ok()?, token.try_get_u32().ok()?);
        let mut sweep = Self { begun, done, clock, rescans, ..Self::default() };
        for _ in 0..token.try_get_u32().ok()? {
            sweep.todo.push_back(NodeId::new(&take_text(token)?));
        }
        for _ in 0..token.try_get_u32().ok()? {
            sweep.current = Some(Current {
                name: take_text(token)?,
                digest: token.try_get_u64().ok()?,
                began: token.try_get_u32().ok()?,
                cursor: token.try_get_u64().ok()?,
            });
        }
        for _ in 0..token.try_get_u32().ok()? {
            sweep.scanned.push(Scanned {
                node: NodeId::new(&take_text(token)?),
                name: take_text(token)?,
                digest: token.try_get_u64().ok()?,
                first: (token.try_get_u32().ok()?, token.try_get_u32().ok()?),
                last: (token.try_get_u32().ok()?, token.try_get_u32().ok()?),
            });
        }
        Some(sweep)
    }
}

/// Keys can go from either node to the other, uncounted: which of them is still to be scanned, so
/// that `late`, whose first scan came later, was scanned before and after the other one.
fn to_and_fro<'s>(late: &'s Scanned, early: &'s Scanned) -> Option<&'s NodeId> {
    if early.last.0 < late.first.1 {
        return Some(&early.node);
    }
    (late.last.0 < early.last.1).then_some(&late.node)
}

/// What a node is known by: its id in the cluster, elsewhere its address.
fn name_of<'v>(node: &'v NodeId, view: &'v View) -> &'v str {
    if view.name.is_empty() { node.as_str() } else { &view.name }
}

fn put_count(token: &mut BytesMut, count: usize) {
    token.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
}

fn put_text(token: &mut BytesMut, text: &str) {
    put_count(token, text.len());
    token.put_slice(text.as_bytes());
}

fn take_text(token: &mut Bytes) -> Option<String> {
    let length = usize::try_from(token.try_get_u32().ok()?).ok()?;
    let text = (length <= token.len()).then(|| token.split_to(length))?;
    String::from_utf8(text.into()).ok()
}

#[cfg(test)]
mod tests;
