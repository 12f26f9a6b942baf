//! Deleting a thread, and listing those that there are.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, try_join};
use state_checkpoint::Life;
use state_core::checkpoint::{DeleteThread, ListThreads, ThreadId, ThreadSummary};
use state_core::{Error, ErrorKind, Expires, Page, PageToken, Result, Timestamp};

use super::Inner;
use super::ask::{
    Ask, TRIES, count, fence_arg, flag, generation_text, milliseconds, read_generation, too_busy,
};
use super::index::Entry;
use super::scripts::{Answer, DELETE, LOOK, Word};
use crate::backend::role;
use crate::client::Role;
use crate::keys::{INDEXES, inner, read_inner};
use crate::scripts::bytes;

/// Runs that are read at once.
const RUNS: usize = 1_000;
/// Threads that are looked at side by side.
const HEADS: usize = 100;

/// What the head of a thread says.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) life: Life,
    pub(super) serial: u64,
    pub(super) versions: u64,
    pub(super) segments: u64,
    pub(super) tail: u64,
    /// The change in which a write was last replaced.
    pub(super) replaced: u64,
    checkpoints: u64,
    bytes: u64,
    written: Timestamp,
    pub(super) expires: Expires,
    pinned: bool,
    pub(super) runs: Vec<String>,
}

/// A thread, or what is there instead.
#[derive(Debug)]
pub(super) enum Looked {
    There(Look),
    Absent { tombstone: bool },
}

impl Inner {
    /// Reads the head of a thread, with so many of its runs behind `last`.
    pub(super) async fn look(
        &self,
        thread: &ThreadId,
        runs: usize,
        last: Bytes,
        role: Role,
    ) -> Result<Looked> {
        self.look_about(thread, runs, last, role).await?
    }

    /// The same; what is said of the thread is apart from what is said of the server.
    async fn look_about(
        &self,
        thread: &ThreadId,
        runs: usize,
        last: Bytes,
        role: Role,
    ) -> Result<Result<Looked>> {
        let ask = Ask::read(&LOOK, self.keys_of(thread), vec![count(runs), last]);
        let answer = self.ask_about(ask.with_role(role)).await?;
        Ok(answer.and_then(Self::read_look))
    }

    fn read_look(mut answer: Answer) -> Result<Looked> {
        if answer.word == Word::Absent {
            return Ok(Looked::Absent { tombstone: answer.item()?.as_ref() == b"1" });
        }
        let generation = read_generation(&answer.text()?)?;
        let mut look = Look {
            life: Life { generation, epoch: answer.number()? },
            serial: answer.number()?,
            versions: answer.number()?,
            segments: answer.number()?,
            tail: answer.number()?,
            replaced: answer.number()?,
            checkpoints: answer.number()?,
            bytes: answer.number()?,
            written: Timestamp::from_unix_ms(answer.number()?),
            expires: Expires::Never,
            pinned: false,
            runs: Vec::new(),
        };
        let (end, left) = (answer.number::<i64>()?, answer.number::<i64>()?);
        if let (Ok(end), Ok(left)) = (u64::try_from(end), u64::try_from(left)) {
            let (deadline, remaining) =
                (Timestamp::from_unix_ms(end), Duration::from_millis(left.max(1)));
            look.expires = Expires::At { deadline, remaining };
        }
        look.pinned = answer.item()?.as_ref() == b"1";
        for run in answer.list()? {
            let run = bytes(run)?;
            let text = run.strip_prefix(b"r").and_then(read_inner);
            look.runs.push(text.ok_or_else(super::scripts::damaged)?);
        }
        Ok(Looked::There(look))
    }

    /// All runs of a thread, and its head as it was read last.
    pub(super) async fn look_at_all(&self, thread: &ThreadId) -> Result<Looked> {
        let mut runs: Vec<String> = Vec::new();
        loop {
            let last = runs.last().map_or_else(Bytes::new, |run| inner(run));
            let mut look = match self.look(thread, RUNS, last, Role::Primary).await? {
                Looked::There(look) => look,
                absent @ Looked::Absent { .. } => return Ok(absent),
            };
            let more = look.runs.len() == RUNS;
            runs.append(&mut look.runs);
            if !more {
                look.runs = runs;
                return Ok(Looked::There(look));
            }
        }
    }

    pub(super) async fn delete_thread(&self, delete: &DeleteThread) -> Result<Option<u64>> {
        self.delete_if(delete, false).await
    }

