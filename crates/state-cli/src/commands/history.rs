//! `statectl history`: lists the checkpoints of a thread.

use std::collections::BTreeMap;

use crate::checkpoint::change::{self, Change, Changed};
use crate::checkpoint::walk::{Step, Walk};
use crate::checkpoint::{Head, Line, MostArguments, ThreadArguments};
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::key_text;
use crate::progress;
use crate::table::{Column, Table};
use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;

/// The most rows of one table; what follows is a table of its own.
const TABLE_ROWS_MAX: usize = 100;
/// How many checkpoints are listed unless something else is asked for.
const USUAL_LIMIT: u64 = 100;
const COLUMNS: [Column; 6] = [
    Column::whole("CHECKPOINT"),
    Column::whole("STEP").right(),
    Column::spare("SOURCE", 1),
    Column::wraps("CHANGED", 16),
    Column::spare("NEW", 3).right(),
    Column::spare("STATE", 2).right(),
];

/// List the checkpoints of a thread, the newest first
///
/// CHANGED tells of the channels that differ from the checkpoint before: `messages +2` for a
/// list that has two elements more. NEW counts the bytes in which they differ, STATE those of the
/// whole state; what the store needs for all of them, `statectl threads` tells. At most 100 are
/// listed, unless --limit or --all is given. In short lines columns are left out. With --json
/// each checkpoint is a line of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl history chat-7
  statectl history chat-7 --limit 5
  statectl history chat-7 --all --json | jq .checkpoint")]
pub(crate) struct Arguments {
    #[command(flatten)]
    thread: ThreadArguments,
    #[command(flatten)]
    most: MostArguments,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    /// Null where the checkpoint before is gone.
    changed: Option<BTreeMap<&'a str, ChangeDocument>>,
    new_bytes: Option<usize>,
    state_bytes: usize,
    pending_writes: usize,
}

/// What happened to a channel, in a JSON document.
#[derive(Debug, Serialize)]
struct ChangeDocument {
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    elements_added: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elements_removed: Option<usize>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let line = Line::of(&arguments.thread, context)?;
    let store = context.open_checkpoints(Access::Read).await?;
    let limit = arguments.most.or(USUAL_LIMIT);
    let mut walk = Walk::new(&*store, line.clone());
    let mut rows = Vec::new();
    let mut seen = 0;
    let mut more = false;
    let bar = progress::count(&context.output, "checkpoints");
    while let Some(step) = walk.step().await? {
        more = seen == limit;
        if more {
            break;
        }
        seen += 1;
        bar.inc(1);
        if context.output.json {
            context.output.json(&document(&step))?;
            continue;
        }
        rows.push(row(&step));
        if rows.len() == TABLE_ROWS_MAX {
            bar.suspend(|| show(&mut rows, context))?;
        }
    }
    bar.finish_and_clear();
    if seen == 0 {
        return line.absent(None, context);
    }
    show(&mut rows, context)?;
    if more {
        context.output.note("there are older checkpoints: --all lists them");
    }
    Ok(Answer::Yes)
}

/// What is known to have changed; `None` where the checkpoint before is gone.
fn changes(step: &Step) -> Option<Vec<Changed<'_>>> {
    let known = step.tuple.parent.is_none() || step.parent.is_some();
    known.then(|| change::between(step.parent.as_ref(), &step.tuple))
}

fn document(step: &Step) -> Document<'_> {
    let changes = changes(step);
    Document {
        head: Head::of(&step.tuple),
        new_bytes: changes.as_ref().map(|all| all.iter().map(|changed| changed.new_bytes).sum()),
        changed: changes
            .map(|all| all.iter().map(|changed| (changed.channel, told(changed))).collect()),
        state_bytes: change::state_bytes(&step.tuple),
        pending_writes: step.tuple.pending_writes.len(),
    }
}

fn told(changed: &Changed<'_>) -> ChangeDocument {
    let (change, elements_added, elements_removed) = match &changed.change {
        Change::Added(_) => ("added", None, None),
        Change::Removed(_) => ("removed", None, None),
        Change::List { removed, added, .. } => ("changed", Some(added.len()), Some(removed.len())),
        Change::Object(_) | Change::Replaced { .. } => ("changed", None, None),
    };
    ChangeDocument { change, elements_added, elements_removed }
}

/// The cells of a checkpoint in the table.
pub(crate) fn row(step: &Step) -> [String; 6] {
    let tuple = &step.tuple;
    let changes = changes(step);
    let mut told = match &changes {
        Some(changes) => changes.iter().map(Changed::summary).collect::<Vec<_>>(),
        None => vec!["(the one before is gone)".to_owned()],
    };
    if !tuple.pending_writes.is_empty() {
        told.push(format!("({} pending)", tuple.pending_writes.len()));
    }
    let bytes = |bytes: usize| HumanBytes(bytes as u64).to_string();
    [
        key_text::show_name(tuple.reference.id.as_str()),
        tuple.metadata.step().map_or_else(String::new, |step| step.to_string()),
        tuple.metadata.source().map(key_text::show_name).unwrap_or_default(),
        told.join(", "),
        changes.map_or_else(
            || "?".to_owned(),
            |all| bytes(all.iter().map(|changed| changed.new_bytes).sum()),
        ),
        bytes(change::state_bytes(tuple)),
    ]
}

/// Writes rows as a table, and forgets them.
pub(crate) fn show(rows: &mut Vec<[String; 6]>, context: &Context) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut listing = Table::new(&COLUMNS);
    rows.drain(..).for_each(|row| listing.add(row));
    context.output.table(&listing)
}
