//! Sweeps over a cluster in the small whose slots move.

use std::collections::BTreeSet;

use super::*;

/// A cluster in the small: who owns which slot, what is on the way, and where keys are.
#[derive(Clone, Debug)]
struct Cluster {
    owners: Vec<usize>,
    /// For a slot: where it goes.
    moving: BTreeMap<usize, usize>,
    epochs: Vec<u64>,
    /// Keys as (slot, number) on each node.
    keys: Vec<BTreeSet<(usize, u64)>>,
}

impl Cluster {
    fn new(nodes: usize, owners: &[usize], keys_per_slot: u64) -> Self {
        let mut keys = vec![BTreeSet::new(); nodes];
        for (slot, owner) in owners.iter().enumerate() {
            keys[*owner].extend((0..keys_per_slot).map(|number| (slot, number)));
        }
        let epochs = (0..nodes as u64).collect();
        Self { owners: owners.to_vec(), moving: BTreeMap::new(), epochs, keys }
    }

    fn node(place: usize) -> NodeId {
        NodeId::new(&format!("h:{}", place + 1))
    }

    fn view(&self, place: usize) -> View {
        let own: Vec<_> =
            (0..self.owners.len()).filter(|slot| self.owners[*slot] == place).collect();
        let marks: Vec<_> = self
            .moving
            .iter()
            .map(|(slot, to)| (*slot, self.owners[*slot], *to))
            .filter(|(_, from, to)| *from == place || *to == place)
            .collect();
        let text = format!("{own:?}{marks:?}{}", self.epochs[place]);
        let digest = text
            .bytes()
            .fold(7_u64, |sum, byte| sum.wrapping_mul(1_000_003).wrapping_add(u64::from(byte)));
        let mut peers: Vec<String> = marks
            .iter()
            .map(|(_, from, to)| format!("n{}", if *from == place { to } else { from }))
            .collect();
        peers.dedup();
        let holders = self.owners.iter().chain(self.moving.values());
        let holders = holders.map(|place| {
            let address = crate::config::Address::tcp("h", u16::try_from(place + 1).unwrap());
            (format!("n{place}"), Some(address))
        });
        View { name: format!("n{place}"), digest, peers, holders: holders.collect() }
    }

    /// One step of whoever moves slots.
    fn disturb(&mut self, chance: &mut impl FnMut(usize) -> usize) {
        let slot = chance(self.owners.len());
        let from = self.owners[slot];
        match self.moving.get(&slot).copied() {
            None => {
                let to = chance(self.keys.len());
                if to != from {
                    self.moving.insert(slot, to);
                }
            }
            Some(to) => {
                let next = self.keys[from].iter().find(|(held, _)| *held == slot).copied();
                if let Some(key) = next {
                    self.keys[from].remove(&key);
                    self.keys[to].insert(key);
                } else {
                    self.moving.remove(&slot);
                    self.owners[slot] = to;
                    let highest = self.epochs.iter().copied().max().unwrap();
                    if self.epochs[to] != highest {
                        self.epochs[to] = highest + 1;
                    }
                }
            }
        }
    }
}

