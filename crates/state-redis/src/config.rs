//! The settings of a store on Redis or Valkey: plain data, from a URL, a builder or a file.

mod address;
mod builder;
mod from_url;
mod secret;
mod settings;
mod tls;
mod topology;
mod validate;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use state_core::{Limits, Result};

use crate::frame::FORMAT_MAX;

pub use address::Address;
pub use builder::RedisConfigBuilder;
pub use secret::Secret;
pub use tls::{Tls, TlsOptions};
pub use topology::Topology;

/// How to reach a Redis or Valkey setup, and how to use it.
///
/// Made by [`builder`](Self::builder), [`from_url`](Self::from_url), or read from a file with
/// serde. It is plain data: whoever connects with it calls [`validate`](Self::validate) first, and
/// nothing is sent before that succeeds. Neither `Debug` nor `Serialize` shows a secret; see
/// [`Secret`].
///
/// ```
/// use std::time::Duration;
/// use state_redis::RedisConfig;
///
/// let config = RedisConfig::builder()
///     .with_url("rediss://worker:s3cret@db.example.org/2?key_prefix=shop")
///     .with_call_timeout(Duration::from_secs(3))
///     .build()?;
/// assert_eq!(config.database, 2);
/// assert!(!format!("{config:?}").contains("s3cret"));
/// # Ok::<(), state_core::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// Which servers there are, and how they belong together. Default: one on `127.0.0.1:6379`.
    pub topology: Topology,
    /// Whether connections are encrypted, and whom to trust. Default: off.
    pub tls: Tls,
    /// The ACL user. Default: none, which is the server's `default` user.
    pub username: Option<String>,
    /// The password of the user. Default: none.
    pub password: Option<Secret>,
    /// The number of the database; 0 in a cluster. Default: 0.
    pub database: u32,
    /// The name that `CLIENT LIST` shows for the connections; empty for none. Default: `state`.
    pub client_name: String,

    /// What every key on the server begins with. Default: `state`.
    pub key_prefix: String,
    /// Allows an empty `key_prefix`, which takes the whole database for this store. Default: no.
    pub dangerously_without_prefix: bool,
    /// The lifetime of entries written with `Expiry::Default`, in milliseconds. Default: none.
    pub default_lifetime_ms: Option<u64>,
    /// The largest value in bytes. Default: 64 MiB.
    pub value_bytes_max: usize,
    /// The number of the format in which entries are written, so that readers of an earlier version
    /// understand them while a roll-out lasts; every known format is read whatever this says. There
    /// is one so far. Default: 1.
    pub write_format: u32,
    /// Lets transactions span partitions where the setup can; never in a cluster. Default: no.
    pub cross_partition: bool,
    /// Lets reads with `Consistency::Eventual` go to replicas. Default: yes.
    pub read_from_replicas: bool,

    /// How many replicas a write with `Acks::Strong` waits for; with 0 it is as `Acks::Primary`.
    /// Default: 0.
    pub strong_replicas: u32,

    /// Exclusive connections kept open per server. Default: 0.
    pub pool_size_min: u32,
    /// The most exclusive connections per server. Default: 8.
    pub pool_size_max: u32,

    /// The deadline of a whole call, retries and waits included, in milliseconds. Default: 10,000.
    pub call_timeout_ms: u64,
    /// How long one connection may take to be made, TLS and login included, in milliseconds.
    /// Default: 2,000.
    pub connect_timeout_ms: u64,
    /// How long one try waits for the reply, beside `write_timeout_ms` for writing the request, in
    /// milliseconds. Default: 3,000.
    pub read_timeout_ms: u64,
    /// How long a server may take nothing of what is to be written before its connection is given
    /// up, in milliseconds. Default: 1,000.
    pub write_timeout_ms: u64,
    /// How long a write waits for replicas or for the disk behind the reply of the primary, in
    /// milliseconds, within the deadline of the call. Default: 1,000.
    pub acks_timeout_ms: u64,
    /// How long a connection may stay silent while replies are due before another is tried, in
    /// milliseconds. Default: 250.
    pub silence_timeout_ms: u64,
    /// How long a watch of a change log waits before it looks again when nothing was new, in
    /// milliseconds. Default: 50.
    pub log_poll_ms: u64,
    /// The idle time after which TCP probes the peer, in milliseconds. Default: 15,000.
    pub tcp_keepalive_ms: u64,
    /// How long sent bytes may stay unacknowledged before TCP gives up, in milliseconds; only on
    /// Linux. Default: 5,000.
    pub tcp_user_timeout_ms: u64,

    /// How often a failed try is repeated, where that is safe. Default: 3.
    pub retries: u32,
    /// The longest wait before the first repetition, in milliseconds; it doubles with each one, and
    /// each wait is random between 0 and that. Default: 100.
    pub retry_base_delay_ms: u64,
    /// The longest wait before any repetition, in milliseconds. Default: 2,000.
    pub retry_max_delay_ms: u64,
    /// Repetitions allowed per 100 calls, over all calls together. Default: 10.
    pub retry_budget_percent: u32,
    /// Repetitions allowed per second whatever the number of calls. Default: 10.
    pub retry_budget_min_per_s: u32,

    /// The most keys of one command or script of a batch. Default: 1,000.
    pub batch_keys_max: usize,
    /// The most bytes of one chunk of a batch; a larger single value goes alone. Default: 1 MiB.
    pub batch_bytes_max: usize,
    /// Values from this size on use the connection for bulk, in bytes. Default: 16 KiB.
    pub bulk_bytes_min: usize,
}

