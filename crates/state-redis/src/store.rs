//! The store: connections to one installation, shared by all its namespaces.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use state_core::{Namespace, Result};
use tokio::time::Instant;

use crate::backend::RedisBackend;
use crate::client::{Client, Offers};
use crate::config::RedisConfig;
use crate::doctor::Finding;
use crate::keys::{KeySpace, Placement};
use crate::layout::{self, Layout, NamespaceOptions, Partitioner};
use crate::pubsub::{self, Channels, Delivery, SubscribeOptions};
use crate::server_info::ServerInfo;
use crate::span::spanned;

/// A Redis or Valkey installation: one server, a Sentinel group or a cluster.
///
/// Cloning is cheap; clones and all backends share the connections.
///
/// ```no_run
/// # async fn example() -> state_core::Result<()> {
/// use state_core::{Namespace, StateBackendExt};
/// use state_redis::RedisStore;
///
/// let store = RedisStore::connect("redis://127.0.0.1:6379").await?;
/// let carts = store.open(Namespace::new("carts")?).await?;
/// carts.put("user:7", "3 apples").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RedisStore {
    client: Client,
    config: Arc<RedisConfig>,
    offers: Offers,
}

impl RedisStore {
    /// Connects to what `url` names, with default settings, and verifies the connection with a
    /// `PING`.
    ///
    /// # Errors
    /// `Invalid` for the URL, naming the field; `Denied` for credentials; `Unavailable`.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(RedisConfig::from_url(url)?).await
    }

    /// Connects with settings of your own, and asks every primary what it offers: the capabilities
    /// [`AckReplicas`](state_core::Capability::AckReplicas),
    /// [`AckFsync`](state_core::Capability::AckFsync) and
    /// [`Durable`](state_core::Capability::Durable) are those of that moment.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(config: RedisConfig) -> Result<Self> {
        config.validate()?;
        let started = Instant::now();
        let client = Client::connect(&config).await?;
        // Connecting has taken a part of the time of this call.
        let deadline = client.deadline() - started.elapsed();
        let offers = client.offers(deadline).await?;
        Ok(Self { client, config: Arc::new(config), offers })
    }

    /// Opens `namespace` as it is; every opening of it, in any process, sees the same entries. One
    /// round trip.
    ///
    /// # Errors
    /// `Invalid` when the namespace needs a partitioner, `Unsupported` when a later version of this
    /// driver laid it out; `Unavailable`, `Denied` and whatever else the server may refuse.
    pub async fn open(&self, namespace: Namespace) -> Result<RedisBackend> {
        self.open_with(namespace, NamespaceOptions::new()).await
    }

    /// Opens `namespace` with a layout of your choice. One round trip.
    ///
    /// A namespace has one layout for good: the first opening, with options or without, decides and
    /// records it. Later openings take what is recorded, and are refused if they ask for something
    /// else. `clear` keeps the layout.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `Invalid`, naming the field, for an option that is not as the
    /// namespace was laid out.
    pub async fn open_with(
        &self,
        namespace: Namespace,
        options: NamespaceOptions,
    ) -> Result<RedisBackend> {
        let record = KeySpace::layout(&self.config.key_prefix, &namespace);
        let layout = {
            let agreed = pin!(layout::agree(&self.client, &record, &options));
            spanned("open", Some(&namespace), agreed).await?
        };
        Ok(self.backend(namespace, layout, options.partitioner))
    }

    /// Opens `namespace` to read it, and decides nothing: where no layout is recorded, the default one is taken and not
    /// recorded. One round trip.
    ///
    /// Nothing may be written over it unless the namespace was opened in another way before: who opens it first may
    /// still choose another layout, which these writes would not hold to.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_to_read(&self, namespace: Namespace) -> Result<RedisBackend> {
        let record = KeySpace::layout(&self.config.key_prefix, &namespace);
        let found = pin!(layout::look(&self.client, &record));
        let layout = spanned("open", Some(&namespace), found).await?;
        Ok(self.backend(namespace, layout, None))
    }

    fn backend(
        &self,
        namespace: Namespace,
        layout: Layout,
        partitioner: Option<Arc<dyn Partitioner>>,
    ) -> RedisBackend {
        let placement = Placement::new(&layout, partitioner);
        let keys = KeySpace::new(&self.config.key_prefix, &namespace, placement);
        let (client, config) = (self.client.clone(), Arc::clone(&self.config));
        RedisBackend::new(client, config, self.offers.clone(), namespace, keys, layout)
    }

    /// Asks every server what it says about itself: one round trip to each primary, and to each
    /// replica that reads may go to.
    ///
    /// # Errors
    /// `Denied` when the user may not ask (`+info`). A server that cannot be reached is no error.
    pub async fn server_info(&self) -> Result<ServerInfo> {
        self.client.server_info(self.client.deadline()).await
    }

    /// Checks the deployment: what the servers, their settings and the rights of the user lack of what this driver relies on,
    /// and what mends it, worst first. Where the user may not ask something, that is what is found; `CONFIG` is never asked.
    ///
    /// Nothing is written. Every command of the documented user is tried on a key that nobody has, in a form without
    /// effect; what is refused is in the server's `ACL LOG`. A script that the driver uses anyway may be taught.
    ///
    /// About eight round trips to each server and replica that reads may go to, over the connection for small requests and
    /// up to two new ones, all servers at once; with Sentinel one more connection to each sentinel. Takes at most twice
    /// `call_timeout_ms`.
    ///
    /// # Errors
    /// When no server answers, why the first does not: `Unavailable`, `Timeout`, `Closed`.
    pub async fn diagnose(&self) -> Result<Vec<Finding>> {
        spanned("diagnose", None, pin!(self.client.diagnose())).await
    }

    /// The same with settings of your own, where one might not connect: it is enough that one server answers.
    ///
    /// # Errors
    /// As [`diagnose`](Self::diagnose), and those of [`connect`](Self::connect) where it cannot be found out which servers
    /// there are.
    pub async fn diagnose_with(config: RedisConfig) -> Result<Vec<Finding>> {
        let diagnosed = async { Client::find(&config).await?.diagnose().await };
        spanned("diagnose", None, pin!(diagnosed)).await
    }

    /// Publishes `message` on the channel with this literal name, 1 to 1,024 bytes under the key
    /// prefix: no other prefix shares it. The number of receivers, as the server says; in a cluster
    /// those at one of its nodes only. One round trip.
    ///
    /// Delivery is at most once: who is not subscribed at that moment misses it. What must not be
    /// missed belongs into an entry, and is followed by a watch.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` for the channel, `TooLarge` for a message longer than a value may be,
    /// `Denied`, `Unavailable`. What may have been delivered is not sent again.
    ///
    /// # Cancellation
    /// Dropping the future does not take the message back.
    pub async fn publish(
        &self,
        channel: impl AsRef<[u8]> + Send,
        message: impl Into<Bytes> + Send,
    ) -> Result<u64> {
        let channel = self.channels().channel(channel.as_ref());
        let (message, max) = (message.into(), self.config.value_bytes_max);
        let published = async { pubsub::publish(&self.client, &channel?, &message, max).await };
        spanned("publish", None, pin!(published)).await
    }

    /// Subscribes to channels, from when this has returned. The messages of one channel come in the
    /// order in which they were published, unless slots move meanwhile; those of several may not.
    /// All subscriptions of a store on one runtime share a connection; one round trip, after
    /// connecting where this is the first.
    ///
    /// Delivery is at most once: what a cluster loses between its nodes nobody is told. A lost connection is noticed within 3 s, made again, and told as
    /// [`Delivery::Gap`]; so is a reader that is more than 1,024 messages behind. The stream ends
    /// only after an error that trying again cannot mend.
    ///
    /// # Errors
    /// `Invalid` for a subscription to nothing; `Invalid` or `TooLarge` for a name; `Denied`,
    /// `Unavailable`.
    ///
    /// # Cancellation
    /// Dropping the future or the stream ends the subscription; the last one closes the connection.
    pub async fn subscribe(
        &self,
        options: SubscribeOptions,
    ) -> Result<BoxStream<'static, Result<Delivery>>> {
        let subscribed = pubsub::subscribe(self.client.clone(), self.channels(), options);
        spanned("subscribe", None, pin!(subscribed)).await
    }

    fn channels(&self) -> Channels {
        Channels::new(&self.config.key_prefix)
    }

    #[cfg(feature = "checkpoint")]
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    #[cfg(feature = "checkpoint")]
    pub(crate) const fn shared_config(&self) -> &Arc<RedisConfig> {
        &self.config
    }

    #[cfg(feature = "checkpoint")]
    pub(crate) const fn offers(&self) -> &Offers {
        &self.offers
    }

    /// The settings.
    pub fn config(&self) -> &RedisConfig {
        &self.config
    }
}
