//! The backend: the contract of the state layer over the client.

mod ask;
mod batch;
mod driver;
mod follow;
mod hashes;
mod index;
mod inside;
mod leases;
mod lifetime;
mod listing;
mod log;
mod noting;
mod page_token;
mod point;
mod scan;
mod snapshot;
mod sweep;
mod together;
mod transact;
mod watch;

use std::sync::Arc;

#[cfg(feature = "checkpoint")]
pub(crate) use ask::{acknowledged, lease_name, role, wait_for};
use state_core::{Capabilities, Capability, Limits, Namespace};

use crate::client::{Client, Offers};
use crate::config::RedisConfig;
use crate::keys::KeySpace;
use crate::layout::Layout;
use crate::stats::Counters;

/// One namespace of a [`RedisStore`](crate::RedisStore).
///
/// Cloning is cheap; clones share connections and counters.
#[derive(Clone, Debug)]
pub struct RedisBackend {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    client: Client,
    config: Arc<RedisConfig>,
    namespace: Namespace,
    keys: KeySpace,
    layout: Layout,
    capabilities: Capabilities,
    counters: Counters,
    /// What the server said about itself when the store was connected.
    server: Arc<str>,
}

impl RedisBackend {
    pub(crate) fn new(
        client: Client,
        config: Arc<RedisConfig>,
        offers: Offers,
        namespace: Namespace,
        keys: KeySpace,
        layout: Layout,
    ) -> Self {
        Self { inner: Arc::new(Inner::new(client, config, offers, namespace, keys, layout)) }
    }
}

impl Inner {
    fn new(
        client: Client,
        config: Arc<RedisConfig>,
        offers: Offers,
        namespace: Namespace,
        keys: KeySpace,
        layout: Layout,
    ) -> Self {
        let limits = Limits::DEFAULT.with_value_bytes_max(config.value_bytes_max);
        let mut capabilities = [
            Capability::Expiry,
            Capability::Hash,
            Capability::Transact,
            Capability::Watch,
            Capability::Lease,
            Capability::Fence,
            Capability::OpId,
        ]
        .into_iter()
        .fold(Capabilities::none().with_limits(limits), Capabilities::with);
        if config.cross_partition {
            capabilities = capabilities.with(Capability::CrossPartition);
        }
        for (offered, capability) in [
            (offers.replicas, Capability::AckReplicas),
            (offers.disk, Capability::AckFsync),
            (offers.durable, Capability::Durable),
            (layout.index, Capability::OrderedList),
            (layout.log.is_some(), Capability::WatchLog),
        ] {
            if offered {
                capabilities = capabilities.with(capability);
            }
        }
        let counters = Counters::default();
        Self {
            client,
            config,
            namespace,
            keys,
            layout,
            capabilities,
            counters,
            server: offers.server,
        }
    }
}
