//! `statectl import`: reads threads from JSON lines.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use state_codec::SnapshotSource;
use state_core::checkpoint::{
    CheckpointLimits, CheckpointTuple, Checkpointer, CheckpointerExt, PutCheckpoint, PutWrites,
};

use crate::checkpoint::record::{self, ExportLine};
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::json_lines::JsonLines;
use crate::output::counted;
use crate::{progress, received};

/// A line holds a whole state, as text.
const LINE_BYTES_MAX: usize = 256 << 20;

/// Read threads from JSON lines, as `export` has written them
///
/// The file is verified whole first, and nothing is changed unless all of it is sound. What is
/// in the store already is passed over, so an import that was interrupted is
/// simply run again; a checkpoint that is there with another content is a conflict. What comes
/// through a pipe is kept in a temporary file meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl import threads.jsonl
  statectl import threads.jsonl --check          verify only
  zstd -dc --long threads.jsonl.zst | statectl import -
  grep chat-7 threads.jsonl | statectl import - --part")]
pub(crate) struct Arguments {
    /// The file to read, or `-` for standard input
    file: PathBuf,
    /// Only verify the file; needs no store
    #[arg(long)]
    check: bool,
    /// Take a file that does not end with an end, or has other lines than that says
    #[arg(long)]
    part: bool,
}

#[derive(Serialize)]
struct Document {
    checkpoints: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<u64>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    if !arguments.check {
        // A wrong store is said before a pipe is drained.
        context.store_url()?;
    }
    let file = &arguments.file;
    let from_stdin = file.as_os_str() == "-";
    let path = if from_stdin { Path::new("standard input") } else { file };
    let source: Box<dyn SnapshotSource> = if from_stdin {
        Box::new(received::standard_input(&context.output)?)
    } else {
        Box::new(file.clone())
    };
    let open = || {
        let reader = source.open().map_err(|error| Failure::file("reading", path, &error))?;
        Ok::<_, Failure>(JsonLines::new(reader, path, LINE_BYTES_MAX))
    };
    let size = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let bar = progress::bytes(&context.output, "verify", size);
    let checkpoints = verify(open()?, &CheckpointLimits::DEFAULT, arguments.part, &bar)?;
    if arguments.check {
        bar.finish_and_clear();
        let (imported, present) = (None, None);
        return show(&Document { checkpoints, imported, present }, context);
    }
    let store = context.open_checkpoints(Access::Create).await?;
    // The limits of this store may be lower.
    verify(open()?, &store.limits(), arguments.part, &bar)?;
    bar.set_message("import");
    let mut import = Import { store: &*store, last: None, imported: 0, present: 0 };
    let mut lines = open()?;
    while let Some(line) = lines.next()? {
        if let ExportLine::Checkpoint(tuple) = read(&line, lines.line())? {
            let one = import.one(*tuple, lines.line()).await;
            one.map_err(|failure| import.advise(failure, lines.line(), path))?;
        }
        bar.set_position(lines.bytes());
    }
    bar.finish_and_clear();
    let (imported, present) = (Some(import.imported), Some(import.present));
    show(&Document { checkpoints, imported, present }, context)
}

/// The writes beside a checkpoint, in as many calls as it takes.
fn writes_of(tuple: &CheckpointTuple, writes_max: usize) -> Vec<PutWrites> {
    let writes = tuple.pending_writes.chunks(writes_max.max(1));
    writes.map(|writes| PutWrites::new(tuple.reference.clone(), writes.to_vec())).collect()
}

/// Reads all lines and returns how many checkpoints there are.
fn verify(
    mut lines: JsonLines,
    limits: &CheckpointLimits,
    part: bool,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let (mut all, mut since_end, mut ended) = (0, 0, false);
    while let Some(text) = lines.next()? {
        let line = lines.line();
        match read(&text, line)? {
            ExportLine::End(checkpoints) => {
                if checkpoints != since_end && !part {
                    let message = format!(
                        "line {line} ends {}, and there are {since_end}",
                        counted(checkpoints, "checkpoint")
                    );
                    return Err(Failure::corrupt(message, PART));
                }
                (since_end, ended) = (0, true);
            }
            ExportLine::Checkpoint(tuple) => {
                let checked = limits.check_put(&put_of(&tuple, None));
                let writes = writes_of(&tuple, limits.writes_max);
                let checked = checked.and_then(|()| {
                    writes.into_iter().try_for_each(|writes| limits.check_writes(&writes))
                });
                checked.map_err(|error| {
                    Failure::from(error).with_next(format!("mend line {line}; nothing was changed"))
                })?;
                all += 1;
                since_end += 1;
                ended = false;
            }
        }
        bar.set_position(lines.bytes());
    }
    if !ended && !part {
        let message = format!("the file stops after line {} without an end", lines.line());
        return Err(Failure::corrupt(message, PART));
    }
    Ok(all)
}

