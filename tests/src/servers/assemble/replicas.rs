//! One primary and its replicas.

use crate::servers::error::Result;
use crate::servers::launcher::Launcher;
use crate::servers::node::{Kind, Node};
use crate::servers::patience::{NotYet, until};

pub(super) const REPLICAS: usize = 2;

pub(super) fn start(launcher: &Launcher) -> Result<Vec<Node>> {
    let primary = launcher.data(&[])?;
    let follow = format!("replicaof {} {}", primary.address().ip(), primary.address().port());
    let mut nodes = vec![primary];
    for _ in 0..REPLICAS {
        nodes.push(launcher.data(std::slice::from_ref(&follow))?);
    }
    Ok(nodes)
}

pub(super) fn wait_until_settled(nodes: &[Node]) -> Result<()> {
    until("the replicas follow the primary", || check(nodes).map(|_| ()))
}

/// The primary, once all other data servers follow it.
pub(super) fn check(nodes: &[Node]) -> std::result::Result<&Node, NotYet> {
    let mut primary = None;
    let mut data = 0;
    for node in nodes.iter().filter(|node| node.kind() == Kind::Data) {
        data += 1;
        let info = node.admin(&["INFO", "replication"])?.ok()?;
        if info.info("role").as_deref() == Some("master") {
            if primary.replace((node, info)).is_some() {
                return Err(NotYet::because("there are two primaries"));
            }
        } else if info.info("master_link_status").as_deref() != Some("up") {
            return Err(NotYet::because("a replica is not connected to its primary"));
        }
    }
    let Some((primary, info)) = primary else {
        return Err(NotYet::because("there is no primary"));
    };
    let connected = info.info("connected_slaves").and_then(|count| count.parse().ok());
    if connected != Some(data - 1) {
        return Err(NotYet::because("the primary does not have all its replicas"));
    }
    Ok(primary)
}
