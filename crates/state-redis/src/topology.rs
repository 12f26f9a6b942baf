//! Which nodes there are, and which of them serves what.

mod cluster;
mod node;
mod routes;
mod sentinel;
mod slots;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use state_core::Result;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub(crate) use node::Node;
pub(crate) use routes::{Routes, Shard};
pub(crate) use slots::{SLOTS, slot_of};
pub(crate) use view::{Line, View, questions};

use crate::client::{Role, Target};
use crate::config::{self, Address, RedisConfig};
use crate::connect::{Connector, Purpose, Trouble, pause};
use crate::errors::Fault;

/// How long a follower goes on looking for a primary that was announced.
const ANNOUNCED: Duration = Duration::from_secs(10);

/// The pause between two looks at a primary that was announced and is not there yet.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The nodes of one store, and the way to find them again when they change.
#[derive(Debug)]
pub(crate) struct Topology {
    connector: Arc<Connector>,
    /// Every node that routes lead to or have led to lately, so that lanes survive a refresh.
    nodes: Mutex<HashMap<(Address, Purpose), Arc<Node>>>,
    routes: watch::Sender<Arc<Routes>>,
    /// Held while somebody finds out.
    finding: tokio::sync::Mutex<()>,
    /// How often that has ended.
    found: AtomicU64,
    sentinels: Mutex<Vec<Address>>,
    follower: Mutex<Option<AbortHandle>>,
}

impl Topology {
    /// Knows no node before the first [`refresh`](Self::refresh).
    pub(crate) fn new(config: &RedisConfig) -> Result<Arc<Self>> {
        let connector = Arc::new(Connector::new(config)?);
        let sentinels = match &config.topology {
            config::Topology::Sentinel { sentinels, .. } => sentinels.clone(),
            _ => Vec::new(),
        };
        let topology = Arc::new(Self {
            connector,
            nodes: Mutex::default(),
            routes: watch::Sender::new(Arc::default()),
            finding: tokio::sync::Mutex::new(()),
            found: AtomicU64::new(0),
            sentinels: Mutex::new(sentinels),
            follower: Mutex::new(None),
        });
        Ok(topology)
    }

    /// The routes of now.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.borrow())
    }

    /// The node that serves `target` now; `turn` chooses among replicas.
    pub(crate) fn find(
        &self,
        target: &Target,
        role: Role,
        turn: usize,
    ) -> Result<Arc<Node>, Fault> {
        // Every call does this: routes that are only looked at are not shared by one more for it.
        self.routes.borrow().find(target, role, turn).map(Arc::clone)
    }

    /// Wakes whoever waits for routes other than those of now.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Routes>> {
        self.routes.subscribe()
    }

    /// Whether asking can find other servers than those of the settings.
    pub(crate) fn can_move(&self) -> bool {
        !matches!(self.connector.config().topology, config::Topology::Standalone { .. })
    }

    /// Whether it is a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.connector.config().topology, config::Topology::Cluster { .. })
    }

    pub(crate) fn connector(&self) -> &Arc<Connector> {
        &self.connector
    }

    /// Finds out anew. Who asks while somebody else does gets that answer.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<(), Trouble> {
        let asked = self.found.load(Ordering::SeqCst);
        let _alone = self.finding.lock().await;
        // Somebody began after this was asked and has found out since.
        if self.found.load(Ordering::SeqCst) > asked + 1 {
            return Ok(());
        }
        let found = self.discover().await;
        self.found.fetch_add(1, Ordering::SeqCst);
        self.publish(found?);
        if !self.sentinels.lock().is_empty() {
            self.start_following();
        }
        Ok(())
    }

    /// Finds out anew until something has changed, or it is not worth waiting any longer.
    async fn refresh_until_changed(self: &Arc<Self>) {
        let (epoch, since) = (self.routes().epoch(), Instant::now());
        while since.elapsed() < ANNOUNCED {
            let found = self.refresh().await;
            if self.routes().epoch() != epoch {
                return;
            }
            if let Err(trouble) = found {
                tracing::debug!(%trouble, "the primary that was announced is not there yet");
            }
            pause(LOOK_AGAIN).await;
        }
    }

    /// Follows a node that said which one has `slot` now, and returns that one.
    pub(crate) fn moved(self: &Arc<Self>, slot: u16, address: &Address) -> Arc<Node> {
        let node = self.node(address, Purpose::Any);
        let routes = self.routes();
        if routes.owner(slot) != Some(node.id()) {
            let moved = Arc::clone(&node);
            self.routes.send_modify(|routes| *routes = Arc::new(routes.with_slot_at(slot, moved)));
        }
        node
    }

    /// The node at `address`.
    pub(crate) fn node(&self, address: &Address, purpose: Purpose) -> Arc<Node> {
        let mut nodes = self.nodes.lock();
        let node = nodes
            .entry((address.clone(), purpose))
            .or_insert_with(|| Arc::new(Node::new(&self.connector, address.clone(), purpose)));
        Arc::clone(node)
    }

    async fn discover(self: &Arc<Self>) -> Result<Routes, Trouble> {
        match &self.connector.config().topology {
            config::Topology::Standalone { address, replicas } => {
                let primary = self.node(address, Purpose::Primary);
                let replicas = replicas.iter().filter(|_| self.reads_from_replicas());
                let replicas = replicas.map(|address| self.node(address, Purpose::Any)).collect();
                Ok(Routes::single(Shard { primary, replicas }))
            }
            config::Topology::Sentinel { master, .. } => self.discover_sentinel(master).await,
            config::Topology::Cluster { seeds } => self.discover_cluster(seeds).await,
        }
    }

    /// Makes `found` the routes of now and closes what they do not lead to any more.
    fn publish(&self, found: Routes) {
        let changed = self.routes.send_if_modified(|routes| {
            let epoch = routes.epoch() + u64::from(!found.is_like(routes));
            let changed = epoch != routes.epoch() || !found.has_the_nodes_of(routes);
            if changed {
                *routes = Arc::new(found.with_epoch(epoch));
            }
            changed
        });
        if changed {
            let routes = self.routes();
            self.nodes.lock().retain(|_, node| {
                let used = routes.nodes().any(|other| Arc::ptr_eq(node, other));
                if !used {
                    node.reset();
                }
                used
            });
        }
    }

    fn reads_from_replicas(&self) -> bool {
        self.connector.config().read_from_replicas
    }

    /// The sentinels that are known, those that another one told of included.
    pub(crate) fn sentinels(&self) -> Vec<Address> {
        self.sentinels.lock().clone()
    }

    /// Asks the sentinel that answered first the next time.
    fn prefer_sentinel(&self, sentinel: &Address) {
        let mut sentinels = self.sentinels.lock();
        if let Some(index) = sentinels.iter().position(|known| known == sentinel)
            && let Some(before) = sentinels.get_mut(..=index)
        {
            before.rotate_right(1);
        }
    }

    /// Adds sentinels that another one told of.
    fn learn_sentinels(&self, told: Vec<Address>) {
        let mut sentinels = self.sentinels.lock();
        for sentinel in told {
            if !sentinels.contains(&sentinel) {
                sentinels.push(sentinel);
            }
        }
    }

    fn follower(&self) -> &Mutex<Option<AbortHandle>> {
        &self.follower
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        if let Some(follower) = self.follower.lock().take() {
            follower.abort();
        }
    }
}
