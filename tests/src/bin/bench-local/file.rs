//! The file store against the embedded engine, with one commit per put and with a batch per
//! commit.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, TableDefinition};
use state_core::{Key, Namespace, PutOptions, Result, StateBackend};
use state_local::FileStore;
use state_tests::bench::{Figure, Outcome, timed};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const TASKS: usize = 64;
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// Puts of each task of ours, and of each of theirs, in one round.
const PUTS: usize = 200;
const SINGLE_PUTS: usize = 10;

/// Durable puts at 64 tasks, by size of the value.
///
/// Every side writes the same keys and values with the same durability, into a store of its own
/// that grows alike; the sides take turns within each round. The last figure is no goal: it is
/// what the engine alone does with batches of the same size, and so the most that a store over
/// it can reach.
pub(crate) fn figures(quick: bool) -> Outcome<Vec<Figure>> {
    let rounds = if quick { 5 } else { 11 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let mut figures = Vec::new();
    for (label, value_bytes) in [("100 B", 100), ("1 KiB", 1_024)] {
        let folder = tempfile::tempdir()?;
        let sides = Sides::open(folder.path(), &runtime)?;
        let value = Bytes::from(vec![b'v'; value_bytes]);
        let (mut against_single, mut batch_against_single) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let single = sides.single(round, &value)?;
            against_single.push((sides.ours(&runtime, round, &value)?, single));
            batch_against_single.push((sides.batched(round, &value)?, single));
        }
        let case = format!("durable puts of {label}, {TASKS} tasks");
        let against = "engine, one commit per put";
        figures.push(Figure::rates(case, "puts/s", against, &against_single).with_goal(10.0));
        let case = format!("the engine's own batches of {TASKS} × {label}");
        figures.push(Figure::rates(case, "puts/s", against, &batch_against_single));
    }
    Ok(figures)
}

/// What is measured side by side.
struct Sides {
    ours: Arc<dyn StateBackend>,
    single: Database,
    batched: Database,
}

impl Sides {
    fn open(folder: &Path, runtime: &Runtime) -> Outcome<Self> {
        let store = runtime.block_on(FileStore::at(folder.join("store")))?;
        Ok(Self {
            ours: Arc::new(store.open(Namespace::default())?),
            single: Database::create(folder.join("single"))?,
            batched: Database::create(folder.join("batched"))?,
        })
    }

    /// Puts per second of the file store, from tasks that each wait for their own.
    fn ours(&self, runtime: &Runtime, round: usize, value: &Bytes) -> Outcome<f64> {
        let (took, ()) = timed(|| runtime.block_on(concurrent(&self.ours, round, value)))?;
        Ok(rate(PUTS * TASKS, took.as_secs_f64()))
    }

    /// Puts per second of the engine with one durable commit for each.
    fn single(&self, round: usize, value: &Bytes) -> Outcome<f64> {
        let (took, ()) = timed(|| {
            for put in 0..SINGLE_PUTS {
                for task in 0..TASKS {
                    insert(&self.single, [name(round, task, put)], value)?;
                }
            }
            Ok(())
        })?;
        Ok(rate(SINGLE_PUTS * TASKS, took.as_secs_f64()))
    }

    /// Puts per second of the engine with one durable commit for one put of each task.
    fn batched(&self, round: usize, value: &Bytes) -> Outcome<f64> {
        let (took, ()) = timed(|| {
            for put in 0..PUTS {
                insert(&self.batched, (0..TASKS).map(|task| name(round, task, put)), value)?;
            }
            Ok(())
        })?;
        Ok(rate(PUTS * TASKS, took.as_secs_f64()))
    }
}

fn name(round: usize, task: usize, put: usize) -> String {
    format!("{round}:{task}:{put}")
}

async fn concurrent(backend: &Arc<dyn StateBackend>, round: usize, value: &Bytes) -> Outcome<()> {
    let tasks: Vec<JoinHandle<Result<()>>> = (0..TASKS)
        .map(|task| {
            let (backend, value) = (Arc::clone(backend), value.clone());
            tokio::spawn(async move {
                for put in 0..PUTS {
                    let key = Key::from(name(round, task, put));
                    backend.put_opts(&key, value.clone(), PutOptions::new()).await?;
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Inserts in one durable commit.
fn insert(
    engine: &Database,
    names: impl IntoIterator<Item = String>,
    value: &Bytes,
) -> Outcome<()> {
    let write = engine.begin_write()?;
    {
        let mut table = write.open_table(TABLE)?;
        for name in names {
            table.insert(name.as_bytes(), value.as_ref())?;
        }
    }
    write.commit()?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(puts: usize, seconds: f64) -> f64 {
    puts as f64 / seconds
}
