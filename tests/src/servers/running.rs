//! Servers that run: asking them, breaking them, mending them.

use std::path::Path;

use super::admin::Login;
use super::assemble::{self, MASTER};
use super::certificates::Certificates;
use super::error::{Result, ServersError};
use super::launcher::Launcher;
use super::node::{Kind, Node};
use super::reply::Reply;
use super::{Setup, Version};

/// The servers of a setup. Dropped, all that was started is stopped and its files are removed; the same happens when this
/// program ends in any other way.
#[derive(Debug)]
pub struct Running {
    // Dropped first: the folder goes when nobody writes to it any more.
    pub(super) nodes: Vec<Node>,
    pub(super) setup: Setup,
    pub(super) url: String,
    pub(super) version: Version,
    pub(super) launcher: Launcher,
}

impl Running {
    /// The setup.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// What was used, for people: processes, containers or given servers.
    pub fn source(&self) -> String {
        self.launcher.source.to_string()
    }

    /// Whether the servers can be killed, frozen and restarted: not if they were given by a URL.
    pub fn is_controlled(&self) -> bool {
        !matches!(self.launcher.source, super::source::Source::Url(_))
    }

    /// The URL with which a client connects, login included. It leads through the proxies, where there are any.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The version of the servers.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The certificates, where the setup has TLS and was not given by a URL.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.launcher.secured.as_ref().map(|secured| &secured.certificates)
    }

    /// The user with the minimal permissions, where the setup has users and was not given by a URL.
    pub fn user(&self) -> Option<&Login> {
        self.launcher.secured.as_ref().map(|secured| &secured.user)
    }

    /// The temporary folder with everything that belongs to the servers.
    pub fn folder(&self) -> &Path {
        self.launcher.guard.folder()
    }

    /// All servers: those with data first, in the order in which they were started, then the sentinels.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One of [`nodes`](Self::nodes).
    ///
    /// # Errors
    /// When there are not that many.
    pub fn node(&self, place: usize) -> Result<&Node> {
        self.nodes
            .get(place)
            .ok_or_else(|| ServersError::Unsupported(format!("there is no server {place}")))
    }

    /// The places of the servers that take writes now, as they say themselves; servers that do not answer are left out.
    pub fn primaries(&self) -> Vec<usize> {
        self.places(|node| role(node).as_deref() == Some("master"))
    }

    /// The places of the replicas, in the same way.
    pub fn replicas(&self) -> Vec<usize> {
        self.places(|node| role(node).as_deref() == Some("slave"))
    }

    /// The places of the sentinels.
    pub fn sentinels(&self) -> Vec<usize> {
        self.places(|node| node.kind() == Kind::Sentinel)
    }

    fn places(&self, wanted: impl Fn(&Node) -> bool) -> Vec<usize> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(_, node)| wanted(node)).map(|(place, _)| place).collect()
    }

    /// Sends a command as an administrator, past any proxy; see [`Node::admin`].
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn admin(&self, place: usize, words: &[&str]) -> Result<Reply> {
        self.node(place)?.admin(words)
    }

    /// Kills a server as a crash does; returns when it is dead.
    ///
    /// # Errors
    /// When the servers were given by a URL.
    pub fn kill(&self, place: usize) -> Result<()> {
        self.node(place)?.instance.kill()
    }

    /// Ends a server in order, with what it does then (a replica is told, data is saved); returns when it has ended.
    ///
    /// # Errors
    /// When the servers were given by a URL.
    pub fn stop(&self, place: usize) -> Result<()> {
        self.node(place)?.instance.stop()
    }

    /// Stops a server in its tracks: its connections stay open, and it answers nothing.
    ///
    /// # Errors
    /// When the servers were given by a URL, or it does not run.
    pub fn freeze(&self, place: usize) -> Result<()> {
        self.node(place)?.instance.freeze()
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// When the servers were given by a URL, or it does not run.
    pub fn thaw(&self, place: usize) -> Result<()> {
        self.node(place)?.instance.thaw()
    }

    /// Starts a server that was killed or stopped, on its port and its data; returns when it answers.
    ///
    /// # Errors
    /// When the servers were given by a URL, or it does not start.
    pub fn restart(&self, place: usize) -> Result<()> {
        let node = self.node(place)?;
        node.instance.start_again()?;
        node.wait_until_ready()
    }

    /// Makes a replica the primary, in order; returns when the order was accepted, which is before it is done.
    ///
    /// In a cluster it is the first replica that takes over.
    ///
    /// # Errors
    /// In a setup that has no failover, or when it is refused.
    pub fn failover(&self) -> Result<()> {
        let (place, words): (usize, &[&str]) = match self.setup {
            Setup::Sentinel => (first(&self.sentinels())?, &["SENTINEL", "FAILOVER", MASTER]),
            Setup::Cluster => (first(&self.replicas())?, &["CLUSTER", "FAILOVER"]),
            other => {
                return Err(ServersError::Unsupported(format!("{other} has no failover")));
            }
        };
        self.admin(place, words)?.ok().map(|_| ())
    }

    /// Waits until all servers run and agree on who is who: after a failover, or when all faults are mended.
    ///
    /// # Errors
    /// When that takes longer than a minute.
    pub fn wait_until_settled(&self) -> Result<()> {
        assemble::wait_until_settled(self.setup, &self.nodes)
    }
}

fn first(places: &[usize]) -> Result<usize> {
    let none = || ServersError::Unsupported("there is no such server".to_owned());
    places.first().copied().ok_or_else(none)
}

/// `master` or `slave`, of a server with data.
fn role(node: &Node) -> Option<String> {
    if node.kind() != Kind::Data {
        return None;
    }
    let reply = node.admin(&["ROLE"]).ok()?;
    reply.items().first().map(Reply::text)
}
