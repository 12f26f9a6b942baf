//! Copying a thread in steps, out of sight until it is complete.
//!
//! Another thread is in another slot, so rows travel through this process. What is added to the
//! source meanwhile is told by the number of the change that brought it, and left out; what is
//! removed or replaced meanwhile makes the copy begin anew. Content is only ever added to, and
//! nothing of it is taken away that a checkpoint of the epoch needs.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use state_checkpoint::{CopyRecords, CopyThread, open_segment, rebind_record, seal_segment};
use state_core::checkpoint::{CheckpointId, CheckpointNamespace};
use state_core::{Error, Result};

use super::Inner;
use super::answer::{RecordRow, WriteRow, split_descriptions};
use super::ask::{Ask, TRIES, count, decimal, generation_text, random, too_busy};
use super::delete::{Look, Looked};
use super::scripts::{SHOW, STAGE, Word, damaged};
use super::sweep::{BLOCK_ITEMS, Field};
use crate::client::Role;
use crate::keys::{inner, read_place};

/// The most rows and bytes of a step.
const STEP_ROWS_MAX: usize = 500;
const STEP_BYTES_MAX: usize = 1 << 20;
/// Fields that are read at once, about.
const READ_FIELDS: usize = 32;
/// How long an unfinished copy is left alone when its maker gives no sign of life: 10 minutes.
const UNFINISHED_MS: u64 = 600_000;
/// What tells the keys of a thread apart in a step; also their place among the keys.
const HISTORY: u8 = 1;
const ORDER: u8 = 2;
const WRITES: u8 = 3;

/// A copy that is being made.
struct Copy<'a> {
    request: &'a CopyThread,
    source: Look,
    generation: Bytes,
    /// Keys out of sight.
    keys: Vec<Bytes>,
    rows: Vec<Bytes>,
    row_bytes: usize,
    /// The names in each key, by its place.
    names: HashMap<u8, HashSet<Bytes>>,
    checkpoints: u64,
    hidden: u64,
    writes: u64,
    bytes: u64,
    latest: HashMap<CheckpointNamespace, CheckpointId>,
}

impl Inner {
    pub(super) async fn copy_thread(&self, request: &CopyThread) -> Result<Option<u64>> {
        let target = self.look(&request.to, 0, Bytes::new(), Role::Primary).await?;
        if !matches!(target, Looked::Absent { tombstone: false }) {
            let message = "the thread to copy to exists, or was deleted just now";
            return Err(Error::conflict(message));
        }
        for _ in 0..TRIES {
            let Looked::There(source) = self.look_at_all(&request.from).await? else {
                return Ok(None);
            };
            let generation = generation_text(random()?);
            let text = std::str::from_utf8(&generation).unwrap_or_default();
            let keys = self.keys.staged(&request.to, text);
            let copied = self.try_copy(request, source, generation, keys.clone()).await;
            if !matches!(copied, Ok(Some(_))) {
                self.abandon(keys).await?;
            }
            if let Some(checkpoints) = copied? {
                return Ok(Some(checkpoints));
            }
        }
        Err(too_busy())
    }

    /// Copies everything; `None` when the source has become another meanwhile.
    async fn try_copy(
        &self,
        request: &CopyThread,
        source: Look,
        generation: Bytes,
        keys: Vec<Bytes>,
    ) -> Result<Option<u64>> {
        let mut copy = Copy {
            request,
            source,
            generation,
            keys,
            rows: Vec::new(),
            row_bytes: 0,
            names: HashMap::new(),
            checkpoints: 0,
            hidden: 0,
            writes: 0,
            bytes: 0,
            latest: HashMap::new(),
        };
        for run in copy.source.runs.clone() {
            copy.add(ORDER, [b"r", inner(&run).as_ref()].concat().into(), Bytes::new());
        }
        let all = self.copy_history(&mut copy).await? && self.copy_writes(&mut copy).await?;
        if !all {
            return Ok(None);
        }
        self.stage(&mut copy, true).await?;
        let now = self.look(&request.from, 0, Bytes::new(), Role::Primary).await?;
        let same = |now: &Look| now.life == copy.source.life && now.replaced <= copy.source.serial;
        if !matches!(&now, Looked::There(now) if same(now)) {
            return Ok(None);
        }
        self.show(&copy).await
    }

