//! Records inside a block.

use bytes::Bytes;
use state_core::{Error, ErrorKind, Key, Result, SnapshotRecord, Timestamp};

use crate::field;

const ENTRY: u8 = 1;
const HASH: u8 = 2;

const FLAG_PARTITION: u8 = 1;
const FLAG_DEADLINE: u8 = 2;

/// The least bytes of any record: kind, flags, and the lengths of a name and of a value.
const RECORD_LEN_MIN: usize = 10;

/// Appends an entry.
pub(super) fn write_entry(
    block: &mut Vec<u8>,
    key: &Key,
    value: &[u8],
    deadline: Option<Timestamp>,
) -> Result<()> {
    write_head(block, ENTRY, key, deadline)?;
    write_bytes(block, value)
}

/// Appends some fields of a hash.
pub(super) fn write_hash_part(
    block: &mut Vec<u8>,
    key: &Key,
    fields: &[(Bytes, Bytes)],
    deadline: Option<Timestamp>,
) -> Result<()> {
    write_head(block, HASH, key, deadline)?;
    block.extend_from_slice(&len_of(fields.len())?);
    for (name, value) in fields {
        write_bytes(block, name)?;
        write_bytes(block, value)?;
    }
    Ok(())
}

/// How many bytes a record takes besides its values, at most.
pub(super) fn overhead(key: &Key) -> usize {
    RECORD_LEN_MIN + 4 + 8 + key.len_bytes()
}

fn write_head(block: &mut Vec<u8>, kind: u8, key: &Key, deadline: Option<Timestamp>) -> Result<()> {
    let mut flags = 0;
    if key.partition().is_some() {
        flags |= FLAG_PARTITION;
    }
    if deadline.is_some() {
        flags |= FLAG_DEADLINE;
    }
    block.extend_from_slice(&[kind, flags]);
    if let Some(partition) = key.partition() {
        write_bytes(block, partition)?;
    }
    write_bytes(block, key.name())?;
    if let Some(deadline) = deadline {
        block.extend_from_slice(&deadline.unix_ms().to_le_bytes());
    }
    Ok(())
}

fn write_bytes(block: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    block.extend_from_slice(&len_of(bytes.len())?);
    block.extend_from_slice(bytes);
    Ok(())
}

fn len_of(len: usize) -> Result<[u8; 4]> {
    let fits = u32::try_from(len).map_err(|_| super::block::too_large(len))?;
    Ok(fits.to_le_bytes())
}

/// The records of a verified block, one after the other.
#[derive(Debug, Default)]
pub(super) struct Records {
    block: Bytes,
    at: usize,
    left: u32,
}

impl Records {
    pub(super) fn of(block: Vec<u8>, records: u32) -> Self {
        Self { block: block.into(), at: 0, left: records }
    }

    /// The next record; `None` when the block is used up, to the last byte.
    ///
    /// # Errors
    /// `Corrupt` when the block does not consist of as many records as it says, `Unsupported`
    /// for a kind of record that a later version writes.
    pub(super) fn next(&mut self) -> Result<Option<SnapshotRecord>> {
        if self.left == 0 {
            if self.at < self.block.len() {
                return Err(Error::corrupt("bytes are left over behind the records of a block"));
            }
            return Ok(None);
        }
        self.left -= 1;
        let [kind, flags] = self.array()?;
        if flags & !(FLAG_PARTITION | FLAG_DEADLINE) != 0 {
            let message = "a record has flags that this reader does not know";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let partition = if flags & FLAG_PARTITION != 0 { Some(self.bytes()?) } else { None };
        let key = Key::from_parts(partition, self.bytes()?);
        let deadline = if flags & FLAG_DEADLINE != 0 {
            Some(Timestamp::from_unix_ms(u64::from_le_bytes(self.array()?)))
        } else {
            None
        };
        match kind {
            ENTRY => Ok(Some(SnapshotRecord::Entry { key, value: self.bytes()?, deadline })),
            HASH => Ok(Some(SnapshotRecord::HashFields { key, fields: self.fields()?, deadline })),
            _ => {
                let message = "this reader does not know this kind of record";
                Err(Error::new(ErrorKind::Unsupported, message))
            }
        }
    }

    fn fields(&mut self) -> Result<Vec<(Bytes, Bytes)>> {
        let count = u32::from_le_bytes(self.array()?);
        if count == 0 {
            return Err(Error::corrupt("a part of a hash has no fields"));
        }
        // Grows as fields are found: the number alone is not believed.
        let mut fields = Vec::new();
        for _ in 0..count {
            fields.push((self.bytes()?, self.bytes()?));
        }
        Ok(fields)
    }

    fn bytes(&mut self) -> Result<Bytes> {
        let len = usize::try_from(u32::from_le_bytes(self.array()?)).unwrap_or(usize::MAX);
        let end = self.at.saturating_add(len);
        let bytes = self.block.get(self.at..end).ok_or_else(cut_short)?;
        // A small slice would keep the whole block in memory for as long as it lives.
        let owned = if len > self.block.len() / 2 {
            self.block.slice(self.at..end)
        } else {
            Bytes::copy_from_slice(bytes)
        };
        self.at = end;
        Ok(owned)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let array = field::array_at(&self.block, self.at).ok_or_else(cut_short)?;
        self.at += N;
        Ok(array)
    }
}

fn cut_short() -> Error {
    Error::corrupt("a record goes on past the end of its block")
}
