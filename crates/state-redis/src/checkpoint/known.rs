//! Adding a checkpoint to a thread whose head is known.
//!
//! Who has written to a thread last knows where the next checkpoint lands, and so everything that
//! the server is to write. Then a script has nothing to do but to compare the head and to write. It
//! is the same change as `thread_append.lua` makes; where the head turns out to be another, nothing
//! is done, and that script does it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use state_checkpoint::{Append, Appended, Bases, TAIL_BYTES_MAX};
use state_core::checkpoint::{CheckpointId, CheckpointNamespace, Ownership};
use tokio::time::Instant;

use super::ask::{fence_arg, generation_digits};
use super::head::Head;
use super::scripts::APPEND_KNOWN;
use super::sweep::BLOCK_ITEMS;
use crate::command::Command;
use crate::keys::{inner, latest_field, place};

/// The field that takes small pieces of the end of the log.
const RECENT: &str = "recent";
/// The most bytes of it; scripts know it, too.
pub(super) const RECENT_BYTES_MAX: usize = 512;
/// The greatest number of versions; scripts know it, too.
const VERSIONS_MAX: u64 = 2_147_483_647;
/// Versions by place that share a row, at the least level.
const ROW_PLACES: u32 = 64;
/// An entry of such a row.
const ENTRY_BYTES: usize = 12;
/// What stands in front of a record, and of a description in its block.
const RECORD_AHEAD_BYTES: usize = 12;
const DESCRIPTION_AHEAD_BYTES: usize = 9;
/// Room for what else the script takes: two heads, what is told, and short names.
const ROOM_BYTES: usize = 320;
/// The most rows that go on in one script.
const ROWS_MAX: usize = 12;
/// Namespaces of a thread whose latest checkpoint is remembered.
const NAMESPACES_MAX: usize = 4;

/// What is known of a thread.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) head: Head,
    /// What only a writer knows.
    pub(super) writer: Option<Writer>,
}

/// What a writer knows besides.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    /// How long the field `recent` is, where there is one.
    pub(super) recent: Option<usize>,
    /// The latest checkpoint of each namespace that was written to lately.
    pub(super) latest: Vec<(CheckpointNamespace, CheckpointId)>,
    /// A run that the thread has.
    pub(super) run: Option<Arc<str>>,
    /// Token and lease that were noted last, as scripts take them.
    pub(super) fence: Bytes,
    /// When the time of the head was read.
    pub(super) at: Instant,
    /// That time, of the server, in milliseconds.
    pub(super) server_ms: u64,
}

impl Writer {
    /// The latest checkpoint of a namespace.
    fn latest_of(&self, namespace: &CheckpointNamespace) -> Option<&CheckpointId> {
        self.latest.iter().find(|(known, _)| known == namespace).map(|(_, id)| id)
    }

    pub(super) fn set_latest(&mut self, namespace: &CheckpointNamespace, id: CheckpointId) {
        self.latest.retain(|(known, _)| known != namespace);
        if self.latest.len() >= NAMESPACES_MAX {
            self.latest.remove(0);
        }
        self.latest.push((namespace.clone(), id));
    }
}

/// A change that is known completely.
#[derive(Debug)]
pub(super) struct Next {
    /// The call of the script.
    pub(super) command: Command,
    /// What is known afterwards.
    pub(super) known: Known,
    pub(super) appended: Appended,
}

