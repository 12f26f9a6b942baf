//! Batches, beside the same commands on the client's plain multiplexed connection.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use state_core::{GetOptions, StateBackend, WriteOp};
use state_tests::bench::{Caller, Figure, Outcome};

use super::ground::{Ground, write_all};
use super::sides::{Keys, value};

const GOAL: f64 = 0.95;
const READS: usize = 100;
const WRITES: usize = 1_000;
const VALUE_BYTES: usize = 100;

pub(crate) async fn figures(ground: &Ground) -> Outcome<Vec<Figure>> {
    let (backend, connection) = (ground.backend().await?, ground.plain().await?);
    let pace = ground.pace.with_time_ms(200, 500);
    let mut figures = Vec::new();
    let keys = Keys::new(VALUE_BYTES, WRITES);
    keys.fill(&*backend, connection.clone(), VALUE_BYTES).await?;
    for writes in [false, true] {
        let (case, against) = if writes {
            (format!("write_many({WRITES}) of {VALUE_BYTES} B"), "pipeline of SET")
        } else {
            (format!("get_many({READS}) of {VALUE_BYTES} B"), "MGET")
        };
        let ours = Batches { backend: Arc::clone(&backend), keys: keys.clone(), writes };
        let plain = PlainBatches { connection: connection.clone(), keys: keys.clone(), writes };
        figures.push(pace.rates(case, against, 1, &ours, &plain).await?.with_goal(GOAL));
    }
    Ok(figures)
}

/// Batches through the driver.
#[derive(Clone)]
struct Batches {
    backend: Arc<dyn StateBackend>,
    keys: Keys,
    writes: bool,
}

impl Caller for Batches {
    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }

    async fn call(&mut self, _number: usize) -> Outcome<()> {
        if self.writes {
            let value = value(VALUE_BYTES);
            let put = |key: &state_core::Key| WriteOp::put(key.clone(), value.clone());
            return write_all(&*self.backend, self.keys.keys().iter().map(put).collect()).await;
        }
        let keys = self.keys.keys().get(..READS).ok_or("too few keys")?;
        for entry in self.backend.get_many(keys, GetOptions::new()).await? {
            entry?.ok_or("an entry is missing")?;
        }
        Ok(())
    }
}

/// The same commands on a connection of the client.
#[derive(Clone)]
struct PlainBatches {
    connection: MultiplexedConnection,
    keys: Keys,
    writes: bool,
}

impl Caller for PlainBatches {
    fn for_task(&self, _task: usize) -> Self {
        self.clone()
    }

    async fn call(&mut self, _number: usize) -> Outcome<()> {
        if self.writes {
            let value = value(VALUE_BYTES);
            let mut pipeline = redis::pipe();
            for name in self.keys.names() {
                pipeline.cmd("SET").arg(name).arg(value.as_ref());
            }
            let answers: Vec<redis::Value> = pipeline.query_async(&mut self.connection).await?;
            return if answers.len() == WRITES { Ok(()) } else { Err("too few answers".into()) };
        }
        let names = self.keys.names().get(..READS).ok_or("too few keys")?;
        let mut command = redis::cmd("MGET");
        command.arg(names);
        let found: Vec<Option<Vec<u8>>> = command.query_async(&mut self.connection).await?;
        for value in found {
            value.ok_or("a key is missing")?;
        }
        Ok(())
    }
}
