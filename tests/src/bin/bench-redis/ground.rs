//! The servers of a run, and the ways to them: through the driver and past it.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use state_core::{ClearOptions, Namespace, StateBackend, WriteOp};
use state_redis::{NamespaceOptions, RedisStore};
use state_tests::bench::{Outcome, Pace, say};
use state_tests::servers::{Running, Servers, Setup};

/// What keys begin with that are written past the driver.
const PLAIN_PREFIX: &str = "state-bench-plain:";
/// A busy machine must not end a run; what a timeout costs a call does not depend on how long it is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Servers, and how long to measure on them.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) servers: Running,
    pub(crate) pace: Pace,
}

impl Ground {
    /// Starts servers that keep nothing on the disk, or takes the given ones as they are.
    pub(crate) fn start(setup: Setup, pace: Pace) -> Outcome<Self> {
        let mut servers = Servers::new(setup);
        if std::env::var_os("STATE_REDIS_URL").is_none() {
            servers = servers.with_setting("appendonly", "no");
        }
        let servers = servers.run()?;
        say(format_args!("{setup}: {}", servers.source()));
        Ok(Self { servers, pace })
    }

    /// A namespace with default settings.
    pub(crate) async fn backend(&self) -> Outcome<Arc<dyn StateBackend>> {
        self.backend_in("state-bench", NamespaceOptions::new()).await
    }

    /// A namespace with default settings of the store.
    pub(crate) async fn backend_in(
        &self,
        name: &str,
        options: NamespaceOptions,
    ) -> Outcome<Arc<dyn StateBackend>> {
        let store = RedisStore::connect(self.servers.url()).await?;
        Ok(Arc::new(store.open_with(Namespace::new(name.to_owned())?, options).await?))
    }

    /// The URL for others, without the parameters that only the driver knows.
    pub(crate) fn plain_url(&self) -> &str {
        let url = self.servers.url();
        url.split_once('?').map_or(url, |(before, _)| before)
    }

    /// The client's plain multiplexed connection.
    pub(crate) async fn plain(&self) -> Outcome<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let client = Client::open(self.plain_url())?;
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    /// Removes what was written, from servers that go on.
    pub(crate) async fn clean(&self) -> Outcome<()> {
        if self.servers.is_controlled() {
            return Ok(());
        }
        self.backend().await?.clear_opts(ClearOptions::default()).await?;
        let mut plain = self.plain().await?;
        let pattern = format!("{PLAIN_PREFIX}*");
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1_000);
            let (next, keys): (String, Vec<String>) = scan.query_async(&mut plain).await?;
            if !keys.is_empty() {
                redis::cmd("UNLINK").arg(keys).query_async::<()>(&mut plain).await?;
            }
            if next == "0" {
                return Ok(());
            }
            cursor = next;
        }
    }
}

/// The name of a key that is written past the driver.
pub(crate) fn plain_name(name: &str) -> String {
    format!("{PLAIN_PREFIX}{name}")
}

/// Writes all of it, in batches; every write must succeed.
pub(crate) async fn write_all(backend: &dyn StateBackend, ops: Vec<WriteOp>) -> Outcome<()> {
    for outcome in backend.write_many(ops).await? {
        outcome?;
    }
    Ok(())
}
