//! `statectl threads`: lists threads.

use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use state_core::checkpoint::{CheckpointerExt, ThreadSummary};

use crate::checkpoint::{MostArguments, walk};
use crate::context::{Access, Context};
use crate::duration;
use crate::failure::{Answer, Failure};
use crate::key_text;
use crate::output::counted;
use crate::progress;
use crate::table::{Column, Table};
use crate::value::{JsonExpires, show_expires};

/// The most rows of one table; what follows is a table of its own.
const TABLE_ROWS_MAX: usize = 500;
const COLUMNS: [Column; 5] = [
    Column::wraps("THREAD", 40),
    Column::spare("CHECKPOINTS", 2).right(),
    Column::spare("STORED", 1).right(),
    Column::whole("LAST WRITE"),
    Column::spare("EXPIRES", 3),
];

/// List threads with their number of checkpoints and what they use
///
/// A thread is one conversation, job or workflow: a history of checkpoints under one name. What
/// it uses in the store is what deleting it would free, about. All are listed, unless --limit is
/// given. In short lines columns are left out. With --json each thread is a line of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl threads
  statectl threads chat-             whose names begin with this
  statectl threads --limit 20
  statectl threads --json | jq .thread")]
pub(crate) struct Arguments {
    /// Only threads whose names begin with this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    #[command(flatten)]
    most: MostArguments,
}

#[derive(Serialize)]
struct Line<'a> {
    thread: &'a str,
    /// Why nothing else is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    #[serde(flatten)]
    known: Option<Known>,
}

#[derive(Serialize)]
struct Known {
    checkpoints: u64,
    stored_bytes: u64,
    last_write: String,
    last_write_unix_ms: u64,
    #[serde(flatten)]
    expires: JsonExpires,
    pinned: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let prefix = context.name(&arguments.prefix)?;
    let store = context.open_checkpoints(Access::Read).await?;
    let limit = arguments.most.or(u64::MAX);
    let mut threads = store.threads();
    let mut rows = Vec::new();
    let mut all = ThreadTotals::default();
    let bar = progress::count(&context.output, "threads");
    while all.threads < limit {
        let Some(summary) = walk::next(&mut threads).await? else { break };
        if !summary.thread.as_str().starts_with(&prefix) {
            continue;
        }
        all.add(&summary);
        bar.inc(1);
        rows.push(summary);
        if rows.len() == TABLE_ROWS_MAX {
            bar.suspend(|| show(&rows, context))?;
            rows.clear();
        }
    }
    bar.finish_and_clear();
    show(&rows, context)?;
    match all.threads {
        0 => context.output.note("there are no such threads in this namespace"),
        1 => {}
        threads => context.output.note(format_args!(
            "{}, {}, {}",
            counted(threads, "thread"),
            counted(all.checkpoints, "checkpoint"),
            HumanBytes(all.bytes)
        )),
    }
    if all.threads == limit && walk::next(&mut threads).await?.is_some() {
        context.output.note("there may be more threads: --all lists them");
    }
    if all.unreadable > 0 {
        context.output.note(format_args!(
            "{} cannot be read: `statectl history` with its name says why",
            counted(all.unreadable, "thread")
        ));
    }
    Ok(Answer::Yes)
}

#[derive(Default)]
struct ThreadTotals {
    threads: u64,
    checkpoints: u64,
    bytes: u64,
    unreadable: u64,
}

impl ThreadTotals {
    fn add(&mut self, summary: &ThreadSummary) {
        self.threads += 1;
        self.checkpoints += summary.checkpoints;
        self.bytes += summary.bytes;
        self.unreadable += u64::from(summary.unreadable.is_some());
    }
}

fn show(rows: &[ThreadSummary], context: &Context) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        return rows.iter().try_for_each(|summary| {
            let known = summary.unreadable.is_none().then(|| Known {
                checkpoints: summary.checkpoints,
                stored_bytes: summary.bytes,
                last_write: duration::show_timestamp(summary.last_write),
                last_write_unix_ms: summary.last_write.unix_ms(),
                expires: JsonExpires::new(summary.expires),
                pinned: summary.pinned,
            });
            let unreadable = summary.unreadable.map(|kind| kind.to_string());
            output.json(&Line { thread: summary.thread.as_str(), unreadable, known })
        });
    }
    if rows.is_empty() {
        return Ok(());
    }
    let mut listing = Table::new(&COLUMNS);
    for summary in rows {
        if let Some(kind) = summary.unreadable {
            let unknown = || "?".to_owned();
            listing.add([
                key_text::show_name(summary.thread.as_str()),
                unknown(),
                unknown(),
                format!("cannot be read: {kind}"),
                unknown(),
            ]);
            continue;
        }
        let expires = show_expires(summary.expires);
        listing.add([
            key_text::show_name(summary.thread.as_str()),
            HumanCount(summary.checkpoints).to_string(),
            HumanBytes(summary.bytes).to_string(),
            duration::show_second(summary.last_write),
            if summary.pinned { "never (pinned)".to_owned() } else { expires },
        ]);
    }
    output.table(&listing)
}
