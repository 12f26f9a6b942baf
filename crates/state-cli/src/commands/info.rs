//! `statectl info`: what a store is, offers, allows, uses and has done.

use clap::Args;
use indicatif::{BinaryBytes, HumanCount};
use serde::Serialize;
use state_core::{
    BackendInfo, Capabilities, Capability, Health, HealthStatus, Limits, MemoryUsage,
    OperationStats, Stats,
};

use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::open::{Server, Store};
use crate::output::counted;
use crate::progress;
use crate::table::{Column, Table};

const SERVER_COLUMNS: [Column; 7] = [
    Column::whole("SERVER"),
    Column::whole("PRODUCT"),
    Column::spare("MODE", 1),
    Column::whole("ROLE"),
    Column::spare("CLIENTS", 2).right(),
    Column::spare("MEMORY", 4).right(),
    Column::spare("APPEND-ONLY FILE", 3),
];
const NAMESPACE_COLUMNS: [Column; 2] =
    [Column::wraps("NAMESPACE", 60), Column::whole("ENTRIES").right()];
const CAPABILITY_COLUMNS: [Column; 3] =
    [Column::whole("CAPABILITY"), Column::whole("OFFERED"), Column::wraps("MEANING", 30)];
const CALL_COLUMNS: [Column; 13] = [
    Column::whole("OPERATION"),
    Column::whole("CALLS").right(),
    Column::whole("ERRORS").right(),
    Column::spare("ERROR RATE", 3).right(),
    Column::spare("HIT RATE", 4).right(),
    Column::spare("BYTES IN", 8).right(),
    Column::spare("BYTES OUT", 9).right(),
    Column::spare("COMMANDS", 7).right(),
    Column::spare("PIPELINES", 1).right(),
    Column::spare("RETRIES", 5).right(),
    Column::spare("MEAN", 2).right(),
    Column::spare("P50", 6).right(),
    Column::spare("P99", 10).right(),
];

/// Show what a store is, offers, allows and uses
///
/// Exit code 3 when the store is unhealthy. With --verify the whole file is read first and every
/// page of it checked: exit code 5 when it is damaged. Other commands do that by themselves for a
/// file of up to 16 MiB; of a larger one they check what they read, and a key that damage has taken
/// away reads as one that is not there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl info
  statectl --store memory: info          what a memory store offers
  statectl info --verify                 read the whole file of a store
  statectl info --json | jq .capabilities")]
pub(crate) struct Arguments {
    /// Read the whole file and check every page of it
    #[arg(long)]
    verify: bool,
}

#[derive(Serialize)]
struct Document {
    scheme: &'static str,
    namespace: String,
    /// Those that the store holds, the one that was named or not; null where it keeps no list.
    namespaces: Option<Vec<NamespaceDocument>>,
    location: String,
    server: String,
    /// The servers behind it, one by one; empty for a store in this process.
    servers: Vec<Server>,
    health: HealthDocument,
    /// Whether the whole file was read and is sound; left out where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    usage: UsageDocument,
    capabilities: Vec<&'static str>,
    not_offered: Vec<&'static str>,
    limits: LimitsDocument,
    /// What this command itself has done: the counters are those of one opened store.
    operations: Vec<OperationDocument>,
    /// All operations added up; latencies cannot be.
    total: FiguresDocument,
}

#[derive(Serialize)]
struct NamespaceDocument {
    namespace: String,
    entries: u64,
}

#[derive(Serialize)]
struct HealthDocument {
    status: &'static str,
    detail: String,
    /// What it serves without, and which setting would give it that.
    notes: Vec<String>,
    round_trip_us: Option<u64>,
}

#[derive(Serialize)]
struct UsageDocument {
    entries: u64,
    memory_bytes: u64,
    memory_limit_bytes: Option<u64>,
    disk_bytes: u64,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "these are the names of `Limits`")]
struct LimitsDocument {
    key_bytes_max: usize,
    value_bytes_max: usize,
    field_bytes_max: usize,
    batch_ops_max: usize,
    transaction_ops_max: usize,
    page_items_max: usize,
}

#[derive(Serialize)]
struct OperationDocument {
    operation: &'static str,
    #[serde(flatten)]
    figures: FiguresDocument,
}

#[derive(Serialize)]
struct FiguresDocument {
    calls: u64,
    errors: u64,
    error_rate: Option<f64>,
    retries: u64,
    hits: u64,
    misses: u64,
    hit_rate: Option<f64>,
    bytes_in: u64,
    bytes_out: u64,
    commands: u64,
    pipelines: u64,
    latency: Option<LatencyDocument>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "these are the names of `LatencySummary`")]