    /// Deletes a thread, or one that holds nothing any more, and returns how many checkpoints it
    /// had. The entries of an absent one are taken away: a call that deleted it may have been cut
    /// short.
    pub(super) async fn delete_if(
        &self,
        delete: &DeleteThread,
        empty: bool,
    ) -> Result<Option<u64>> {
        let thread = &delete.thread;
        let wait = self.acks(delete.acks)?;
        for _ in 0..TRIES {
            let looked = match self.look_at_all(thread).await {
                // What is damaged can be deleted nevertheless.
                Err(error) if error.kind() == ErrorKind::Corrupt => None,
                looked => Some(looked?),
            };
            // `seen`: how many checkpoints there are, where anything is; what is damaged counts none.
            let (runs, known, generation, seen) = match looked {
                Some(Looked::There(look)) => {
                    let (known, generation) =
                        (count(look.runs.len()), generation_text(look.life.generation));
                    (look.runs, known, generation, Some(look.checkpoints))
                }
                Some(Looked::Absent { .. }) => (Vec::new(), count(0), Bytes::new(), None),
                None => (Vec::new(), Bytes::new(), Bytes::new(), Some(0)),
            };
            let entries = try_join(self.entry_of(thread), self.run_entries(thread, &runs)).await?;
            let mut args = vec![fence_arg(&delete.ownership)];
            args.push(delete.tombstone.map_or_else(Bytes::new, milliseconds));
            args.extend([known, flag(empty), generation]);
            let ask = Ask::change(&DELETE, self.keys_of(thread), args).with_wait(wait);
            let mut answer = self.ask(ask).await?;
            match answer.word {
                Word::Again => continue,
                Word::Stale => return Ok(None),
                _ => {}
            }
            self.memory.forget(thread);
            let index = self.keys.index(self.keys.index_of(thread));
            let removed = self.remove_entries(index, entries.0.as_slice());
            try_join(removed, self.remove_run_entries(&entries.1)).await?;
            let existed = answer.item()?.as_ref() == b"1";
            let checkpoints = answer.number()?;
            if existed {
                return Ok(Some(checkpoints));
            }
            // Nobody but the try whose answer was lost can be said to have deleted what was seen.
            return Ok(seen.filter(|_| answer.unsettled));
        }
        Err(too_busy())
    }

    /// Lists threads from the newest on, and takes entries of absent ones away.
    pub(super) async fn list_summaries(&self, list: &ListThreads) -> Result<Page<ThreadSummary>> {
        let role = role(list.consistency)?;
        let after = list.token.as_ref().map(Position::read).transpose()?;
        let asked = (0..usize::from(INDEXES)).map(|number| {
            let bound = match &after {
                None => "+inf".to_owned(),
                // Of entries of one time in several indexes, those of the smaller number come first.
                Some(after) if number <= after.index => format!("({}", after.at),
                Some(after) => after.at.to_string(),
            };
            async move {
                let index = self.keys.index(number);
                let page = self.index_page(index, &bound, list.limit, role).await?;
                Ok::<_, Error>((number, page))
            }
        });
        let mut entries: Vec<(u64, usize, Entry)> = Vec::new();
        for answer in join_all(asked).await {
            let (number, page) = answer?;
            for entry in page {
                entries.push((crate::scripts::number(entry.1.as_bytes())?, number, entry));
            }
        }
        entries.sort_by(|a, b| (b.0, a.1).cmp(&(a.0, b.1)));
        let more = entries.len() > list.limit;
        entries.truncate(list.limit);
        let next = entries.last().filter(|_| more);
        let next = next.map(|(at, index, _)| Position { at: *at, index: *index }.token());
        let mut items = Vec::with_capacity(entries.len());
        let mut gone: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
        for entries in entries.chunks(HEADS) {
            let looked = entries
                .iter()
                .map(|(_, _, (thread, _))| self.look_about(thread, 0, Bytes::new(), role));
            for ((_, index, entry), looked) in entries.iter().zip(join_all(looked).await) {
                match looked? {
                    Err(error) => {
                        items.push(ThreadSummary::of_unreadable(entry.0.clone(), error)?);
                    }
                    Ok(Looked::There(look)) => items.push(summary(&entry.0, &look)),
                    // A replica may not know of it yet.
                    Ok(Looked::Absent { .. }) if role == Role::Primary => {
                        gone.entry(*index).or_default().push(entry.clone());
                    }
                    Ok(Looked::Absent { .. }) => {}
                }
            }
        }
        let removed = gone.iter().map(|(index, gone)| {
            let index = self.keys.index(*index);
            self.remove_entries(index, gone)
        });
        join_all(removed).await.into_iter().collect::<Result<()>>()?;
        Ok(Page::new(items, next))
    }
}

fn summary(thread: &ThreadId, look: &Look) -> ThreadSummary {
    let mut summary = ThreadSummary::new(thread.clone(), look.written);
    summary.checkpoints = look.checkpoints;
    summary.bytes = look.bytes;
    summary.expires = look.expires;
    summary.pinned = look.pinned;
    summary
}

/// Where a listing of threads goes on: behind the entry of this time in this index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Position {
    at: u64,
    index: usize,
}

impl Position {
    fn token(self) -> PageToken {
        let body = format!("t{}.{}", self.at, self.index);
        PageToken::from_bytes(format!("{body}.{:08x}", checksum(body.as_bytes())).into_bytes())
    }

    fn read(token: &PageToken) -> Result<Self> {
        Self::parse(token.as_bytes())
            .ok_or_else(|| Error::invalid("the page token was not made for this listing"))
    }

    fn parse(token: &[u8]) -> Option<Self> {
        let (body, sum) = std::str::from_utf8(token).ok()?.rsplit_once('.')?;
        if u32::from_str_radix(sum, 16).ok()? != checksum(body.as_bytes()) {
            return None;
        }
        let (at, index) = body.strip_prefix('t')?.split_once('.')?;
        Some(Self { at: at.parse().ok()?, index: index.parse().ok()? })
    }
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_and_a_forged_one_is_invalid() {
        let position = Position { at: 1_780_000_000_000_000, index: 15 };
        assert_eq!(Position::read(&position.token()).unwrap(), position);
        for forged in ["", "forged", "t1.2.00000000", "t.2", "."] {
            let token = PageToken::from_bytes(forged);
            assert_eq!(Position::read(&token).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
}
