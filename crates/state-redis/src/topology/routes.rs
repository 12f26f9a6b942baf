//! A snapshot of which node serves what.

use std::sync::Arc;

use super::Node;
use super::slots::SLOTS;
use crate::client::{NodeId, Role, Target};
use crate::errors::Fault;

/// No node serves the slot.
const NOBODY: u16 = u16::MAX;

/// A primary and its replicas.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    pub(crate) primary: Arc<Node>,
    pub(crate) replicas: Vec<Arc<Node>>,
}

/// Which node serves what, at one time. Never changed, only replaced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    epoch: u64,
    shards: Vec<Shard>,
    /// The shard of every slot in a cluster; elsewhere the first shard has them all.
    slots: Option<Vec<u16>>,
}

impl Routes {
    /// One primary for everything.
    pub(crate) fn single(shard: Shard) -> Self {
        Self { epoch: 0, shards: vec![shard], slots: None }
    }

    /// A cluster: shards, each with the ranges of slots that it serves, both ends included.
    pub(crate) fn cluster(shards: Vec<(Shard, Vec<(u16, u16)>)>) -> Self {
        let mut sorted = shards;
        sorted.sort_by(|(a, _), (b, _)| a.primary.address().cmp(b.primary.address()));
        let mut slots = vec![NOBODY; usize::from(SLOTS)];
        for (index, (_, ranges)) in (0..NOBODY).zip(&sorted) {
            for (first, last) in ranges {
                let range = usize::from(*first)..=usize::from(*last);
                slots.get_mut(range).unwrap_or_default().fill(index);
            }
        }
        let shards = sorted.into_iter().map(|(shard, _)| shard).collect();
        Self { epoch: 0, shards, slots: Some(slots) }
    }

    /// Grows whenever slots or a primary moved.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn with_epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// The primaries in a stable order.
    pub(crate) fn primaries(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.shards.iter().map(|shard| &shard.primary)
    }

