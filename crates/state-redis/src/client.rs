//! The client: the one door through which everything is sent.

mod acknowledge;
mod batch;
mod dedicated;
mod request;
mod script;
mod send;
mod settle;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use state_core::{ErrorKind, Result, SystemClock};
use tokio::runtime::Handle;
use tokio::time::Instant;

pub(crate) use acknowledge::Offers;
pub(crate) use dedicated::{Dedicated, Speaker};
pub(crate) use request::{
    Answered, Body, Lane, NodeId, Repeat, Reply, Request, Role, ScriptCall, Tally, Target, Time,
    Wait,
};
pub(crate) use script::Script;

use crate::command::Command;
use crate::config::RedisConfig;
use crate::connect::Trouble;
use crate::errors::{Failure, Fault};
use crate::info::Info;
use crate::pubsub;
use crate::retry::Retry;
use crate::server_info::{NodeInfo, ServerInfo};
use crate::topology::{Routes, Topology, slot_of};
use crate::watch::Hubs;

/// Longer than any call takes, and short enough to be added to a clock.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// The connections to all nodes of one store. Clones share them.
#[derive(Clone)]
pub(crate) struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    topology: Arc<Topology>,
    retry: Retry,
    /// Counts reads that any replica, or any primary, can serve: they take turns.
    turn: AtomicUsize,
    hubs: Hubs,
    subscriptions: pubsub::Hubs,
}

impl Client {
    /// Finds the nodes and makes sure that a primary answers.
    ///
    /// # Errors
    /// `Invalid` for files and settings that cannot be right, `Denied` for a refused login or an
    /// untrusted certificate, `Unavailable` when no server was reached after the usual retries.
    pub(crate) async fn connect(config: &RedisConfig) -> Result<Self> {
        Self::made(config, async |client| client.open().await).await
    }

    /// Finds the nodes, and is content with that: also where the primary of some slots does not answer.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), when it cannot be found out which nodes there are.
    pub(crate) async fn find(config: &RedisConfig) -> Result<Self> {
        Self::made(config, async |client| client.shared.topology.refresh().await).await
    }

