//! The hub: one for all who watch a store on one runtime.

use std::collections::HashMap;
use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use parking_lot::Mutex;
use state_core::{Error, ErrorKind, Outcome, Result, WatchEvent, WatchOptions};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::board::Board;
use super::feed;
use super::mailbox::{Following, Mailbox};
use crate::client::{Client, NodeId};
use crate::connect::pause;
use crate::errors::{Failure, Fault};
use crate::keys::KeySpace;
use crate::per_runtime::{Local, PerRuntime};

/// How often the nodes are found anew, so that slots that moved to a new one are noticed even when
/// nothing was sent there: from then on their changes are told, after a gap.
const FIND_NODES_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// The hubs of a store, one for each runtime on which somebody watches.
pub(crate) type Hubs = PerRuntime<Hub>;

/// Follows the changes of the namespaces of a store. Dropped, it closes its connections.
#[derive(Debug)]
pub(crate) struct Hub {
    shared: Arc<Shared>,
    manager: AbortHandle,
}

/// What the hub shares with the feeds of the primaries.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) board: Mutex<Board>,
    /// Says that the board has changed in a way that somebody may wait for.
    pub(super) changed: watch::Sender<()>,
}

impl Shared {
    /// A primary could not be followed. What trying again can not mend ends all watches.
    pub(super) fn failed(&self, node: &NodeId, error: &Error) {
        tracing::debug!(%node, %error, "cannot follow changes");
        let mut board = self.board.lock();
        match error.kind() {
            kind @ (ErrorKind::Denied | ErrorKind::Unsupported | ErrorKind::Invalid) => {
                board.end_all(kind, &format!("changes cannot be followed: {error}"));
            }
            _ => board.trouble = Some(error.to_string()),
        }
        drop(board);
        self.changed.send_replace(());
    }

    /// Returns when somebody watches.
    pub(super) async fn somebody(&self) {
        let mut changed = self.changed.subscribe();
        while self.board.lock().is_empty() {
            // The sender is a part of this.
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Hub {
    pub(crate) fn start(client: Client, runtime: &Handle) -> Self {
        let changed = watch::Sender::new(());
        let shared = Arc::new(Shared { client, board: Mutex::default(), changed });
        let manager = runtime.spawn(manage(Arc::clone(&shared))).abort_handle();
        Self { shared, manager }
    }

    /// Follows changes in a namespace, from when this has returned.
    ///
    /// # Errors
    /// `Unavailable` when not every primary began to tell of changes within the deadline of a call;
    /// `Denied` and `Unsupported` when a server refuses to.
    pub(crate) async fn watch(
        self: Arc<Self>,
        keys: &KeySpace,
        options: WatchOptions,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| {
            let message = "the system gives no random bytes";
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        })?;
        let mailbox = Arc::new(Mailbox::new(nonce));
        let limit = self.shared.client.config().call_timeout();
        let mut changed = self.shared.changed.subscribe();
        let id = self.shared.board.lock().enter(keys, options, Arc::clone(&mailbox));
        // Leaves when this future is dropped.
        let following = Following { hub: Arc::clone(&self), id, mailbox };
        self.shared.changed.send_replace(());
        let begun = async {
            loop {
                changed.borrow_and_update();
                if let Some(error) = following.mailbox.take_end() {
                    return Err(error);
                }
                if self.shared.board.lock().begin(id) {
                    return Ok(());
                }
                if changed.changed().await.is_err() {
                    return Err(Failure::from(Fault::Closed).into_error());
                }
            }
        };
        match tokio::time::timeout(limit, begun).await {
            Ok(begun) => begun.map(|()| following.boxed()),
            Err(_) => Err(self.late()),
        }
    }

    pub(super) fn leave(&self, id: u64) {
        self.shared.board.lock().leave(id);
    }

    fn late(&self) -> Error {
        let message = match &self.shared.board.lock().trouble {
            Some(trouble) => format!("not every primary tells of its changes: {trouble}"),
            None => "not every primary tells of its changes".to_owned(),
        };
        Error::new(ErrorKind::Unavailable, message).with_outcome(Outcome::NotApplied)
    }
}

impl Local for Hub {
    fn has_ended(&self) -> bool {
        self.manager.is_finished()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.manager.abort();
    }
}

/// Ends all watches however the manager ends: with the hub, or with the runtime.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.board.lock().end_all(ErrorKind::Closed, "the runtime of the watch has ended");
        self.0.changed.send_replace(());
    }
}

/// Keeps one feed per primary.
async fn manage(shared: Arc<Shared>) {
    let _ending = Ending(Arc::clone(&shared));
    let mut routes = shared.client.routes_changes();
    let mut feeds =
        Feeds { shared: Arc::clone(&shared), tasks: JoinSet::new(), running: HashMap::new() };
    let mut epoch = None;
    loop {
        let (now, nodes) = {
            let routes = routes.borrow_and_update();
            let nodes: Vec<_> = routes.primaries().map(|node| node.id().clone()).collect();
            (routes.epoch(), nodes)
        };
        if epoch != Some(now) {
            feeds.keep(&nodes);
            let mut board = shared.board.lock();
            board.set_nodes(nodes);
            if epoch.is_some() {
                board.gap();
            }
            drop(board);
            shared.changed.send_replace(());
            epoch = Some(now);
        }
        tokio::select! {
            changed = routes.changed() => if changed.is_err() { return },
            Some(_) = feeds.tasks.join_next() => feeds.mend(),
            () = pause(FIND_NODES_EVERY) => shared.client.find_nodes_again().await,
        }
    }
}

/// The feeds of the primaries of now. Dropped, it ends them.
struct Feeds {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    running: HashMap<NodeId, AbortHandle>,
}

impl Feeds {
    /// Ends the feeds of other nodes and starts those that are missing.
    fn keep(&mut self, nodes: &[NodeId]) {
        self.running.retain(|node, feed| {
            let stays = nodes.contains(node);
            if !stays {
                feed.abort();
            }
            stays
        });
        for node in nodes {
            if !self.running.contains_key(node) {
                let feed = feed::run(Arc::clone(&self.shared), node.clone());
                self.running.insert(node.clone(), self.tasks.spawn(feed));
            }
        }
    }

    /// Starts a feed again that has ended though it was not told to.
    fn mend(&mut self) {
        let nodes: Vec<_> = self.running.keys().cloned().collect();
        self.running.retain(|node, feed| {
            if feed.is_finished() {
                self.shared.board.lock().lost(node);
            }
            !feed.is_finished()
        });
        self.keep(&nodes);
    }
}
