//! Edit scripts: how a value is made from another one and from stored content.

mod encode;

use bytes::Bytes;
use state_core::{Error, Result};

use crate::segment::SEGMENT_BYTES_MAX;

/// No script makes more: longer payloads are refused when they are put, and damage when they are
/// read.
pub(crate) const VALUE_BYTES_MAX: u64 = 1 << 30;
/// The longest text that a script holds itself instead of naming where it is stored.
pub(crate) const LITERAL_BYTES_MAX: usize = 16;

/// A place in a thread's content log.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Address {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// One step of a script.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Op {
    /// Bytes of the base.
    Copy { offset: u64, len: u64 },
    /// These bytes, at most [`LITERAL_BYTES_MAX`].
    Literal(Bytes),
    /// Bytes of the content log.
    Stored { at: Address, len: u64 },
    /// Bytes of the content that is being put together with this script.
    Fresh { at: u64, len: u64 },
}

impl Op {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Copy { len, .. } | Self::Stored { len, .. } | Self::Fresh { len, .. } => *len,
            Self::Literal(bytes) => bytes.len() as u64,
        }
    }

    /// The part of this step from `skip` on, `len` bytes long.
    fn part(&self, skip: u64, len: u64) -> Self {
        match self {
            Self::Copy { offset, .. } => Self::Copy { offset: offset + skip, len },
            Self::Stored { at, .. } => {
                Self::Stored { at: Address { offset: at.offset + skip, ..*at }, len }
            }
            Self::Fresh { at, .. } => Self::Fresh { at: at + skip, len },
            Self::Literal(bytes) => {
                let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
                let end = place(skip.saturating_add(len)).min(bytes.len());
                Self::Literal(bytes.slice(place(skip).min(end)..end))
            }
        }
    }

    /// This step and `next` as one, where they follow each other.
    fn joined(&self, next: &Self) -> Option<Self> {
        match (self, next) {
            (Self::Copy { offset, len }, Self::Copy { offset: other, len: more })
                if offset + len == *other =>
            {
                Some(Self::Copy { offset: *offset, len: len + more })
            }
            (Self::Stored { at, len }, Self::Stored { at: other, len: more })
                if at.segment == other.segment && at.offset + len == other.offset =>
            {
                Some(Self::Stored { at: *at, len: len + more })
            }
            (Self::Fresh { at, len }, Self::Fresh { at: other, len: more })
                if at + len == *other =>
            {
                Some(Self::Fresh { at: *at, len: len + more })
            }
            (Self::Literal(one), Self::Literal(other))
                if one.len() + other.len() <= LITERAL_BYTES_MAX =>
            {
                Some(Self::Literal([&**one, &**other].concat().into()))
            }
            _ => None,
        }
    }
}

/// The steps that make a value, in the order of its bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Script {
    ops: Vec<Op>,
    len: u64,
}