struct LatencyDocument {
    mean_us: f64,
    p50_us: u64,
    p99_us: u64,
}

impl FiguresDocument {
    fn of(stats: &OperationStats) -> Self {
        Self {
            calls: stats.calls,
            errors: stats.errors,
            error_rate: stats.error_rate(),
            retries: stats.retries,
            hits: stats.hits,
            misses: stats.misses,
            hit_rate: stats.hit_rate(),
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            commands: stats.commands,
            pipelines: stats.pipelines,
            latency: stats.latency.map(|latency| LatencyDocument {
                mean_us: latency.mean_us,
                p50_us: latency.p50_us,
                p99_us: latency.p99_us,
            }),
        }
    }

    /// The cells of a row, behind its name.
    fn cells(&self) -> [String; 12] {
        let count = |figure: u64| HumanCount(figure).to_string();
        let rate = |rate: Option<f64>| {
            rate.map_or_else(String::new, |rate| format!("{:.1} %", rate * 100.0))
        };
        let time =
            |us: Option<f64>| us.map_or_else(String::new, |us| format!("{:.2} ms", us / 1_000.0));
        let latency = self.latency.as_ref();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a minute has fewer than 52 bits of microseconds"
        )]
        let whole = |us: u64| us as f64;
        [
            count(self.calls),
            count(self.errors),
            rate(self.error_rate),
            rate(self.hit_rate),
            count(self.bytes_in),
            count(self.bytes_out),
            count(self.commands),
            count(self.pipelines),
            count(self.retries),
            time(latency.map(|latency| latency.mean_us)),
            time(latency.map(|latency| whole(latency.p50_us))),
            time(latency.map(|latency| whole(latency.p99_us))),
        ]
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let namespace = context.namespace()?;
    let opened = context.open_store(Access::Read).await?;
    if arguments.verify {
        verify(&opened, context).await?;
    }
    let store = opened.namespace(namespace, Access::Read).await?;
    let namespaces = namespaces(&opened).await?;
    let health = store.health().await?;
    let mut document = document(
        &store.info(),
        (namespaces, opened.servers().await?),
        &store.capabilities(),
        &health,
        store.memory_usage().await?,
        &store.stats().await?,
    );
    document.verified = arguments.verify.then_some(true);
    if context.output.json {
        context.output.json(&document)?;
    } else {
        show(&document, context)?;
    }
    if health.status == HealthStatus::Unhealthy {
        let message = format!("the store is unhealthy: {}", health.detail);
        return Err(state_core::Error::new(state_core::ErrorKind::Unavailable, message).into());
    }
    Ok(Answer::Yes)
}

async fn verify(opened: &Store, context: &Context) -> Result<(), Failure> {
    let Store::File { store, .. } = opened else {
        return Err(Failure::usage(
            "only the file of a store can be verified",
            "name one, `--store file:PATH`, or leave out --verify",
        ));
    };
    let bar = progress::waiting(&context.output, "verify");
    let verified = store.verify().await;
    bar.finish_and_clear();
    Ok(verified?)
}

async fn namespaces(opened: &Store) -> Result<Option<Vec<NamespaceDocument>>, Failure> {
    let Some(known) = opened.namespaces()? else { return Ok(None) };
    let mut namespaces = Vec::with_capacity(known.len());
    for namespace in known {
        let name = namespace.to_string();
        let store = opened.namespace(namespace, Access::Read).await?;
        let entries = store.memory_usage().await?.entries;
        namespaces.push(NamespaceDocument { namespace: name, entries });
    }
    Ok(Some(namespaces))
}

fn document(
    info: &BackendInfo,
    (namespaces, servers): (Option<Vec<NamespaceDocument>>, Vec<Server>),
    capabilities: &Capabilities,
    health: &Health,
    usage: MemoryUsage,
    stats: &Stats,
) -> Document {
    let Limits {
        key_bytes_max,
        value_bytes_max,
        field_bytes_max,
        batch_ops_max,
        transaction_ops_max,
        page_items_max,
        ..
    } = capabilities.limits;
    let operations = stats.operations.iter().map(|(operation, stats)| OperationDocument {
        operation: operation.name(),
        figures: FiguresDocument::of(stats),
    });
    let round_trip_us = health.round_trip.and_then(|took| u64::try_from(took.as_micros()).ok());
    let absent = Capability::ALL.iter().filter(|capability| !capabilities.has(**capability));
    Document {
        scheme: info.scheme,
        namespace: info.namespace.to_string(),
        namespaces,
        location: info.location.clone(),
        server: info.server.clone(),
        servers,
        health: HealthDocument {
            status: status(health.status),
            detail: health.detail.clone(),
            notes: health.notes.clone(),
            round_trip_us,
        },
        verified: None,
        usage: UsageDocument {
            entries: usage.entries,
            memory_bytes: usage.memory_bytes,
            memory_limit_bytes: usage.memory_limit_bytes,
            disk_bytes: usage.disk_bytes,
        },
        capabilities: capabilities.iter().map(Capability::name).collect(),
        not_offered: absent.map(|capability| capability.name()).collect(),
        limits: LimitsDocument {
            key_bytes_max,
            value_bytes_max,
            field_bytes_max,
            batch_ops_max,
            transaction_ops_max,
            page_items_max,
        },
        operations: operations.collect(),
        total: FiguresDocument::of(&stats.total()),
    }
}

