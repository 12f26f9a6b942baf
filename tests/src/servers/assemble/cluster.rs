//! A cluster of three primaries with one replica each.

use crate::servers::error::{Result, ServersError};
use crate::servers::launcher::Launcher;
use crate::servers::node::Node;
use crate::servers::patience::{NotYet, until};
use crate::servers::ports::BUS_OFFSET;

const PRIMARIES: usize = 3;
const REPLICAS: usize = 3;
const SLOTS: usize = 16_384;
/// Flags of a node that another one does not reach.
const TROUBLE: [&str; 3] = ["fail", "fail?", "handshake"];
/// How long a node may be silent before it counts as down. Less, and a busy machine fails over by itself.
const NODE_TIMEOUT_MS: u32 = 2_000;

pub(super) fn start(launcher: &Launcher) -> Result<Vec<Node>> {
    let lines = [
        "cluster-enabled yes".to_owned(),
        "cluster-config-file nodes.conf".to_owned(),
        format!("cluster-node-timeout {NODE_TIMEOUT_MS}"),
    ];
    let nodes: Vec<Node> =
        (0..PRIMARIES + REPLICAS).map(|_| launcher.data(&lines)).collect::<Result<_>>()?;
    let (primaries, replicas) = nodes.split_at(PRIMARIES);
    for (place, primary) in primaries.iter().enumerate() {
        let first = (place * SLOTS / PRIMARIES).to_string();
        let last = ((place + 1) * SLOTS / PRIMARIES - 1).to_string();
        primary.admin(&["CLUSTER", "ADDSLOTSRANGE", &first, &last])?.ok()?;
    }
    introduce(&nodes)?;
    for (primary, replica) in primaries.iter().zip(replicas) {
        let id = primary.admin(&["CLUSTER", "MYID"])?.ok()?.text();
        // Refused until the replica has heard of the primary.
        until("a replica takes its primary", || {
            replica.admin(&["CLUSTER", "REPLICATE", &id])?.ok()?;
            Ok(())
        })?;
    }
    Ok(nodes)
}

/// Makes the nodes know each other, with different epochs from the start so that none has to be agreed on.
fn introduce(nodes: &[Node]) -> Result<()> {
    for (place, node) in nodes.iter().enumerate() {
        let epoch = (place + 1).to_string();
        node.admin(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])?.ok()?;
    }
    let (first, others) = nodes
        .split_first()
        .ok_or_else(|| ServersError::Unsupported("a cluster without nodes".to_owned()))?;
    for other in others {
        let address = other.direct_address();
        let (ip, port) = (address.ip().to_string(), address.port());
        let bus = (port + BUS_OFFSET).to_string();
        first.admin(&["CLUSTER", "MEET", &ip, &port.to_string(), &bus])?.ok()?;
    }
    Ok(())
}

pub(super) fn wait_until_settled(nodes: &[Node]) -> Result<()> {
    until("the cluster is complete", || nodes.iter().try_for_each(|node| check(node, nodes.len())))
}

/// Whether this node sees a whole cluster, and follows its primary if it is a replica.
fn check(node: &Node, size: usize) -> std::result::Result<(), NotYet> {
    let info = node.admin(&["CLUSTER", "INFO"])?.ok()?;
    let expected = [
        ("cluster_state", "ok".to_owned()),
        ("cluster_slots_ok", SLOTS.to_string()),
        ("cluster_known_nodes", size.to_string()),
        ("cluster_size", PRIMARIES.to_string()),
    ];
    for (name, value) in expected {
        let seen = info.info(name).unwrap_or_default();
        if seen != value {
            return Err(NotYet::because(format!("a node sees {name} = {seen}")));
        }
    }
    let table = node.admin(&["CLUSTER", "NODES"])?.ok()?.text();
    if table.lines().filter(|line| line.contains("slave")).count() != size - PRIMARIES {
        return Err(NotYet::because("a node does not know all replicas"));
    }
    let flags = table.lines().filter_map(|line| line.split(' ').nth(2));
    // A replica that is not to take over has the flag `nofailover`.
    if flags.flat_map(|flags| flags.split(',')).any(|flag| TROUBLE.contains(&flag)) {
        return Err(NotYet::because("a node does not reach all others"));
    }
    let replication = node.admin(&["INFO", "replication"])?.ok()?;
    if replication.info("master_link_status").is_some_and(|status| status != "up") {
        return Err(NotYet::because("a replica is not connected to its primary"));
    }
    Ok(())
}
