//! Large values, beside the same commands on the client's plain multiplexed connection.

use std::sync::Arc;

use state_tests::bench::{Figure, Outcome};

use super::ground::Ground;
use super::sides::{Keys, Ours, Plain, Work};

const AGAINST: &str = "multiplexed connection";
const GOAL: f64 = 0.95;
/// The sizes of values, with their names and how many keys there are.
const SIZES: [(&str, usize, usize); 2] = [("64 KiB", 65_536, 64), ("1 MiB", 1_048_576, 8)];
const TASKS: usize = 4;

pub(crate) async fn figures(ground: &Ground) -> Outcome<Vec<Figure>> {
    let (backend, connection) = (ground.backend().await?, ground.plain().await?);
    let pace = ground.pace.with_time_ms(200, 500);
    let mut figures = Vec::new();
    for (label, value_bytes, count) in SIZES {
        let keys = Keys::new(value_bytes, count);
        keys.fill(&*backend, connection.clone(), value_bytes).await?;
        for (name, work) in Work::both(value_bytes) {
            let ours =
                Ours { backend: Arc::clone(&backend), keys: keys.clone(), work: work.clone() };
            let plain = Plain { connection: connection.clone(), keys: keys.clone(), work };
            let case = format!("{name} {label}, {TASKS} tasks");
            figures.push(pace.rates(case, AGAINST, TASKS, &ours, &plain).await?.with_goal(GOAL));
        }
    }
    Ok(figures)
}
