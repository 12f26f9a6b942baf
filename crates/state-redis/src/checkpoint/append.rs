//! Adding a checkpoint.

use bytes::Bytes;
use state_checkpoint::{Append, Appended, Bases, Content, open_segment, seal_segment};
use state_core::Result;
use state_core::checkpoint::{Ownership, ThreadId};
use tokio::time::Instant;

use super::Inner;
use super::ask::{
    Ask, TRIES, count, fence_arg, flag, generation_text, random, read_generation, too_busy,
};
use super::index::Announced;
use super::known::{Known, Next, Writer};
use super::scripts::{APPEND, APPEND_KNOWN, Answer, Word, damaged};
use crate::client::Wait;
use crate::keys::{inner, read_inner};
use crate::scripts::number as number_of;

impl Inner {
    pub(super) async fn append_checkpoint(&self, append: &Append) -> Result<Appended> {
        let thread = &append.reference.thread;
        let wait = self.acks(append.acks)?;
        let run = append.run.as_ref();
        let run_is_indexed = run
            .zip(append.basis)
            .is_none_or(|(run, basis)| self.memory.has_run(basis.generation, run));
        let before = self.memory.take_known(thread);
        if run_is_indexed
            && let Some(known) = &before
            && let Some(appended) = self.append_known(append, known, wait).await?
        {
            return Ok(appended);
        }
        // Most puts never get here, and need no room for it.
        Box::pin(self.append_anywhere(append, before, wait)).await
    }

    /// Adds a checkpoint to a thread of which nothing need be known, or makes the thread.
    async fn append_anywhere(
        &self,
        append: &Append,
        before: Option<Known>,
        wait: Option<Wait>,
    ) -> Result<Appended> {
        let thread = &append.reference.thread;
        let mut announced = Announced::default();
        // Who continues from nothing probably makes the thread.
        if append.basis.is_none() && append.parent.is_none() && !self.memory.has_thread(thread) {
            // Beside the first of two entries there may be none.
            let new = self.announce_new(append, &mut announced).await;
            if let Err(error) = new {
                self.withdraw(thread, append.run.as_ref(), &announced).await;
                return Err(error);
            }
        }
        let done = self.try_append(append, &mut announced, before, wait).await;
        if refused(&done) {
            self.withdraw(thread, append.run.as_ref(), &announced).await;
        }
        done
    }

    async fn announce_new(&self, append: &Append, announced: &mut Announced) -> Result<()> {
        let thread = &append.reference.thread;
        *announced = self.announce(thread, false).await?;
        if announced.written
            && let Some(run) = &append.run
        {
            // It may be written although that is not known.
            announced.run = true;
            self.index_run(thread, run).await?;
        }
        Ok(())
    }

    async fn try_append(
        &self,
        append: &Append,
        announced: &mut Announced,
        before: Option<Known>,
        wait: Option<Wait>,
    ) -> Result<Appended> {
        let thread = &append.reference.thread;
        let run = append.run.as_ref();
        let mut indexed = None;
        if let (Some(run), Some(basis)) = (run, append.basis) {
            if !self.memory.has_run(basis.generation, run) {
                self.index_run(thread, run).await?;
                announced.run = true;
            }
            indexed = Some(basis.generation);
        }
        for _ in 0..TRIES {
            let args = self.append_args(append, announced.written, indexed)?;
            let ask = Ask::change(&APPEND, self.keys_of(thread), args).with_wait(wait);
            let mut answer = self.ask(ask).await?;
            match answer.word {
                Word::Ok => return self.appended(append, before, &mut answer).await,
                Word::Existed => {
                    self.index_again(thread, run).await?;
                    return Ok(Appended::Existed);
                }
                Word::Stale => return Ok(Appended::Stale),
                Word::Absent => *announced = self.index_all(thread, run).await?,
                Word::Unindexed => {
                    if let Some(run) = run {
                        self.index_run(thread, run).await?;
                        announced.run = true;
                    }
                    indexed = Some(read_generation(&answer.text()?)?);
                }
                Word::Again | Word::Same => {}
            }
        }
        Err(too_busy())
    }

    fn append_args(
        &self,
        append: &Append,
        may_create: bool,
        indexed: Option<u64>,
    ) -> Result<Vec<Bytes>> {
        let reference = &append.reference;
        let text = inner;
        let (generation, epoch) = match append.basis {
            None => (Bytes::new(), Bytes::new()),
            Some(basis) => (generation_text(basis.generation), super::ask::decimal(basis.epoch)),
        };
        let mut args = vec![
            generation_text(random()?),
            generation,
            epoch,
            flag(may_create),
            flag(append.recreate),
        ];
        args.push(self.lifetime_arg(append.lifetime));
        args.push(fence_arg(&append.ownership));
        args.push(flag(append.ownership == Ownership::ParentIsLatest));
        args.push(append.parent.as_ref().map_or_else(Bytes::new, |id| text(id.as_str())));
        args.push(flag(append.parent.as_ref().is_some_and(|parent| *parent < reference.id)));
        args.push(text(reference.namespace.as_str()));
        args.push(text(reference.id.as_str()));
        args.push(append.record.clone());
        args.push(append.run.as_ref().map_or_else(Bytes::new, |run| text(run)));
        args.push(indexed.map_or_else(Bytes::new, generation_text));
        self.content_args(&reference.thread, &append.content, &mut args);
        args.push(count(append.versions.len()));
        for (place, body) in &append.versions {
            args.push(place.map_or_else(Bytes::new, place_text));
            args.push(body.clone());
        }
        args.push(count(append.empty.len()));
        args.extend(append.empty.iter().copied().map(place_text));
        Ok(args)
    }