    async fn copy_writes(&self, copy: &mut Copy<'_>) -> Result<bool> {
        let mut last = Bytes::new();
        loop {
            let rows = self.write_rows(&copy.request.from, copy.source.life, last).await?;
            let Some(rows) = rows else { return Ok(false) };
            let Some(end) = rows.last().cloned() else { return Ok(true) };
            last = end;
            for member in &rows {
                copy.take_write(member)?;
                self.stage(copy, false).await?;
            }
        }
    }

    async fn copy_history(&self, copy: &mut Copy<'_>) -> Result<bool> {
        let mut cursor = Some(Bytes::from_static(b"0"));
        while let Some(at) = cursor {
            let (from, life) = (&copy.request.from, copy.source.life);
            let step = self.content_step(from, life, None, at, READ_FIELDS, true).await?;
            let Some(step) = step else { return Ok(false) };
            cursor = step.next;
            let mut items = step.fields.into_iter();
            while let (Some(field), Some(value)) = (items.next(), items.next()) {
                self.take_field(copy, field, value)?;
                self.stage(copy, false).await?;
            }
        }
        Ok(true)
    }

    /// Takes over what was there when the copy began.
    fn take_field(&self, copy: &mut Copy<'_>, field: Bytes, value: Bytes) -> Result<()> {
        let value = match Field::read(&field)? {
            Field::Record { place, hidden } => {
                return copy.take_record(&field.slice_ref(place), &value, hidden);
            }
            Field::Segment(number) if number >= copy.source.segments.max(copy.source.tail + 1) => {
                return Ok(());
            }
            // Nobody goes on writing to the end of the log: the copy begins one of its own.
            Field::Segment(_) if value.first() == Some(&0) => {
                seal_segment(&open_segment(&value)?, &self.options.compression)?
            }
            Field::Segment(_) => value,
            Field::Block(number) => {
                let first = number.saturating_mul(BLOCK_ITEMS);
                let most = copy.source.versions.saturating_sub(first);
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                let items = split_descriptions(&value)?;
                items.into_iter().take(most).collect::<Vec<_>>().concat().into()
            }
            Field::Places => {
                let entries = value.chunks(12).filter(|entry| {
                    let version = entry.last_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
                    version.is_some_and(|version| u64::from(version / 2) < copy.source.versions)
                        || version.is_some_and(|version| {
                            version % 2 == 1 && u64::from(version / 2) == copy.source.versions
                        })
                });
                entries.collect::<Vec<_>>().concat().into()
            }
        };
        if !value.is_empty() {
            copy.add(HISTORY, field, value);
        }
        Ok(())
    }

    /// Sends what was taken over, once that is a step's worth.
    async fn stage(&self, copy: &mut Copy<'_>, all: bool) -> Result<()> {
        let enough = copy.rows.len() / 3 >= STEP_ROWS_MAX || copy.row_bytes >= STEP_BYTES_MAX;
        if copy.rows.is_empty() || !(enough || all) {
            return Ok(());
        }
        let mut args = vec![copy.generation.clone(), decimal(UNFINISHED_MS)];
        args.append(&mut copy.rows);
        copy.row_bytes = 0;
        self.ask(Ask::change(&STAGE, copy.keys.clone(), args)).await.map(drop)
    }