impl RedisConfig {
    /// Starts from the defaults.
    pub fn builder() -> RedisConfigBuilder {
        RedisConfigBuilder::new()
    }

    /// The configuration that `url` describes.
    ///
    /// Schemes: `redis`, `rediss` (TLS), `redis+sentinel`, `rediss+sentinel`, `redis+cluster`,
    /// `rediss+cluster`, `unix` or `redis+unix`; `valkey` and `valkeys` may stand for `redis` and
    /// `rediss` everywhere. Every setting is a query parameter of the same name.
    ///
    /// # Errors
    /// `Invalid`, naming the part of the URL or the setting, and never showing its text.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::builder().with_url(url).build()
    }

    /// Checks every setting and what they mean together.
    ///
    /// # Errors
    /// `Invalid`, naming the setting.
    pub fn validate(&self) -> Result<()> {
        validate::check(self)
    }

    /// The servers as a URL without credentials, for people and for logs.
    pub fn redacted_url(&self) -> String {
        from_url::redacted(self)
    }

    /// The lifetime of entries written with `Expiry::Default`.
    pub fn default_lifetime(&self) -> Option<Duration> {
        self.default_lifetime_ms.map(Duration::from_millis)
    }

    /// The deadline of a whole call.
    pub const fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }

    /// How long one connection may take to be made.
    pub const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// How long one try waits for the reply, beside the time for writing the request.
    pub const fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_ms)
    }

    /// How long a server may take nothing of what is to be written.
    pub const fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    /// How long one try may take on a connection that is there: writing and reading together.
    pub const fn attempt_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms.saturating_add(self.read_timeout_ms))
    }

    /// How long a write waits for replicas or for the disk.
    pub const fn acks_timeout(&self) -> Duration {
        Duration::from_millis(self.acks_timeout_ms)
    }

    /// How long a connection may stay silent while replies are due.
    pub const fn silence_timeout(&self) -> Duration {
        Duration::from_millis(self.silence_timeout_ms)
    }

    /// How long a watch of a change log waits before it looks again.
    pub const fn log_poll(&self) -> Duration {
        Duration::from_millis(self.log_poll_ms)
    }

    /// The idle time after which TCP probes the peer.
    pub const fn tcp_keepalive(&self) -> Duration {
        Duration::from_millis(self.tcp_keepalive_ms)
    }

    /// How long sent bytes may stay unacknowledged before TCP gives up.
    pub const fn tcp_user_timeout(&self) -> Duration {
        Duration::from_millis(self.tcp_user_timeout_ms)
    }

    /// The longest wait before the first repetition.
    pub const fn retry_base_delay(&self) -> Duration {
        Duration::from_millis(self.retry_base_delay_ms)
    }

    /// The longest wait before any repetition.
    pub const fn retry_max_delay(&self) -> Duration {
        Duration::from_millis(self.retry_max_delay_ms)
    }
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            topology: Topology::default(),
            tls: Tls::Off,
            username: None,
            password: None,
            database: 0,
            client_name: "state".to_owned(),
            key_prefix: "state".to_owned(),
            dangerously_without_prefix: false,
            default_lifetime_ms: None,
            value_bytes_max: Limits::DEFAULT.value_bytes_max,
            write_format: FORMAT_MAX,
            cross_partition: false,
            read_from_replicas: true,
            strong_replicas: 0,
            pool_size_min: 0,
            pool_size_max: 8,
            call_timeout_ms: 10_000,
            connect_timeout_ms: 2_000,
            read_timeout_ms: 3_000,
            write_timeout_ms: 1_000,
            acks_timeout_ms: 1_000,
            silence_timeout_ms: 250,
            log_poll_ms: 50,
            tcp_keepalive_ms: 15_000,
            tcp_user_timeout_ms: 5_000,
            retries: 3,
            retry_base_delay_ms: 100,
            retry_max_delay_ms: 2_000,
            retry_budget_percent: 10,
            retry_budget_min_per_s: 10,
            batch_keys_max: 1_000,
            batch_bytes_max: 1 << 20,
            bulk_bytes_min: 16 << 10,
        }
    }
}

#[cfg(test)]
mod tests;
