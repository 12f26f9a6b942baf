//! Connections that one request has for itself: a pool per node address and runtime.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed;
use deadpool_redis::{Manager, Timeouts};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::{Purpose, Trouble, handshake, pause};
use crate::command::Command;
use crate::config::{Address, RedisConfig};
use crate::errors::{Fault, Sent};

type Pool = managed::Pool<Manager>;
type Hook = managed::Hook<Manager>;
type HookError = managed::HookError<redis::RedisError>;
type PoolError = managed::PoolError<redis::RedisError>;

/// How often the connections that are kept are tried.
const KEPT_EVERY: Duration = Duration::from_secs(1);
/// What a new connection is refused for that leads to a server of another role.
const WRONG_ROLE: &str = "the server is not the primary";

/// The numbers that the server gave to connections, by the time at which each was made: the pool
/// tells no other name of a connection. Numbers that are not known are only missed when a late
/// write has to be ended.
type Numbers = Mutex<BTreeMap<Instant, Option<i64>>>;

/// The pool of one runtime.
#[derive(Debug)]
struct Owned {
    runtime: tokio::runtime::Id,
    pool: Pool,
    /// A task that keeps the least number of connections, and ends with the runtime.
    alive: AbortHandle,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.alive.abort();
        self.pool.close();
    }
}

/// The pools of one node, one for each runtime that uses them; those of runtimes that have ended
/// are dropped.
#[derive(Debug)]
pub(crate) struct ExclusivePools {
    config: Arc<RedisConfig>,
    address: Address,
    purpose: Purpose,
    pools: Mutex<Vec<Owned>>,
    numbers: Arc<Numbers>,
}

impl ExclusivePools {
    /// Pools for the node at `address`, of which `purpose` is expected; nothing is dialled before
    /// they are used.
    pub(crate) fn new(config: Arc<RedisConfig>, address: Address, purpose: Purpose) -> Self {
        let (pools, numbers) = (Mutex::default(), Arc::default());
        Self { config, address, purpose, pools, numbers }
    }

    /// A connection that nobody else uses meanwhile.
    pub(crate) async fn get(&self) -> Result<Exclusive, Trouble> {
        let runtime = Handle::try_current().map_err(|_| Fault::Closed)?;
        let pool = self.pool(&runtime)?;
        match pool.get().await {
            Ok(connection) => {
                let created = managed::Object::metrics(&connection).created;
                let server_id = self.numbers.lock().get(&created).copied().flatten();
                Ok(Exclusive { connection: Some(connection), settled: true, server_id })
            }
            Err(PoolError::Backend(error)) => Err(Trouble::Redis(error, Sent::No)),
            Err(PoolError::Timeout(managed::TimeoutType::Wait)) => Err(Fault::PoolExhausted.into()),
            Err(PoolError::Timeout(_)) => Err(Fault::ConnectTimeout.into()),
            Err(PoolError::PostCreateHook(HookError::Backend(error))) => {
                Err(Trouble::Redis(error, Sent::No))
            }
            Err(PoolError::PostCreateHook(_)) => Err(Fault::WrongRole.into()),
            Err(_) => Err(Fault::Closed.into()),
        }
    }

    /// Makes the connections that are to be there before they are used, in the background, and keeps them; nothing where
    /// none are to be.
    pub(crate) fn fill(&self) {
        if self.config.pool_size_min > 0
            && let Ok(runtime) = Handle::try_current()
            && let Err(trouble) = self.pool(&runtime)
        {
            tracing::debug!(node = %self.address, %trouble, "no exclusive connections are kept");
        }
    }

    /// Closes every connection that is free, and the others when they are given back.
    pub(crate) fn reset(&self) {
        drop(std::mem::take(&mut *self.pools.lock()));
    }

    fn pool(&self, runtime: &Handle) -> Result<Pool, Trouble> {
        let mut pools = self.pools.lock();
        let id = runtime.id();
        // A runtime that begins may have the number of one that has ended.
        pools.retain(|owned| !owned.alive.is_finished());
        if let Some(owned) = pools.iter().find(|owned| owned.runtime == id) {
            return Ok(owned.pool.clone());
        }
        let pool = self.build()?;
        let least = usize::try_from(self.config.pool_size_min).unwrap_or(usize::MAX);
        let alive = runtime.spawn(keep(pool.clone(), least)).abort_handle();
        pools.push(Owned { runtime: id, pool: pool.clone(), alive });
        Ok(pool)
    }

