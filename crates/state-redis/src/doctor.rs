//! What a deployment lacks of what the driver relies on: asked of the servers, judged, and told with its fix.
//!
//! Asking (`look`, `sentinels`) and judging (one file for each subject) are apart: what is judged is plain data.

mod access;
mod clock;
mod cluster;
mod finding;
mod look;
mod memory;
mod permissions;
mod replication;
mod rules;
mod sentinels;
mod transport;
mod uses;
mod version;

use std::time::Duration;

use state_core::{Result, SystemClock};

pub use finding::{Finding, Level, Subject};

use crate::client::Client;
use crate::config::Topology;
use finding::merged;
use look::Looker;

impl Client {
    /// Asks every server what the checks need, and judges it; what is found comes worst first.
    ///
    /// # Errors
    /// `Unavailable`, or why it is so, when no server answers; `Closed`.
    pub(crate) async fn diagnose(&self) -> Result<Vec<Finding>> {
        let clock = SystemClock::new();
        let seen = Looker::new(self, &clock)?.look().await?;
        let config = self.config();
        let mut findings = vec![transport::judge(config)];
        for server in &seen {
            let said = [
                version::judge(server),
                memory::judge(server),
                replication::judge(server, config),
                cluster::judge(server),
                access::judge(server, config),
                permissions::judge(server, config),
                uses::judge(server),
            ];
            let said = said.into_iter().flatten();
            findings.extend(said.map(|finding| finding.with_server(&server.address)));
        }
        findings.extend(clock::judge(&seen));
        if let Topology::Sentinel { master, .. } = &config.topology {
            findings.extend(sentinels::judge(&self.ask_sentinels(master).await));
        }
        Ok(merged(findings))
    }
}

/// How far a clock is from another, and how far that figure may be off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Offset {
    /// Milliseconds by which the server is ahead; negative where it is behind.
    pub(crate) ahead_ms: i64,
    /// What the way to the server and back took.
    pub(crate) margin: Duration,
}

impl Offset {
    /// Of a server that said `server_ms` when our clock had shown `before_ms`, to a question that `took` so long.
    fn new(before_ms: u64, took: Duration, server_ms: u64) -> Self {
        let half = u64::try_from(took.as_millis() / 2).unwrap_or(0);
        let here = i64::try_from(before_ms.saturating_add(half)).unwrap_or(i64::MAX);
        let there = i64::try_from(server_ms).unwrap_or(i64::MAX);
        Self { ahead_ms: there.saturating_sub(here), margin: took }
    }
}
