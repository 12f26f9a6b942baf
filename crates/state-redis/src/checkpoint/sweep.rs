//! Taking away the content that nothing is made from any more.

use bytes::Bytes;
use state_checkpoint::{Keep, Life};
use state_core::Result;
use state_core::checkpoint::ThreadId;

use super::Inner;
use super::ask::{Ask, count, decimal, flag, generation_text};
use super::scripts::{CONTENT, SWEEP, Word, damaged};

/// Descriptions of a row; the scripts know it, too.
pub(super) const BLOCK_ITEMS: u64 = 16;
/// About how many fields are looked at in a step.
const FIELDS: usize = 256;

/// A step through what a thread holds.
#[derive(Debug)]
pub(super) struct ContentStep {
    /// Where it goes on; `None` at the end.
    pub(super) next: Option<Bytes>,
    /// Fields, each followed by its value where those were asked for.
    pub(super) fields: Vec<Bytes>,
}

impl Inner {
    /// One step, through the names of segments and descriptions, or through all with its values;
    /// `None` when the thread has another life, or has changed, since.
    pub(super) async fn content_step(
        &self,
        thread: &ThreadId,
        life: Life,
        serial: Option<u64>,
        cursor: Bytes,
        fields: usize,
        values: bool,
    ) -> Result<Option<ContentStep>> {
        let serial = serial.map_or_else(Bytes::new, decimal);
        let (generation, epoch) = (generation_text(life.generation), decimal(life.epoch));
        let args = vec![generation, epoch, serial, cursor, count(fields), flag(values)];
        let ask = Ask::read(&CONTENT, self.keys_of(thread), args).in_bulk();
        let mut answer = self.ask(ask).await?;
        if answer.word == Word::Stale {
            return Ok(None);
        }
        let next = answer.item()?;
        let next = (next.as_ref() != b"0").then_some(next);
        Ok(Some(ContentStep { next, fields: answer.all_bytes()? }))
    }

    pub(super) async fn sweep_content(&self, thread: &ThreadId, keep: &Keep) -> Result<bool> {
        let mut serial = keep.serial;
        let mut cursor = Some(Bytes::from_static(b"0"));
        while let Some(at) = cursor {
            let step = self.content_step(thread, keep.life, Some(serial), at, FIELDS, false);
            let Some(step) = step.await? else { return Ok(false) };
            cursor = step.next;
            let (mut segments, mut blocks) = (Vec::new(), Vec::new());
            for field in &step.fields {
                match Field::read(field)? {
                    Field::Segment(number) if !keep.segments.contains(&number) => {
                        segments.push(decimal(number));
                    }
                    Field::Block(number) => {
                        let stays = |at| keep.versions.contains(&(number * BLOCK_ITEMS + at));
                        let kept: Vec<u8> =
                            (0..BLOCK_ITEMS).map(|at| b'0' + u8::from(stays(at))).collect();
                        if kept.contains(&b'0') {
                            blocks.extend([decimal(number), kept.into()]);
                        }
                    }
                    Field::Segment(_) | Field::Places | Field::Record { .. } => {}
                }
            }
            if segments.is_empty() && blocks.is_empty() {
                continue;
            }
            let (generation, epoch) =
                (generation_text(keep.life.generation), decimal(keep.life.epoch));
            let mut args = vec![generation, epoch, decimal(serial), count(segments.len())];
            args.extend(segments);
            args.extend(blocks);
            let mut answer = self.ask(Ask::change(&SWEEP, self.keys_of(thread), args)).await?;
            if answer.word == Word::Stale {
                return Ok(false);
            }
            serial = answer.number()?;
        }
        Ok(true)
    }
}

/// What a field of the history holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Segment(u64),
    Block(u64),
    Places,
    /// Of the checkpoint at this place.
    Record {
        place: &'a [u8],
        hidden: bool,
    },
}

impl<'a> Field<'a> {
    pub(super) fn read(field: &'a [u8]) -> Result<Self> {
        let (kind, rest) = field.split_first().ok_or_else(damaged)?;
        let number = || {
            let text = std::str::from_utf8(rest).ok();
            text.and_then(|text| text.parse().ok()).ok_or_else(damaged)
        };
        match kind {
            b's' => number().map(Self::Segment),
            b'd' => number().map(Self::Block),
            b'p' => Ok(Self::Places),
            b'c' | b'k' => Ok(Self::Record { place: rest, hidden: *kind == b'k' }),
            _ => Err(damaged()),
        }
    }
}
