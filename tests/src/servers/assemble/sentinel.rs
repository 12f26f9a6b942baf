//! A primary with replicas, watched by sentinels.

use super::replicas;
use crate::servers::error::Result;
use crate::servers::launcher::Launcher;
use crate::servers::node::{Kind, Node};
use crate::servers::patience::{NotYet, until};

/// The name under which the sentinels know the primary.
pub(crate) const MASTER: &str = "mymaster";
const SENTINELS: usize = 3;
const QUORUM: usize = 2;
/// How long a server may be silent before it counts as down. Less, and a busy machine fails over by itself.
const DOWN_AFTER_MS: u32 = 2_000;
const FAILOVER_TIMEOUT_MS: u32 = 10_000;

pub(super) fn start(launcher: &Launcher) -> Result<Vec<Node>> {
    let mut nodes = replicas::start(launcher)?;
    replicas::wait_until_settled(&nodes)?;
    let primary = nodes.first().map(Node::address);
    let watch: Vec<String> = primary
        .map(|primary| {
            let (ip, port) = (primary.ip(), primary.port());
            vec![
                format!("sentinel monitor {MASTER} {ip} {port} {QUORUM}"),
                format!("sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}"),
                format!("sentinel failover-timeout {MASTER} {FAILOVER_TIMEOUT_MS}"),
            ]
        })
        .unwrap_or_default();
    for _ in 0..SENTINELS {
        nodes.push(launcher.sentinel(&watch)?);
    }
    Ok(nodes)
}

pub(super) fn wait_until_settled(nodes: &[Node]) -> Result<()> {
    until("the sentinels agree", || check(nodes))
}

fn check(nodes: &[Node]) -> std::result::Result<(), NotYet> {
    let primary = replicas::check(nodes)?.address();
    let sentinels = nodes.iter().filter(|node| node.kind() == Kind::Sentinel);
    let others = (sentinels.clone().count() - 1).to_string();
    for sentinel in sentinels {
        sentinel.admin(&["SENTINEL", "CKQUORUM", MASTER])?.ok()?;
        let view = sentinel.admin(&["SENTINEL", "MASTER", MASTER])?.ok()?;
        let expected = [
            ("ip", primary.ip().to_string()),
            ("port", primary.port().to_string()),
            ("flags", "master".to_owned()),
            ("num-slaves", replicas::REPLICAS.to_string()),
            ("num-other-sentinels", others.clone()),
        ];
        for (name, value) in expected {
            let seen = view.field(name).unwrap_or_default();
            if seen != value {
                return Err(NotYet::because(format!("a sentinel sees {name} = {seen}")));
            }
        }
    }
    Ok(())
}