    fn build(&self) -> Result<Pool, Trouble> {
        let config = &self.config;
        let limit = Some(config.connect_timeout());
        let name = config.client_name.clone();
        let (purpose, numbers) = (self.purpose, Arc::clone(&self.numbers));
        let kept = usize::try_from(config.pool_size_max).unwrap_or(usize::MAX).saturating_mul(4);
        let greet = Hook::async_fn(move |connection, metrics| {
            let (name, numbers, created) = (name.clone(), Arc::clone(&numbers), metrics.created);
            Box::pin(async move {
                let id = greet(connection, &name, purpose).await?;
                let mut numbers = numbers.lock();
                // Two of the same moment could not be told apart.
                numbers.entry(created).and_modify(|known| *known = None).or_insert(id);
                while numbers.len() > kept {
                    numbers.pop_first();
                }
                Ok(())
            })
        });
        Pool::builder(manager(config, &self.address)?)
            .max_size(usize::try_from(config.pool_size_max).unwrap_or(usize::MAX))
            .runtime(deadpool_redis::Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: limit,
                create: limit,
                recycle: Some(config.silence_timeout()),
            })
            .post_create(greet)
            .build()
            .map_err(|_| Fault::Config.into())
    }
}

/// Keeps `least` connections in the pool, for as long as it is not closed: makes those that are missing, and tries the others,
/// which is how one that was lost is found out.
async fn keep(pool: Pool, least: usize) {
    if least == 0 {
        std::future::pending::<()>().await;
    }
    let mut patience = pool.timeouts();
    // Those that somebody uses are there: they are not waited for.
    patience.wait = Some(Duration::ZERO);
    while !pool.is_closed() {
        // Held together and given back together, so that there are as many.
        let held = (0..least).map(|_| pool.timeout_get(&patience));
        drop(futures_util::future::join_all(held).await);
        pause(KEPT_EVERY).await;
    }
}

/// Makes sure that the server answers and is what `purpose` needs; the number of the connection,
/// where the server tells it.
async fn greet(
    connection: &mut redis::aio::MultiplexedConnection,
    name: &str,
    purpose: Purpose,
) -> Result<Option<i64>, HookError> {
    let mut greeting = redis::Pipeline::with_capacity(4);
    greeting.cmd("PING").cmd("CLIENT").arg("ID").cmd("ROLE");
    if !name.is_empty() {
        greeting.cmd("CLIENT").arg("SETNAME").arg(name);
    }
    let answers = connection.send_packed_commands(&greeting, 0, greeting.len()).await;
    let mut answers = answers.map_err(HookError::Backend)?.into_iter();
    let mut next = || answers.next().unwrap_or_default().extract_error();
    next().map_err(HookError::Backend)?;
    // The rest may be denied: it works without.
    let id = match next() {
        Ok(redis::Value::Int(id)) => Some(id),
        _ => None,
    };
    match next() {
        Ok(role) if purpose == Purpose::Primary && !handshake::is_primary(&role) => {
            Err(HookError::message(WRONG_ROLE))
        }
        _ => Ok(id),
    }
}

/// A connection of the pool. Given back when it is dropped, unless an answer is still due.
pub(crate) struct Exclusive {
    connection: Option<managed::Object<Manager>>,
    settled: bool,
    server_id: Option<i64>,
}

impl Exclusive {
    /// The number that the server gave it, where that is known.
    pub(crate) fn server_id(&self) -> Option<i64> {
        self.server_id
    }

    /// Sends commands in one write and waits for their answers.
    pub(crate) async fn many(
        &mut self,
        commands: &[Command],
    ) -> Result<Vec<redis::Value>, Trouble> {
        let Some(connection) = &mut self.connection else {
            return Err(Fault::LostBeforeSend.into());
        };
        self.settled = false;
        let packed = Command::all_to_client(commands);
        let answers = connection.send_packed_commands(&packed, 0, commands.len()).await;
        self.settled = answers.is_ok();
        answers.map_err(|error| Trouble::Redis(error, Sent::Maybe))
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.settled
        {
            // Somebody else would get the answer that is still due: closed instead.
            drop(managed::Object::take(connection));
        }
    }
}