impl Script {
    pub(crate) fn ops(&self) -> &[Op] {
        &self.ops
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Adds a step, as part of the last one where it continues that.
    pub(crate) fn push(&mut self, op: Op) {
        if op.len() == 0 {
            return;
        }
        self.len += op.len();
        if let Some(last) = self.ops.last_mut()
            && let Some(joined) = last.joined(&op)
        {
            *last = joined;
        } else {
            self.ops.push(op);
        }
    }

    /// Adds the text `bytes`: in the script itself, or at the end of `fresh`.
    pub(crate) fn push_text(&mut self, bytes: &[u8], fresh: &mut Vec<u8>) {
        if bytes.len() <= LITERAL_BYTES_MAX {
            self.push(Op::Literal(Bytes::copy_from_slice(bytes)));
        } else {
            self.push(Op::Fresh { at: fresh.len() as u64, len: bytes.len() as u64 });
            fresh.extend_from_slice(bytes);
        }
    }

    /// How many bytes come from the base.
    pub(crate) fn copied(&self) -> u64 {
        let copies = self.ops.iter().filter(|op| matches!(op, Op::Copy { .. }));
        copies.map(Op::len).sum()
    }

    /// The script that does `self`, then `next` to what `self` made.
    pub(crate) fn then(&self, next: &Self) -> Self {
        let mut ends = Vec::with_capacity(self.ops.len());
        let mut end = 0;
        for op in &self.ops {
            end += op.len();
            ends.push(end);
        }
        let mut composed = Self::default();
        for op in &next.ops {
            let Op::Copy { offset, len } = op else {
                composed.push(op.clone());
                continue;
            };
            let (mut from, until) = (*offset, offset + len);
            let first = ends.partition_point(|end| *end <= from);
            for (inner, end) in self.ops.iter().zip(&ends).skip(first) {
                if from >= until {
                    break;
                }
                let begin = end - inner.len();
                let len = (*end).min(until) - from;
                composed.push(inner.part(from - begin, len));
                from += len;
            }
        }
        composed
    }

    /// The script with everything fresh in its place: content that begins at `base`.
    pub(crate) fn placed(self, base: Address) -> Self {
        if !self.ops.iter().any(|op| matches!(op, Op::Fresh { .. })) {
            return self;
        }
        let mut placed = Self::default();
        for op in self.ops {
            match op {
                Op::Fresh { at, len } => {
                    for (at, len) in pieces(base, at, len) {
                        placed.push(Op::Stored { at, len });
                    }
                }
                other => placed.push(other),
            }
        }
        placed
    }

    /// Makes the value from `base`; `read` appends stored content.
    ///
    /// # Errors
    /// `Corrupt` where the script names what `base` does not have; those of `read`.
    pub(crate) fn apply(
        &self,
        base: &[u8],
        mut read: impl FnMut(Address, u64, &mut Vec<u8>) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        // What is stored cannot be believed before it is there.
        let mut value = Vec::with_capacity(len.min(base.len().saturating_add(1 << 20)));
        for op in &self.ops {
            match op {
                Op::Copy { offset, len } => {
                    let range = usize::try_from(*offset)
                        .ok()
                        .zip(offset.checked_add(*len).and_then(|end| usize::try_from(end).ok()));
                    let copied = range.and_then(|(from, end)| base.get(from..end));
                    value.extend_from_slice(copied.ok_or_else(beyond)?);
                }
                Op::Literal(bytes) => value.extend_from_slice(bytes),
                Op::Stored { at, len } => read(*at, *len, &mut value)?,
                Op::Fresh { .. } => return Err(beyond()),
            }
        }
        if value.len() == len { Ok(value) } else { Err(beyond()) }
    }
}

/// Where `len` bytes at `at` of some content are, when the content begins at `base`.
pub(crate) fn pieces(base: Address, at: u64, len: u64) -> Vec<(Address, u64)> {
    let whole = SEGMENT_BYTES_MAX as u64;
    let (mut from, end) = (at, at.saturating_add(len));
    let mut pieces = Vec::new();
    while from < end {
        let inside = from % whole;
        let len = (whole - inside).min(end - from);
        let segment = base.segment.saturating_add(from / whole);
        let offset = base.offset.saturating_add(inside);
        pieces.push((Address { segment, offset }, len));
        from += len;
    }
    pieces
}

fn beyond() -> Error {
    Error::corrupt("a value is made from bytes that are not there")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(offset: u64, len: u64) -> Op {
        Op::Copy { offset, len }
    }

    fn script(ops: impl IntoIterator<Item = Op>) -> Script {
        let mut script = Script::default();
        for op in ops {
            script.push(op);
        }
        script
    }

    #[test]
    fn steps_that_follow_each_other_become_one() {
        let literal = |text: &'static str| Op::Literal(Bytes::from_static(text.as_bytes()));
        let made = script([copy(0, 3), copy(3, 4), literal("ab"), literal("c"), copy(9, 0)]);
        assert_eq!(made.ops(), [copy(0, 7), literal("abc")]);
        assert_eq!(made.len(), 10);
    }

    #[test]
    fn appending_twice_is_appending_once() {
        let stored = |offset, len| Op::Stored { at: Address { segment: 7, offset }, len };
        let one = script([copy(0, 9), stored(0, 20), copy(9, 1)]);
        let other = script([copy(0, 29), stored(20, 30), copy(29, 1)]);
        assert_eq!(one.then(&other).ops(), [copy(0, 9), stored(0, 50), copy(9, 1)]);
    }

    #[test]
    fn fresh_content_is_cut_where_segments_end() {
        let whole = SEGMENT_BYTES_MAX as u64;
        let made = script([Op::Fresh { at: whole - 10, len: 30 }]);
        let base = Address { segment: 5, offset: 0 };
        let at = |segment, offset| Address { segment, offset };
        assert_eq!(
            made.placed(base).ops(),
            [Op::Stored { at: at(5, whole - 10), len: 10 }, Op::Stored { at: at(6, 0), len: 20 }]
        );
    }

    #[test]
    fn a_script_that_copies_too_much_is_corrupt() {
        for bad in [copy(0, 4), copy(3, 1), copy(u64::MAX, 2)] {
            let mut made = Script::default();
            made.ops.push(bad);
            assert!(made.apply(b"abc", |_, _, _| Ok(())).is_err());
        }
    }
}
