//! What a backend has done, uses, and how it feels.

use std::time::Duration;

/// A group of operations that is counted together.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Operation {
    /// `get_opts`.
    Get,
    /// `put_opts`.
    Put,
    /// `delete_opts`.
    Delete,
    /// `increment_opts`.
    Increment,
    /// `touch_opts`.
    Touch,
    /// `list_page`.
    List,
    /// `count_opts`, and `memory_usage` where it has to count.
    Count,
    /// `get_many`.
    GetMany,
    /// `write_many`.
    WriteMany,
    /// `clear_opts`.
    Clear,
    /// All of `HashStore`.
    Hash,
    /// All of `Transact`.
    Transact,
    /// All of `Watch`.
    Watch,
    /// All of `LeaseStore`.
    Lease,
    /// `snapshot_opts`.
    Snapshot,
}

impl Operation {
    /// All operations, in the order of their declaration.
    pub const ALL: [Self; 15] = [
        Self::Get,
        Self::Put,
        Self::Delete,
        Self::Increment,
        Self::Touch,
        Self::List,
        Self::Count,
        Self::GetMany,
        Self::WriteMany,
        Self::Clear,
        Self::Hash,
        Self::Transact,
        Self::Watch,
        Self::Lease,
        Self::Snapshot,
    ];

    /// The name, as shown in tables and written to `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Increment => "increment",
            Self::Touch => "touch",
            Self::List => "list",
            Self::Count => "count",
            Self::GetMany => "get_many",
            Self::WriteMany => "write_many",
            Self::Clear => "clear",
            Self::Hash => "hash",
            Self::Transact => "transact",
            Self::Watch => "watch",
            Self::Lease => "lease",
            Self::Snapshot => "snapshot",
        }
    }
}

/// How long operations took.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencySummary {
    /// Operations measured.
    pub count: u64,
    /// The mean in microseconds.
    pub mean_us: f64,
    /// The median in microseconds.
    pub p50_us: u64,
    /// The 99th percentile in microseconds.
    pub p99_us: u64,
}

/// What one group of operations has done since this instance was opened.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OperationStats {
    /// Calls that came back, failed ones included.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Attempts after the first one.
    pub retries: u64,
    /// Keys that were looked for and found.
    pub hits: u64,
    /// Keys that were looked for and absent.
    pub misses: u64,
    /// Bytes of keys and values that came in with calls that succeeded.
    pub bytes_in: u64,
    /// Bytes of values that went out, and of keys and fields where a call tells them.
    pub bytes_out: u64,
    /// Commands sent to a server; 0 for embedded stores.
    pub commands: u64,
    /// Pipelines sent to a server; 0 for embedded stores.
    pub pipelines: u64,
    /// How long calls took, where that is measured.
    pub latency: Option<LatencySummary>,
}

impl OperationStats {
    /// Found keys among those looked for, from 0 to 1; `None` when none was looked for.
    pub fn hit_rate(&self) -> Option<f64> {
        rate(self.hits, self.hits + self.misses)
    }

    /// Failed calls among all calls, from 0 to 1; `None` when there was none.
    pub fn error_rate(&self) -> Option<f64> {
        rate(self.errors, self.calls)
    }

    /// Adds what another has counted, without its latencies.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.retries += other.retries;
        self.hits += other.hits;
        self.misses += other.misses;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.commands += other.commands;
        self.pipelines += other.pipelines;
    }
}

/// What an instance has done since it was opened.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Each operation that was called at least once, in the order of [`Operation::ALL`].
    pub operations: Vec<(Operation, OperationStats)>,
}

impl Stats {
    /// Statistics from one line per operation; lines without a call are left out.
    pub fn new(operations: impl IntoIterator<Item = (Operation, OperationStats)>) -> Self {
        let mut operations: Vec<_> =
            operations.into_iter().filter(|(_, stats)| stats.calls > 0).collect();
        operations.sort_by_key(|(operation, _)| *operation);
        Self { operations }
    }

    /// One operation's line; all zero when it was never called.
    pub fn of(&self, operation: Operation) -> OperationStats {
        let line = self.operations.iter().find(|(name, _)| *name == operation);
        line.map_or_else(OperationStats::default, |(_, stats)| *stats)
    }

    /// All lines added up, without latencies.
    pub fn total(&self) -> OperationStats {
        let mut total = OperationStats::default();
        for (_, stats) in &self.operations {
            total.add(stats);
        }
        total
    }
}

/// How a store feels.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HealthStatus {
    /// It serves.
    Healthy,
    /// It serves, but something needs attention.
    Degraded,
    /// It does not serve.
    Unhealthy,
}

/// How a store feels, and why.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Health {
    /// The verdict.
    pub status: HealthStatus,
    /// Why, for people; empty when healthy.
    pub detail: String,
    /// How long a round trip took, where there is one.
    pub round_trip: Option<Duration>,
    /// What it serves without, and which setting would give it that, for people: one sentence each. They change
    /// nothing about the verdict.
    pub notes: Vec<String>,
}

impl Health {
    /// A store that serves.
    pub const fn healthy() -> Self {
        Self::with(HealthStatus::Healthy, String::new())
    }

    /// A store in the state `status`, and why.
    pub fn new(status: HealthStatus, detail: impl Into<String>) -> Self {
        Self::with(status, detail.into())
    }

    const fn with(status: HealthStatus, detail: String) -> Self {
        Self { status, detail, round_trip: None, notes: Vec::new() }
    }
}

/// What a store uses. Each figure is for the whole store unless it says otherwise.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MemoryUsage {
    /// Entries and hashes of this namespace, expired ones that are not yet reclaimed included.
    pub entries: u64,
    /// Bytes of memory in use, as exactly as the store knows.
    pub memory_bytes: u64,
    /// The limit on memory in bytes, if there is one.
    pub memory_limit_bytes: Option<u64>,
    /// Bytes on disk; 0 for a store in memory.
    pub disk_bytes: u64,
}

impl MemoryUsage {
    /// What `entries` entries use.
    pub const fn new(entries: u64, memory_bytes: u64) -> Self {
        Self { entries, memory_bytes, memory_limit_bytes: None, disk_bytes: 0 }
    }

    /// Adds the limit on memory in bytes.
    #[must_use]
    pub const fn with_memory_limit_bytes(mut self, limit: u64) -> Self {
        self.memory_limit_bytes = Some(limit);
        self
    }

    /// Adds the bytes on disk.
    #[must_use]
    pub const fn with_disk_bytes(mut self, disk_bytes: u64) -> Self {
        self.disk_bytes = disk_bytes;
        self
    }
}

fn rate(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
    (whole > 0).then(|| part as f64 / whole as f64)
}
