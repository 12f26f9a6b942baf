//! Writing the change log: what is not about one key.

use bytes::Bytes;
use state_core::{ClearOptions, Key, Result, Scope};

use super::Inner;
use super::ask::{Ask, How};
use super::batch::Item;
use super::op::Op;
use crate::client::Role;
use crate::frame;
use crate::log::scope_text;
use crate::scripts::{self, Answer};

/// The last id of the log of each bucket after a clear was noted there.
pub(super) type Marks = Vec<Bytes>;

impl Inner {
    /// Notes in every bucket that a clear begins; nothing without a log.
    pub(super) async fn mark_cleared(&self, op: &Op, options: &ClearOptions) -> Result<Marks> {
        let Some(buckets) = self.keys.buckets().filter(|_| self.layout.log.is_some()) else {
            return Ok(Vec::new());
        };
        let chosen = self.buckets_in(&options.scope);
        let count = chosen.len();
        let text = |text: &'static str| Bytes::from_static(text.as_bytes());
        let id = Bytes::from(frame::new_nonce()?.to_string());
        let fields = vec![
            text("e"),
            text("clear"),
            text("p"),
            options.prefix.clone(),
            text("s"),
            scope_text(&options.scope)?,
            text("n"),
            Bytes::from(count.to_string()),
            text("i"),
            id,
        ];
        let mut marks = vec![Bytes::new(); buckets.count()];
        for (bucket, answer) in self.mark(op, chosen, fields).await? {
            if let Some(mark) = marks.get_mut(bucket) {
                *mark = answer.item(0)?.clone();
            }
        }
        Ok(marks)
    }

    /// Tells those who watch that they can not rely on what they were told: a clear that was noted
    /// has not been done to the end. If this fails as well, what made the clear fail still holds. The clear may have used
    /// up its time, and what watchers would believe without this is wrong: it has a little of its own.
    pub(super) async fn mark_gap(&self, op: &Op, scope: &Scope) {
        if self.layout.log.is_some() {
            self.grant_grace(op);
            let fields = vec![Bytes::from_static(b"e"), Bytes::from_static(b"gap")];
            let marked = self.mark(op, self.buckets_in(scope), fields).await;
            if let Err(error) = marked {
                tracing::warn!(%error, "watchers could not be told that a clear was not done to the end");
            }
        }
    }

    /// Appends an event of `fields` to the log of each of these buckets, or begins the logs that have
    /// not begun; for each what the script tells of its end.
    pub(super) async fn mark(
        &self,
        op: &Op,
        chosen: Vec<usize>,
        fields: Vec<Bytes>,
    ) -> Result<Vec<(usize, Answer)>> {
        let Some(buckets) = self.keys.buckets() else { return Ok(Vec::new()) };
        let mut items = Vec::with_capacity(chosen.len());
        for bucket in chosen {
            let log = self.keys.log(buckets, bucket);
            let mut args = Vec::from(self.log_args()?);
            args.extend(fields.iter().cloned());
            let ask = Ask::new(&scripts::LOG_MARK, vec![log.clone()], args, How::upkeep());
            items.push(Item::script(log, ask, bucket));
        }
        let sent = self.send_batch(op, Role::Primary, items).await?;
        let ends = sent.into_iter();
        ends.map(|(item, answer)| Ok((item.into_read(), Answer::read(answer?.0)?))).collect()
    }

    /// The buckets that hold keys of `scope`.
    pub(super) fn buckets_in(&self, scope: &Scope) -> Vec<usize> {
        let Some(buckets) = self.keys.buckets() else { return Vec::new() };
        match scope {
            Scope::Partition(name) => vec![buckets.of(&Key::in_partition(name.clone(), ""))],
            _ => (0..buckets.count()).collect(),
        }
    }
}
