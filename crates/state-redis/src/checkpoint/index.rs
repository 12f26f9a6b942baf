//! The indexes of threads, which lie in other slots than the threads.
//!
//! An index may name what is not there, and must not miss what is. So its entry is written before
//! the thread is made, and once more after; who takes an entry away does so only where it has not
//! been written since before the thread was found absent.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join;
use state_core::checkpoint::ThreadId;
use state_core::{Error, Result};
use tokio::time::Instant;

use super::ask::{Ask, flag};
use super::delete::Looked;
use super::gone::Grown;
use super::scripts::{INDEX_PAGE, INDEX_REMOVE, INDEX_WRITE, Word};
use super::{Inner, deadline};
use crate::client::Role;
use crate::scripts::{bytes, unlike};

/// Entries that are read at once.
pub(super) const PAGE: usize = 1_000;

/// An entry of an index: thread and time.
pub(super) type Entry = (ThreadId, String);

/// What was written to the indexes before a thread is made.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// Whether there was no entry in the index of threads, or it has been written anew.
    pub(super) written: bool,
    /// Whether the entry of its run was written.
    pub(super) run: bool,
    at: String,
}

impl Inner {
    /// Writes the entry of a thread that is perhaps made next; one that is there only if `anew`.
    pub(super) async fn announce(&self, thread: &ThreadId, anew: bool) -> Result<Announced> {
        let index = self.keys.index_of(thread);
        let args = vec![Bytes::copy_from_slice(thread.as_str().as_bytes()), flag(anew)];
        let ask = Ask::change(&INDEX_WRITE, vec![self.keys.index(index)], args);
        let mut answer = self.ask(ask).await?;
        if answer.word != Word::Ok {
            return Ok(Announced::default());
        }
        let announced = Announced { written: true, run: false, at: answer.text()? };
        if answer.item()?.as_ref() == b"1" {
            self.memory.keep_grown(Grown::Threads(index));
        }
        Ok(announced)
    }

    /// Takes back what was written for a thread that was not made. What stays, because that fails
    /// too, is taken away when somebody meets it.
    pub(super) async fn withdraw(
        &self,
        thread: &ThreadId,
        run: Option<&Arc<str>>,
        announced: &Announced,
    ) {
        // The call that was refused may have no time left.
        let grace = Instant::now() + self.config.call_timeout() / 4;
        let deadline = deadline::current().map_or(grace, |deadline| deadline.max(grace));
        let withdrawn = self.withdraw_now(thread, run, announced);
        if let Err(error) = deadline::until(deadline, withdrawn).await {
            tracing::debug!(%error, "an entry of a thread that was not made stays in the index");
        }
    }

    async fn withdraw_now(
        &self,
        thread: &ThreadId,
        run: Option<&Arc<str>>,
        announced: &Announced,
    ) -> Result<()> {
        let run = run.filter(|_| announced.run);
        // It may have been refused because somebody else has made the thread.
        if (!announced.written && run.is_none()) || self.is_there(thread).await? {
            return Ok(());
        }
        if announced.written {
            let index = self.keys.index(self.keys.index_of(thread));
            self.remove_entries(index, &[(thread.clone(), announced.at.clone())]).await?;
        }
        let Some(run) = run else { return Ok(()) };
        // Whoever makes the thread writes its entry once more, and that is another entry.
        let entries = self.run_entries(thread, &[run.as_ref().to_owned()]).await?;
        if entries.is_empty() || self.is_there(thread).await? {
            return Ok(());
        }
        self.remove_run_entries(&entries).await
    }

    async fn is_there(&self, thread: &ThreadId) -> Result<bool> {
        let looked = self.look(thread, 0, Bytes::new(), Role::Primary).await?;
        Ok(matches!(looked, Looked::There(_)))
    }

    /// Writes a thread that is about to be made, or was made just now, into all indexes.
    pub(super) async fn index_all(
        &self,
        thread: &ThreadId,
        run: Option<&Arc<str>>,
    ) -> Result<Announced> {
        match run {
            None => self.announce(thread, true).await,
            Some(run) => {
                let both = try_join(self.announce(thread, true), self.index_run(thread, run));
                Ok(Announced { run: true, ..both.await?.0 })
            }
        }
    }

    /// Writes a thread into the indexes to which it turned out to have been written before: that
    /// call may have been cut short between making the thread and writing its entries once more.
    pub(super) async fn index_again(
        &self,
        thread: &ThreadId,
        run: Option<&Arc<str>>,
    ) -> Result<()> {
        if !self.memory.has_thread(thread) {
            self.index_all(thread, run).await?;
            self.memory.keep_thread(thread);
        }
        Ok(())
    }

    /// Takes entries away that were not written since.
    pub(super) async fn remove_entries(&self, index: Bytes, entries: &[Entry]) -> Result<()> {
        for entries in entries.chunks(PAGE) {
            let mut args = Vec::with_capacity(entries.len() * 2);
            for (thread, at) in entries {
                args.push(Bytes::copy_from_slice(thread.as_str().as_bytes()));
                args.push(Bytes::copy_from_slice(at.as_bytes()));
            }
            self.ask(Ask::change(&INDEX_REMOVE, vec![index.clone()], args)).await?;
        }
        Ok(())
    }

    /// Entries of an index from the newest on, those up to the time `bound`.
    pub(super) async fn index_page(
        &self,
        index: Bytes,
        bound: &str,
        limit: usize,
        role: Role,
    ) -> Result<Vec<Entry>> {
        let args = vec![Bytes::copy_from_slice(bound.as_bytes()), super::ask::count(limit)];
        let ask = Ask::read(&INDEX_PAGE, vec![index], args).with_role(role);
        let mut items = self.ask(ask).await?.rest().map(bytes);
        let mut entries = Vec::new();
        while let Some(thread) = items.next() {
            let at = items.next().ok_or_else(unlike)??;
            entries.push((read_thread(&thread?)?, super::scripts::text(&at)?.to_owned()));
        }
        Ok(entries)
    }

    /// The entry of a thread in the index of threads.
    pub(super) async fn entry_of(&self, thread: &ThreadId) -> Result<Option<Entry>> {
        let index = self.keys.index(self.keys.index_of(thread));
        let score = self.command("ZSCORE", &index, &[thread.as_str().as_bytes()]).await?;
        let at = match score {
            redis::Value::Nil => None,
            redis::Value::Double(score) => Some(format!("{score:.0}")),
            other => Some(super::scripts::text(&bytes(other)?)?.to_owned()),
        };
        Ok(at.map(|at| (thread.clone(), at)))
    }
}

pub(super) fn read_thread(name: &[u8]) -> Result<ThreadId> {
    let name = std::str::from_utf8(name);
    Ok(ThreadId::new(name.map_err(|_| Error::corrupt("the index of threads is damaged"))?))
}