impl Known {
    /// The next checkpoint of the thread with these keys, with a lifetime as scripts take it;
    /// `None` where a script has to look.
    pub(super) fn next(
        &self,
        append: &Append,
        keys: &[Bytes],
        lifetime: &[u8],
        now: Instant,
    ) -> Option<Next> {
        let before = self.head;
        let writer = self.writer.as_ref()?;
        let reference = &append.reference;
        let (namespace, id) = (&reference.namespace, &reference.id);
        let latest = writer.latest_of(namespace)?;
        let run_is_known = append.run.is_none() || append.run == writer.run;
        if append.basis != Some(before.life())
            || id <= latest
            || !owns(writer, append, latest)
            || !run_is_known
            || !append.content.frames.is_empty()
        {
            return None;
        }
        let ends = ends(&before, lifetime)?;
        let bases = Bases {
            version: u64::from(before.versions),
            segment: u64::from(before.tail),
            offset: u64::from(before.tail_bytes),
        };
        let (mut head, mut writer, mut rows) = (before, writer.clone(), Rows::default());
        rows.take_content(&mut head, &mut writer, &append.content.raw)?;
        rows.take_versions(&mut head, append, bases)?;
        let place = place(namespace, id);
        let ahead = ahead_of_record(&mut head, append)?;
        head.bytes += (ahead.len() + append.record.len() + 2 * (1 + place.len())) as u64;
        let passed = now.saturating_duration_since(writer.at).as_millis();
        let server_ms = writer.server_ms.saturating_add(u64::try_from(passed).ok()?);
        head.written_ms = before.written_ms.max(server_ms);

        let generation = generation_digits(before.generation);
        let told = format!(":{}:p{ends}:", head.serial);
        // What is checked besides, and when the thread ends.
        let checked = if before.pending > 0 { "w" } else { "" };
        let added: usize = rows.0.iter().map(|(name, added)| name.len() + added.len()).sum();
        let bytes = added + append.record.len() + 2 * place.len() + ROOM_BYTES;
        let mut command = APPEND_KNOWN.begin(keys, 9 + 2 * rows.0.len(), bytes);
        command
            .arg(before.write().as_slice())
            .arg([generation.as_slice(), told.as_bytes()])
            .arg([checked.as_bytes(), ends.as_bytes()])
            .arg(rows.0.len());
        for (name, _) in &rows.0 {
            command.arg(name.as_ref());
        }
        for (_, added) in &rows.0 {
            command.arg(added.as_slice());
        }
        command
            .arg(head.write().as_slice())
            .arg([b"c", place.as_ref()])
            .arg([ahead.as_slice(), append.record.as_ref()])
            .arg(&latest_field(namespace))
            .arg(&inner(id.as_str()));
        writer.set_latest(namespace, id.clone());
        let known = Self { head, writer: Some(writer) };
        Some(Next { command, known, appended: Appended::Put { life: before.life(), bases } })
    }
}

/// What stands in front of the record of a checkpoint, which takes its place in the head.
fn ahead_of_record(head: &mut Head, append: &Append) -> Option<[u8; RECORD_AHEAD_BYTES]> {
    let new = append.versions.len();
    let mut ahead = [0; RECORD_AHEAD_BYTES];
    let mut rest = ahead.as_mut_slice();
    rest.put_u32_le(head.versions);
    rest.put_u16_le(u16::try_from(new).ok()?);
    head.serial += 1;
    rest.put_uint_le(head.serial, 6);
    head.checkpoints = head.checkpoints.checked_add(1)?;
    head.versions += u32::try_from(new).ok()?;
    Some(ahead)
}

/// Whether the writer may put, as far as that is known.
fn owns(writer: &Writer, append: &Append, latest: &CheckpointId) -> bool {
    match &append.ownership {
        Ownership::Anyone => true,
        Ownership::ParentIsLatest => append.parent.as_ref() == Some(latest),
        owner => !writer.fence.is_empty() && writer.fence == fence_arg(owner),
    }
}

/// In how many milliseconds the thread ends, where the change sets that; `None` where it does more
/// to the lifetime than that.
fn ends(head: &Head, lifetime: &[u8]) -> Option<String> {
    let (mode, ms) = lifetime.split_first().unwrap_or((&b' ', b""));
    let same = || {
        let ms = std::str::from_utf8(ms).ok()?;
        (head.lifetime_ms > 0 && ms.parse() == Ok(head.lifetime_ms)).then(|| ms.to_owned())
    };
    let none = |unchanged: bool| unchanged.then(String::new);
    match mode {
        b'k' => Some(String::new()),
        b' ' => none(head.lifetime_ms == 0),
        b'p' => none(head.pinned && head.lifetime_ms == 0),
        b'd' if head.pinned => none(head.lifetime_ms == 0),
        _ if head.pinned => None,
        _ => same(),
    }
}

