//! `statectl restore`: applies a snapshot file to a namespace.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indicatif::{HumanCount, ProgressBar};
use serde::Serialize;
use state_codec::{
    RestoreFileOptions, SnapshotProgress, SnapshotSource, SnapshotStage, restore_snapshot,
    verify_snapshot,
};
use state_core::{ErrorKind, RestoreMode, RestoreOptions, RestoreReport, StateBackend};

use super::snapshot::Document as SnapshotDocument;
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::output::counted;
use crate::{progress, received};

/// Apply a snapshot file to a namespace
///
/// The file is read twice: it is verified whole, and nothing is changed unless all of it is
/// sound; then it is applied. What comes through a pipe is kept in a temporary file meanwhile.
/// Deadlines stay absolute: what has expired by now is left out. Versions are fresh. A restore
/// that was interrupted says how to go on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl restore backup.snap                    keys that it does not name stay
  statectl restore backup.snap --replace          the namespace holds nothing else afterwards
  statectl restore backup.snap --check            verify only
  statectl restore backup.snap --resume-after 40000
  ssh host 'cat backup.snap' | statectl restore -")]
pub(crate) struct Arguments {
    /// The file to read, or `-` for standard input
    file: PathBuf,
    /// Clear the namespace first; asks, when it is not empty
    #[arg(long)]
    replace: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Skip so many records, which an interrupted restore of the same file has dealt with
    #[arg(long, value_name = "RECORDS", default_value_t = 0, hide_default_value = true)]
    resume_after: u64,
    /// Only verify the file; needs no store
    #[arg(long, conflicts_with_all = ["replace", "resume_after"])]
    check: bool,
}

#[derive(Serialize)]
struct Document {
    records: u64,
    applied: u64,
    expired: u64,
    cleared: u64,
    resumed_after: u64,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    if arguments.check {
        let source = source(arguments, context)?;
        return check(&*source, arguments, context);
    }
    // A wrong store is said before a pipe is drained.
    context.store_url()?;
    let source = source(arguments, context)?;
    let namespace = context.namespace()?;
    let opened = context.open_store(Access::Create).await?;
    let store = opened.namespace(namespace, Access::Create).await?;
    let mode = if arguments.replace { RestoreMode::ReplaceNamespace } else { RestoreMode::Merge };
    if arguments.replace && arguments.resume_after == 0 && !arguments.yes {
        ask(&*store, context).await?;
    }
    let restore = RestoreOptions::new(mode).with_resume_after_records(arguments.resume_after);
    let options = RestoreFileOptions::new(Arc::clone(&context.clock)).with_restore(restore);
    let bar = progress::bytes(&context.output, "verify", size(arguments));
    let mut applying = false;
    let tell = |now: SnapshotProgress| {
        applying |= now.stage == SnapshotStage::Apply;
        show_progress(&bar, now);
    };
    let restored = restore_snapshot(&*store, &*source, options, tell).await;
    bar.finish_and_clear();
    if restored.is_err() && !applying {
        // What was refused leaves no empty store behind; that it was refused matters more than
        // that a file could not be removed.
        if let Err(failure) = opened.take_back() {
            context.output.note(failure);
        }
    }
    let report = restored.map_err(|error| advise(error, applying, arguments))?;
    show(report, arguments, context)?;
    Ok(Answer::Yes)
}

fn source(arguments: &Arguments, context: &Context) -> Result<Box<dyn SnapshotSource>, Failure> {
    if arguments.file.as_os_str() == "-" {
        return Ok(Box::new(received::standard_input(&context.output)?));
    }
    let path = &arguments.file;
    File::open(path).map_err(|error| Failure::file("reading", path, &error))?;
    Ok(Box::new(path.clone()))
}

fn size(arguments: &Arguments) -> u64 {
    std::fs::metadata(&arguments.file).map_or(0, |metadata| metadata.len())
}

fn show_progress(bar: &ProgressBar, now: SnapshotProgress) {
    if let Some(total) = now.bytes_total {
        bar.set_length(total);
    }
    bar.set_message(if now.stage == SnapshotStage::Apply { "apply" } else { "verify" });
    bar.set_position(now.bytes);
}

fn check(
    source: &dyn SnapshotSource,
    arguments: &Arguments,
    context: &Context,
) -> Result<Answer, Failure> {
    let reader = source.open();
    let reader = reader.map_err(|error| Failure::file("reading", &arguments.file, &error))?;
    let bar = progress::bytes(&context.output, "verify", size(arguments));
    let verified = verify_snapshot(reader, |now| show_progress(&bar, now));
    bar.finish_and_clear();
    let summary = verified.map_err(|error| advise(error, false, arguments))?;
    if context.output.json {
        context.output.json(&SnapshotDocument::new(&summary))?;
    } else {
        let made = crate::duration::show_timestamp(summary.info.created_at);
        let records = counted(summary.records, "record");
        context.output.line(format_args!("sound: {records}, written at {made}"))?;
    }
    Ok(Answer::Yes)
}

/// Makes sure that the namespace may be cleared.
async fn ask(store: &dyn StateBackend, context: &Context) -> Result<(), Failure> {
    let entries = store.memory_usage().await?.entries;
    if entries == 0 {
        return Ok(());
    }
    let namespace = store.info().namespace;
    let question =
        format!("Replace {} that the namespace `{namespace}` holds?", counted(entries, "entry"));
    let next = "give --yes to replace them, or leave out --replace to merge";
    context.output.agree(&question, next)
}

/// Says how to go on from where the restore has stopped.
fn advise(error: state_core::Error, applying: bool, arguments: &Arguments) -> Failure {
    let dealt = error.index().filter(|_| applying);
    let kind = error.kind();
    let failure = Failure::from(error);
    if let Some(records) = dealt {
        let file = arguments.file.display();
        return failure.with_next(format!(
            "{} dealt with; mend the cause, then go on with `statectl restore {file} \
             --resume-after {records}`",
            counted(records as u64, "record")
        ));
    }
    match kind {
        ErrorKind::Corrupt => {
            failure.with_next("take another copy of the snapshot; nothing was changed")
        }
        ErrorKind::Unsupported => {
            failure.with_next("restore it with a newer `statectl`, or into another store")
        }
        _ => failure,
    }
}

fn show(report: RestoreReport, arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let RestoreReport { records, applied, expired, cleared, .. } = report;
    if context.output.json {
        let resumed_after = arguments.resume_after;
        return context.output.json(&Document {
            records,
            applied,
            expired,
            cleared,
            resumed_after,
        });
    }
    let mut line = format!("applied {} of {}", HumanCount(applied), counted(records, "record"));
    for (count, what) in [
        (arguments.resume_after, "skipped as dealt with before"),
        (expired, "left out as expired"),
        (cleared, "removed first"),
    ] {
        if count > 0 {
            line = format!("{line}, {} {what}", HumanCount(count));
        }
    }
    context.output.line(line)
}
