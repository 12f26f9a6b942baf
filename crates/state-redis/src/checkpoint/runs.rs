//! The indexes of runs: which threads may hold checkpoints of each.
//!
//! What [`index`](super::index) says of the entries of threads is true of these as well. An entry is
//! run, thread and the time at which it was written, so one that was written anew is another.

use bytes::Bytes;
use futures_util::future::join_all;
use redis::Value;
use state_core::checkpoint::ThreadId;
use state_core::{Error, Result};

use super::Inner;
use super::ask::Ask;
use super::gone::Grown;
use super::index::PAGE;
use super::scripts::{RUN_WRITE, list};
use crate::keys::{inner, read_inner, split};
use crate::scripts::{bytes, number};

/// An entry of an index of runs, as it stands there.
#[derive(Clone, Debug)]
pub(super) struct RunEntry {
    /// The number of the index.
    pub(super) index: usize,
    pub(super) entry: Bytes,
}

impl RunEntry {
    /// The thread, and the microsecond in which it was written.
    pub(super) fn read(&self) -> Result<(ThreadId, u64)> {
        let damaged = || Error::corrupt("the index of runs is damaged");
        let (_, rest) = split(&self.entry).ok_or_else(damaged)?;
        let (thread, at) = split(rest).ok_or_else(damaged)?;
        let at = number(at).map_err(|_| damaged())?;
        Ok((ThreadId::new(read_inner(thread).ok_or_else(damaged)?), at))
    }
}

/// What the entries of a run begin with, or the entry of one of its threads.
fn beginning(run: &str, thread: Option<&ThreadId>) -> Vec<u8> {
    let mut beginning = [inner(run).as_ref(), b"\0"].concat();
    if let Some(thread) = thread {
        beginning.extend_from_slice(&inner(thread.as_str()));
        beginning.push(0);
    }
    beginning
}

impl Inner {
    /// Writes a thread into the index of its run.
    pub(super) async fn index_run(&self, thread: &ThreadId, run: &str) -> Result<()> {
        let index = self.keys.index_of_run(run);
        let args = vec![beginning(run, Some(thread)).into()];
        let ask = Ask::change(&RUN_WRITE, vec![self.keys.runs(index)], args);
        if self.ask(ask).await?.item()?.as_ref() == b"1" {
            self.memory.keep_grown(Grown::Runs(index));
        }
        Ok(())
    }

    /// The entries of a thread in the indexes of its runs.
    pub(super) async fn run_entries(
        &self,
        thread: &ThreadId,
        runs: &[String],
    ) -> Result<Vec<RunEntry>> {
        let mut entries = Vec::with_capacity(runs.len());
        for runs in runs.chunks(PAGE) {
            let asked = runs.iter().map(|run| {
                let beginning = beginning(run, Some(thread));
                async move { self.run_page(run, &beginning, None).await }
            });
            for answer in join_all(asked).await {
                entries.extend(answer?);
            }
        }
        Ok(entries)
    }

    /// Entries of a run that begin like this, behind `last`.
    async fn run_page(
        &self,
        run: &str,
        beginning: &[u8],
        last: Option<&RunEntry>,
    ) -> Result<Vec<RunEntry>> {
        let index = self.keys.index_of_run(run);
        let from = match last {
            None => [b"[", beginning].concat(),
            Some(last) => [b"(", last.entry.as_ref()].concat(),
        };
        // What begins like this ends before what has a 1 in the place of the last 0.
        let mut end = [b"(", beginning].concat();
        if let Some(last) = end.last_mut() {
            *last = 1;
        }
        let limit = PAGE.to_string();
        let args = [from.as_slice(), &end, b"LIMIT", b"0", limit.as_bytes()];
        let found = self.command("ZRANGEBYLEX", &self.keys.runs(index), &args).await?;
        let entry = |entry: Value| Ok(RunEntry { index, entry: bytes(entry)? });
        list(found)?.into_iter().map(entry).collect()
    }

    /// Takes entries away that were not written anew since.
    pub(super) async fn remove_run_entries(&self, entries: &[RunEntry]) -> Result<()> {
        for entries in entries.chunks(PAGE) {
            let mut by_index = std::collections::BTreeMap::<usize, Vec<&[u8]>>::new();
            for entry in entries {
                by_index.entry(entry.index).or_default().push(&entry.entry);
            }
            let removed = by_index.into_iter().map(|(index, entries)| {
                let key = self.keys.runs(index);
                async move { self.command("ZREM", &key, &entries).await.map(drop) }
            });
            join_all(removed).await.into_iter().collect::<Result<()>>()?;
        }
        Ok(())
    }

    /// The threads of a run that are there; entries of those that are gone are taken away.
    pub(super) async fn threads_of(&self, run: &str) -> Result<Vec<ThreadId>> {
        let beginning = beginning(run, None);
        let (mut threads, mut last) = (Vec::new(), None);
        loop {
            let page = self.run_page(run, &beginning, last.as_ref()).await?;
            let more = page.len() == PAGE;
            last = page.last().cloned();
            let named = page.into_iter().map(|entry| Ok((entry.read()?.0, entry)));
            let sorted = self.sort_out(named.collect::<Result<_>>()?).await?;
            threads.extend(sorted.there);
            self.remove_run_entries(&sorted.gone).await?;
            if !more {
                return Ok(threads);
            }
        }
    }
}