const PART: &str = "take another copy of it; or give --part to take what there is. Nothing was \
     changed";

fn read(text: &[u8], line: u64) -> Result<ExportLine, Failure> {
    record::decode(text).map_err(|what| {
        let next = "take another copy of it, or mend that line; nothing was changed";
        Failure::corrupt(format!("line {line} {what}"), next)
    })
}

/// What is put for a checkpoint: of its values, those that its parent does not have.
fn put_of(tuple: &CheckpointTuple, parent: Option<&CheckpointTuple>) -> PutCheckpoint {
    let mut put = PutCheckpoint::new(tuple.reference.thread.clone(), tuple.checkpoint.clone())
        .with_namespace(tuple.reference.namespace.clone())
        .with_parent(tuple.parent.clone())
        .with_metadata(tuple.metadata.clone());
    let versions = &tuple.checkpoint.channel_versions;
    for (channel, value) in &tuple.values {
        let has = parent.is_some_and(|parent| {
            parent.values.get(channel) == Some(value)
                && parent.checkpoint.channel_versions.get(channel) == versions.get(channel)
        });
        if !has {
            put = put.with_value(channel, value.clone());
        }
    }
    put
}

/// An import that is going on.
struct Import<'a> {
    store: &'a dyn Checkpointer,
    /// What was dealt with last, which is often the parent of what comes next.
    last: Option<CheckpointTuple>,
    imported: u64,
    present: u64,
}

impl Import<'_> {
    async fn one(&mut self, tuple: CheckpointTuple, line: u64) -> Result<(), Failure> {
        let found = self.store.at(&tuple.reference).await?;
        if let Some(found) = found {
            self.compare(&found, &tuple, line).await?;
            self.present += 1;
        } else {
            // Writes first: a checkpoint that is there has all of them.
            self.put_writes(&tuple).await?;
            let parent = self.parent(&tuple).await?;
            self.store.put_checkpoint(put_of(&tuple, parent.as_ref())).await?;
            self.imported += 1;
        }
        self.last = Some(tuple);
        Ok(())
    }

    async fn put_writes(&self, tuple: &CheckpointTuple) -> Result<(), Failure> {
        for writes in writes_of(tuple, self.store.limits().writes_max) {
            self.store.put_writes(writes).await?;
        }
        Ok(())
    }

    async fn parent(&self, tuple: &CheckpointTuple) -> Result<Option<CheckpointTuple>, Failure> {
        let Some(id) = &tuple.parent else { return Ok(None) };
        let mut reference = tuple.reference.clone();
        reference.id = id.clone();
        match &self.last {
            Some(last) if last.reference == reference => Ok(Some(last.clone())),
            _ => Ok(self.store.at(&reference).await?),
        }
    }

    /// What is there must be the same; it may lack writes.
    async fn compare(
        &self,
        found: &CheckpointTuple,
        tuple: &CheckpointTuple,
        line: u64,
    ) -> Result<(), Failure> {
        let same = found.checkpoint == tuple.checkpoint
            && found.metadata == tuple.metadata
            && found.parent == tuple.parent
            && found.values == tuple.values
            && found.pending_writes.iter().all(|write| tuple.pending_writes.contains(write));
        if !same {
            return Err(Failure::conflict(
                format!("the checkpoint of line {line} is there with another content"),
                "",
            ));
        }
        if found.pending_writes.len() < tuple.pending_writes.len() {
            self.put_writes(tuple).await?;
        }
        Ok(())
    }

    /// Says how to go on from where the import has stopped.
    fn advise(&self, failure: Failure, line: u64, path: &Path) -> Failure {
        let done = counted(self.imported, "checkpoint");
        let first = match failure.exit() {
            crate::failure::Exit::Conflict => "import into another namespace, or remove the thread",
            _ => "mend the cause, then run the same command again: what is there is passed over",
        };
        failure.with_next(format!(
            "{done} before line {line} of `{}` were imported; {first}",
            path.display()
        ))
    }
}

fn show(document: &Document, context: &Context) -> Result<Answer, Failure> {
    if context.output.json {
        context.output.json(document)?;
        return Ok(Answer::Yes);
    }
    let checkpoints = counted(document.checkpoints, "checkpoint");
    match (document.imported, document.present) {
        (Some(imported), Some(0)) => {
            context.output.line(format_args!("imported {}", counted(imported, "checkpoint")))?;
        }
        (Some(imported), Some(present)) => context.output.line(format_args!(
            "imported {imported} of {checkpoints}; {present} were there already"
        ))?,
        _ => context.output.line(format_args!("sound: {checkpoints}"))?,
    }
    Ok(Answer::Yes)
}
