//! `statectl prune`: removes checkpoints that need not be kept.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use state_core::checkpoint::{Checkpointer, CheckpointerExt, PruneReport, Retention, ThreadId};

use crate::checkpoint::doomed::{self, Doomed};
use crate::checkpoint::{Line, walk};
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::output::counted;
use crate::{duration, progress};

/// Remove checkpoints that need not be kept
///
/// Which stay is counted in each thread, and in each checkpoint namespace, on its own; the latest
/// always stays, unless --delete is given. What survivors are rebuilt from is kept out of sight.
///
/// Asks first, unless nothing would go. A thread that is not there is the answer no: exit code 1,
/// and nothing is changed.
#[derive(Debug, Args)]
#[command(
    override_usage = "statectl prune [OPTIONS] <RETENTION> <THREAD>...\n       \
                      statectl prune [OPTIONS] <RETENTION> --all",
    after_help = "\
Examples:
  statectl prune chat-7 --keep-last 10 --dry-run
  statectl prune chat-7 chat-8 --keep-latest
  statectl prune --all --max-age 30d --yes
  statectl prune chat-7 --delete --yes"
)]
pub(crate) struct Arguments {
    /// The threads
    #[arg(required_unless_present = "all", value_name = "THREAD")]
    threads: Vec<String>,
    /// All threads
    #[arg(long, conflicts_with = "threads")]
    all: bool,
    #[command(flatten)]
    retention: RetentionArguments,
    /// Only list what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

const RETENTION: &str = "Retention, one of these";

/// What stays.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct RetentionArguments {
    /// Keep the latest checkpoint
    #[arg(long, help_heading = RETENTION)]
    keep_latest: bool,
    /// Keep so many of the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
        help_heading = RETENTION)]
    keep_last: Option<u64>,
    /// Keep those that are not older, and the latest in any case
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, help_heading = RETENTION)]
    max_age: Option<Duration>,
    /// Keep nothing: delete the threads
    #[arg(long, help_heading = RETENTION)]
    delete: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    /// Those of which something goes.
    threads: u64,
    removed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<u64>,
    /// What would go.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints: Option<&'a [Doomed]>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let named = arguments.threads.iter().map(|thread| context.name(thread).map(ThreadId::new));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    let retention = retention(&arguments.retention);
    let store = context.open_checkpoints(Access::Existing).await?;
    for thread in &named {
        store.limits().check_thread(thread)?;
        if !walk::is_there(&*store, thread).await? {
            return Line::root(thread.clone()).absent(None, context);
        }
    }
    if arguments.dry_run || !arguments.yes {
        let doomed = would_go(&*store, &named, retention, context).await?;
        if arguments.dry_run {
            show_plan(&doomed, context)?;
            return Ok(Answer::Yes);
        }
        agree(&doomed, retention, context)?;
    }
    let (threads, report) = prune(&*store, &named, retention, context).await?;
    show(threads, report, context)?;
    Ok(Answer::Yes)
}

fn retention(arguments: &RetentionArguments) -> Retention {
    match (arguments.keep_last, arguments.max_age) {
        (Some(last), _) => Retention::KeepLast(usize::try_from(last).unwrap_or(usize::MAX)),
        (_, Some(age)) => Retention::MaxAge(age),
        _ if arguments.delete => Retention::Delete,
        _ => Retention::KeepLatest,
    }
}

/// Does something with each of the named threads, or with all where none is named.
async fn for_each(
    store: &dyn Checkpointer,
    named: &[ThreadId],
    context: &Context,
    mut one: impl AsyncFnMut(ThreadId) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let bar = progress::count(&context.output, "threads");
    if named.is_empty() {
        let mut all = store.threads();
        while let Some(summary) = walk::next(&mut all).await? {
            one(summary.thread).await?;
            bar.inc(1);
        }
    }
    for thread in named {
        one(thread.clone()).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

async fn would_go(
    store: &dyn Checkpointer,
    named: &[ThreadId],
    retention: Retention,
    context: &Context,
) -> Result<Vec<Doomed>, Failure> {
    let now = context.clock.wall();
    let mut all = Vec::new();
    for_each(store, named, context, async |thread| {
        all.append(&mut doomed::doomed(store, &thread, retention, now).await?);
        Ok(())
    })
    .await?;
    Ok(all)
}

async fn prune(
    store: &dyn Checkpointer,
    named: &[ThreadId],
    retention: Retention,
    context: &Context,
) -> Result<(u64, PruneReport), Failure> {
    let (mut threads, mut report) = (0, PruneReport::default());
    for_each(store, named, context, async |thread| {
        let pruned = store.prune_thread(thread, retention).await?;
        threads += u64::from(pruned != PruneReport::default());
        report.removed += pruned.removed;
        report.hidden += pruned.hidden;
        Ok(())
    })
    .await?;
    Ok((threads, report))
}

fn agree(doomed: &[Doomed], retention: Retention, context: &Context) -> Result<(), Failure> {
    if doomed.is_empty() {
        return Ok(());
    }
    let (checkpoints, threads) = counts(doomed);
    let question = match retention {
        Retention::Delete => format!("Delete {threads} with {checkpoints} for good?"),
        _ => format!("Remove {checkpoints} of {threads} for good?"),
    };
    let next = "give --yes to prune without being asked, or --dry-run to see what would go";
    context.output.agree(&question, next)
}

/// How many checkpoints there are, and of how many threads: those of a thread stand together.
fn counts(doomed: &[Doomed]) -> (String, String) {
    let threads = doomed.chunk_by(|left, right| left.thread == right.thread).count();
    (counted(doomed.len() as u64, "checkpoint"), counted(threads as u64, "thread"))
}

fn show_plan(doomed: &[Doomed], context: &Context) -> Result<(), Failure> {
    let output = &context.output;
    if output.json {
        let threads = doomed.chunk_by(|left, right| left.thread == right.thread).count() as u64;
        let (removed, checkpoints) = (doomed.len() as u64, Some(doomed));
        let (dry_run, hidden) = (true, None);
        return output.json(&Document { dry_run, threads, removed, hidden, checkpoints });
    }
    doomed::tables(doomed).iter().try_for_each(|table| output.table(table))?;
    let (checkpoints, threads) = counts(doomed);
    output.line(format_args!("would remove {checkpoints} from {threads}"))
}

fn show(threads: u64, report: PruneReport, context: &Context) -> Result<(), Failure> {
    let PruneReport { removed, hidden, .. } = report;
    if context.output.json {
        let (dry_run, hidden, checkpoints) = (false, Some(hidden), None);
        return context.output.json(&Document { dry_run, threads, removed, hidden, checkpoints });
    }
    let (checkpoints, threads) = (counted(removed, "checkpoint"), counted(threads, "thread"));
    let kept = match hidden {
        0 => String::new(),
        1 => "; 1 record stays out of sight".to_owned(),
        hidden => format!("; {} stay out of sight", counted(hidden, "record")),
    };
    context.output.line(format_args!("removed {checkpoints} from {threads}{kept}"))
}
