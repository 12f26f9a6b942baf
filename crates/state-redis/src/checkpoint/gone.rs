//! Clearing the indexes of entries whose threads are gone: nobody is told when a thread expires.
//!
//! Who makes an index grow by 64 entries has 256 of them looked at, picked by chance, and those
//! taken away whose threads are gone. So in the long run no more than one entry of four names a
//! thread that is gone, at a price for each new entry that is always the same.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use state_core::Result;
use state_core::checkpoint::ThreadId;

use super::ask::{Ask, count};
use super::index::read_thread;
use super::runs::RunEntry;
use super::scripts::{INDEX_PICK, text};
use super::{Inner, RedisThreads};
use crate::scripts::{bytes, integer, number, unlike};

/// Entries that are looked at when an index has grown; the scripts say when that is.
const PICKED: usize = 256;
/// Threads that are looked at side by side.
const LOOKS: usize = 100;

/// An index that has grown, by its number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Grown {
    Threads(usize),
    Runs(usize),
}

impl RedisThreads {
    /// Has the indexes cleared that this instance has made grow. Nobody waits for it, and what fails
    /// is left to the next time: no call may depend on nodes that hold other threads.
    pub(super) fn clear_grown(&self) {
        let grown = self.inner.memory.take_grown();
        if grown.is_empty() {
            return;
        }
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            for index in grown {
                if inner.clear(index).await.is_err() {
                    break;
                }
            }
        });
    }
}

impl Inner {
    async fn clear(&self, index: Grown) -> Result<()> {
        let key = match index {
            Grown::Threads(number) => self.keys.index(number),
            Grown::Runs(number) => self.keys.runs(number),
        };
        let ask = Ask::read(&INDEX_PICK, vec![key.clone()], vec![count(PICKED)]).in_bulk();
        let mut answer = self.ask(ask).await?;
        // An entry is written before its thread is made: what is younger than that may take is
        // left alone.
        let patience_us = self.config.call_timeout_ms.saturating_mul(2_000);
        let before = answer.number::<u64>()?.saturating_sub(patience_us);
        let picked = answer.rest().map(bytes).collect::<Result<Vec<Bytes>>>()?;
        let picked = picked.chunks_exact(2).filter_map(<[Bytes]>::first_chunk::<2>);
        match index {
            Grown::Threads(_) => {
                let mut old = Vec::new();
                for [thread, at] in picked {
                    if number::<u64>(at)? < before {
                        let (thread, at) = (read_thread(thread)?, text(at)?.to_owned());
                        old.push((thread.clone(), (thread, at)));
                    }
                }
                let gone = self.sort_out(old).await?.gone;
                self.remove_entries(key, &gone).await
            }
            Grown::Runs(index) => {
                let mut old = Vec::new();
                for [entry, _] in picked {
                    let entry = RunEntry { index, entry: entry.clone() };
                    let (thread, at) = entry.read()?;
                    if at < before {
                        old.push((thread, entry));
                    }
                }
                let gone = self.sort_out(old).await?.gone;
                self.remove_run_entries(&gone).await
            }
        }
    }

    /// Finds out whose threads are gone.
    pub(super) async fn sort_out<T>(&self, entries: Vec<(ThreadId, T)>) -> Result<SortedOut<T>> {
        let mut sorted = SortedOut { there: Vec::new(), gone: Vec::new() };
        let mut looked = Vec::with_capacity(entries.len());
        for entries in entries.chunks(LOOKS) {
            let looks = entries.iter().map(|(thread, _)| self.is_gone(thread));
            looked.extend(join_all(looks).await);
        }
        for ((thread, entry), is_gone) in entries.into_iter().zip(looked) {
            if is_gone? { sorted.gone.push(entry) } else { sorted.there.push(thread) }
        }
        Ok(sorted)
    }

    /// Whether nothing is there of a thread; of one that is damaged, something is.
    async fn is_gone(&self, thread: &ThreadId) -> Result<bool> {
        let keys = self.keys_of(thread);
        let [history, order, writes, _] = keys.as_slice() else { return Err(unlike()) };
        let found = self.command("EXISTS", history, &[order, writes]).await?;
        Ok(integer(&found)? == 0)
    }
}

/// Entries of an index, looked through.
#[derive(Debug)]
pub(super) struct SortedOut<T> {
    /// Threads that are there.
    pub(super) there: Vec<ThreadId>,
    /// Entries whose threads are gone.
    pub(super) gone: Vec<T>,
}