    /// Makes the copy visible; `None` when a part of it was lost meanwhile.
    async fn show(&self, copy: &Copy<'_>) -> Result<Option<u64>> {
        let to = &copy.request.to;
        let all = matches!(copy.request.records, CopyRecords::All);
        let wait = self.acks(copy.request.acks)?;
        let mut keys = self.keys_of(to);
        keys.extend(copy.keys.get(..3).unwrap_or_default().iter().cloned());
        let mut args = vec![copy.generation.clone(), self.lifetime_arg(copy.request.lifetime)];
        for number in [
            u64::from(!all),
            copy.source.versions,
            copy.source.segments,
            copy.checkpoints,
            copy.hidden,
            copy.writes,
            copy.bytes,
        ] {
            args.push(decimal(number));
        }
        for key in [HISTORY, ORDER, WRITES] {
            // The generation stands in the others as well, and the head comes at the end.
            let more = usize::from(key != HISTORY);
            args.push(count(copy.names.get(&key).map_or(0, |names| names.len() + more)));
        }
        for (namespace, id) in &copy.latest {
            args.extend([inner(namespace.as_str()), inner(id.as_str())]);
        }
        self.index_copy(copy).await?;
        let ask = Ask::change(&SHOW, keys, args).with_wait(wait);
        if self.ask(ask).await?.word == Word::Again {
            return Ok(None);
        }
        self.index_copy(copy).await?;
        Ok(Some(copy.checkpoints))
    }

    async fn index_copy(&self, copy: &Copy<'_>) -> Result<()> {
        let to = &copy.request.to;
        self.announce(to, true).await?;
        for run in &copy.source.runs {
            self.index_run(to, run).await?;
        }
        Ok(())
    }

    /// Takes away what was copied in vain.
    async fn abandon(&self, keys: Vec<Bytes>) -> Result<()> {
        let [first, rest @ ..] = keys.as_slice() else { return Ok(()) };
        self.command("UNLINK", first, rest).await.map(drop)
    }
}

impl Copy<'_> {
    /// Adds a row; `false` where it is there already: a step through a history may tell a field twice.
    fn add(&mut self, key: u8, name: Bytes, value: Bytes) -> bool {
        if !self.names.entry(key).or_default().insert(name.clone()) {
            return false;
        }
        let size = name.len() + value.len();
        // The names of rows by place do not count.
        let uncounted = if key == HISTORY && name.first() == Some(&b'p') { name.len() } else { 0 };
        self.bytes += (size - uncounted) as u64;
        self.row_bytes += size;
        self.rows.extend([Bytes::from(key.to_string()), name, value]);
        true
    }

    fn take_record(&mut self, place: &Bytes, row: &Bytes, hidden: bool) -> Result<()> {
        let (namespace, id) = read_place(place).ok_or_else(damaged)?;
        let read = RecordRow::read(row)?;
        if read.serial > self.source.serial || !self.wants(&namespace, &id) {
            return Ok(());
        }
        let (from, to) = (&self.request.from, &self.request.to);
        let body = rebind_record(&read.part.body, from, to, &namespace, &id)?;
        let letter: &[u8] = if hidden { b"k" } else { b"c" };
        let name = Bytes::from([letter, place.as_ref()].concat());
        if !self.add(HISTORY, name.clone(), RecordRow::rewrite(row, &body)?) {
            return Ok(());
        }
        self.add(ORDER, name, Bytes::new());
        if hidden {
            self.hidden += 1;
            return Ok(());
        }
        self.checkpoints += 1;
        let latest = self.latest.entry(namespace).or_insert_with(|| id.clone());
        if *latest < id {
            *latest = id;
        }
        Ok(())
    }

    fn take_write(&mut self, member: &Bytes) -> Result<()> {
        let row = WriteRow::read(member)?;
        let (namespace, id) = read_place(&row.place).ok_or_else(damaged)?;
        if row.serial > self.source.serial || !self.wants(&namespace, &id) {
            return Ok(());
        }
        self.writes += 1;
        self.add(WRITES, row.with_serial_of_a_copy(member), Bytes::new());
        Ok(())
    }

    fn wants(&self, namespace: &CheckpointNamespace, id: &CheckpointId) -> bool {
        match &self.request.records {
            CopyRecords::All => true,
            CopyRecords::Only(places) => places.contains(&(namespace.clone(), id.clone())),
        }
    }
}
