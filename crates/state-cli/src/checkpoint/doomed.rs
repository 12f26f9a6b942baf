//! What a retention takes out of sight, told before it happens.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use state_core::checkpoint::{
    CheckpointNamespace, Checkpointer, CheckpointerExt, ListCheckpoints, Retention, ThreadId,
};
use state_core::{Result, Timestamp};

use super::walk;
use crate::duration;
use crate::key_text::show_name;
use crate::table::{Column, Table};

/// The most rows of one table; what follows is a table of its own, without a header.
const TABLE_ROWS_MAX: usize = 500;
const CHECKPOINT: Column = Column::whole("CHECKPOINT");
const STEP: Column = Column::spare("STEP", 1).right();
const TIME: Column = Column::whole("TIME");

/// A checkpoint that would go.
#[derive(Debug, Serialize)]
pub(crate) struct Doomed {
    pub(crate) thread: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    checkpoint_namespace: String,
    checkpoint: String,
    step: Option<i64>,
    time: String,
    time_unix_ms: u64,
    #[serde(skip)]
    second: String,
}

/// The checkpoints of `thread` that `retention` would take out of sight now, newest first.
pub(crate) async fn doomed(
    store: &dyn Checkpointer,
    thread: &ThreadId,
    retention: Retention,
    now: Timestamp,
) -> Result<Vec<Doomed>> {
    let list = ListCheckpoints::of(thread.clone()).with_values(false).with_limit(usize::MAX);
    let mut all = store.list(list);
    let mut seen: HashMap<CheckpointNamespace, usize> = HashMap::new();
    let mut doomed = Vec::new();
    while let Some(tuple) = walk::next(&mut all).await? {
        let newer = seen.entry(tuple.reference.namespace.clone()).or_default();
        let time = tuple.checkpoint.time;
        if !stays(retention, *newer, time, now) {
            doomed.push(Doomed {
                thread: thread.as_str().to_owned(),
                checkpoint_namespace: tuple.reference.namespace.as_str().to_owned(),
                checkpoint: tuple.reference.id.as_str().to_owned(),
                step: tuple.metadata.step(),
                time: duration::show_timestamp(time),
                time_unix_ms: time.unix_ms(),
                second: duration::show_second(time),
            });
        }
        *newer += 1;
    }
    Ok(doomed)
}

/// Whether a checkpoint stays that has so many `newer` ones in its namespace.
fn stays(retention: Retention, newer: usize, made: Timestamp, now: Timestamp) -> bool {
    match retention {
        Retention::Delete => false,
        Retention::KeepLast(count) => newer < count,
        Retention::MaxAge(age) => {
            let old_ms = now.unix_ms().saturating_sub(made.unix_ms());
            newer == 0 || Duration::from_millis(old_ms) <= age
        }
        _ => newer == 0,
    }
}

/// The checkpoints as tables; the thread and the namespace stand there only where they differ.
pub(crate) fn tables(doomed: &[Doomed]) -> Vec<Table> {
    let several = doomed.windows(2).any(|pair| match pair {
        [left, right] => left.thread != right.thread,
        _ => false,
    });
    let within = doomed.iter().any(|one| !one.checkpoint_namespace.is_empty());
    let head: Vec<Column> = [
        several.then_some(Column::wraps("THREAD", 24)),
        within.then_some(Column::wraps("NAMESPACE", 12)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let columns = [&head[..], &[CHECKPOINT, STEP, TIME]].concat();
    let chunks = doomed.chunks(TABLE_ROWS_MAX).enumerate().map(|(index, chunk)| {
        let table = Table::new(&columns);
        let mut table = if index > 0 { table.without_header() } else { table };
        for one in chunk {
            let cells = [
                several.then(|| show_name(&one.thread)),
                within.then(|| show_name(&one.checkpoint_namespace)),
                Some(show_name(&one.checkpoint)),
                Some(one.step.map_or_else(String::new, |step| step.to_string())),
                Some(one.second.clone()),
            ];
            table.add(cells.into_iter().flatten());
        }
        table
    });
    chunks.collect()
}
