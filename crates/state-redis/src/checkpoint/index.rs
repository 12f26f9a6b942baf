//! The indexes of threads and of runs, which lie in other slots than the threads.
//!
//! An index may name what is not there, and must not miss what is. So its entry is written before
//! the thread is made, and once more after; who takes an entry away does so only where it has not
//! been written since before the thread was found absent.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{join_all, try_join};
use state_core::checkpoint::ThreadId;
use state_core::{Error, Result};

use super::Inner;
use super::ask::{Ask, flag};
use super::delete::Looked;
use super::scripts::{INDEX_PAGE, INDEX_REMOVE, INDEX_WRITE, Word};
use crate::client::Role;
use crate::scripts::{bytes, unlike};

/// Entries that are read at once.
const PAGE: usize = 1_000;

/// An entry of an index: thread and time.
pub(super) type Entry = (ThreadId, String);

/// What was written to the index of threads before a thread is made.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// Whether there was no entry, or it has been written anew.
    pub(super) written: bool,
    at: String,
}

impl Inner {
    async fn write_entry(&self, index: Bytes, thread: &ThreadId, anew: bool) -> Result<Announced> {
        let args = vec![Bytes::copy_from_slice(thread.as_str().as_bytes()), flag(anew)];
        let mut answer = self.ask(Ask::change(&INDEX_WRITE, vec![index], args)).await?;
        match answer.word {
            Word::Ok => Ok(Announced { written: true, at: answer.text()? }),
            _ => Ok(Announced::default()),
        }
    }

    /// Writes the entry of a thread that is perhaps made next; one that is there only if `anew`.
    pub(super) async fn announce(&self, thread: &ThreadId, anew: bool) -> Result<Announced> {
        self.write_entry(self.keys.index(self.keys.index_of(thread)), thread, anew).await
    }

    /// Takes the entry back of a thread that was not made.
    pub(super) async fn withdraw(&self, thread: &ThreadId, announced: &Announced) -> Result<()> {
        if !announced.written {
            return Ok(());
        }
        // It may have been refused because somebody else has made the thread.
        let looked = self.look(thread, 0, Bytes::new(), Role::Primary).await?;
        if matches!(looked, Looked::There(_)) {
            return Ok(());
        }
        let index = self.keys.index(self.keys.index_of(thread));
        self.remove_entries(index, &[(thread.clone(), announced.at.clone())]).await
    }

    /// Writes a thread into the index of a run.
    pub(super) async fn index_run(&self, thread: &ThreadId, run: &str) -> Result<()> {
        self.write_entry(self.keys.run(run), thread, true).await.map(drop)
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
                Ok(both.await?.0)
            }
        }
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

    /// When a thread was written to an index; `None` where it is not in it.
    async fn time_in(&self, index: Bytes, thread: &ThreadId) -> Result<(Bytes, Option<String>)> {
        // One entry is read as a page is, so that times are written alike.
        let mut command = redis::cmd("ZSCORE");
        command.arg(index.as_ref()).arg(thread.as_str());
        let body = crate::client::Body::Command(command);
        let target = crate::client::Target::Slot(crate::topology::slot_of(&index));
        let request = crate::client::Request::new("checkpoint", target, body)
            .with_repeat(crate::client::Repeat::Safe);
        let crate::client::Reply::One(score) = self.client.send(request).await? else {
            return Err(unlike());
        };
        let score = match score {
            redis::Value::Nil => None,
            redis::Value::Double(score) => Some(format!("{score:.0}")),
            other => Some(super::scripts::text(&bytes(other)?)?.to_owned()),
        };
        Ok((index, score))
    }

    /// The entries of a thread in the index of threads and in those of its runs.
    pub(super) async fn entries_of(
        &self,
        thread: &ThreadId,
        runs: &[String],
    ) -> Result<Vec<(Bytes, Entry)>> {
        let mut indexes = vec![self.keys.index(self.keys.index_of(thread))];
        indexes.extend(runs.iter().map(|run| self.keys.run(run)));
        let mut entries = Vec::new();
        for indexes in indexes.chunks(PAGE) {
            let asked = indexes.iter().map(|index| self.time_in(index.clone(), thread));
            for answer in join_all(asked).await {
                if let (index, Some(at)) = answer? {
                    entries.push((index, (thread.clone(), at)));
                }
            }
        }
        Ok(entries)
    }

    /// Takes entries away from several indexes.
    pub(super) async fn remove_all(&self, entries: &[(Bytes, Entry)]) -> Result<()> {
        for entries in entries.chunks(PAGE) {
            let removed = entries.iter().map(|(index, entry)| {
                self.remove_entries(index.clone(), std::slice::from_ref(entry))
            });
            join_all(removed).await.into_iter().collect::<Result<()>>()?;
        }
        Ok(())
    }

    /// All threads in the index of a run.
    pub(super) async fn threads_of(&self, run: &str) -> Result<Vec<ThreadId>> {
        let (mut threads, mut bound) = (Vec::new(), "+inf".to_owned());
        loop {
            let index = self.keys.run(run);
            let page = self.index_page(index, &bound, PAGE, Role::Primary).await?;
            let more = page.len() == PAGE;
            if let Some((_, at)) = page.last() {
                bound = format!("({at}");
            }
            threads.extend(page.into_iter().map(|(thread, _)| thread));
            if !more {
                return Ok(threads);
            }
        }
    }
}

fn read_thread(name: &[u8]) -> Result<ThreadId> {
    let name = std::str::from_utf8(name);
    Ok(ThreadId::new(name.map_err(|_| Error::corrupt("the index of threads is damaged"))?))
}