fn show(document: &Document, context: &Context) -> Result<(), Failure> {
    let output = &context.output;
    let mut store = Table::of_facts();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            store.add([name, &value]);
        }
    };
    add("store", document.scheme.to_owned());
    add("location", document.location.clone());
    add("server", document.server.clone());
    add("namespace", document.namespace.clone());
    let health = &document.health;
    let detail = if health.detail.is_empty() { "" } else { ": " };
    add("health", format!("{}{detail}{}", health.status, health.detail));
    for note in &health.notes {
        add("note", note.clone());
    }
    if document.verified == Some(true) {
        add("verified", "every page of the file".to_owned());
    }
    if let Some(us) = health.round_trip_us {
        add("round trip", format!("{us} µs"));
    }
    let usage = &document.usage;
    add("entries", format!("{} (hashes included)", HumanCount(usage.entries)));
    add("memory", BinaryBytes(usage.memory_bytes).to_string());
    if let Some(limit) = usage.memory_limit_bytes {
        add("memory limit", BinaryBytes(limit).to_string());
    }
    add("disk", BinaryBytes(usage.disk_bytes).to_string());
    let limits = &document.limits;
    add("longest key", bytes(limits.key_bytes_max));
    add("largest value", bytes(limits.value_bytes_max));
    add("longest field name", bytes(limits.field_bytes_max));
    add("largest batch", count(limits.batch_ops_max, "operation"));
    add("largest transaction", count(limits.transaction_ops_max, "operation"));
    add("largest page", count(limits.page_items_max, "item"));
    output.table(&store)?;

    if !document.servers.is_empty() {
        output.line("")?;
        output.table(&servers(&document.servers))?;
    }

    if let Some(known) = document.namespaces.as_ref().filter(|known| !known.is_empty()) {
        output.line("")?;
        let mut namespaces = Table::new(&NAMESPACE_COLUMNS);
        for line in known {
            namespaces.add([line.namespace.clone(), HumanCount(line.entries).to_string()]);
        }
        output.table(&namespaces)?;
    }

    output.line("")?;
    let mut offers = Table::new(&CAPABILITY_COLUMNS);
    for capability in Capability::ALL {
        let offered = document.capabilities.contains(&capability.name());
        let offered = if offered { "yes" } else { "no" };
        offers.add([capability.name(), offered, capability.describe()]);
    }
    output.table(&offers)?;

    output.line("")?;
    if document.operations.is_empty() {
        return output
            .line("This command asked for no entries, so there are no statistics of calls.");
    }
    let mut calls = Table::new(&CALL_COLUMNS);
    for line in &document.operations {
        calls.add(std::iter::once(line.operation.to_owned()).chain(line.figures.cells()));
    }
    calls.add(std::iter::once("total".to_owned()).chain(document.total.cells()));
    output.table(&calls)
}

fn servers(servers: &[Server]) -> Table {
    let mut lines = Table::new(&SERVER_COLUMNS);
    for server in servers {
        let link = if server.link_up == Some(false) { ", link down" } else { "" };
        let file = server.append_only_file.map(|on| if on { "on" } else { "off" });
        lines.add([
            server.address.clone(),
            server.product.clone().unwrap_or_else(|| "does not answer".to_owned()),
            server.mode.clone().unwrap_or_default(),
            server.role.map(|role| format!("{role}{link}")).unwrap_or_default(),
            server.clients.map(|clients| HumanCount(clients).to_string()).unwrap_or_default(),
            server.memory_bytes.map(|used| BinaryBytes(used).to_string()).unwrap_or_default(),
            file.unwrap_or_default().to_owned(),
        ]);
    }
    lines
}

fn bytes(bytes: usize) -> String {
    BinaryBytes(bytes as u64).to_string()
}

fn count(count: usize, thing: &str) -> String {
    counted(count as u64, thing)
}

const fn status(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Healthy => "healthy",
        HealthStatus::Degraded => "degraded",
        HealthStatus::Unhealthy => "unhealthy",
        _ => "unknown",
    }
}
