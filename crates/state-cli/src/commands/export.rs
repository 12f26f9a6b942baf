//! `statectl export`: writes threads as JSON lines.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use state_core::checkpoint::{
    CheckpointRef, Checkpointer, CheckpointerExt, ListCheckpoints, ThreadId,
};

use super::snapshot::keep;
use crate::checkpoint::{Line, record, walk};
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::output::{Output, counted};
use crate::progress;

/// Write threads as JSON lines, one checkpoint per line, with everything
///
/// A line holds the whole state, so that other programs can read it on its own: a long thread
/// takes many times what it takes in the store, and `zstd --long` makes that up. This is how threads
/// get from one store to another: a `statectl snapshot` of a server holds none, and in one of a
/// file they are rows that a server does not know. Checkpoints stand oldest first, and the last line
/// says how many there are. docs/wire-format.md describes the lines. How long a thread lives, writes
/// beside checkpoints that were never put, and what a pruning has left out of sight are not in them:
/// the history of a channel that is rebuilt from writes begins at the oldest checkpoint that is
/// shown. With `-` and --json, the document is written to standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl export threads.jsonl
  statectl export chat.jsonl --thread chat-7 --thread chat-8
  statectl export - | zstd --long > threads.jsonl.zst
  statectl export - --thread chat-7 | jq -c '.metadata.step'")]
pub(crate) struct Arguments {
    /// The file to write, or `-` for standard output
    file: PathBuf,
    /// Only this thread; several, when given several times
    #[arg(long, value_name = "THREAD")]
    thread: Vec<String>,
    /// Replace a file that is no export, too
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Document {
    threads: u64,
    checkpoints: u64,
    file_bytes: u64,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let named = arguments.thread.iter().map(|thread| context.name(thread).map(ThreadId::new));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    let to_stdout = arguments.file.as_os_str() == "-";
    if !to_stdout && !arguments.force {
        refuse_to_replace(&arguments.file)?;
    }
    let store = context.open_checkpoints(Access::Read).await?;
    for thread in &named {
        store.limits().check_thread(thread)?;
        if !walk::is_there(&*store, thread).await? {
            return Line::root(thread.clone()).absent(None, context);
        }
    }
    let bar = progress::count(&context.output, "checkpoints");
    let file = &arguments.file;
    if to_stdout {
        let mut sink = Sink::new(Output::raw(), Path::new("standard output"));
        let written = write(&*store, &named, &mut sink, &bar).await?;
        bar.finish_and_clear();
        context.output.note(describe(&written, "standard output"));
        context.output.json_aside(&written);
        return Ok(Answer::Yes);
    }
    let failed = |error| Failure::file("writing", file, &error);
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let temporary = tempfile::Builder::new().prefix(".export-").tempfile_in(folder);
    let temporary = temporary.map_err(failed)?;
    let mut sink = Sink::new(BufWriter::new(temporary.reopen().map_err(failed)?), file);
    let written = write(&*store, &named, &mut sink, &bar).await?;
    drop(sink);
    keep(temporary, folder, file).map_err(failed)?;
    bar.finish_and_clear();
    if context.output.json {
        context.output.json(&written)?;
    } else {
        context.output.line(describe(&written, &file.display().to_string()))?;
    }
    Ok(Answer::Yes)
}

fn describe(written: &Document, name: &str) -> String {
    let (checkpoints, threads) = (written.checkpoints, written.threads);
    let (checkpoints, threads) = (counted(checkpoints, "checkpoint"), counted(threads, "thread"));
    format!("wrote {checkpoints} of {threads} to {name}")
}

/// Writes the lines of threads, all of them where none is named.
async fn write(
    store: &dyn Checkpointer,
    named: &[ThreadId],
    sink: &mut Sink<'_>,
    bar: &ProgressBar,
) -> Result<Document, Failure> {
    let mut written = Document { threads: 0, checkpoints: 0, file_bytes: 0 };
    let mut one = async |thread: &ThreadId| -> Result<(), Failure> {
        let before = written.checkpoints;
        for reference in oldest_first(store, thread).await? {
            // What was removed meanwhile is not there any more.
            let Some(tuple) = store.at(&reference).await? else { continue };
            sink.line(record::encode(&tuple))?;
            written.checkpoints += 1;
            bar.inc(1);
        }
        written.threads += u64::from(written.checkpoints > before);
        Ok(())
    };
    if named.is_empty() {
        let mut all = store.threads();
        while let Some(summary) = walk::next(&mut all).await? {
            one(&summary.thread).await?;
        }
    } else {
        for thread in named {
            one(thread).await?;
        }
    }
    sink.line(record::encode_end(written.checkpoints))?;
    sink.flush()?;
    written.file_bytes = sink.bytes;
    Ok(written)
}

/// Where the checkpoints of a thread are, oldest first, so that each stands behind what it
/// continues from; their values are not held.
async fn oldest_first(
    store: &dyn Checkpointer,
    thread: &ThreadId,
) -> Result<Vec<CheckpointRef>, Failure> {
    let list = ListCheckpoints::of(thread.clone()).with_values(false).with_limit(usize::MAX);
    let mut all = store.list(list);
    let mut found = Vec::new();
    while let Some(tuple) = walk::next(&mut all).await? {
        found.push(tuple.reference);
    }
    found.reverse();
    Ok(found)
}

/// A file that is none of ours is not replaced.
fn refuse_to_replace(path: &Path) -> Result<(), Failure> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let mut beginning = Vec::new();
    let read = BufReader::new(file).take(16).read_until(b':', &mut beginning);
    read.map_err(|error| Failure::file("reading", path, &error))?;
    if beginning.is_empty() || beginning == b"{\"export\":" || beginning == b"{\"end\":" {
        return Ok(());
    }
    Err(Failure::usage(
        format!("`{}` is there already and is no export", path.display()),
        "name another file, or give --force",
    ))
}

/// Where the lines go.
struct Sink<'a> {
    writer: Box<dyn Write>,
    path: &'a Path,
    bytes: u64,
}

impl<'a> Sink<'a> {
    fn new(writer: impl Write + 'static, path: &'a Path) -> Self {
        Self { writer: Box::new(writer), path, bytes: 0 }
    }

    fn line(&mut self, line: serde_json::Result<String>) -> Result<(), Failure> {
        let line = line.map_err(|error| Failure::system("a line cannot be made", &error))?;
        self.bytes += line.len() as u64 + 1;
        writeln!(self.writer, "{line}").map_err(|error| self.failed(&error))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        if self.path == Path::new("standard output") {
            return Failure::output(error);
        }
        Failure::file("writing", self.path, error)
    }
}
