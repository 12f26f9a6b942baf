//! Taking records out of sight, or away, in steps.

use state_checkpoint::{Remove, Removed};
use state_core::Result;
use state_core::checkpoint::DeleteThread;

use super::Inner;
use super::ask::{Ask, count, decimal, fence_arg, generation_text, random};
use super::scripts::{REMOVE, Word};
use crate::keys::place;

/// The most records of a step.
const STEP_MAX: usize = 500;

impl Inner {
    pub(super) async fn remove_records(&self, remove: &Remove) -> Result<Option<Removed>> {
        let thread = &remove.thread;
        let wait = self.acks(remove.acks)?;
        let gone = remove.gone.chunks(STEP_MAX).map(|places| (places, true));
        let steps = gone.chain(remove.hidden.chunks(STEP_MAX).map(|places| (places, false)));
        let mut removed = Removed { gone: 0, hidden: 0 };
        let mut empty = false;
        // Each step raises the epoch.
        for (epoch, (places, go)) in (remove.life.epoch..).zip(steps) {
            let mut args = vec![generation_text(remove.life.generation), decimal(epoch)];
            args.push(fence_arg(&remove.ownership));
            args.push(count(if go { places.len() } else { 0 }));
            args.push(generation_text(random()?));
            args.extend(places.iter().map(|(namespace, id)| place(namespace, id)));
            let ask = Ask::change(&REMOVE, self.keys_of(thread), args).with_wait(wait);
            let mut answer = self.ask(ask).await?;
            if answer.word == Word::Stale {
                return Ok(None);
            }
            removed.gone += answer.number::<u64>()?;
            removed.hidden += answer.number::<u64>()?;
            empty = answer.item()?.as_ref() == b"1";
        }
        if empty {
            let delete = DeleteThread::new(thread.clone()).with_acks(remove.acks);
            self.delete_if(&delete, true).await?;
        }
        Ok(Some(removed))
    }
}
