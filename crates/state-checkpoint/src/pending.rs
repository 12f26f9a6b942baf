//! The stored form of a pending write: where it stands, its channel, its value.
//!
//! A short value lies in the write itself, a longer one in the content log, with a hash.

use std::sync::Arc;

use bytes::Bytes;
use state_core::Result;
use state_core::checkpoint::{Payload, PendingWrite};

use crate::descriptor::{is_place, origin};
use crate::digest::value_check;
use crate::script::{Address, VALUE_BYTES_MAX, pieces};
use crate::store::StoredWrite;
use crate::wire::{Reader, Writer};

/// A longer value goes to the content log.
const INLINE_BYTES_MAX: usize = 64;
/// What the hash of a write's value is seeded with.
const PLACE: u64 = 4;

/// A write whose value is perhaps still to be read.
#[derive(Clone, Debug)]
pub(crate) struct WriteStub {
    write: PendingWrite,
    outside: Option<(Vec<(Address, u64)>, u32)>,
}

/// The body of a write, with its value at the end of `fresh` where it is long.
pub(crate) fn encode(write: &PendingWrite, fresh: &mut Vec<u8>) -> Bytes {
    let value = &write.value;
    let inline = value.bytes().len() <= INLINE_BYTES_MAX;
    let mut writer = Writer::default();
    writer.u8(u8::from(!inline));
    writer.text(&write.task_path);
    writer.text(&write.channel);
    writer.text(value.kind());
    if inline {
        writer.raw(value.bytes());
    } else {
        writer.count(fresh.len());
        writer.count(value.bytes().len());
        writer.u32(value_check(PLACE, value.kind(), value.bytes()));
        fresh.extend_from_slice(value.bytes());
    }
    writer.into_bytes()
}

impl WriteStub {
    /// # Errors
    /// `Corrupt` where these are not the bytes of a write.
    pub(crate) fn decode(stored: &StoredWrite) -> Result<Self> {
        let mut reader = Reader::new(&stored.part.body, "pending write");
        let outside = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(reader.damaged()),
        };
        let path = Arc::from(reader.text()?);
        let channel = Arc::from(reader.text()?);
        let kind = reader.text()?;
        let (value, outside) = if outside {
            let (at, len, check) = (reader.varint()?, reader.varint()?, reader.u32()?);
            reader.end()?;
            if at >= 1 << 40 || len > VALUE_BYTES_MAX || !is_place(stored.part.bases) {
                return Err(reader.damaged());
            }
            (Bytes::new(), Some((pieces(origin(stored.part.bases), at, len), check)))
        } else {
            (Bytes::copy_from_slice(reader.rest()), None)
        };
        let mut write =
            PendingWrite::new(&stored.task, stored.index, "", Payload::new(kind, value));
        write.task_path = path;
        write.channel = channel;
        Ok(Self { write, outside })
    }

    pub(crate) fn channel(&self) -> &str {
        &self.write.channel
    }

    /// Where its value lies, when it is not here.
    pub(crate) fn outside(&self) -> &[(Address, u64)] {
        self.outside.as_ref().map_or(&[], |(pieces, _)| pieces)
    }

    /// The whole, once the bytes at [`outside`](Self::outside) can be read.
    ///
    /// # Errors
    /// `Corrupt` where they are not what was written; those of `read`.
    pub(crate) fn finish(
        self,
        mut read: impl FnMut(Address, u64, &mut Vec<u8>) -> Result<()>,
    ) -> Result<PendingWrite> {
        let mut write = self.write;
        if let Some((pieces, check)) = self.outside {
            let mut bytes = Vec::new();
            for (at, len) in pieces {
                read(at, len, &mut bytes)?;
            }
            if value_check(PLACE, write.value.kind(), &bytes) != check {
                return Err(state_core::Error::corrupt("the value of a pending write is damaged"));
            }
            write.value = Payload::new(write.value.kind(), bytes);
        }
        Ok(write)
    }
}

/// Puts writes into the order in which they are told: by task path, task and index.
pub(crate) fn sort(writes: &mut [PendingWrite]) {
    writes.sort_by(|a, b| (&a.task_path, &a.task, a.index).cmp(&(&b.task_path, &b.task, b.index)));
}
