//! The bytes of an edit script.
//!
//! Each step is a number, its length times four plus its kind (0 copy, 1 literal, 2 stored, 3
//! fresh), and what the kind needs: how far a copy begins from the end of the last one; the bytes
//! of a literal; how far a stored piece is from the last one, in segments, then its offset in its
//! segment, or from the last piece's end where it is the same segment; how far fresh content
//! begins from the last fresh content's end.

use bytes::Bytes;
use state_core::Result;

use super::{Address, LITERAL_BYTES_MAX, Op, Script, VALUE_BYTES_MAX};
use crate::wire::{Reader, Writer};

/// Where the last steps of each kind have ended.
#[derive(Default)]
struct Last {
    copied: u64,
    stored: Address,
    fresh: u64,
}

impl Script {
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::default();
        let mut last = Last::default();
        for op in &self.ops {
            let kind = match op {
                Op::Copy { .. } => 0,
                Op::Literal(_) => 1,
                Op::Stored { .. } => 2,
                Op::Fresh { .. } => 3,
            };
            writer.varint(op.len() << 2 | kind);
            match op {
                Op::Copy { offset, len } => {
                    writer.zigzag(offset.wrapping_sub(last.copied).cast_signed());
                    last.copied = offset + len;
                }
                Op::Literal(bytes) => writer.raw(bytes),
                Op::Stored { at, len } => {
                    let segments = at.segment.wrapping_sub(last.stored.segment).cast_signed();
                    writer.zigzag(segments);
                    let from = if segments == 0 { last.stored.offset } else { 0 };
                    writer.zigzag(at.offset.wrapping_sub(from).cast_signed());
                    last.stored = Address { segment: at.segment, offset: at.offset + len };
                }
                Op::Fresh { at, len } => {
                    writer.zigzag(at.wrapping_sub(last.fresh).cast_signed());
                    last.fresh = at + len;
                }
            }
        }
        writer.into_bytes()
    }

    /// # Errors
    /// `Corrupt` where these are not the bytes of a script.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, "description of a value");
        let mut last = Last::default();
        let mut script = Self::default();
        while !reader.is_empty() {
            let first = reader.varint()?;
            let len = first >> 2;
            let end = |from: u64| from.checked_add(len).filter(|end| *end < 1 << 48);
            let op = match first & 3 {
                0 => {
                    let offset = last.copied.wrapping_add(reader.zigzag()?.cast_unsigned());
                    last.copied = end(offset).ok_or_else(|| reader.damaged())?;
                    Op::Copy { offset, len }
                }
                1 => {
                    let len = usize::try_from(len).unwrap_or(usize::MAX);
                    if len > LITERAL_BYTES_MAX {
                        return Err(reader.damaged());
                    }
                    Op::Literal(Bytes::copy_from_slice(reader.take(len)?))
                }
                2 => {
                    let segments = reader.zigzag()?.cast_unsigned();
                    let from = if segments == 0 { last.stored.offset } else { 0 };
                    let at = Address {
                        segment: last.stored.segment.wrapping_add(segments),
                        offset: from.wrapping_add(reader.zigzag()?.cast_unsigned()),
                    };
                    let offset = end(at.offset).ok_or_else(|| reader.damaged())?;
                    last.stored = Address { offset, ..at };
                    Op::Stored { at, len }
                }
                _ => {
                    let at = last.fresh.wrapping_add(reader.zigzag()?.cast_unsigned());
                    last.fresh = end(at).ok_or_else(|| reader.damaged())?;
                    Op::Fresh { at, len }
                }
            };
            if script.len.checked_add(op.len()).is_none_or(|len| len > VALUE_BYTES_MAX) {
                return Err(reader.damaged());
            }
            script.push(op);
        }
        Ok(script)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn op() -> impl Strategy<Value = Op> {
        let (number, len) = (0_u64..1 << 40, 0_u64..1 << 24);
        prop_oneof![
            (number.clone(), len.clone()).prop_map(|(offset, len)| Op::Copy { offset, len }),
            prop::collection::vec(any::<u8>(), 0..17).prop_map(|bytes| Op::Literal(bytes.into())),
            (number.clone(), number.clone(), len.clone()).prop_map(|(segment, offset, len)| {
                Op::Stored { at: Address { segment, offset }, len }
            }),
            (number, len).prop_map(|(at, len)| Op::Fresh { at, len }),
        ]
    }

    proptest! {
        #[test]
        fn scripts_come_back(ops in prop::collection::vec(op(), 0..20)) {
            let mut script = Script::default();
            for op in ops {
                script.push(op);
            }
            prop_assert_eq!(Script::decode(&script.encode()).unwrap(), script);
        }

        #[test]
        fn other_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(script) = Script::decode(&bytes) {
                script.apply(b"base", |_, _, _| Ok(())).ok();
            }
        }
    }
}
