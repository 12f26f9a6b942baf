//! `statectl rm`: removes threads.

use clap::Args;
use serde::Serialize;
use state_core::checkpoint::{CheckpointerExt, ThreadId};

use crate::checkpoint::walk;
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::key_text::show_name;
use crate::output::counted;
use crate::progress;
use crate::table::{Column, Table};

const COLUMNS: [Column; 2] = [Column::wraps("THREAD", 40), Column::whole("STATE")];

/// Remove threads with everything that belongs to them
///
/// Asks first. Tells of each whether it was there, and how many were; exit code 1 when there was
/// none of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl rm chat-7
  statectl rm chat-7 what-if --yes
  statectl threads test- --json | jq -r .thread | xargs statectl rm --yes --raw-keys")]
pub(crate) struct Arguments {
    /// The threads
    #[arg(required = true, value_name = "THREAD")]
    threads: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    removed: u64,
    threads: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    thread: &'a str,
    existed: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let threads = arguments.threads.iter().map(|thread| context.name(thread).map(ThreadId::new));
    let threads = threads.collect::<Result<Vec<_>, _>>()?;
    let store = context.open_checkpoints(Access::Existing).await?;
    threads.iter().try_for_each(|thread| store.limits().check_thread(thread))?;
    if !arguments.yes {
        let mut there = 0;
        for thread in &threads {
            there += u64::from(walk::is_there(&*store, thread).await?);
        }
        if there > 0 {
            let question = format!("Remove {} for good?", counted(there, "thread"));
            context.output.agree(&question, "give --yes to remove without being asked")?;
        }
    }
    let mut lines = Vec::with_capacity(threads.len());
    let bar = progress::records(&context.output, "remove", threads.len() as u64);
    for thread in &threads {
        let existed = store.delete_thread(thread.clone()).await?;
        lines.push(Line { thread: thread.as_str(), existed });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let removed = lines.iter().map(|line| u64::from(line.existed)).sum();
    if context.output.json {
        context.output.json(&Document { removed, threads: lines })?;
    } else {
        let mut table = Table::new(&COLUMNS);
        for line in &lines {
            let told = if line.existed { "removed" } else { "was not there" };
            table.add([show_name(line.thread), told.to_owned()]);
        }
        context.output.table(&table)?;
        context.output.line(format_args!("removed {}", counted(removed, "thread")))?;
    }
    Ok(if removed > 0 { Answer::Yes } else { Answer::No })
}
