//! Sweeps over a cluster in the small whose slots move.

use std::collections::BTreeSet;

use super::*;

/// How far the move of a slot has come, as tools for operators make it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The other node expects it.
    Expected,
    /// Both know of it, keys go.
    Going,
    /// The other node has it, the one before has still to hear of it.
    Taken,
    /// Given up: the owner has forgotten it, keys come back.
    Returning,
}

/// A cluster in the small: who owns which slot, what is on the way, and where keys are.
#[derive(Clone, Debug)]
struct Cluster {
    owners: Vec<usize>,
    /// For a slot: where it goes.
    moving: BTreeMap<usize, (usize, Stage)>,
    epochs: Vec<u64>,
    /// How many keys came to each node.
    arrivals: Vec<u64>,
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
        let arrivals = vec![0; nodes];
        Self { owners: owners.to_vec(), moving: BTreeMap::new(), epochs, arrivals, keys }
    }

    fn node(place: usize) -> NodeId {
        NodeId::new(&format!("h:{}", place + 1))
    }

    fn view(&self, place: usize) -> View {
        let (mut own, mut peers, mut imports) = (Vec::new(), BTreeSet::new(), false);
        for (slot, owner) in self.owners.iter().copied().enumerate() {
            let (to, stage) = self.moving.get(&slot).copied().unwrap_or((owner, Stage::Expected));
            let is_mine =
                if stage == Stage::Taken { place == to || place == owner } else { place == owner };
            if is_mine {
                own.push(format!("{slot}"));
            }
            if place == owner && matches!(stage, Stage::Going | Stage::Taken) {
                own.push(format!("[{slot}->-{to}]"));
                peers.insert(to);
            }
            if place == to && to != owner && stage != Stage::Taken {
                own.push(format!("[{slot}-<-{owner}]"));
                peers.insert(owner);
                imports = true;
            }
        }
        let counted = if imports { 0 } else { self.arrivals[place] };
        let text = format!("{own:?}{}-{counted}", self.epochs[place]);
        let digest = text
            .bytes()
            .fold(7_u64, |sum, byte| sum.wrapping_mul(1_000_003).wrapping_add(u64::from(byte)));
        let holders = self.owners.iter().copied().chain(peers);
        let holders = holders.map(|place| {
            let address = crate::config::Address::tcp("h", u16::try_from(place + 1).unwrap());
            (format!("n{place}"), Some(address))
        });
        View { name: format!("n{place}"), digest, imports, holders: holders.collect() }
    }

    /// One step of whoever moves slots.
    fn disturb(&mut self, chance: &mut impl FnMut(usize) -> usize) {
        let slot = chance(self.owners.len());
        let from = self.owners[slot];
        let Some((to, stage)) = self.moving.get(&slot).copied() else {
            let to = chance(self.keys.len());
            if to != from {
                self.moving.insert(slot, (to, Stage::Expected));
            }
            return;
        };
        let next = match stage {
            Stage::Expected => Some(Stage::Going),
            Stage::Going if chance(6) == 0 => Some(Stage::Returning),
            Stage::Going if self.carry(slot, from, to) => Some(Stage::Going),
            Stage::Going => {
                let highest = self.epochs.iter().copied().max().unwrap();
                if self.epochs[to] != highest {
                    self.epochs[to] = highest + 1;
                }
                Some(Stage::Taken)
            }
            Stage::Taken => {
                self.owners[slot] = to;
                None
            }
            Stage::Returning => self.carry(slot, to, from).then_some(Stage::Returning),
        };
        self.moving.remove(&slot);
        self.moving.extend(next.map(|stage| (slot, (to, stage))));
    }

    /// Moves a key; whether there was one.
    fn carry(&mut self, slot: usize, from: usize, to: usize) -> bool {
        let Some(key) = self.keys[from].iter().find(|(held, _)| *held == slot).copied() else {
            return false;
        };
        self.keys[from].remove(&key);
        self.keys[to].insert(key);
        self.arrivals[to] += 1;
        true
    }
}

/// What was seen: slots and numbers.
type Seen = BTreeSet<(usize, u64)>;

