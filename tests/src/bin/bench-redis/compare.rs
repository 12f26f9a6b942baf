//! Compare-and-set beside the driver's own script, called with the same arguments on the client's plain connection.

use std::sync::Arc;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use state_core::{Key, Precondition, PutOptions, StateBackend, Version};
use state_tests::bench::{Caller, Figure, Outcome};

use super::ground::{Ground, plain_name};
use super::sides::value;

const SCRIPT: &str = concat!(
    include_str!("../../../../crates/state-redis/src/scripts/prelude.lua"),
    include_str!("../../../../crates/state-redis/src/scripts/put.lua"),
);
/// What an entry begins with, before its version.
const MAGIC: &[u8] = b"S1";
const VALUE_BYTES: usize = 100;
const TASKS: [usize; 2] = [1, 64];
const GOAL: f64 = 0.9;

pub(crate) async fn figures(ground: &Ground) -> Outcome<Vec<Figure>> {
    let (backend, mut connection) = (ground.backend().await?, ground.plain().await?);
    let mut load = redis::cmd("SCRIPT");
    let digest: String = load.arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
    let value = value(VALUE_BYTES);
    let ours = Compare { backend, key: Key::from("compare"), version: None, value: value.clone() };
    let plain = PlainCompare {
        connection,
        digest: Arc::from(digest),
        key: String::new(),
        writes: 0,
        value,
    };
    let mut figures = Vec::new();
    for tasks in TASKS {
        let case = format!("compare-and-set {VALUE_BYTES} B, {tasks} tasks");
        let against = "EVALSHA of the same script";
        let figure = ground.pace.rates(case, against, tasks, &ours, &plain).await?;
        figures.push(figure.with_goal(GOAL));
    }
    Ok(figures)
}

/// Each task replaces what it wrote last, at a key of its own.
#[derive(Clone)]
struct Compare {
    backend: Arc<dyn StateBackend>,
    key: Key,
    version: Option<Version>,
    value: Bytes,
}

impl Caller for Compare {
    fn for_task(&self, task: usize) -> Self {
        Self { key: Key::from(format!("compare:{task}")), ..self.clone() }
    }

    async fn call(&mut self, _number: usize) -> Outcome<()> {
        let options = match self.version {
            Some(version) => PutOptions::new().with_precondition(Precondition::Matches(version)),
            None => PutOptions::new(),
        };
        let written = self.backend.put_opts(&self.key, self.value.clone(), options).await?;
        self.version = Some(written.version);
        Ok(())
    }
}

#[derive(Clone)]
struct PlainCompare {
    connection: MultiplexedConnection,
    digest: Arc<str>,
    key: String,
    /// How many writes there were; the version of each is its number.
    writes: u128,
    value: Bytes,
}

impl Caller for PlainCompare {
    fn for_task(&self, task: usize) -> Self {
        Self { key: plain_name(&format!("compare:{task}")), ..self.clone() }
    }

    async fn call(&mut self, _number: usize) -> Outcome<()> {
        let wanted = self.writes.to_be_bytes();
        self.writes += 1;
        let header = [MAGIC, &self.writes.to_be_bytes()].concat();
        let kind = if self.writes == 1 { "a" } else { "m" };
        let mut command = redis::cmd("EVALSHA");
        command.arg(&*self.digest).arg(3).arg(&self.key).arg("").arg("");
        command.arg(header).arg(self.value.as_ref()).arg(kind).arg(&wanted[..]);
        // No lifetime, no fence, no operation id.
        command.arg("n").arg("").arg("").arg("").arg("");
        let answer: Vec<String> = command.query_async(&mut self.connection).await?;
        if answer.first().is_some_and(|word| word == "ok") {
            return Ok(());
        }
        Err("the script refused a comparison that holds".into())
    }
}
