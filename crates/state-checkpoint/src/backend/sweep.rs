//! Taking away the content that nothing is made from any more.

use state_core::checkpoint::{Ownership, ThreadId, ThreadLifetime};
use state_core::{Acks, Consistency, Key, Result};

use super::BackendThreads;
use super::append::BLOCK_ITEMS;
use super::edit::Edit;
use super::keys::{BLOCK, Rows, SEGMENT, number_of, parse};
use super::rows::{HEADER_BYTES, append_part, parts};
use crate::store::{Bases, Keep, Part};

/// The most rows of a step.
const STEP_ROWS_MAX: usize = 400;

impl BackendThreads {
    pub(super) async fn sweep_content(&self, thread: &ThreadId, keep: &Keep) -> Result<bool> {
        let rows = Rows::new(thread, keep.life.generation);
        let mut names =
            self.names(rows.partition(), &rows.prefix(BLOCK), Consistency::Strong).await?;
        names.extend(
            self.names(rows.partition(), &rows.prefix(SEGMENT), Consistency::Strong).await?,
        );
        let mut serial = keep.serial;
        for names in names.chunks(STEP_ROWS_MAX) {
            let seen = self.see(thread).await?;
            let same = |edit: &Edit| edit.head.life == keep.life && edit.head.serial == serial;
            if seen.head.is_none() {
                return Ok(false);
            }
            let anyone = Ownership::Anyone;
            let mut edit = self.begin(thread, seen, &anyone, ThreadLifetime::Keep, false)?;
            if !same(&edit) {
                return Ok(false);
            }
            let values = self.rows(names, Consistency::Strong).await?;
            for (name, body) in names.iter().zip(values) {
                if let Some(body) = body {
                    sweep_row(&mut edit, keep, name, &body)?;
                }
            }
            if edit.ops() == 0 {
                continue;
            }
            serial = serial.wrapping_add(1);
            if !self.commit(edit, Acks::Primary).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn sweep_row(edit: &mut Edit, keep: &Keep, name: &Key, body: &[u8]) -> Result<()> {
    let Some((_, kind, rest)) = parse(name.name()) else { return Ok(()) };
    let Some(number) = number_of(rest) else { return Ok(()) };
    let before = body.len() + HEADER_BYTES;
    if kind == SEGMENT {
        if number != edit.head.tail && !keep.segments.contains(&number) {
            edit.remove(name, before);
        }
        return Ok(());
    }
    let first = number * BLOCK_ITEMS;
    let kept = |version: u64| keep.versions.contains(&version);
    let open = first + BLOCK_ITEMS > edit.head.next_version;
    if !open && !(first..first + BLOCK_ITEMS).any(kept) {
        edit.remove(name, before);
        return Ok(());
    }
    let mut row = Vec::new();
    for (version, part) in (first..).zip(parts(body)?) {
        let swept = Part { bases: Bases::default(), body: bytes::Bytes::new() };
        append_part(&mut row, if kept(version) { &part } else { &swept });
    }
    if row != body {
        edit.put(name, &row, Some(before));
    }
    Ok(())
}
