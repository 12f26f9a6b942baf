//! `statectl prune`: removes checkpoints that need not be kept.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use state_core::Timestamp;
use state_core::checkpoint::{
    CheckpointNamespace, Checkpointer, CheckpointerExt, ListCheckpoints, PruneReport, Retention,
    ThreadId,
};

use crate::checkpoint::walk;
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::output::counted;
use crate::{duration, progress};

/// Remove checkpoints that need not be kept
///
/// Which stay is counted in each thread, and in each checkpoint namespace, on its own; the latest
/// always stays, unless --delete is given. What survivors are rebuilt from is kept out of sight.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl prune chat-7 --keep-last 10 --dry-run
  statectl prune chat-7 chat-8 --keep-latest
  statectl prune --all --max-age 30d
  statectl prune chat-7 --delete --yes")]
pub(crate) struct Arguments {
    /// The threads
    #[arg(required_unless_present = "all", value_name = "THREAD")]
    threads: Vec<String>,
    /// All threads
    #[arg(long, conflicts_with = "threads")]
    all: bool,
    #[command(flatten)]
    retention: RetentionArguments,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before threads are deleted
    #[arg(long, short)]
    yes: bool,
}

/// What stays.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct RetentionArguments {
    /// Keep the latest checkpoint
    #[arg(long)]
    keep_latest: bool,
    /// Keep so many of the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep_last: Option<u64>,
    /// Keep those that are not older, and the latest in any case
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    max_age: Option<Duration>,
    /// Keep nothing: delete the threads; asks
    #[arg(long)]
    delete: bool,
}

#[derive(Serialize)]
struct Document {
    dry_run: bool,
    threads: u64,
    removed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<u64>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let named = arguments.threads.iter().map(|thread| context.name(thread).map(ThreadId::new));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    let retention = retention(&arguments.retention);
    let store = context.open_checkpoints(Access::Existing).await?;
    named.iter().try_for_each(|thread| store.limits().check_thread(thread))?;
    if arguments.retention.delete && !arguments.dry_run && !arguments.yes {
        let which = if arguments.all {
            "all threads of this namespace".to_owned()
        } else {
            counted(named.len() as u64, "thread")
        };
        let question = format!("Delete {which} for good?");
        context.output.agree(&question, "give --yes to delete without being asked")?;
    }
    let bar = progress::count(&context.output, "threads");
    let now = context.clock.wall();
    let mut threads = 0;
    let mut report = PruneReport::default();
    let mut one = async |thread: ThreadId| -> Result<(), Failure> {
        let pruned = if arguments.dry_run {
            PruneReport::new(would_go(&*store, &thread, retention, now).await?, 0)
        } else {
            store.prune_thread(thread, retention).await?
        };
        threads += u64::from(pruned != PruneReport::default());
        report.removed += pruned.removed;
        report.hidden += pruned.hidden;
        bar.inc(1);
        Ok(())
    };
    if arguments.all {
        let mut all = store.threads();
        while let Some(summary) = walk::next(&mut all).await? {
            one(summary.thread).await?;
        }
    } else {
        for thread in named {
            one(thread).await?;
        }
    }
    bar.finish_and_clear();
    show(threads, report, arguments.dry_run, context)?;
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

/// How many checkpoints a retention would take out of sight.
async fn would_go(
    store: &dyn Checkpointer,
    thread: &ThreadId,
    retention: Retention,
    now: Timestamp,
) -> Result<u64, Failure> {
    let list = ListCheckpoints::of(thread.clone()).with_values(false).with_limit(usize::MAX);
    let mut all = store.list(list);
    let mut seen: HashMap<CheckpointNamespace, usize> = HashMap::new();
    let mut gone = 0;
    while let Some(tuple) = walk::next(&mut all).await? {
        let before = seen.entry(tuple.reference.namespace.clone()).or_default();
        let stays = match retention {
            Retention::Delete => false,
            Retention::KeepLast(count) => *before < count,
            Retention::MaxAge(age) => {
                let made = tuple.checkpoint.time.unix_ms();
                let old_ms = now.unix_ms().saturating_sub(made);
                *before == 0 || Duration::from_millis(old_ms) <= age
            }
            _ => *before == 0,
        };
        *before += 1;
        gone += u64::from(!stays);
    }
    Ok(gone)
}

fn show(
    threads: u64,
    report: PruneReport,
    dry_run: bool,
    context: &Context,
) -> Result<(), Failure> {
    let PruneReport { removed, hidden, .. } = report;
    if context.output.json {
        let hidden = (!dry_run).then_some(hidden);
        return context.output.json(&Document { dry_run, threads, removed, hidden });
    }
    let (checkpoints, threads) = (counted(removed, "checkpoint"), counted(threads, "thread"));
    if dry_run {
        return context.output.line(format_args!("would remove {checkpoints} from {threads}"));
    }
    let kept = match hidden {
        0 => String::new(),
        hidden => format!("; {} stay out of sight", counted(hidden, "record")),
    };
    context.output.line(format_args!("removed {checkpoints} from {threads}{kept}"))
}