    /// Every node.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.shards.iter().flat_map(|shard| std::iter::once(&shard.primary).chain(&shard.replicas))
    }

    /// Whether requests would take the same ways.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.slots == other.slots
            && self.primaries().map(|node| node.id()).eq(other.primaries().map(|node| node.id()))
    }

    /// Whether the nodes are the same, replicas included.
    pub(crate) fn has_the_nodes_of(&self, other: &Self) -> bool {
        self.nodes().map(|node| node.id()).eq(other.nodes().map(|node| node.id()))
    }

    /// The node that serves `target`; `turn` chooses among replicas.
    pub(crate) fn find(
        &self,
        target: &Target,
        role: Role,
        turn: usize,
    ) -> Result<&Arc<Node>, Fault> {
        let shard = match target {
            Target::Any => self.shards.get(turn.checked_rem(self.shards.len()).unwrap_or(0)),
            Target::Slot(slot) => self.shard_of(*slot),
            Target::At(address) => {
                return self.nodes().find(|node| node.address() == address).ok_or(Fault::NoNode);
            }
            Target::Node(id) => {
                return self.nodes().find(|node| node.id() == id).ok_or(Fault::NoNode);
            }
        };
        let nobody = if self.slots.is_some() { Fault::NoNode } else { Fault::NoPrimary };
        let shard = shard.ok_or(nobody)?;
        if role == Role::ReplicaOk && !shard.replicas.is_empty() {
            let chosen = turn.checked_rem(shard.replicas.len()).unwrap_or(0);
            if let Some(replica) = shard.replicas.get(chosen) {
                return Ok(replica);
            }
        }
        Ok(&shard.primary)
    }

    /// The primary that holds `slot`.
    pub(crate) fn owner(&self, slot: u16) -> Option<&NodeId> {
        self.shard_of(slot).map(|shard| shard.primary.id())
    }

    /// The same routes with `slot` moved to the shard of `primary`.
    pub(crate) fn with_slot_at(&self, slot: u16, primary: Arc<Node>) -> Self {
        let mut moved = self.clone();
        moved.epoch += 1;
        let known = moved.shards.iter().position(|shard| shard.primary.id() == primary.id());
        let index = known.unwrap_or_else(|| {
            moved.shards.push(Shard { primary, replicas: Vec::new() });
            moved.shards.len() - 1
        });
        if let Some(entry) = moved.slots.iter_mut().flatten().nth(usize::from(slot)) {
            *entry = u16::try_from(index).unwrap_or(NOBODY);
        }
        moved
    }

    fn shard_of(&self, slot: u16) -> Option<&Shard> {
        match &self.slots {
            None => self.shards.first(),
            Some(slots) => self.shards.get(usize::from(*slots.get(usize::from(slot))?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Address, RedisConfig};
    use crate::connect::{Connector, Purpose};

    fn node(port: u16) -> Arc<Node> {
        let connector = Arc::new(Connector::new(&RedisConfig::default()).unwrap());
        Arc::new(Node::new(&connector, Address::tcp("10.0.0.1", port), Purpose::Any))
    }

    fn shard(port: u16, replicas: &[u16]) -> Shard {
        Shard { primary: node(port), replicas: replicas.iter().map(|port| node(*port)).collect() }
    }

    fn served(routes: &Routes, slot: u16, role: Role, turn: usize) -> String {
        routes.find(&Target::Slot(slot), role, turn).unwrap().id().to_string()
    }

    #[test]
    fn slots_lead_to_the_shard_that_has_them_and_nowhere_when_none_has() {
        let routes = Routes::cluster(vec![
            (shard(2, &[]), vec![(100, 199), (300, 300)]),
            (shard(1, &[3, 4]), vec![(0, 99)]),
        ]);
        assert_eq!(served(&routes, 0, Role::Primary, 0), "10.0.0.1:1");
        assert_eq!(served(&routes, 199, Role::Primary, 0), "10.0.0.1:2");
        assert_eq!(served(&routes, 300, Role::Primary, 0), "10.0.0.1:2");
        for uncovered in [200, 299, 301, 16_383, 16_384, u16::MAX] {
            let found = routes.find(&Target::Slot(uncovered), Role::Primary, 0);
            assert_eq!(found.unwrap_err(), Fault::NoNode);
        }
    }

    #[test]
    fn reads_take_turns_among_replicas_and_fall_back_to_the_primary() {
        let routes = Routes::cluster(vec![
            (shard(1, &[3, 4]), vec![(0, 9)]),
            (shard(2, &[]), vec![(10, 19)]),
        ]);
        let turns: Vec<_> = (0..3).map(|turn| served(&routes, 0, Role::ReplicaOk, turn)).collect();
        assert_eq!(turns, ["10.0.0.1:3", "10.0.0.1:4", "10.0.0.1:3"]);
        assert_eq!(served(&routes, 10, Role::ReplicaOk, 7), "10.0.0.1:2");
    }

    #[test]
    fn a_moved_slot_changes_the_epoch_and_nothing_but_that_slot() {
        let routes = Routes::cluster(vec![(shard(1, &[]), vec![(0, 16_383)])]);
        let moved = routes.with_slot_at(7, node(9));
        assert_eq!(moved.epoch(), routes.epoch() + 1);
        assert_eq!(served(&moved, 7, Role::Primary, 0), "10.0.0.1:9");
        assert_eq!(served(&moved, 8, Role::Primary, 0), "10.0.0.1:1");
        assert!(!moved.is_like(&routes));
        let back = moved.with_slot_at(7, node(1));
        assert_eq!(served(&back, 7, Role::Primary, 0), "10.0.0.1:1");
    }

    #[test]
    fn one_primary_has_every_slot() {
        let routes = Routes::single(shard(1, &[]));
        assert_eq!(routes.owner(16_383).map(NodeId::as_str), Some("10.0.0.1:1"));
        assert_eq!(
            Routes::default().find(&Target::Any, Role::Primary, 3).unwrap_err(),
            Fault::NoPrimary
        );
    }
}
