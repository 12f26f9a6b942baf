//! What the job keeps in the store: its keys, the frozen list of files, the position, the counters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use state_core::{Bytes, GetOptions, Key, ListOptions, Scope, StateBackend, Version};

use crate::failure::Failure;

/// Everything of the job lies in one partition, so that one transaction can hold it.
pub(super) const PARTITION: &str = "job";
/// The lease that the worker holds.
pub(super) const LEASE: &str = "demo";
/// The namespace, unless `--namespace` names another.
pub(super) const NAMESPACE: &str = "demo";
/// The most files of one entry of the list.
const FILES_PER_ENTRY: usize = 4_096;

/// The job as it was frozen in the first transaction.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Job {
    /// The folder (or file) that is read, absolute.
    pub(super) root: PathBuf,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// How many entries hold the list of files.
    pub(super) list_entries: u64,
    pub(super) lines_per_transaction: u64,
    /// A transaction covers no more bytes than this, however long its lines are.
    pub(super) bytes_per_transaction: u64,
    pub(super) skipped: Skipped,
}

/// What was not taken into the list, and why.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Skipped {
    /// Folders whose names begin with a dot, and folders called `target`.
    pub(super) folders: u64,
    /// Files with a NUL, or that are not UTF-8, in their first 8 KiB.
    pub(super) binaries: u64,
    pub(super) links: u64,
    /// Files and folders that may not be read, or whose names are not UTF-8.
    pub(super) unreadable: u64,
}

/// One file as it was when the list was made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct FrozenFile {
    /// Below the root of the job; empty when the root is the file.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) modified_unix_ms: u64,
}

impl FrozenFile {
    /// What the file counts as: its extension in lower case.
    pub(super) fn kind(&self, root: &Path) -> String {
        let path = if self.path.is_empty() { root } else { Path::new(&self.path) };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(extension) if !extension.is_empty() => extension.to_lowercase(),
            _ => "(none)".to_owned(),
        }
    }

    pub(super) fn path_below(&self, root: &Path) -> PathBuf {
        if self.path.is_empty() { root.to_owned() } else { root.join(&self.path) }
    }
}

/// How far the job has come; committed together with the counters.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Position {
    /// The index of the file that is read next, or is being read.
    pub(super) file: u64,
    /// Bytes of that file that are done.
    pub(super) offset: u64,
    /// Whether the byte before the position belongs to a word.
    pub(super) in_word: bool,
    /// Whether the byte before the position belongs to a line that has not ended.
    pub(super) in_line: bool,
    /// Bytes of all files that are done, those of changed files included.
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) transactions: u64,
    /// Files that had vanished or shrunk when they were to be read.
    pub(super) changed_files: u64,
    pub(super) finished: bool,
}

/// What is counted, per type of file.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Counts {
    pub(super) files: u64,
    pub(super) lines: u64,
    pub(super) words: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.lines += other.lines;
        self.words += other.words;
    }
}

/// Counts by type of file.
pub(super) type Totals = BTreeMap<String, Counts>;

pub(super) fn job_key() -> Key {
    Key::in_partition(PARTITION, "job")
}

pub(super) fn position_key() -> Key {
    Key::in_partition(PARTITION, "position")
}

pub(super) fn workers_key() -> Key {
    Key::in_partition(PARTITION, "workers")
}

pub(super) fn list_key(entry: u64) -> Key {
    Key::in_partition(PARTITION, format!("list/{entry:05}"))
}

/// The counter of `what` (`files`, `lines`, `words`) of files of type `kind`.
pub(super) fn counter_key(what: &'static str, kind: &str) -> Key {
    Key::in_partition(PARTITION, format!("{what}/{kind}"))
}

/// The list of files in entries of bounded size.
pub(super) fn list_entries(files: &[FrozenFile]) -> impl Iterator<Item = (Key, &[FrozenFile])> {
    (0..).map(list_key).zip(files.chunks(FILES_PER_ENTRY))
}

pub(super) fn encode<T: Serialize + ?Sized>(document: &T) -> Result<Bytes, Failure> {
    let encoded = serde_json::to_vec(document);
    encoded
        .map(Bytes::from)
        .map_err(|error| Failure::system("a document cannot be written", &error))
}

/// Reads a document of the job with its version; `None` when it is absent.
pub(super) async fn read<T: DeserializeOwned>(
    store: &dyn StateBackend,
    key: &Key,
    options: GetOptions,
) -> Result<Option<(T, Version)>, Failure> {
    let Some(entry) = store.get_opts(key, options).await? else { return Ok(None) };
    match serde_json::from_slice(&entry.value) {
        Ok(document) => Ok(Some((document, entry.version))),
        Err(_) => Err(foreign(key)),
    }
}

/// Reads the frozen list of files.
pub(super) async fn read_list(
    store: &dyn StateBackend,
    job: &Job,
    options: GetOptions,
) -> Result<Vec<FrozenFile>, Failure> {
    let mut files: Vec<FrozenFile> = Vec::new();
    for entry in 0..job.list_entries {
        let key = list_key(entry);
        let read = read::<Vec<FrozenFile>>(store, &key, options.clone()).await?;
        files.extend(read.ok_or_else(|| foreign(&key))?.0);
    }
    if files.len() as u64 == job.files { Ok(files) } else { Err(foreign(&list_key(0))) }
}

/// Reads all counters.
pub(super) async fn read_totals(store: &dyn StateBackend) -> Result<Totals, Failure> {
    let mut totals = Totals::new();
    for what in ["files", "lines", "words"] {
        for (kind, count) in read_counters(store, what).await? {
            let counts = totals.entry(kind).or_default();
            match what {
                "files" => counts.files = count,
                "lines" => counts.lines = count,
                _ => counts.words = count,
            }
        }
    }
    totals.retain(|_, counts| *counts != Counts::default());
    Ok(totals)
}

async fn read_counters(
    store: &dyn StateBackend,
    what: &'static str,
) -> Result<Vec<(String, u64)>, Failure> {
    let prefix = format!("{what}/");
    let mut counters = Vec::new();
    let mut token = None;
    loop {
        let options = ListOptions::new(prefix.clone())
            .with_scope(Scope::Partition(Bytes::from_static(PARTITION.as_bytes())))
            .with_token(token);
        let page = store.list_page(options).await?;
        for meta in page.items {
            let Some(entry) = store.get_opts(&meta.key, GetOptions::new()).await? else { continue };
            let kind = meta.key.name().strip_prefix(prefix.as_bytes()).map(<[u8]>::to_vec);
            let kind = kind.and_then(|kind| String::from_utf8(kind).ok());
            let count = std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok());
            counters.push(kind.zip(count).ok_or_else(|| foreign(&meta.key))?);
        }
        token = page.next;
        if token.is_none() {
            return Ok(counters);
        }
    }
}

/// Reads how many workers have begun.
pub(super) async fn read_workers(store: &dyn StateBackend) -> Result<u64, Failure> {
    let key = workers_key();
    Ok(read(store, &key, GetOptions::new()).await?.map_or(0, |(workers, _)| workers))
}

fn foreign(key: &Key) -> Failure {
    Failure::corrupt(
        format!("`{key}` does not hold what the demonstration has written there"),
        "give the demonstration a namespace or a store of its own (`--namespace`, `--store`)",
    )
}
