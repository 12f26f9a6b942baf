//! The backend: the contract of the state layer over the client.

mod ask;
mod batch;
mod driver;
mod follow;
mod hashes;
mod index;
mod inside;
mod large;
mod leases;
mod lifetime;
mod listing;
mod log;
mod noting;
mod op;
mod page_token;
mod point;
mod scan;
mod seen;
mod snapshot;
mod sweep;
mod together;
mod transact;
mod watch;

use std::sync::Arc;

#[cfg(feature = "checkpoint")]
pub(crate) use ask::{acknowledged, lease_name, role, wait_for};
use state_core::{Capabilities, Capability, Namespace};

use crate::client::{Client, Offers};
use crate::config::RedisConfig;
use crate::keys::KeySpace;
use crate::layout::Layout;
use crate::offered::{Condition, Offered};
use crate::stats::Counters;
use large::LargeKeys;
use together::Misses;

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
    misses: Misses,
    large: LargeKeys,
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
        let holds = |condition| match condition {
            Condition::CrossPartition => config.cross_partition,
            Condition::OrderedIndex => layout.index,
            Condition::ChangeLog => layout.log.is_some(),
            Condition::Wait => offers.replicas,
            Condition::WaitAof => offers.disk,
            Condition::AppendOnlyFile => offers.durable,
        };
        let offered =
            Capability::ALL.iter().copied().filter(|capability| match config.offers(*capability) {
                Offered::Always => true,
                Offered::Where(condition) => holds(condition),
                Offered::Never => false,
            });
        let capabilities = Capabilities::none().with_limits(config.limits());
        let capabilities = offered.fold(capabilities, Capabilities::with);
        let counters = Counters::default();
        Self {
            client,
            config,
            namespace,
            keys,
            layout,
            capabilities,
            counters,
            misses: Misses::default(),
            large: LargeKeys::default(),
            server: offers.server,
        }
    }
}
