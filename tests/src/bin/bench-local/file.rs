//! The file store against the embedded engine with one commit per put.

use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, TableDefinition};
use state_core::{Key, Namespace, PutOptions, Result, StateBackend};
use state_local::FileStore;
use state_tests::bench::{Figure, Outcome, timed};
use tokio::task::JoinHandle;

const TASKS: usize = 64;
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// Durable puts at 64 tasks, by size of the value.
pub(crate) fn figures(quick: bool) -> Outcome<Vec<Figure>> {
    let rounds = if quick { 3 } else { 9 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let mut figures = Vec::new();
    for (label, value_bytes, goal) in [("100 B", 100, Some(10.0)), ("1 KiB", 1_024, Some(10.0))] {
        let folder = tempfile::tempdir()?;
        let store = runtime.block_on(FileStore::at(folder.path().join("store")))?;
        let backend: Arc<dyn StateBackend> = Arc::new(store.open(Namespace::default())?);
        let engine = Database::create(folder.path().join("engine"))?;
        let value = Bytes::from(vec![b'v'; value_bytes]);
        let mut pairs = Vec::new();
        for round in 0..rounds {
            let (ours, theirs) = (200 * TASKS, 10 * TASKS);
            let (took, ()) =
                timed(|| runtime.block_on(concurrent(&backend, round, ours / TASKS, &value)))?;
            let fast = rate(ours, took.as_secs_f64());
            let (took, ()) = timed(|| single(&engine, round, theirs, &value))?;
            pairs.push((fast, rate(theirs, took.as_secs_f64())));
        }
        let case = format!("durable puts of {label}, {TASKS} tasks");
        let against = "engine, one commit per put";
        let figure = Figure::rates(case, "puts/s", against, &pairs);
        figures.push(match goal {
            Some(goal) => figure.with_goal(goal),
            None => figure,
        });
    }
    Ok(figures)
}

async fn concurrent(
    backend: &Arc<dyn StateBackend>,
    round: usize,
    puts: usize,
    value: &Bytes,
) -> Outcome<()> {
    let tasks: Vec<JoinHandle<Result<()>>> = (0..TASKS)
        .map(|task| {
            let (backend, value) = (Arc::clone(backend), value.clone());
            tokio::spawn(async move {
                for put in 0..puts {
                    let key = Key::from(format!("{round}:{task}:{put}"));
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

fn single(engine: &Database, round: usize, puts: usize, value: &Bytes) -> Outcome<()> {
    for put in 0..puts {
        let write = engine.begin_write()?;
        {
            let key = format!("{round}:{put}");
            write.open_table(TABLE)?.insert(key.as_bytes(), value.as_ref())?;
        }
        write.commit()?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(puts: usize, seconds: f64) -> f64 {
    puts as f64 / seconds
}
