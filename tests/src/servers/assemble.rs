//! Puts servers together: which are started for a setup, and when the setup is settled.

mod cluster;
mod replicas;
mod sentinel;

use super::Setup;
use super::error::Result;
use super::launcher::Launcher;
use super::node::Node;

pub(crate) use sentinel::MASTER;

/// Starts the servers of a setup. They answer, but need not have found each other yet.
pub(super) fn start(setup: Setup, launcher: &Launcher) -> Result<Vec<Node>> {
    match setup {
        Setup::Standalone | Setup::Tls | Setup::Valkey => Ok(vec![launcher.data(&[])?]),
        Setup::Replica => replicas::start(launcher),
        Setup::Sentinel => sentinel::start(launcher),
        Setup::Cluster => cluster::start(launcher),
    }
}

/// Waits until all servers run and agree on who is who.
pub(super) fn wait_until_settled(setup: Setup, nodes: &[Node]) -> Result<()> {
    for node in nodes {
        node.wait_until_ready()?;
    }
    match setup {
        Setup::Standalone | Setup::Tls | Setup::Valkey => Ok(()),
        Setup::Replica => replicas::wait_until_settled(nodes),
        Setup::Sentinel => sentinel::wait_until_settled(nodes),
        Setup::Cluster => cluster::wait_until_settled(nodes),
    }
}