    async fn made(
        config: &RedisConfig,
        open: impl AsyncFn(&Self) -> Result<(), Trouble>,
    ) -> Result<Self> {
        config.validate()?;
        if Handle::try_current().is_err() {
            return Err(Failure::from(Fault::Closed).into_error().with_op("connect"));
        }
        let topology = Topology::new(config)?;
        let retry = Retry::new(config, Arc::new(SystemClock::new()));
        let (hubs, subscriptions) = (Hubs::default(), pubsub::Hubs::default());
        let shared = Shared { topology, retry, turn: 0.into(), hubs, subscriptions };
        let client = Self { shared: Arc::new(shared) };
        let mut call = client.shared.retry.call("connect", Repeat::Safe);
        loop {
            let limit = call.remaining();
            let opened = tokio::time::timeout(limit, open(&client)).await;
            match opened.unwrap_or_else(|_| Err(Fault::ConnectTimeout.into())) {
                Ok(()) => return Ok(client),
                Err(trouble) => {
                    if let Err(error) = call.failed(trouble.failure()).await {
                        if let Some(gave_up) = call.gave_up() {
                            gave_up.log(true);
                        }
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        self.time().deadline
    }

    /// The time of a request that is a call of its own.
    fn time(&self) -> Time {
        let now = Instant::now();
        Time { now, deadline: now + self.config().call_timeout().min(FOR_EVER) }
    }

    /// The primaries, in a stable order.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.shared.topology.routes().primaries().map(|node| node.id().clone()).collect()
    }

    /// Asks every node, replicas included, what it says about itself, until `deadline`.
    ///
    /// # Errors
    /// `Denied`; a node that cannot be reached is told in the answer.
    pub(crate) async fn server_info(&self, deadline: Instant) -> Result<ServerInfo> {
        let routes = self.shared.topology.routes();
        let asked = routes.nodes().map(|node| async {
            let body = Body::Command(Command::new("INFO"));
            let request = Request::new("server_info", Target::Node(node.id().clone()), body);
            let request = request.with_repeat(Repeat::Safe).with_deadline(deadline);
            (node.id().as_str(), self.send(request).await)
        });
        let mut told = ServerInfo::default();
        for (address, answer) in futures_util::future::join_all(asked).await {
            match answer {
                Ok(Reply::One(info)) => {
                    told.nodes.push(NodeInfo::read(address, &Info::read(&info)));
                }
                Err(error) if error.kind() == ErrorKind::Denied => return Err(error),
                _ => told.unreachable.push(address.to_owned()),
            }
        }
        Ok(told)
    }

    /// Where requests for `key` go. Slots are told apart in a cluster only.
    pub(crate) fn target(&self, key: &[u8]) -> Target {
        Target::Slot(if self.is_cluster() { slot_of(key) } else { 0 })
    }

    /// The primary that holds `slot`. For a slot that nobody holds it is any primary: that one
    /// says what is wrong.
    pub(crate) fn slot_owner(&self, slot: u16) -> NodeId {
        let routes = self.shared.topology.routes();
        let any = || routes.primaries().next().map(|node| node.id());
        routes.owner(slot).or_else(any).cloned().unwrap_or_else(|| NodeId::new(""))
    }

    /// Whether other servers than those of now can come to serve the data.
    pub(crate) fn can_move(&self) -> bool {
        self.shared.topology.can_move()
    }

    /// Whether it is a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        self.shared.topology.is_cluster()
    }

    /// A number that changes whenever slots or the primary moved.
    #[cfg(test)]
    pub(crate) fn topology_epoch(&self) -> u64 {
        self.shared.topology.routes().epoch()
    }

    /// A connection of its own to a node, with the messages that the server sends unasked.
    ///
    /// # Errors
    /// Those of connecting; nothing is tried twice.
    pub(crate) async fn dedicated(&self, node: &NodeId) -> Result<Dedicated> {
        let routes = self.shared.topology.routes();
        let found = routes.find(&Target::Node(node.clone()), Role::Primary, 0);
        let node = found.map_err(|fault| Failure::from(fault).into_error())?;
        let pushes = node.pushes().await.map_err(|trouble| trouble.failure().into_error())?;
        Ok(Dedicated::new(pushes))
    }

    /// Wakes whoever waits for other routes than those of now.
    pub(crate) fn routes_changes(&self) -> tokio::sync::watch::Receiver<Arc<Routes>> {
        self.shared.topology.subscribe()
    }

    /// Finds the nodes anew. Without effect where they can not move.
    pub(crate) async fn find_nodes_again(&self) {
        if !self.shared.topology.can_move() {
            return;
        }
        let limit = self.config().call_timeout();
        match tokio::time::timeout(limit, self.shared.topology.refresh()).await {
            Ok(Ok(())) => {}
            Ok(Err(trouble)) => tracing::debug!(%trouble, "no new routes"),
            Err(_) => tracing::debug!("no new routes in time"),
        }
    }

    /// The settings.
    pub(crate) fn config(&self) -> &RedisConfig {
        self.shared.topology.connector().config()
    }

    /// The nodes, and the way to find them.
    pub(crate) fn topology(&self) -> &Topology {
        &self.shared.topology
    }

    /// Those who follow changes over these connections.
    pub(crate) fn hubs(&self) -> &Hubs {
        &self.shared.hubs
    }

    /// Those who receive messages over these connections.
    pub(crate) fn subscriptions(&self) -> &pubsub::Hubs {
        &self.shared.subscriptions
    }

    async fn open(&self) -> Result<(), Trouble> {
        let topology = &self.shared.topology;
        topology.refresh().await?;
        let routes = topology.routes();
        let node = routes.find(&Target::Any, Role::Primary, 0)?;
        node.point().connection().await?;
        node.exclusive().fill();
        Ok(())
    }

    /// Grows by one with every use, so that users take turns.
    pub(crate) fn turn(&self) -> usize {
        self.shared.turn.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("nodes", &self.nodes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
