//! The servers of a run, and the ways to them.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    CheckpointRef, Checkpointer, CheckpointerExt, ListCheckpoints, Payload, PendingWrite, PutWrites,
};
use state_redis::{RedisCheckpointer, RedisThreads};
use state_tests::bench::Outcome;
use state_tests::chat::text;
use state_tests::servers::{Running, Servers, Setup};

use crate::steps::{id, put};

/// A thread that is there only for a while.
const WARM: &str = "warm";
/// A busy machine must not end a run.
const PATIENCE: Duration = Duration::from_secs(60);

/// One server that keeps nothing on the disk and belongs to this run alone.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) servers: Running,
}

impl Ground {
    /// Starts a server; `counted` puts a proxy in front of it.
    pub(crate) fn start(counted: bool) -> Outcome<Self> {
        let servers = Servers::new(Setup::Standalone).with_setting("appendonly", "no");
        let servers = if counted { servers.with_proxies() } else { servers };
        let servers = servers.run()?;
        if !servers.is_controlled() {
            return Err(
                "the memory of a server is measured on one of its own: without a URL".into()
            );
        }
        Ok(Self { servers })
    }

    /// A checkpointer with default settings, which has read nothing yet.
    pub(crate) async fn checkpoints(&self) -> Outcome<Checkpoints<RedisThreads>> {
        Ok(RedisCheckpointer::connect(self.servers.url()).await?)
    }

    /// A checkpointer that has next to nothing at hand: it keeps `cache_bytes` of what it has read last.
    pub(crate) async fn forgetful(&self, cache_bytes: usize) -> Outcome<Checkpoints<RedisThreads>> {
        let options = CheckpointOptions::new().with_cache_bytes_max(cache_bytes);
        Ok(RedisCheckpointer::connect(self.servers.url()).with_options(options).await?)
    }

    /// A checkpointer that has put, listed, read and deleted a thread: the server knows all scripts and has all that it
    /// keeps once, so what comes after is what threads cost.
    pub(crate) async fn warm(&self) -> Outcome<Checkpoints<RedisThreads>> {
        let checkpoints = self.checkpoints().await?;
        for step in 0..2 {
            checkpoints.put_checkpoint(put(WARM, step, "state", text(3, 10_000))?).await?;
        }
        let latest = CheckpointRef::new(WARM, id(1));
        let write = PendingWrite::new("task", 0, "state", Payload::new("json", "1"));
        checkpoints.put_writes(PutWrites::new(latest.clone(), vec![write])).await?;
        self.checkpoints().await?.at(&latest).await?.ok_or("the latest step is missing")?;
        checkpoints.list_checkpoints(ListCheckpoints::of(WARM)).await?;
        checkpoints.delete_thread(WARM).await?;
        Ok(checkpoints)
    }

    /// The client's plain multiplexed connection.
    pub(crate) async fn plain(&self) -> Outcome<MultiplexedConnection> {
        let url = self.servers.url();
        let url = url.split_once('?').map_or(url, |(before, _)| before);
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        Ok(Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?)
    }

    /// What the server says that it uses, in bytes.
    pub(crate) fn used_memory(&self) -> Outcome<u64> {
        let info = self.servers.admin(0, &["INFO", "memory"])?.ok()?;
        Ok(info.info("used_memory").ok_or("no `used_memory`")?.trim().parse()?)
    }
}
