//! One server and its lanes.

use std::fmt;
use std::sync::Arc;

use crate::client::NodeId;
use crate::config::Address;
use crate::connect::{Connector, ExclusivePools, Lane, Purpose, Pushes, Trouble};

/// A server that requests can be sent to. Dials nothing before it is used.
pub(crate) struct Node {
    id: NodeId,
    address: Address,
    purpose: Purpose,
    connector: Arc<Connector>,
    point: Lane,
    bulk: Lane,
    exclusive: ExclusivePools,
}

impl Node {
    /// The server at `address`, of which `purpose` is expected.
    pub(crate) fn new(connector: &Arc<Connector>, address: Address, purpose: Purpose) -> Self {
        let lane = || Lane::new(Arc::clone(connector), address.clone(), purpose);
        Self {
            id: NodeId::new(&address.to_string()),
            purpose,
            connector: Arc::clone(connector),
            point: lane(),
            bulk: lane(),
            exclusive: ExclusivePools::new(
                Arc::clone(connector.config()),
                address.clone(),
                purpose,
            ),
            address,
        }
    }

    pub(crate) fn id(&self) -> &NodeId {
        &self.id
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// The lane for small requests.
    pub(crate) fn point(&self) -> &Lane {
        &self.point
    }

    /// The lane for large values.
    pub(crate) fn bulk(&self) -> &Lane {
        &self.bulk
    }

    /// The connections that one request has for itself.
    pub(crate) fn exclusive(&self) -> &ExclusivePools {
        &self.exclusive
    }

    /// A new connection with the messages that the server sends unasked.
    pub(crate) async fn pushes(&self) -> Result<Pushes, Trouble> {
        Pushes::connect(&self.connector, &self.address, self.purpose).await
    }

    /// Closes its connections; who waits for an answer learns that it is lost. The next use dials
    /// again, and resolves the host again.
    pub(crate) fn reset(&self) {
        self.point.reset();
        self.bulk.reset();
        self.exclusive.reset();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("address", &self.id)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}
