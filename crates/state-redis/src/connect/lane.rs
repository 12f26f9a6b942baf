//! A lane of a node: one supervised connection for each runtime that uses it.

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::runtime::Handle;

use super::link::{Link, Way};
use super::{Connection, Connector, Ended, Purpose, Trouble};
use crate::config::Address;
use crate::errors::Fault;

/// One shared connection to one node, for one class of requests.
///
/// A connection is driven by the runtime on which it was made, so each runtime that uses the lane
/// gets its own; those of runtimes that have ended are dropped.
#[derive(Debug)]
pub(crate) struct Lane {
    way: Way,
    links: RwLock<Vec<Arc<Link>>>,
}

impl Lane {
    /// A lane to `address`; nothing is dialled before it is used.
    pub(crate) fn new(connector: Arc<Connector>, address: Address, purpose: Purpose) -> Self {
        Self { way: Way { connector, address, purpose }, links: RwLock::new(Vec::new()) }
    }

    /// The connection, at once where there is one, otherwise as soon as the next try to make one
    /// has ended.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, Trouble> {
        let runtime = Handle::try_current().map_err(|_| Fault::Closed)?;
        self.link(&runtime).connection().await
    }

    /// The connection where there is one.
    pub(crate) fn ready(&self) -> Option<Arc<Connection>> {
        let id = Handle::try_current().ok()?.id();
        self.links.read().iter().find(|link| link.serves(id))?.ready()
    }

    /// Ends `connection` on the server and here, so nothing that was sent over it can take effect
    /// any more.
    pub(crate) async fn kill(&self, connection: &Connection) -> Ended {
        let id = connection.server_id();
        let ended = connection.ended_by(async || self.kill_id(id).await).await;
        connection.close();
        ended
    }

    /// As [`kill`](Self::kill), for a connection of which only the server's number is known.
    pub(crate) async fn kill_id(&self, id: Option<i64>) -> Ended {
        let Way { connector, address, purpose } = &self.way;
        if id.is_none() {
            return Ended::Refused;
        }
        match connector.connect(address, *purpose).await {
            Ok(fresh) => fresh.kill(id).await,
            Err(_) => Ended::Unreached,
        }
    }

    /// Closes every connection; the next use dials again.
    pub(crate) fn reset(&self) {
        let links = std::mem::take(&mut *self.links.write());
        for link in links {
            link.close();
        }
    }

    fn link(&self, runtime: &Handle) -> Arc<Link> {
        let id = runtime.id();
        if let Some(link) = self.links.read().iter().find(|link| link.serves(id)) {
            return Arc::clone(link);
        }
        let mut links = self.links.write();
        links.retain(|link| link.is_alive());
        if let Some(link) = links.iter().find(|link| link.serves(id)) {
            return Arc::clone(link);
        }
        let link = Arc::new(Link::start(self.way.clone(), runtime));
        links.push(Arc::clone(&link));
        link
    }
}
