//! The store: connections to one installation, shared by all its namespaces.

use std::sync::Arc;

use state_core::{Namespace, Result};

use crate::backend::RedisBackend;
use crate::client::Client;
use crate::config::RedisConfig;

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
/// let carts = store.open(Namespace::new("carts")?)?;
/// carts.put("user:7", "3 apples").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RedisStore {
    client: Client,
    config: Arc<RedisConfig>,
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

    /// Connects with settings of your own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(config: RedisConfig) -> Result<Self> {
        config.validate()?;
        let client = Client::connect(&config).await?;
        Ok(Self { client, config: Arc::new(config) })
    }

    /// Opens `namespace`; every opening of it, in any process, sees the same entries. No round
    /// trip.
    ///
    /// # Errors
    /// None today.
    pub fn open(&self, namespace: Namespace) -> Result<RedisBackend> {
        Ok(RedisBackend::new(self.client.clone(), Arc::clone(&self.config), namespace))
    }

    /// The settings.
    pub fn config(&self) -> &RedisConfig {
        &self.config
    }
}
