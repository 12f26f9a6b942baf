//! Reading records by falling id.

use bytes::Bytes;
use redis::Value;
use state_checkpoint::{Along, Life, PagePosition, ReadPage, RecordPage, StoredRecord, Values};
use state_core::Result;

use super::Inner;
use super::answer::{RecordRow, descriptions, segments, writes};
use super::ask::{Ask, count, flag, read_generation};
use super::scripts::{PAGE, Word, damaged, list};
use crate::backend::role;
use crate::keys::{inner, read_place};
use crate::scripts::{bytes, unlike};

impl Inner {
    pub(super) async fn read_page(&self, page: ReadPage<'_>) -> Result<Option<RecordPage>> {
        let text = inner;
        let namespace = page.namespace.map_or_else(Bytes::new, |name| text(name.as_str()));
        let (position, id, after) = match &page.position {
            PagePosition::Newest => ("n", Bytes::new(), Bytes::new()),
            PagePosition::Below(id) => ("b", text(id.as_str()), Bytes::new()),
            PagePosition::After(id, namespace) => {
                ("a", text(id.as_str()), text(namespace.as_str()))
            }
        };
        let args = vec![
            Bytes::from_static(if page.hidden { b"k" } else { b"c" }),
            flag(page.namespace.is_some()),
            namespace,
            page.id.map_or_else(Bytes::new, |id| text(id.as_str())),
            Bytes::from_static(position.as_bytes()),
            id,
            after,
            count(page.limit),
            flag(page.writes),
            Bytes::from_static(match page.along {
                Along::Nothing => b"",
                Along::Writes => b"w",
                Along::Everything => b"1",
            }),
        ];
        let ask = Ask::read(&PAGE, self.keys_of(page.thread), args);
        let ask = ask.with_role(role(page.consistency)?).in_bulk();
        let mut answer = self.ask(ask).await?;
        if answer.word == Word::Absent {
            return Ok(None);
        }
        let generation = read_generation(&answer.text()?)?;
        let life = Life { generation, epoch: answer.number()? };
        let serial = answer.number()?;
        let next = answer.item()?;
        let next = if next.is_empty() {
            None
        } else {
            let (namespace, id) = read_place(&next).ok_or_else(damaged)?;
            Some(PagePosition::After(id, namespace))
        };
        let (versions, segments) = (descriptions(answer.list()?)?, segments(answer.list()?)?);
        let values = Values { versions, segments, found: Vec::new() };
        let records = answer.rest().map(read_record).collect::<Result<_>>()?;
        Ok(Some(RecordPage { life, serial, records, next, values }))
    }
}

fn read_record(value: Value) -> Result<StoredRecord> {
    let mut items = list(value)?.into_iter();
    let mut next = || items.next().ok_or_else(unlike);
    let (place, row, members) = (bytes(next()?)?, bytes(next()?)?, list(next()?)?);
    let (namespace, id) = read_place(&place).ok_or_else(damaged)?;
    let record = RecordRow::read(&row)?.part;
    Ok(StoredRecord { namespace, id, record, writes: writes(members)? })
}
