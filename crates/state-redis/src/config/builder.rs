//! Making a configuration step by step.

use std::time::Duration;

use state_core::{Error, Result};

use super::{RedisConfig, Secret, Tls, Topology, from_url};

/// Makes a [`RedisConfig`] step by step; [`build`](Self::build) checks it.
///
/// Durations are kept in whole milliseconds, rounded down: less than one is 0, which is refused.
#[must_use]
#[derive(Debug, Default)]
pub struct RedisConfigBuilder {
    config: RedisConfig,
    failed: Option<Error>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $method:ident => $field:ident: $type:ty $(, $convert:expr)?;)+) => {
        impl RedisConfigBuilder {
            $(
                $(#[$doc])*
                pub fn $method(mut self, $field: impl Into<$type>) -> Self {
                    let value: $type = $field.into();
                    setters!(@set self.config.$field, value $(, $convert)?);
                    self
                }
            )+
        }
    };
    (@set $place:expr, $value:ident) => { $place = $value };
    (@set $place:expr, $value:ident, $convert:expr) => { $place = ($convert)($value) };
}

/// Numbers and flags are taken as they are, so that literals need no suffix.
macro_rules! plain {
    ($($(#[$doc:meta])* $method:ident => $field:ident: $type:ty;)+) => {
        impl RedisConfigBuilder {
            $(
                $(#[$doc])*
                pub fn $method(mut self, $field: $type) -> Self {
                    self.config.$field = $field;
                    self
                }
            )+
        }
    };
}

macro_rules! durations {
    ($($(#[$doc:meta])* $method:ident => $field:ident;)+) => {
        impl RedisConfigBuilder {
            $(
                $(#[$doc])*
                pub fn $method(mut self, duration: Duration) -> Self {
                    self.config.$field = whole_ms(duration);
                    self
                }
            )+
        }
    };
}

impl RedisConfigBuilder {
    /// Starts from the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes servers, encryption, login and database from `url`, and every setting that is named
    /// there; the others stay. An error is kept for [`build`](Self::build).
    pub fn with_url(mut self, url: impl AsRef<str>) -> Self {
        if let Err(error) = from_url::apply(&mut self.config, url.as_ref()) {
            self.failed.get_or_insert(error);
        }
        self
    }

    /// Does without a key prefix: every key of the database is then taken for one of this store,
    /// and `clear` and `list` reach the keys of everybody else who uses the database.
    pub fn dangerously_without_prefix(mut self) -> Self {
        self.config.key_prefix = String::new();
        self.config.dangerously_without_prefix = true;
        self
    }

    /// Sets the lifetime of entries written with `Expiry::Default`: 1 ms to 10 years.
    pub fn with_default_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.default_lifetime_ms = Some(whole_ms(lifetime));
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// `Invalid`, naming the setting, as [`RedisConfig::validate`]; or the first URL's error.
    pub fn build(self) -> Result<RedisConfig> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.config.validate()?;
        Ok(self.config)
    }
}

setters! {
    /// Sets which servers there are.
    with_topology => topology: Topology;
    /// Sets whether connections are encrypted.
    with_tls => tls: Tls;
    /// Sets the ACL user.
    with_username => username: String, Some;
    /// Sets the password of the user.
    with_password => password: Secret, Some;
    /// Sets the name that `CLIENT LIST` shows; empty for none.
    with_client_name => client_name: String;
    /// Sets what every key on the server begins with.
    with_key_prefix => key_prefix: String;
}

plain! {
    /// Sets the number of the database.
    with_database => database: u32;
    /// Sets the largest value in bytes.
    with_value_bytes_max => value_bytes_max: usize;
    /// Sets whether transactions may span partitions.
    with_cross_partition => cross_partition: bool;
    /// Sets whether eventual reads may go to replicas.
    with_read_from_replicas => read_from_replicas: bool;
    /// Sets the number of the format in which entries are written.
    with_write_format => write_format: u32;
    /// Sets how many replicas a write with `Acks::Strong` waits for.
    with_strong_replicas => strong_replicas: u32;
    /// Sets how many exclusive connections are kept open per server.
    with_pool_size_min => pool_size_min: u32;
    /// Sets the most exclusive connections per server.
    with_pool_size_max => pool_size_max: u32;
    /// Sets how often a failed try is repeated.
    with_retries => retries: u32;
    /// Sets the repetitions allowed per 100 calls.
    with_retry_budget_percent => retry_budget_percent: u32;
    /// Sets the repetitions allowed per second whatever the number of calls.
    with_retry_budget_min_per_s => retry_budget_min_per_s: u32;
    /// Sets the most keys of one command of a batch.
    with_batch_keys_max => batch_keys_max: usize;
    /// Sets the most bytes of one chunk of a batch.
    with_batch_bytes_max => batch_bytes_max: usize;
    /// Sets the size in bytes from which values use the connection for bulk.
    with_bulk_bytes_min => bulk_bytes_min: usize;
}

durations! {
    /// Sets the deadline of a whole call.
    with_call_timeout => call_timeout_ms;
    /// Sets how long one connection may take to be made.
    with_connect_timeout => connect_timeout_ms;
    /// Sets how long one try waits for its reply.
    with_read_timeout => read_timeout_ms;
    /// Sets how long a server may take nothing of what is to be written.
    with_write_timeout => write_timeout_ms;
    /// Sets how long a write waits for replicas or for the disk.
    with_acks_timeout => acks_timeout_ms;
    /// Sets how long a connection may stay silent while replies are due.
    with_silence_timeout => silence_timeout_ms;
    /// Sets how long a watch of a change log waits before it looks again.
    with_log_poll => log_poll_ms;
    /// Sets the idle time after which TCP probes the peer.
    with_tcp_keepalive => tcp_keepalive_ms;
    /// Sets how long sent bytes may stay unacknowledged.
    with_tcp_user_timeout => tcp_user_timeout_ms;
    /// Sets the longest wait before the first repetition.
    with_retry_base_delay => retry_base_delay_ms;
    /// Sets the longest wait before any repetition.
    with_retry_max_delay => retry_max_delay_ms;
}

/// Whole milliseconds; what does not fit is refused by the limits of the setting.
fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
