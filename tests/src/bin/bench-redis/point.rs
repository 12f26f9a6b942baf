//! Gets and puts of small values beside the client's plain multiplexed connection.

use std::sync::Arc;

use state_tests::bench::{Caller, Figure, Outcome, rate};

use super::ground::Ground;
use super::sides::{Keys, Ours, Plain, Work};

const KEYS: usize = 1_000;
/// The sizes of values, with their names.
pub(crate) const SIZES: [(&str, usize); 2] = [("100 B", 100), ("1 KiB", 1_024)];
/// How many tasks call at once, and the ratio that is to be reached.
const TASKS: [(usize, f64); 3] = [(1, 0.9), (64, 1.5), (256, 1.5)];

pub(crate) async fn figures(ground: &Ground) -> Outcome<Vec<Figure>> {
    let (backend, connection) = (ground.backend().await?, ground.plain().await?);
    let mut figures = Vec::new();
    for (label, value_bytes) in SIZES {
        let keys = Keys::new(value_bytes, KEYS);
        keys.fill(&*backend, connection.clone(), value_bytes).await?;
        for (name, work) in Work::both(value_bytes) {
            let ours =
                Ours { backend: Arc::clone(&backend), keys: keys.clone(), work: work.clone() };
            let plain = Plain { connection: connection.clone(), keys: keys.clone(), work };
            for (tasks, goal) in TASKS {
                let case = format!("{name} {label}, {tasks} tasks");
                let against = "multiplexed connection";
                let figure = ground.pace.rates(case, against, tasks, &ours, &plain).await?;
                figures.push(figure.with_goal(goal));
                if tasks > 1 {
                    let case = format!("{name} {label}, {tasks} tasks");
                    let ours = together(ground, tasks, &ours).await?;
                    let rounds = [(ours, together(ground, tasks, &plain).await?)];
                    figures.push(Figure::rates(case, "commands a read", against, &rounds));
                }
            }
        }
    }
    Ok(figures)
}

/// How many commands the server gets with one read: why many callers at once are cheaper than one.
async fn together(ground: &Ground, tasks: usize, side: &impl Caller) -> Outcome<f64> {
    let before = processed(ground).await?;
    rate(tasks, ground.pace.time, side).await?;
    let after = processed(ground).await?;
    Ok((after.0 - before.0) / (after.1 - before.1).max(1.0))
}

/// The commands and the reads of the server so far.
async fn processed(ground: &Ground) -> Outcome<(f64, f64)> {
    let mut info = redis::cmd("INFO");
    let text: String = info.arg("stats").query_async(&mut ground.plain().await?).await?;
    let of = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.and_then(|count| count.trim().parse().ok()).ok_or("the server does not count reads")
    };
    Ok((of("total_commands_processed")?, of("total_reads_processed")?))
}
