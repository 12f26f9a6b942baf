//! Gets and puts of small values beside a pool of connections.

use std::sync::Arc;

use deadpool_redis::{Config, PoolConfig, Runtime};
use state_tests::bench::{Figure, Outcome};

use super::ground::Ground;
use super::point::SIZES;
use super::sides::{Keys, Ours, Pooled, Work};

const KEYS: usize = 1_000;
const CONNECTIONS: usize = 16;
const TASKS: usize = 64;
const GOAL: f64 = 5.0;

pub(crate) async fn figures(ground: &Ground) -> Outcome<Vec<Figure>> {
    let (backend, connection) = (ground.backend().await?, ground.plain().await?);
    let mut config = Config::from_url(ground.plain_url());
    config.pool = Some(PoolConfig::new(CONNECTIONS));
    let pool = config.create_pool(Some(Runtime::Tokio1))?;
    let mut figures = Vec::new();
    for (label, value_bytes) in SIZES {
        let keys = Keys::new(value_bytes, KEYS);
        keys.fill(&*backend, connection.clone(), value_bytes).await?;
        for (name, work) in Work::both(value_bytes) {
            let ours =
                Ours { backend: Arc::clone(&backend), keys: keys.clone(), work: work.clone() };
            let pooled = Pooled { pool: pool.clone(), keys: keys.clone(), work };
            let case = format!("{name} {label}, {TASKS} tasks");
            let against = format!("pool of {CONNECTIONS}");
            let figure = ground.pace.rates(case, &against, TASKS, &ours, &pooled).await?;
            figures.push(figure.with_goal(GOAL));
        }
    }
    Ok(figures)
}