/// One step through a token; `views` are what the nodes say when they are asked.
fn step(
    cluster: &mut Cluster,
    sweep: &mut Sweep,
    seen: &mut Seen,
    views: impl FnOnce(&mut Cluster) -> Vec<(NodeId, View)>,
) {
    let place =
        |node: &NodeId| node.as_str().trim_start_matches("h:").parse::<usize>().unwrap() - 1;
    let mut token = BytesMut::new();
    sweep.write(&mut token);
    *sweep = Sweep::read(&mut token.freeze()).unwrap();
    // As a client that has not heard of anything: the owners at the very beginning.
    let (node, cursor) = match sweep.next(|| vec![Cluster::node(0), Cluster::node(1)]) {
        Next::Begin(node) => {
            sweep.begin(&node, &cluster.view(place(&node)));
            (node, 0)
        }
        Next::GoOn(node, cursor) => (node, cursor),
        Next::Check => {
            let due = sweep.due(&views(cluster));
            sweep.done = due.nodes.is_empty() && !due.changed;
            if !sweep.done {
                sweep.again(due.nodes);
            }
            return;
        }
    };
    // A server goes through its keys in an order of its own, here by their numbers. What comes
    // behind the cursor is not seen.
    let order = |key: &(usize, u64)| 1 + key.1 * 10 + key.0 as u64;
    let held = &cluster.keys[place(&node)];
    let ahead: BTreeMap<u64, _> =
        held.iter().filter(|key| order(key) > cursor).map(|key| (order(key), *key)).collect();
    seen.extend(ahead.values().take(2));
    let end = if ahead.len() > 2 { *ahead.keys().nth(1).unwrap() } else { 0 };
    sweep.went_on(end);
}

/// What all nodes say when nothing moves.
fn views(cluster: &mut Cluster) -> Vec<(NodeId, View)> {
    let places = 0..cluster.keys.len();
    places.map(|place| (Cluster::node(place), cluster.view(place))).collect()
}

/// Sweeps while slots move, a key at a time. What was seen, and the sweep at its end.
fn sweep(cluster: &mut Cluster, seed: u64, storm: usize) -> (Seen, Sweep) {
    let mut state = seed | 1;
    let mut chance = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut sweep, mut found, mut steps) = (Sweep::default(), Seen::new(), 0);
    while !sweep.done {
        steps += 1;
        if steps < storm {
            for _ in 0..chance(4) {
                cluster.disturb(&mut chance);
            }
        }
        step(cluster, &mut sweep, &mut found, |cluster| {
            // Nobody is asked at the same moment as another.
            let places = 0..cluster.keys.len();
            let ask = |place| {
                if steps < storm && chance(4) == 0 {
                    cluster.disturb(&mut chance);
                }
                (Cluster::node(place), cluster.view(place))
            };
            places.map(ask).collect()
        });
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
fn a_slot_that_stays_on_its_way_costs_a_scan_where_it_comes_from_behind_where_it_goes() {
    for (from, to, rescans) in [(0, 1, 0), (1, 0, 1)] {
        let mut cluster = Cluster::new(2, &[0, 1], 9);
        cluster.moving.insert(from, (to, Stage::Going));
        cluster.carry(from, from, to);
        let (seen, sweep) = sweep(&mut cluster, 1, 0);
        assert_eq!((seen.len(), sweep.rescans), (18, rescans), "from {from}");
    }
}

#[test]
fn slots_that_move_against_each_other_are_seen_when_one_of_them_is_given_up() {
    let mut cluster = Cluster::new(2, &[0, 1], 4);
    cluster.moving.insert(0, (1, Stage::Going));
    cluster.moving.insert(1, (0, Stage::Going));
    let (mut sweep, mut seen) = (Sweep::default(), Seen::new());
    let mut steps = |cluster: &mut Cluster, sweep: &mut Sweep, count| {
        (0..count).for_each(|_| step(cluster, sweep, &mut seen, views));
        seen.len()
    };
    // The first node is scanned whole, then a key goes there: the second one has it no more.
    steps(&mut cluster, &mut sweep, 2);
    assert!(cluster.carry(1, 1, 0));
    assert_eq!(steps(&mut cluster, &mut sweep, 2), 7);
    cluster.moving.insert(1, (0, Stage::Returning));
    // The second node has changed, and is scanned again; the key comes back behind the cursor.
    steps(&mut cluster, &mut sweep, 2);
    assert!(cluster.carry(1, 0, 1));
    steps(&mut cluster, &mut sweep, 1);
    while !sweep.done {
        steps(&mut cluster, &mut sweep, 1);
    }
    assert_eq!(steps(&mut cluster, &mut sweep, 0), 8);
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
