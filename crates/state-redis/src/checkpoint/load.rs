//! Reading one checkpoint.

use bytes::Bytes;
use state_checkpoint::{Life, Load, Loaded, Values};
use state_core::{Consistency, Result};

use super::Inner;
use super::answer::{RecordRow, descriptions, segments, writes};
use super::ask::{Ask, decimal, flag, generation_text, read_generation};
use super::scripts::{LOAD, Word, damaged};
use crate::backend::role;
use crate::keys::{inner, read_inner};
use crate::scripts::unlike;

impl Inner {
    pub(super) async fn load_checkpoint(&self, load: Load<'_>) -> Result<Option<Loaded>> {
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
        let generation = read_generation(&answer.text()?)?;
        let life = Life { generation, epoch: answer.number()? };
        let id = read_inner(&answer.item()?).ok_or_else(damaged)?.into();
        let row = answer.item()?;
        let record = if row.is_empty() { None } else { Some(RecordRow::read(&row)?.part) };
        let writes = writes(answer.list()?)?;
        let versions = descriptions(answer.list()?)?;
        let segments = segments(answer.list()?)?;
        let values = Values { versions, segments, found: Vec::new() };
        Ok(Some(Loaded { life, id, record, writes, values }))
    }
}
