//! `statectl snapshot`: writes a namespace into a portable file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use indicatif::{BinaryBytes, ProgressBar};
use serde::Serialize;
use state_codec::{SnapshotFileOptions, SnapshotReader, SnapshotSummary, write_snapshot};
use state_core::{SnapshotOptions, StateBackend};

use crate::cli::ScopeArguments;
use crate::context::{Access, Context};
use crate::failure::{Answer, Failure};
use crate::output::{Output, counted};
use crate::{duration, progress};

/// Write a namespace into a portable file
///
/// The file holds entries and hashes with their deadlines; versions, leases and fencing marks
/// are not part of it. It is checksummed, and can be restored into any store. A file appears
/// under its name when it is complete and on disk, so a failure never harms an older snapshot.
/// With `-` and --json, the document is written to standard error.
/// On a server, threads of checkpoints are not part of it either: `export` writes those.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  statectl snapshot backup.snap
  statectl snapshot --prefix user: users.snap
  statectl snapshot - | ssh host 'cat > backup.snap'
  statectl snapshot - | statectl --store file:copy.state restore -")]
pub(crate) struct Arguments {
    /// The file to write, or `-` for standard output
    file: PathBuf,
    /// Only keys that begin with this
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    #[command(flatten)]
    scope: ScopeArguments,
    /// Replace a file that is no snapshot, too
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
pub(super) struct Document {
    records: u64,
    entries: u64,
    hash_parts: u64,
    file_bytes: u64,
    raw_bytes: u64,
    point_in_time: bool,
    created: String,
    checksum: String,
}

impl Document {
    pub(super) fn new(summary: &SnapshotSummary) -> Self {
        Self {
            records: summary.records,
            entries: summary.entries,
            hash_parts: summary.hash_parts,
            file_bytes: summary.file_bytes,
            raw_bytes: summary.raw_bytes,
            point_in_time: summary.info.point_in_time,
            created: duration::show_timestamp(summary.info.created_at),
            checksum: format!("{:016x}", summary.checksum),
        }
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<Answer, Failure> {
    let options = SnapshotOptions::new(context.bytes(&arguments.prefix)?)
        .with_scope(context.scope(&arguments.scope)?);
    let to_stdout = arguments.file.as_os_str() == "-";
    if to_stdout && context.output.to_terminal {
        return Err(Failure::usage(
            "a snapshot is no text for a terminal",
            "name a file, or send it on: `statectl snapshot - | …`",
        ));
    }
    if !to_stdout && !arguments.force {
        refuse_to_replace(&arguments.file)?;
    }
    let namespace = context.namespace()?;
    let opened = context.open_store(Access::Read).await?;
    if opened.has_threads_of_their_own(&namespace).await? {
        context.output.warn(format_args!(
            "the threads of checkpoints in the namespace `{namespace}` are not part of a snapshot \
             of a server; write them, too: `statectl export FILE`"
        ));
    }
    let store = opened.namespace(namespace, Access::Read).await?;
    let bar = progress::records(&context.output, "snapshot", store.memory_usage().await?.entries);
    let name = if to_stdout { Path::new("standard output") } else { &arguments.file };
    let summary = if to_stdout {
        let sink = Sink::new(Output::raw());
        let summary = write(&*store, options, sink, name, &bar, context).await?;
        context.output.note(describe(&summary, name));
        context.output.json_aside(&Document::new(&summary));
        summary
    } else {
        let folder = match arguments.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = tempfile::Builder::new().prefix(".snapshot-").tempfile_in(folder);
        let temporary = temporary.map_err(|error| Failure::file("writing", name, &error))?;
        let file = temporary.reopen().map_err(|error| Failure::file("writing", name, &error))?;
        let summary = write(&*store, options, Sink::new(file), name, &bar, context).await?;
        keep(temporary, folder, name).map_err(|error| Failure::file("writing", name, &error))?;
        if context.output.json {
            context.output.json(&Document::new(&summary))?;
        } else {
            context.output.line(describe(&summary, name))?;
        }
        summary
    };
    bar.finish_and_clear();
    if summary.records == 0 {
        context.output.note("there was nothing to write: the snapshot is empty");
    }
    Ok(Answer::Yes)
}

async fn write<W: Write + Send>(
    store: &dyn StateBackend,
    what: SnapshotOptions,
    sink: Sink<W>,
    name: &Path,
    bar: &ProgressBar,
    context: &Context,
) -> Result<SnapshotSummary, Failure> {
    let failed = Arc::clone(&sink.failed);
    let options = SnapshotFileOptions::new(context.clock.wall());
    let tell = |now: state_codec::SnapshotProgress| bar.set_position(now.records);
    let written = write_snapshot(store, what, sink, options, tell).await;
    let written = written.map_err(Failure::from).and_then(|(mut sink, summary)| {
        sink.flush().map(|()| summary).map_err(|error| Failure::file("writing", name, &error))
    });
    // What went wrong with the file is said as such, whoever has met it first.
    match failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::output(&error)),
        Some(error) => Err(Failure::file("writing", name, &error)),
        None => written,
    }
}

/// Puts the complete file on disk, and gives it its name only then: a power cut leaves what had
/// the name before, or all of the new file.
pub(super) fn keep(
    temporary: tempfile::NamedTempFile,
    folder: &Path,
    name: &Path,
) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist(name).map_err(|failed| failed.error)?;
    // Where folders cannot be opened, their entries need no sync.
    if let Ok(folder) = File::open(folder) {
        folder.sync_all()?;
    }
    Ok(())
}

/// A typing mistake must not cost somebody a file that is no snapshot, such as the store.
fn refuse_to_replace(path: &Path) -> Result<(), Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::file("replacing", path, &error)),
    };
    if SnapshotReader::new(file).is_ok() {
        return Ok(());
    }
    Err(Failure::usage(
        format!("`{}` is there already and is no snapshot", path.display()),
        "name another file, or give --force",
    ))
}

fn describe(summary: &SnapshotSummary, name: &Path) -> String {
    let hashes = match summary.hash_parts {
        0 => String::new(),
        parts => format!(" and {} of hashes", counted(parts, "part")),
    };
    let entries = counted(summary.entries, "entry");
    let bytes = BinaryBytes(summary.file_bytes);
    format!("wrote {entries}{hashes} to {} ({bytes})", name.display())
}

/// Remembers why writing failed.
struct Sink<W> {
    inner: W,
    failed: Arc<Mutex<Option<io::Error>>>,
}

impl<W> Sink<W> {
    fn new(inner: W) -> Self {
        Self { inner, failed: Arc::default() }
    }

    fn remember<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            let same = io::Error::new(error.kind(), error.to_string());
            if error.kind() != io::ErrorKind::Interrupted {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(same);
            }
        })
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.remember(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.remember(flushed)
    }
}
