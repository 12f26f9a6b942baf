//! Opening a checkpointer on a server.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_codec::Compression;
use state_core::{Namespace, Result};

use super::RedisThreads;
use crate::config::RedisConfig;
use crate::store::RedisStore;

/// The short way to threads of checkpoints on Redis or Valkey.
///
/// ```no_run
/// # async fn example() -> state_core::Result<()> {
/// use std::time::Duration;
/// use state_redis::RedisCheckpointer;
///
/// let checkpoints = RedisCheckpointer::connect("redis://127.0.0.1:6379")
///     .with_ttl(Duration::from_secs(30 * 86_400))
///     .await?;
/// # drop(checkpoints);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RedisCheckpointer;

impl RedisCheckpointer {
    /// Connects to what `url` names, once the answer is awaited.
    ///
    /// # Errors
    /// Those of [`RedisStore::connect`], when awaited; `Invalid` for a bad lifetime or prefix.
    pub fn connect(url: impl Into<String>) -> ConnectCheckpointer {
        ConnectCheckpointer {
            url: url.into(),
            prefix: None,
            namespace: Namespace::default(),
            options: CheckpointOptions::new(),
        }
    }
}

/// A checkpointer that is about to be connected: await it.
#[derive(Clone, Debug)]
#[must_use = "nothing is connected before this is awaited"]
pub struct ConnectCheckpointer {
    url: String,
    prefix: Option<String>,
    namespace: Namespace,
    options: CheckpointOptions,
}

impl ConnectCheckpointer {
    /// Sets how long a thread lives after it was last written to, 1 ms to 10 years. Default: it
    /// has no end.
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.options.lifetime = Some(ttl);
        self
    }

    /// Sets whether reading a checkpoint begins the lifetime of its thread anew. Default: no.
    pub const fn with_refresh_on_read(mut self, refresh_on_read: bool) -> Self {
        self.options.refresh_on_read = refresh_on_read;
        self
    }

    /// Sets how stored content is compressed. Default: zstd where that is built in.
    pub const fn with_compression(mut self, compression: Compression) -> Self {
        self.options.compression = compression;
        self
    }

    /// Sets what all keys begin with, instead of what the URL says. Default: `state`.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Sets the namespace, which separates checkpointers of one prefix. Default: the default one.
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// Sets all options at once.
    pub fn with_options(mut self, options: CheckpointOptions) -> Self {
        self.options = options;
        self
    }
}

impl IntoFuture for ConnectCheckpointer {
    type Output = Result<Checkpoints<RedisThreads>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut config = RedisConfig::from_url(&self.url)?;
            if let Some(prefix) = self.prefix {
                config.key_prefix = prefix;
            }
            RedisStore::connect_with(config).await?.checkpoints(self.namespace, self.options)
        })
    }
}

impl RedisStore {
    /// Threads of checkpoints in `namespace`, over the connections of this store. No round trip.
    ///
    /// They share no key with the entries of a namespace of the same name.
    ///
    /// # Errors
    /// `Invalid` for a bad lifetime.
    pub fn checkpoints(
        &self,
        namespace: Namespace,
        options: CheckpointOptions,
    ) -> Result<Checkpoints<RedisThreads>> {
        let (client, config) = (self.client().clone(), Arc::clone(self.shared_config()));
        let offers = self.offers().clone();
        let threads = RedisThreads::new(client, config, offers, namespace, options.clone())?;
        Ok(Checkpoints::over(threads, options))
    }
}