/// Sweeps while slots move, a key at a time, through a token before each step. What was seen, and
/// whether it came to an end.
fn sweep(cluster: &mut Cluster, seed: u64, storm: usize) -> (BTreeSet<(usize, u64)>, Sweep) {
    let mut state = seed | 1;
    let mut chance = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut sweep, mut found, mut steps) = (Sweep::default(), BTreeSet::new(), 0);
    let place =
        |node: &NodeId| node.as_str().trim_start_matches("h:").parse::<usize>().unwrap() - 1;
    while !sweep.done {
        steps += 1;
        if steps < storm {
            for _ in 0..chance(4) {
                cluster.disturb(&mut chance);
            }
        }
        let mut token = BytesMut::new();
        sweep.write(&mut token);
        sweep = Sweep::read(&mut token.freeze()).unwrap();
        // As a client that has not heard of anything: the owners at the very beginning.
        let next = sweep.next(|| vec![Cluster::node(0), Cluster::node(1)]);
        let (node, cursor) = match next {
            Next::Begin(node) => {
                sweep.begin(&node, &cluster.view(place(&node)));
                (node, 0)
            }
            Next::GoOn(node, cursor) => (node, cursor),
            Next::Check => {
                let views: Vec<_> = (0..cluster.keys.len())
                    .map(|place| (Cluster::node(place), cluster.view(place)))
                    .collect();
                let due = sweep.due(&views);
                if due.nodes.is_empty() && !due.changed {
                    sweep.done = true;
                } else {
                    sweep.again(due.nodes);
                }
                continue;
            }
        };
        // A server goes through its keys in an order of its own, here by their numbers. What
        // comes behind the cursor is not seen.
        let order = |key: &(usize, u64)| 1 + key.1 * 10 + key.0 as u64;
        let held = &cluster.keys[place(&node)];
        let ahead: BTreeMap<u64, _> =
            held.iter().filter(|key| order(key) > cursor).map(|key| (order(key), *key)).collect();
        found.extend(ahead.values().take(2));
        let end = if ahead.len() > 2 { *ahead.keys().nth(1).unwrap() } else { 0 };
        sweep.went_on(end);
    }
    (found, sweep)
}

#[test]
fn every_key_is_seen_however_slots_move() {
    let (mut rescans, owners) = (0, [0, 0, 1, 1]);
    for seed in 1..4_000_u64 {
        // The third node has no slots at first: nobody knows of it.
        let mut cluster = Cluster::new(3, &owners, 5);
        let all: BTreeSet<_> = cluster.keys.iter().flatten().copied().collect();
        let (seen, sweep) = sweep(&mut cluster, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), 60);
        assert_eq!(seen, all, "seed {seed}: {sweep:?}");
        rescans += u64::from(sweep.rescans);
    }
    assert!(rescans > 4_000, "nothing moved: {rescans}");
}

#[test]
fn a_quiet_cluster_is_scanned_once() {
    let mut cluster = Cluster::new(2, &[0, 1, 0, 1], 9);
    let (seen, sweep) = sweep(&mut cluster, 1, 0);
    assert_eq!((seen.len(), sweep.rescans), (36, 0));
}

#[test]
fn a_slot_that_stays_on_its_way_costs_one_more_scan() {
    let mut cluster = Cluster::new(2, &[0, 1], 9);
    cluster.moving.insert(0, 1);
    cluster.keys[0].remove(&(0, 3));
    cluster.keys[1].insert((0, 3));
    let (seen, sweep) = sweep(&mut cluster, 1, 0);
    assert_eq!((seen.len(), sweep.rescans), (18, 1));
}

#[test]
fn a_node_that_says_nothing_is_due_and_so_is_everything_when_nobody_does() {
    let cluster = Cluster::new(2, &[0, 1], 1);
    let mut sweep = Sweep::default();
    for place in 0..2 {
        let node = Cluster::node(place);
        assert_eq!(
            sweep.next(|| vec![Cluster::node(0), Cluster::node(1)]),
            Next::Begin(node.clone())
        );
        sweep.begin(&node, &cluster.view(place));
        sweep.went_on(0);
    }
    let told = [(Cluster::node(0), cluster.view(0))];
    let due = sweep.due(&told);
    assert_eq!(due, Due { nodes: vec![Cluster::node(1)], changed: true });
    assert!(sweep.due(&[]).changed);
}

#[test]
fn tokens_that_are_cut_are_refused() {
    let mut sweep = Sweep::default();
    let cluster = Cluster::new(2, &[0, 1], 1);
    sweep.next(|| vec![Cluster::node(0), Cluster::node(1)]);
    sweep.begin(&Cluster::node(0), &cluster.view(0));
    sweep.went_on(0);
    sweep.next(Vec::new);
    sweep.begin(&Cluster::node(1), &cluster.view(1));
    sweep.went_on(u64::MAX);
    let mut token = BytesMut::new();
    sweep.write(&mut token);
    let token = token.freeze();
    assert_eq!(Sweep::read(&mut token.clone()).as_ref(), Some(&sweep));
    for length in 0..token.len() {
        assert_eq!(Sweep::read(&mut token.slice(..length)), None, "{length}");
    }
}
