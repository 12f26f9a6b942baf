//! Looking inside: what the backend is, whether it answers, what the server uses.

use redis::Value;
use state_core::{BackendInfo, CountOptions, MemoryUsage, Operation, Result};

use super::Inner;
use super::ask::one;
use crate::client::{Body, Repeat, Request, Target};
use crate::info::Info;

impl Inner {
    pub(super) fn info(&self) -> BackendInfo {
        BackendInfo::new("redis", self.namespace.clone())
            .with_location(self.config.redacted_url())
            .with_server(concat!("state-redis ", env!("CARGO_PKG_VERSION")))
    }

    pub(super) async fn ping(&self) -> Result<()> {
        self.ask("ping", Target::Any, redis::cmd("PING")).await.map(drop)
    }

    /// Entries of this namespace, and the memory of all primaries.
    pub(super) async fn memory(&self) -> Result<MemoryUsage> {
        let entries = self.count(&CountOptions::default()).await?;
        let (mut used, mut limit) = (0, 0);
        for node in self.client.nodes() {
            let mut command = redis::cmd("INFO");
            command.arg("memory");
            let reply = self.ask(Operation::Count.name(), Target::Node(node), command).await?;
            let info = Info::read(&reply);
            used += info.number::<u64>("used_memory").unwrap_or(0);
            limit += info.number::<u64>("maxmemory").unwrap_or(0);
        }
        let usage = MemoryUsage::new(entries, used);
        Ok(if limit > 0 { usage.with_memory_limit_bytes(limit) } else { usage })
    }

    async fn ask(&self, op: &'static str, target: Target, command: redis::Cmd) -> Result<Value> {
        let body = Body::Command(command);
        let request = Request::new(op, target, body).with_repeat(Repeat::Safe);
        one(self.client.send(request).await?)
    }
}
