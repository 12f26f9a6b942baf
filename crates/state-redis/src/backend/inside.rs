//! Looking inside: what the backend is, whether it answers, what the server uses.

use redis::Value;
use state_core::{BackendInfo, CountOptions, Health, HealthStatus, MemoryUsage, Result};
use tokio::time::Instant;

use super::Inner;
use super::ask::one;
use super::op::Op;
use crate::client::{Body, Repeat, Request, Target};
use crate::command::Command;
use crate::doctor::Finding;
use crate::info::Info;
use crate::server_info::{NodeInfo, ServerInfo};

impl Inner {
    pub(super) fn info(&self) -> BackendInfo {
        BackendInfo::new("redis", self.namespace.clone())
            .with_location(self.config.redacted_url())
            .with_server(self.server.as_ref())
    }

    pub(super) async fn ping(&self) -> Result<()> {
        self.ping_until(self.client.deadline()).await
    }

    async fn ping_until(&self, deadline: Instant) -> Result<()> {
        self.ask("ping", Target::Any, Command::new("PING"), deadline).await.map(drop)
    }

    /// Asks every server how it is. What is unknown, because the user may not ask, is told.
    pub(super) async fn healthy(&self) -> Health {
        let (started, deadline) = (Instant::now(), self.client.deadline());
        let pinged = self.ping_until(deadline).await;
        let round_trip = started.elapsed();
        if let Err(error) = pinged {
            return Health::new(HealthStatus::Unhealthy, error.to_string());
        }
        let told = match self.client.server_info(deadline).await {
            Ok(told) => told,
            Err(error) => {
                let unknown = "a server answers; memory, persistence and replicas are unknown";
                let mut health = Health::new(HealthStatus::Degraded, format!("{unknown}: {error}"));
                health.round_trip = Some(round_trip);
                return health;
            }
        };
        let primaries = self.client.nodes();
        let lost =
            |address: &&String| primaries.iter().any(|node| node.as_str() == address.as_str());
        let mut health = if let Some(address) = told.unreachable.iter().find(lost) {
            Health::new(HealthStatus::Unhealthy, format!("{address}: the primary does not answer"))
        } else {
            let mut troubles = lines(&told, NodeInfo::troubles);
            let silent = |address| format!("{address}: the replica does not answer");
            troubles.extend(told.unreachable.iter().map(silent));
            let wanted = self.config.strong_replicas;
            troubles.extend(lines(&told, |node| node.short_of(wanted).into_iter().collect()));
            if troubles.is_empty() {
                Health::healthy()
            } else {
                Health::new(HealthStatus::Degraded, troubles.join("; "))
            }
        };
        health.round_trip = Some(round_trip);
        health.notes = lines(&told, NodeInfo::notes);
        health
    }

    /// The entries of this namespace are counted; memory, its limit and the append-only files are
    /// those of all primaries with everything that they hold, whoever it belongs to.
    pub(super) async fn memory(&self, op: &Op) -> Result<MemoryUsage> {
        let entries = self.count(op, &CountOptions::default()).await?;
        self.renew(op);
        let (mut used, mut limit, mut disk) = (0, 0, 0);
        for node in self.client.nodes() {
            let mut command = Command::new("INFO");
            command.arg("memory").arg("persistence");
            let reply = self
                .ask("memory_usage", Target::Node(node.clone()), command, op.deadline())
                .await?;
            let node = NodeInfo::read(node.as_str(), &Info::read(&reply));
            used += node.memory_bytes;
            limit += node.memory_limit_bytes.unwrap_or(0);
            disk += node.append_only_file_bytes;
        }
        let usage = MemoryUsage::new(entries, used).with_disk_bytes(disk);
        Ok(if limit > 0 { usage.with_memory_limit_bytes(limit) } else { usage })
    }

    async fn ask(
        &self,
        op: &'static str,
        target: Target,
        command: Command,
        deadline: Instant,
    ) -> Result<Value> {
        let body = Body::Command(command);
        let request = Request::new(op, target, body).with_repeat(Repeat::Safe);
        let request = request.with_deadline(deadline);
        one(self.client.send(request).await?)
    }
}

/// What is found of each server, in one line.
fn lines(told: &ServerInfo, found: impl Fn(&NodeInfo) -> Vec<Finding>) -> Vec<String> {
    let of = |node: &NodeInfo| {
        let found = found(node).into_iter();
        found.map(|one| one.with_server(&node.address).line()).collect::<Vec<_>>()
    };
    told.nodes.iter().flat_map(of).collect()
}
