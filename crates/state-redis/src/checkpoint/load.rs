//! Reading one checkpoint.

use bytes::Bytes;
use state_checkpoint::{Load, Loaded, Values};
use state_core::{Consistency, Result};

use super::Inner;
use super::answer::{RecordRow, descriptions, segments, writes};
use super::ask::{Ask, decimal, flag, generation_text};
use super::head::Head;
use super::known::Known;
use super::scripts::{LOAD, Word, damaged, list};
use crate::backend::role;
use crate::keys::{inner, latest_field, read_inner};
use crate::scripts::{bytes, unlike};

impl Inner {
    pub(super) async fn load_checkpoint(&self, load: Load<'_>) -> Result<Option<Loaded>> {
        match self.load_known(&load).await? {
            Some(loaded) => Ok(Some(loaded)),
            // Whoever has the checkpoint at hand needs no room for this.
            None => Box::pin(self.load_anything(load)).await,
        }
    }

    async fn load_anything(&self, load: Load<'_>) -> Result<Option<Loaded>> {
        let mut args = vec![
            load.id.map_or_else(Bytes::new, |id| inner(id.as_str())),
            inner(load.namespace.as_str()),
            flag(load.hidden),
            flag(load.writes),
        ];
        match load.known {
            None => args.extend([Bytes::new(), Bytes::new(), Bytes::new()]),
            Some((life, id)) => args.extend([
                generation_text(life.generation),
                decimal(life.epoch),
                inner(id.as_str()),
            ]),
        }
        args.extend([flag(load.refresh), flag(load.values)]);
        // What begins a lifetime anew is a write.
        let consistency = if load.refresh { Consistency::Strong } else { load.consistency };
        let ask = Ask::read(&LOAD, self.keys_of(load.thread), args).with_role(role(consistency)?);
        let mut answer = self.ask(ask).await?;
        if answer.word == Word::Absent {
            return Ok(None);
        }
        if answer.word == Word::Same {
            let (life, id) = load.known.ok_or_else(unlike)?;
            let (id, writes, values) = (id.clone(), Vec::new(), Values::default());
            return Ok(Some(Loaded { life, id, record: None, writes, values }));
        }
        let head = answer.head()?;
        let life = head.life();
        self.memory.keep_known(load.thread, Known { head, writer: None });
        let id = read_inner(&answer.item()?).ok_or_else(damaged)?.into();
        let row = answer.item()?;
        let record = if row.is_empty() { None } else { Some(RecordRow::read(&row)?.part) };
        let writes = writes(answer.list()?)?;
        let versions = descriptions(answer.list()?)?;
        let segments = segments(answer.list()?)?;
        let values = Values { versions, segments, found: Vec::new() };
        Ok(Some(Loaded { life, id, record, writes, values }))
    }

    /// Answers with the checkpoint that the caller has at hand, where the head of the thread says that
    /// there is nothing else: one plain command, and no script. `None` where a script has to look.
    async fn load_known(&self, load: &Load<'_>) -> Result<Option<Loaded>> {
        let Some((life, id)) = load.known else { return Ok(None) };
        let thread = load.thread;
        let asks = !load.refresh
            && load.consistency == Consistency::Strong
            && load.id.is_none_or(|wanted| wanted == id)
            && self.memory.expects(thread, life, load.writes);
        if !asks {
            return Ok(None);
        }
        let history = self.keys.history(thread);
        let mut fields = vec![Bytes::from_static(b"head")];
        if load.id.is_none() {
            fields.push(latest_field(load.namespace));
        }
        let found = self.command("HMGET", &history, &fields).await?;
        let mut found = list(found)?.into_iter();
        let mut next = || match found.next() {
            None | Some(redis::Value::Nil) => Ok(None),
            Some(value) => bytes(value).map(Some),
        };
        let (head, latest) = (next()?, next()?);
        let head = head.and_then(|head| Head::read(&head));
        let Some(head) = head.filter(|head| {
            head.life() == life
                && (head.pending == 0 || !load.writes)
                && (load.id.is_some() || latest == Some(inner(id.as_str())))
        }) else {
            self.memory.was_other(thread);
            return Ok(None);
        };
        self.memory.was_known(thread, Known { head, writer: None });
        let (id, writes, values) = (id.clone(), Vec::new(), Values::default());
        Ok(Some(Loaded { life, id, record: None, writes, values }))
    }
}
