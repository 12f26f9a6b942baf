//! The indexes of threads and of runs, which lie in partitions of their own.
//!
//! An index may name what is not there, and must not miss what is. So its row is written before
//! the thread is, and once more after; who takes the row of an absent thread away does so only
//! where it has not been written since the thread was found absent.

use std::collections::HashSet;

use bytes::Bytes;
use parking_lot::Mutex;
use state_core::checkpoint::ThreadId;
use state_core::{
    ClearOptions, Consistency, DeleteOptions, ErrorKind, Expiry, GetOptions, Key, ListOptions,
    PutOptions, Result, Scope, Version,
};

use super::BackendThreads;
use super::edit::Edit;
use super::keys::{self, Rows};
use crate::digest::hash;

/// The most runs that are remembered as indexed.
const REMEMBERED_MAX: usize = 100_000;

/// Which runs of which generations are known to be in the index.
#[derive(Debug, Default)]
pub(super) struct Indexed(Mutex<HashSet<(u64, u64)>>);

impl Indexed {
    fn has(&self, generation: u64, run: &str) -> bool {
        self.0.lock().contains(&(generation, hash(generation, run.as_bytes())))
    }

    pub(super) fn remember(&self, generation: u64, run: &str) {
        let mut known = self.0.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert((generation, hash(generation, run.as_bytes())));
    }
}

impl BackendThreads {
    pub(super) async fn write_index(&self, key: &Key) -> Result<Version> {
        let options = PutOptions::new().with_expiry(Expiry::Never);
        self.backend.put_opts(key, Bytes::new(), options).await.map(|written| written.version)
    }

    /// Writes the index row of a thread that is about to be made.
    pub(super) async fn index_thread(&self, thread: &ThreadId) -> Result<()> {
        self.write_index(&keys::thread_index(thread)).await.map(drop)
    }

    /// Writes the index row of a run that is about to be put, unless that is known to be there.
    /// Returns whether it was written, and so must be once more.
    pub(super) async fn index_run(&self, edit: &mut Edit, run: &str) -> Result<bool> {
        if self.indexed.has(edit.head.life.generation, run) {
            return Ok(false);
        }
        let row = edit.rows.run(run);
        let there = !edit.creates()
            && self
                .raw_rows(std::slice::from_ref(&row), Consistency::Strong)
                .await?
                .iter()
                .any(Option::is_some);
        if !there {
            self.write_index(&keys::run_index(run, &edit.thread)).await?;
            edit.put(&row, b"", None);
        }
        Ok(!there)
    }

    /// Writes the index row of a run that was put just now, and takes it away again where the
    /// thread has nothing of the run any more: who deleted that looked for the row earlier.
    pub(super) async fn reindex_run(&self, run: &str, thread: &ThreadId) -> Result<()> {
        let version = self.write_index(&keys::run_index(run, thread)).await?;
        self.settle_run(run, thread, Some(version)).await
    }

    /// Takes away the index row of a run that was written for what came to nothing, or is over.
    pub(super) async fn unindex_run(&self, run: &str, thread: &ThreadId) -> Result<()> {
        let version = self.version_of(&keys::run_index(run, thread)).await?;
        self.settle_run(run, thread, version).await
    }

    /// Takes away an index row in this version, unless the thread has something of the run.
    async fn settle_run(
        &self,
        run: &str,
        thread: &ThreadId,
        version: Option<Version>,
    ) -> Result<()> {
        if let Some((head, _)) = self.head(thread, Consistency::Strong).await? {
            let row = Rows::new(thread, head.life.generation).run(run);
            if self.version_of(&row).await?.is_some() {
                return Ok(());
            }
        }
        self.delete_unchanged(&keys::run_index(run, thread), version).await
    }

    /// Writes index rows once more, of what was put just now.
    pub(super) async fn index_again(
        &self,
        thread: &ThreadId,
        made: bool,
        run: Option<&str>,
    ) -> Result<()> {
        if made {
            self.created(thread).await?;
        }
        match run {
            Some(run) => self.reindex_run(run, thread).await,
            None => Ok(()),
        }
    }

    /// Takes index rows back that were written for a change which was refused. Where that fails, the
    /// rows name too much, and the refusal is what is to be told.
    pub(super) async fn withdraw(&self, thread: &ThreadId, run: Option<&str>) {
        if let Some(run) = run
            && self.unindex_run(run, thread).await.is_err()
        {
            return;
        }
        if let Ok(None) = self.head(thread, Consistency::Strong).await {
            self.clean(thread).await.unwrap_or_default();
        }
    }