/// Rows that go on, each with what is added to it.
#[derive(Debug, Default)]
struct Rows(Vec<(Cow<'static, str>, Vec<u8>)>);

impl Rows {
    fn add(&mut self, name: impl Into<Cow<'static, str>>, added: &[u8]) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, row)) => row.extend_from_slice(added),
            None => self.0.push((name, added.to_vec())),
        }
    }

    /// Adds to the end of the log; `None` where that has no room.
    fn take_content(&mut self, head: &mut Head, writer: &mut Writer, raw: &[u8]) -> Option<()> {
        if raw.is_empty() {
            return Some(());
        }
        let recent = writer.recent.unwrap_or_default() + raw.len();
        let tail = usize::from(head.tail_bytes) + raw.len();
        if head.tail_bytes == 0 || recent > RECENT_BYTES_MAX || tail > TAIL_BYTES_MAX {
            return None;
        }
        head.bytes += raw.len() as u64;
        head.bytes += if writer.recent.is_none() { RECENT.len() as u64 } else { 0 };
        head.tail_bytes = u16::try_from(tail).ok()?;
        writer.recent = Some(recent);
        self.add(RECENT, raw);
        Some(())
    }

    /// Adds descriptions, and where they are found; `None` where they do not fit into a block.
    fn take_versions(&mut self, head: &mut Head, append: &Append, bases: Bases) -> Option<()> {
        let versions = descriptions(append, bases)?;
        if !versions.is_empty() {
            let name = format!("d{}", bases.version / BLOCK_ITEMS);
            let opens = bases.version.is_multiple_of(BLOCK_ITEMS);
            head.bytes += if opens { name.len() as u64 } else { 0 };
            head.bytes += versions.len() as u64;
            self.add(name, &versions);
        }
        let level = (head.versions / ROW_PLACES + 1).ilog2();
        for (place, number) in places(append, bases.version) {
            let bucket = place & ((1 << level) - 1);
            self.add(format!("p{level}:{bucket}"), &entry(place, number)?);
            head.bytes += ENTRY_BYTES as u64;
        }
        (self.0.len() <= ROWS_MAX).then_some(())
    }
}

/// The new descriptions, as they go into their block; `None` where they do not fit into one.
fn descriptions(append: &Append, bases: Bases) -> Option<Vec<u8>> {
    let count = append.versions.len() as u64;
    if bases.version % BLOCK_ITEMS + count > BLOCK_ITEMS || bases.version + count >= VERSIONS_MAX {
        return None;
    }
    let bytes = append.versions.iter().map(|(_, body)| DESCRIPTION_AHEAD_BYTES + body.len()).sum();
    let mut row = Vec::with_capacity(bytes);
    for (_, body) in &append.versions {
        row.put_u32_le(u32::try_from(bases.segment).ok()?);
        row.put_u16_le(u16::try_from(bases.offset).ok()?);
        let len = u32::try_from(body.len()).ok().filter(|len| *len < 1 << 24)?;
        row.put_uint_le(u64::from(len), 3);
        row.put_slice(body);
    }
    Some(row)
}

/// The places of new versions with what stands beside them: twice the number, or of the next one and
/// one more for a version without a value.
fn places(append: &Append, first: u64) -> impl Iterator<Item = (u64, u64)> {
    let new = (first..).zip(&append.versions);
    let new = new.filter_map(|(number, (place, _))| Some(((*place)?, number * 2)));
    new.chain(append.empty.iter().map(move |place| (*place, first * 2 + 1)))
}

fn entry(place: u64, number: u64) -> Option<[u8; ENTRY_BYTES]> {
    let mut entry = [0; ENTRY_BYTES];
    let mut rest = entry.as_mut_slice();
    rest.put_u64_le(place);
    rest.put_u32_le(u32::try_from(number).ok()?);
    Some(entry)
}
