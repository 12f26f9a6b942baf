//! Adding writes beside a checkpoint, and reading all of them.

use bytes::Bytes;
use state_checkpoint::{AppendWrites, Life, WritesAppended, WritesPage};
use state_core::Result;
use state_core::checkpoint::{Ownership, ThreadId};

use super::Inner;
use super::answer::WriteRow;
use super::append::{recent_bytes, refused};
use super::ask::{Ask, TRIES, decimal, fence_arg, flag, generation_text, random, too_busy};
use super::head::Head;
use super::index::Announced;
use super::known::Known;
use super::scripts::{ALL_WRITES, WRITES, Word};
use crate::keys::inner;

/// Writes that are read at once; the script knows it, too.
const PAGE_ROWS: usize = 1_000;

impl Inner {
    pub(super) async fn append_pending(&self, append: &AppendWrites) -> Result<WritesAppended> {
        let mut announced = Announced::default();
        let done = self.try_append_pending(append, &mut announced).await;
        if refused(&done) {
            self.withdraw(&append.reference.thread, None, &announced).await;
        }
        done
    }

    async fn try_append_pending(
        &self,
        append: &AppendWrites,
        announced: &mut Announced,
    ) -> Result<WritesAppended> {
        let thread = &append.reference.thread;
        let wait = self.acks(append.acks)?;
        for _ in 0..TRIES {
            let before = self.memory.known(thread);
            let args = self.writes_args(append, announced.written)?;
            let ask = Ask::change(&WRITES, self.keys_of(thread), args).with_wait(wait);
            let mut answer = self.ask(ask).await?;
            if answer.word == Word::Absent {
                *announced = self.index_all(thread, None).await?;
                continue;
            }
            let done = WritesAppended {
                written: answer.number()?,
                replaced: answer.number()?,
                kept: answer.number()?,
            };
            let head = answer.head()?;
            let recent = recent_bytes(&answer.item()?);
            if done.written + done.replaced == 0 && done.kept > 0 {
                self.index_again(thread, None).await?;
            }
            self.end_change(thread, head.generation, None, &mut answer).await?;
            let fence = fence_arg(&append.ownership);
            self.memory.keep_known(thread, after_writes(before, head, recent, &fence));
            return Ok(done);
        }
        Err(too_busy())
    }

    fn writes_args(&self, append: &AppendWrites, may_create: bool) -> Result<Vec<Bytes>> {
        let reference = &append.reference;
        let mut args = vec![generation_text(random()?), flag(may_create), flag(append.recreate)];
        args.push(self.lifetime_arg(append.lifetime));
        args.push(fence_arg(&append.ownership));
        args.push(flag(append.ownership == Ownership::ParentIsLatest));
        args.push(inner(reference.namespace.as_str()));
        args.push(inner(reference.id.as_str()));
        self.content_args(&reference.thread, &append.content, &mut args);
        for write in &append.writes {
            args.push(inner(&write.task));
            args.push(Bytes::from(write.index.get().to_string()));
            args.push(write.body.clone());
        }
        Ok(args)
    }

    pub(super) async fn read_writes(
        &self,
        thread: &ThreadId,
        life: Life,
        after: Option<Bytes>,
    ) -> Result<Option<WritesPage>> {
        let rows = self.write_rows(thread, life, after.unwrap_or_default()).await?;
        let Some(members) = rows else { return Ok(None) };
        let writes = members.iter().map(|member| Ok(WriteRow::read(member)?.write));
        let writes = writes.collect::<Result<_>>()?;
        let next = members.last().filter(|_| members.len() >= PAGE_ROWS).cloned();
        Ok(Some(WritesPage { writes, next }))
    }

    /// The next rows of writes after `last`; `None` when the thread has another life now.
    pub(super) async fn write_rows(
        &self,
        thread: &ThreadId,
        life: Life,
        last: Bytes,
    ) -> Result<Option<Vec<Bytes>>> {
        let args = vec![generation_text(life.generation), decimal(life.epoch), last];
        let ask = Ask::read(&ALL_WRITES, self.keys_of(thread), args).in_bulk();
        let mut answer = self.ask(ask).await?;
        if answer.word == Word::Stale {
            return Ok(None);
        }
        answer.all_bytes().map(Some)
    }
}

/// What is known of a thread after writes were added to it. Writes of several tasks follow each other
/// in any order, so what a writer knows holds on as long as no checkpoint comes between.
fn after_writes(before: Option<Known>, head: Head, recent: Option<usize>, fence: &Bytes) -> Known {
    let Some(Known { head: old, writer: Some(mut writer) }) = before else {
        return Known { head, writer: None };
    };
    if !head.has_checkpoints_of(&old) {
        return Known { head, writer: None };
    }
    writer.recent = recent;
    if !fence.is_empty() {
        writer.fence = fence.clone();
    } else if head.serial > old.serial + 1 {
        writer.fence = Bytes::new();
    }
    Known { head, writer: Some(writer) }
}