    /// A compressed segment that waits, and content.
    pub(super) fn content_args(&self, thread: &ThreadId, content: &Content, args: &mut Vec<Bytes>) {
        args.push(self.memory.take_sealed(thread));
        let raw = if content.frames.is_empty() { content.raw.clone() } else { Bytes::new() };
        args.push(raw);
        args.push(count(content.frames.len()));
        args.extend(content.frames.iter().cloned());
    }

    /// Adds a checkpoint where that takes nothing but to write it; `None` where nothing was done.
    async fn append_known(
        &self,
        append: &Append,
        known: &Known,
        wait: Option<Wait>,
    ) -> Result<Option<Appended>> {
        let thread = &append.reference.thread;
        // It goes with the next change that looks at the log.
        if self.memory.has_sealed(thread) {
            return Ok(None);
        }
        let lifetime = self.lifetime_arg(append.lifetime);
        let keys = self.keys.changed(thread);
        let next = known.next(append, &keys, &lifetime, Instant::now());
        let (Some(next), [history, ..]) = (next, keys.as_slice()) else { return Ok(None) };
        let Next { command, known, appended } = next;
        let asked = self.change(&APPEND_KNOWN, history, command, wait);
        if asked.await?.word != Word::Ok {
            self.memory.was_other(thread);
            return Ok(None);
        }
        self.memory.was_known(thread, known);
        Ok(Some(appended))
    }

    async fn appended(
        &self,
        append: &Append,
        before: Option<Known>,
        answer: &mut Answer,
    ) -> Result<Appended> {
        let reference = &append.reference;
        let head = answer.head()?;
        let recent = answer.item()?;
        let latest = answer.text()?;
        let bases = Bases {
            version: answer.number()?,
            segment: answer.number()?,
            offset: answer.number()?,
        };
        let run = append.run.as_ref();
        self.end_change(&reference.thread, head.generation, run, answer).await?;
        if let Some(run) = run {
            self.memory.keep_run(head.generation, run);
        }
        let mut writer = Writer {
            recent: recent_bytes(&recent),
            latest: Vec::new(),
            run: run.cloned(),
            fence: fence_arg(&append.ownership),
            at: Instant::now(),
            server_ms: head.written_ms,
        };
        // What was known of other namespaces holds where nobody else has changed the thread.
        if let Some(Known { head: old, writer: Some(old_writer) }) = before
            && old.life() == head.life()
            && old.serial + 1 == head.serial
        {
            writer.latest = old_writer.latest;
            writer.run = writer.run.or(old_writer.run);
            if writer.fence.is_empty() {
                writer.fence = old_writer.fence;
            }
        }
        let latest = if latest.is_empty() {
            reference.id.clone()
        } else {
            read_inner(latest.as_bytes()).ok_or_else(damaged)?.into()
        };
        writer.set_latest(&reference.namespace, latest);
        let known = Known { head, writer: Some(writer) };
        self.memory.keep_known(&reference.thread, known);
        Ok(Appended::Put { life: head.life(), bases })
    }

    /// What is to be done after a change: a tail that is full is compressed, to be sent with the
    /// next one, and a thread that was made is written to the indexes once more.
    pub(super) async fn end_change(
        &self,
        thread: &ThreadId,
        generation: u64,
        run: Option<&std::sync::Arc<str>>,
        answer: &mut Answer,
    ) -> Result<()> {
        if let Some(number) = answer.next()? {
            let full = answer.item()?;
            if !number.is_empty() {
                let frame = seal_segment(&open_segment(&full)?, &self.options.compression)?;
                if frame.len() < full.len() {
                    let sealed = sealed(generation, number_of(&number)?, full.len(), &frame);
                    self.memory.keep_sealed(thread, sealed);
                }
            }
            if !answer.item()?.is_empty() {
                self.index_all(thread, run).await?;
            }
        }
        self.memory.keep_thread(thread);
        Ok(())
    }
}

/// How long the field `recent` is, as scripts tell it.
pub(super) fn recent_bytes(text: &[u8]) -> Option<usize> {
    number_of(text).ok()
}

/// A place as it is stored.
pub(super) fn place_text(place: u64) -> Bytes {
    Bytes::copy_from_slice(&place.to_le_bytes())
}

/// A compressed segment for the place of a raw one, as scripts take it.
fn sealed(generation: u64, number: u32, raw_bytes: usize, frame: &[u8]) -> Bytes {
    let raw_bytes = u16::try_from(raw_bytes).unwrap_or_default();
    let generation = generation_text(generation);
    let (number, raw_bytes) = (number.to_le_bytes(), raw_bytes.to_le_bytes());
    [generation.as_ref(), &number, &raw_bytes, frame].concat().into()
}

/// Whether a change failed and certainly wrote nothing.
pub(super) fn refused<T>(done: &Result<T>) -> bool {
    done.as_ref().is_err_and(|error| error.outcome() == state_core::Outcome::NotApplied)
}
