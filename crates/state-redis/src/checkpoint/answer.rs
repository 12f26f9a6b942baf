//! What is stored of a thread, as scripts write and send it.

use bytes::{Buf, Bytes};
use redis::Value;
use state_checkpoint::{Bases, Part, StoredWrite};
use state_core::Result;
use state_core::checkpoint::WriteIndex;

use super::scripts::{damaged, list};
use crate::keys::split_write;
use crate::scripts::{bytes, number, unlike};

/// The bytes in front of a record: first version, number of new versions, serial.
const RECORD_HEADER_BYTES: usize = 12;
/// The bytes in front of a write: segment, offset, serial.
const WRITE_HEADER_BYTES: usize = 12;
/// The bytes in front of a description: segment, offset, length.
const DESCRIPTION_HEADER_BYTES: usize = 9;

/// A record as it is stored.
#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) part: Part,
    /// The change of the thread that brought it.
    pub(super) serial: u64,
}

impl RecordRow {
    pub(super) fn read(row: &Bytes) -> Result<Self> {
        let mut rest = row.clone();
        if rest.len() < RECORD_HEADER_BYTES {
            return Err(damaged());
        }
        let version = u64::from(rest.get_u32_le());
        rest.advance(2);
        let serial = rest.get_uint_le(6);
        let bases = Bases { version, ..Bases::default() };
        Ok(Self { part: Part { bases, body: rest }, serial })
    }

    /// The same row with another record, of another change.
    pub(super) fn rewrite(row: &Bytes, body: &Bytes) -> Result<Bytes> {
        let header = row.get(..6).ok_or_else(damaged)?;
        Ok([header, &[0; 6], body.as_ref()].concat().into())
    }
}

/// A write as it is stored.
#[derive(Debug)]
pub(super) struct WriteRow {
    /// Id and namespace of its checkpoint.
    pub(super) place: Bytes,
    pub(super) write: StoredWrite,
    /// The change of the thread that brought it.
    pub(super) serial: u64,
}

impl WriteRow {
    pub(super) fn read(member: &Bytes) -> Result<Self> {
        let (place, task, index, rest) = split_write(member).ok_or_else(damaged)?;
        let (place, mut rest) = (member.slice_ref(place), member.slice_ref(rest));
        if rest.len() < WRITE_HEADER_BYTES {
            return Err(damaged());
        }
        let segment = u64::from(rest.get_u32_le());
        let offset = u64::from(rest.get_u16_le());
        let serial = rest.get_uint_le(6);
        let bases = Bases { version: 0, segment, offset };
        let part = Part { bases, body: rest };
        let write = StoredWrite { task: task.into(), index: WriteIndex::new(index), part };
        Ok(Self { place, write, serial })
    }
}

impl WriteRow {
    /// The row of `member` as the first change of another thread would have brought it.
    pub(super) fn with_serial_of_a_copy(&self, member: &Bytes) -> Bytes {
        let end = member.len() - self.write.part.body.len();
        let (header, body) = member.split_at_checked(end).unwrap_or((member, &[]));
        let kept = header.get(..header.len().saturating_sub(6)).unwrap_or_default();
        [kept, &[0; 6], body].concat().into()
    }
}

/// The writes of a reply.
pub(super) fn writes(members: Vec<Value>) -> Result<Vec<StoredWrite>> {
    members.into_iter().map(|member| Ok(WriteRow::read(&bytes(member)?)?.write)).collect()
}

/// The descriptions of a reply.
pub(super) fn descriptions(items: Vec<Value>) -> Result<Vec<(u64, Part)>> {
    let read = |item: Value| {
        let mut parts = list(item)?.into_iter().map(bytes);
        let mut next = || parts.next().unwrap_or_else(|| Err(unlike()));
        let version = number(&next()?)?;
        let bases = Bases { version: 0, segment: number(&next()?)?, offset: number(&next()?)? };
        Ok((version, Part { bases, body: next()? }))
    };
    items.into_iter().map(read).collect()
}

/// The segments of a reply.
pub(super) fn segments(items: Vec<Value>) -> Result<Vec<(u64, Bytes)>> {
    let mut items = items.into_iter().map(bytes);
    let mut segments = Vec::with_capacity(items.len() / 2);
    while let Some(at) = items.next() {
        segments.push((number(&at?)?, items.next().ok_or_else(unlike)??));
    }
    Ok(segments)
}

/// The descriptions in a row of them, each with what stands in front of it.
pub(super) fn split_descriptions(row: &Bytes) -> Result<Vec<Bytes>> {
    let (mut rest, mut items) = (row.clone(), Vec::new());
    while !rest.is_empty() {
        let len = rest.get(6..DESCRIPTION_HEADER_BYTES).ok_or_else(damaged)?.to_vec();
        let len = usize::try_from(len.as_slice().get_uint_le(3)).unwrap_or(usize::MAX);
        let whole = len.saturating_add(DESCRIPTION_HEADER_BYTES);
        if whole > rest.len() {
            return Err(damaged());
        }
        items.push(rest.split_to(whole));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use state_core::ErrorKind;

    use super::*;
    use crate::checkpoint::runs::RunEntry;
    use crate::checkpoint::sweep::Field;

    fn expect_damage<T>(read: Result<T>) -> Option<T> {
        read.map_err(|error| assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}")).ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn rows_of_any_bytes_are_read_or_corrupt(
            bytes in prop::collection::vec(prop_oneof![Just(0), Just(b'1'), any::<u8>()], 0..60),
        ) {
            let row = Bytes::from(bytes);
            if expect_damage(RecordRow::read(&row)).is_some() {
                RecordRow::rewrite(&row, &row).unwrap();
            }
            let member = Bytes::from([b"w", row.as_ref()].concat());
            if let Some(write) = expect_damage(WriteRow::read(&member)) {
                let copy = write.with_serial_of_a_copy(&member);
                prop_assert_eq!(copy.len(), member.len());
                prop_assert_eq!(WriteRow::read(&copy).unwrap().serial, 0);
            }
            let items = expect_damage(split_descriptions(&row));
            prop_assert!(items.is_none_or(|items| items.concat() == row));
            expect_damage(Field::read(&row));
            expect_damage(RunEntry { index: 0, entry: row }.read());
        }
    }

    #[test]
    fn rows_that_are_cut_are_corrupt() {
        let mut row = vec![7, 0, 0, 0, 2, 0, 9, 0, 0, 0, 0, 0];
        row.extend_from_slice(b"body");
        let row = Bytes::from(row);
        let read = RecordRow::read(&row).unwrap();
        assert_eq!((read.part.bases.version, read.serial), (7, 9));
        assert_eq!(read.part.body, "body");
        assert!(RecordRow::read(&row.slice(..11)).is_err());
        let member = Bytes::from_static(b"wid\0ns\0task\0-1\0\x05\0\0\0\x06\0\x09\0\0\0\0\0body");
        let write = WriteRow::read(&member).unwrap();
        assert_eq!((write.place.as_ref(), write.serial), (b"id\0ns".as_slice(), 9));
        assert_eq!((write.write.index.get(), &*write.write.task), (-1, "task"));
        assert_eq!(write.write.part.bases, Bases { version: 0, segment: 5, offset: 6 });
        for len in 0..member.len() - 4 {
            assert!(WriteRow::read(&member.slice(..len)).is_err(), "cut at {len}");
        }
        let row = Bytes::from_static(b"\x01\0\0\0\x02\0\x02\0\0ab\0\0\0\0\0\0\0\0\0");
        assert_eq!(split_descriptions(&row).unwrap().len(), 2);
        assert!(split_descriptions(&row.slice(..19)).is_err());
    }
}