    /// What is to be done when a thread was made: its index row must be there, and what an
    /// earlier thread of the name has left must not.
    pub(super) async fn created(&self, thread: &ThreadId) -> Result<()> {
        self.index_thread(thread).await?;
        self.reclaim(thread).await
    }

    /// The threads in the index of a run. Those that are absent are taken out of it, and what is
    /// left of them away: a call may have been cut short.
    pub(super) async fn indexed_threads(&self, run: &str) -> Result<Vec<ThreadId>> {
        let prefix = keys::run_index_prefix(run);
        let partition = keys::run_index_partition();
        let names = self.names(&partition, &prefix, Consistency::Strong).await?;
        let thread = |key: &Key| {
            let rest = key.name().get(prefix.len()..)?;
            Some(ThreadId::new(std::str::from_utf8(rest).ok()?))
        };
        let mut threads = Vec::with_capacity(names.len());
        for thread in names.iter().filter_map(thread) {
            if self.head(&thread, Consistency::Strong).await?.is_some() {
                threads.push(thread);
                continue;
            }
            self.clean(&thread).await?;
            self.unindex_run(run, &thread).await?;
        }
        Ok(threads)
    }

    /// Takes away what is left of an absent thread, its index row included.
    pub(super) async fn clean(&self, thread: &ThreadId) -> Result<()> {
        let index = keys::thread_index(thread);
        let version = self.version_of(&index).await?;
        self.reclaim(thread).await?;
        if self.head(thread, Consistency::Strong).await?.is_none() {
            self.delete_unchanged(&index, version).await?;
        }
        Ok(())
    }

    /// Takes away the rows of all generations of a thread but the one that is alive, and those
    /// of copies that are being made.
    pub(super) async fn reclaim(&self, thread: &ThreadId) -> Result<()> {
        let partition = keys::partition(thread);
        let generations = self.generations(&partition).await?;
        if generations.is_empty() {
            return Ok(());
        }
        // Read after the listing: a generation that came to life since is not listed.
        let alive = self.head(thread, Consistency::Strong).await?;
        let alive = alive.map(|(head, _)| head.life.generation);
        for generation in generations {
            if alive == Some(generation) {
                continue;
            }
            let mark = keys::unfinished(thread, generation);
            if self.version_of(&mark).await?.is_some() {
                continue;
            }
            self.forget_runs(thread, generation, alive).await?;
            let clear = ClearOptions::new(keys::generation(generation))
                .with_scope(Scope::Partition(partition.clone()));
            self.backend.clear_opts(clear).await?;
        }
        Ok(())
    }

    /// The generations of which rows are there.
    async fn generations(&self, partition: &Bytes) -> Result<Vec<u64>> {
        let mut options =
            ListOptions::new("g").with_scope(Scope::Partition(partition.clone())).with_limit(1);
        let mut generations = Vec::new();
        loop {
            let page = self.backend.list_page(options.clone()).await?;
            let Some(first) = page.items.first() else { return Ok(generations) };
            let Some((generation, ..)) = keys::parse(first.key.name()) else {
                return Ok(generations);
            };
            generations.push(generation);
            // No kind of row is called ff, so this is beyond all of the generation.
            let mut after = keys::generation(generation);
            after.push(0xff);
            options = options.with_after(Some(after.into()));
        }
    }

    /// Takes the runs of a dead generation out of the index, unless the living one has them.
    async fn forget_runs(&self, thread: &ThreadId, dead: u64, alive: Option<u64>) -> Result<()> {
        let rows = Rows::new(thread, dead);
        let prefix = rows.prefix(keys::RUN);
        for name in self.names(rows.partition(), &prefix, Consistency::Strong).await? {
            let rest = name.name().get(prefix.len()..).unwrap_or_default();
            let Ok(run) = std::str::from_utf8(rest) else { continue };
            let index = keys::run_index(run, thread);
            let version = self.version_of(&index).await?;
            let kept = match alive {
                Some(alive) => self.version_of(&Rows::new(thread, alive).run(run)).await?.is_some(),
                None => false,
            };
            if !kept {
                self.delete_unchanged(&index, version).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn version_of(&self, key: &Key) -> Result<Option<Version>> {
        let entry = self.backend.get_opts(key, GetOptions::new().with_head(true)).await?;
        Ok(entry.map(|entry| entry.version))
    }

    async fn delete_unchanged(&self, key: &Key, version: Option<Version>) -> Result<()> {
        let Some(version) = version else { return Ok(()) };
        let options = DeleteOptions::new().with_precondition(version);
        match self.backend.delete_opts(key, options).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            _ => Ok(()),
        }
    }
}
