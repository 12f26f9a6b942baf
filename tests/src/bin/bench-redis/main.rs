//! Measures the Redis driver side by side with the client under it, on real servers.
//!
//! `--quick` for fewer and shorter rounds; `--only PART` for one of the parts. With a URL in `STATE_REDIS_URL`, what can be
//! measured on the servers of that URL is measured there.

mod batches;
mod cluster;
mod compare;
mod failover;
mod ground;
mod growth;
mod interference;
mod large;
mod outside;
mod point;
mod pool;
mod sides;
mod silence;

use state_tests::bench::{self, Figure, Outcome, Pace, say};
use state_tests::servers::Setup;

use ground::Ground;

/// What can be measured alone, in the order in which it is measured.
const PARTS: [&str; 8] =
    ["point", "pool", "outside", "large", "batches", "compare", "interference", "silence"];
const GROWTH: &str = "growth";
const CLUSTER: &str = "cluster";
const FAILOVER: &str = "failover";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pace = Pace::new(arguments.iter().any(|argument| argument == "--quick"));
    let only = arguments.iter().skip_while(|argument| *argument != "--only").nth(1);
    let given = std::env::var("STATE_REDIS_URL").ok();
    let is_cluster = given.as_ref().map(|url| url.contains("+cluster://"));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let parts = [PARTS.as_slice(), &[GROWTH, CLUSTER, FAILOVER]].concat();
    if let Some(only) = only.filter(|only| !parts.contains(&only.as_str())) {
        return Err(format!("there is no part `{only}`: {}", parts.join(", ")).into());
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = Report::default();
    if is_cluster == Some(true) {
        say("the given URL is that of a cluster: only what is about clusters is measured");
    } else {
        let ground = Ground::start(Setup::Standalone, pace)?;
        for part in PARTS.into_iter().filter(|part| wanted(part)) {
            report.add(part, runtime.block_on(measure(part, &ground)));
        }
        if wanted(GROWTH) {
            let curves = runtime.block_on(growth::curves(&ground));
            report.curves = report.taken(GROWTH, curves);
        }
        report.add("cleaning up", runtime.block_on(ground.clean()).map(|()| Vec::new()));
    }
    if is_cluster == Some(false) {
        say("not measured: a cluster, because the given URL is that of one server");
    } else if wanted(CLUSTER) {
        let measured = Ground::start(Setup::Cluster, pace)
            .and_then(|ground| runtime.block_on(cluster::figures(&ground)));
        report.add(CLUSTER, measured);
    }
    if given.is_some() {
        say("not measured: a failover, because given servers are not killed");
    } else if wanted(FAILOVER) {
        report.add(FAILOVER, runtime.block_on(failover::figures(pace)));
    }
    bench::finish("redis", &report.figures, &report.curves)?;
    if report.failed.is_empty() {
        return Ok(());
    }
    Err(format!("could not be measured: {}", report.failed.join(", ")).into())
}

async fn measure(part: &str, ground: &Ground) -> Outcome<Vec<Figure>> {
    match part {
        "point" => point::figures(ground).await,
        "pool" => pool::figures(ground).await,
        "outside" => outside::figures(ground).await,
        "large" => large::figures(ground).await,
        "batches" => batches::figures(ground).await,
        "compare" => compare::figures(ground).await,
        "interference" => interference::figures(ground).await,
        _ => silence::figures(ground.pace).await,
    }
}

/// What was measured, and which parts could not be.
#[derive(Debug, Default)]
struct Report {
    figures: Vec<Figure>,
    /// What the curves show, which are printed and drawn on their own.
    curves: Vec<Figure>,
    failed: Vec<String>,
}

impl Report {
    /// Takes the figures of a part; the failure of one does not take the others away.
    fn add(&mut self, part: &str, measured: Outcome<Vec<Figure>>) {
        let figures = self.taken(part, measured);
        self.figures.extend(figures);
    }

    fn taken(&mut self, part: &str, measured: Outcome<Vec<Figure>>) -> Vec<Figure> {
        measured.unwrap_or_else(|error| {
            say(format_args!("not measured: {part}: {error}"));
            self.failed.push(part.to_owned());
            Vec::new()
        })
    }
}
