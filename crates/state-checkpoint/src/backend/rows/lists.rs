//! Rows that hold several things: descriptions of versions, versions by place, writes.

use std::sync::Arc;

use bytes::Bytes;
use state_core::Result;
use state_core::checkpoint::WriteIndex;

use crate::store::{Bases, Found, Part, StoredWrite};
use crate::wire::{Reader, Writer};

/// The most descriptions of a row, and about as many places.
const ITEMS: u64 = 64;

fn write_part(writer: &mut Writer, part: &Part) {
    writer.bytes(&part.body);
    if !part.body.is_empty() {
        writer.varint(part.bases.segment);
        writer.varint(part.bases.offset);
    }
}

fn read_part(reader: &mut Reader<'_>) -> Result<Part> {
    let body = Bytes::copy_from_slice(reader.bytes()?);
    let mut bases = Bases::default();
    if !body.is_empty() {
        bases.segment = reader.varint()?;
        bases.offset = reader.varint()?;
    }
    Ok(Part { bases, body })
}

/// Adds a description at the end of a row of them.
pub(in crate::backend) fn append_part(row: &mut Vec<u8>, part: &Part) {
    let mut writer = Writer::default();
    write_part(&mut writer, part);
    row.extend_from_slice(writer.as_slice());
}

/// All descriptions of a row.
pub(in crate::backend) fn parts(row: &[u8]) -> Result<Vec<Part>> {
    let mut reader = Reader::new(row, "descriptions of values");
    let mut parts = Vec::new();
    while !reader.is_empty() {
        parts.push(read_part(&mut reader)?);
    }
    Ok(parts)
}

/// A row of versions by place.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::backend) struct Place {
    pub(in crate::backend) level: u8,
    pub(in crate::backend) bucket: u64,
}

/// Where the place of a version is written when the thread has `versions` before it.
///
/// Level n takes as many versions as 2^n rows hold, and spreads them over so many rows; it is
/// never written again when it is full. So a row stays small, nothing is ever moved, and a place
/// is looked up in one row of each level: log₂ of the number of versions.
pub(in crate::backend) fn place_of(versions: u64, place: u64) -> Place {
    let level = (versions / ITEMS + 1).ilog2();
    Place { level: u8::try_from(level).unwrap_or(u8::MAX), bucket: place & ((1 << level) - 1) }
}

/// The rows that a place can be in, the newest first.
pub(in crate::backend) fn places(versions: u64, place: u64) -> Vec<Place> {
    let newest = (versions / ITEMS + 1).ilog2();
    (0..=newest)
        .rev()
        .map(|level| Place {
            level: u8::try_from(level).unwrap_or(u8::MAX),
            bucket: place & ((1 << level) - 1),
        })
        .collect()
}

/// Adds a version at the end of a row of places; the last of a place counts.
pub(in crate::backend) fn append_place(row: &mut Vec<u8>, place: u64, version: Option<u64>) {
    let mut writer = Writer::default();
    writer.u64(place);
    writer.varint(version.map_or(0, |version| version.saturating_add(1)));
    row.extend_from_slice(writer.as_slice());
}

/// Looks a place up in a row of them.
pub(in crate::backend) fn find(row: &[u8], place: u64) -> Result<Found> {
    let mut reader = Reader::new(row, "versions of a thread");
    let mut found = Found::Absent;
    while !reader.is_empty() {
        let (here, version) = (reader.u64()?, reader.varint()?);
        if here == place {
            found = version.checked_sub(1).map_or(Found::Empty, Found::Version);
        }
    }
    Ok(found)
}

/// The body of a row of writes.
pub(in crate::backend) fn write_writes(writes: &[StoredWrite]) -> Vec<u8> {
    let mut row = Writer::default();
    for write in writes {
        row.text(&write.task);
        row.zigzag(i64::from(write.index.get()));
        write_part(&mut row, &write.part);
    }
    row.as_slice().to_vec()
}

/// The writes of a row.
pub(in crate::backend) fn read_writes(row: &[u8]) -> Result<Vec<StoredWrite>> {
    let mut reader = Reader::new(row, "pending writes");
    let mut writes = Vec::new();
    while !reader.is_empty() {
        let task = Arc::from(reader.text()?);
        let number = i32::try_from(reader.zigzag()?).map_err(|_| reader.damaged())?;
        let part = read_part(&mut reader)?;
        writes.push(StoredWrite { task, index: WriteIndex::new(number), part });
    }
    Ok(writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_in_the_rows_that_it_may_be_in() {
        for versions in [0, 1, 63, 64, 191, 192, 100_000] {
            for place in [0, 5, u64::MAX, 0x1234_5678_9abc_def0] {
                let written = place_of(versions, place);
                for later in [versions, versions + 1, versions * 10 + 1_000] {
                    assert!(places(later, place).contains(&written), "{versions} {later}");
                }
            }
        }
        assert!(places(100_000, 1).len() <= 11);
    }

    #[test]
    fn the_last_version_of_a_place_counts() {
        let mut row = Vec::new();
        append_place(&mut row, 5, Some(0));
        append_place(&mut row, 6, None);
        append_place(&mut row, 5, Some(9));
        assert_eq!(find(&row, 5).unwrap(), Found::Version(9));
        assert_eq!(find(&row, 6).unwrap(), Found::Empty);
        assert_eq!(find(&row, 7).unwrap(), Found::Absent);
    }
}