impl std::fmt::Debug for Exclusive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exclusive").field("settled", &self.settled).finish_non_exhaustive()
    }
}

fn manager(config: &RedisConfig, address: &Address) -> Result<Manager, Trouble> {
    let info = connection_info(config, address)?;
    let mut options = redis::AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(Some(config.connect_timeout()));
    if let (Some(tls), Address::Tcp { host, .. }) = (config.tls.options(), address)
        && tls.server_name.is_some()
    {
        // The certificate bears another name than the host: the name goes where the library takes
        // it for TLS, and this finds the host all the same.
        options = options.set_dns_resolver(Host(host.clone()));
    }
    Manager::new_with_config(info, options).map_err(|error| Trouble::Redis(error, Sent::No))
}

fn connection_info(
    config: &RedisConfig,
    address: &Address,
) -> Result<redis::ConnectionInfo, Trouble> {
    use redis::IntoConnectionInfo;

    let refused = |error| Trouble::Redis(error, Sent::No);
    let target = match (address, config.tls.options()) {
        (Address::Unix { path }, _) => redis::ConnectionAddr::Unix(path.clone()),
        (Address::Tcp { host, port }, None) => redis::ConnectionAddr::Tcp(host.clone(), *port),
        (Address::Tcp { host, port }, Some(tls)) => redis::ConnectionAddr::TcpTls {
            host: tls.server_name.clone().unwrap_or_else(|| host.clone()),
            port: *port,
            insecure: false,
            tls_params: None,
        },
    };
    let mut settings = redis::RedisConnectionInfo::default()
        .set_db(i64::from(config.database))
        .set_skip_set_lib_name();
    if let (username, Some(password)) = handshake::login(config, Purpose::Any) {
        settings = settings.set_password(password.expose());
        if let Some(username) = username {
            settings = settings.set_username(username);
        }
    }
    let tcp = redis::io::tcp::TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(socket2::TcpKeepalive::new().with_time(config.tcp_keepalive()));
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(config.tcp_user_timeout());
    let info = target
        .into_connection_info()
        .map_err(refused)?
        .set_redis_settings(settings)
        .set_tcp_settings(tcp);
    let Some(tls) = config.tls.options().filter(|_| !address.is_unix()) else { return Ok(info) };
    // The library asks the process for a provider; an earlier choice of the program stands.
    let _already_chosen = rustls::crypto::ring::default_provider().install_default().is_err();
    let read = |file: &Option<std::path::PathBuf>| {
        file.as_ref().map(std::fs::read).transpose().map_err(|_| Trouble::from(Fault::Config))
    };
    let client_tls = match (read(&tls.client_cert_file)?, read(&tls.client_key_file)?) {
        (Some(client_cert), Some(client_key)) => {
            Some(redis::ClientTlsConfig { client_cert, client_key })
        }
        _ => None,
    };
    let certificates = redis::TlsCertificates { client_tls, root_cert: read(&tls.ca_file)? };
    let client = redis::Client::build_with_tls(info, certificates).map_err(refused)?;
    Ok(client.get_connection_info().clone())
}

/// Resolves every name to the addresses of one host.
struct Host(String);

impl redis::io::AsyncDNSResolver for Host {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _host: &'b str,
        port: u16,
    ) -> redis::RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((self.0.as_str(), port)).await?.collect();
            Ok(Box::new(found.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pools_of_runtimes_that_have_ended_are_dropped() {
        let config = Arc::new(RedisConfig::default());
        let pools = ExclusivePools::new(config, Address::tcp("10.0.0.1", 1), Purpose::Any);
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
        let lasting = runtime().unwrap();
        let first = pools.pool(lasting.handle()).unwrap();
        for _ in 0..3 {
            let short = runtime().unwrap();
            let pool = pools.pool(short.handle()).unwrap();
            assert!(!pool.is_closed());
            drop(short);
            pools.pool(lasting.handle()).unwrap();
            assert!(pool.is_closed(), "a pool of a runtime that has ended");
            assert_eq!(pools.pools.lock().len(), 1);
        }
        assert!(!first.is_closed());
    }
}
