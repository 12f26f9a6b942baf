//! Descriptors: how the value of a channel version is made.
//!
//! A descriptor says kind, length and a hash of the value, the version that it is made from, if
//! any, and the script that makes it. A long script lies in the content log.
//!
//! # Skip-deltas
//! A version at depth n of its chain is made from its ancestor at depth n & (n − 1), the one with
//! the lowest bit cleared. So a chain of n versions is left after at most log₂ n steps, and
//! because most versions lie few steps above their base, all scripts together stay in proportion
//! to n log n short steps at worst, and to n where the log's pieces follow each other.

use std::sync::Arc;

use bytes::Bytes;
use state_core::Result;

use crate::script::{Address, Script, VALUE_BYTES_MAX, pieces};
use crate::segment::SEGMENT_BYTES_MAX;
use crate::store::{Bases, Part};
use crate::wire::{Reader, Writer};

/// A longer script goes to the content log.
const INLINE_BYTES_MAX: usize = 256;

const HAS_BASE: u8 = 1;
const OUTSIDE: u8 = 2;
/// Kinds that take no text of their own; 0 is for all others.
const KINDS: [&str; 7] = ["", "json", "msgpack", "bincode", "bytes", "null", "raw"];

/// What a version is made from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Base {
    pub(crate) version: u64,
    /// The depth of the version that is made, from 1 on.
    pub(crate) depth: u64,
}

/// How the value of a version is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Descriptor {
    pub(crate) kind: Arc<str>,
    /// A hash of kind, bytes and place.
    pub(crate) check: u32,
    pub(crate) base: Option<Base>,
    pub(crate) script: Script,
}

impl Descriptor {
    pub(crate) fn depth(&self) -> u64 {
        self.base.map_or(0, |base| base.depth)
    }

    /// The bytes, with the script at the end of `fresh` where it is long.
    pub(crate) fn encode(&self, fresh: &mut Vec<u8>) -> Bytes {
        let script = self.script.encode();
        let outside = script.len() > INLINE_BYTES_MAX;
        let known = (1_u8..).zip(KINDS.iter().skip(1)).find(|(_, kind)| **kind == &*self.kind);
        let kind = known.map_or(0, |(number, _)| number);
        let mut writer = Writer::default();
        let mut first = kind << 4;
        first |= if self.base.is_some() { HAS_BASE } else { 0 };
        first |= if outside { OUTSIDE } else { 0 };
        writer.u8(first);
        if kind == 0 {
            writer.text(&self.kind);
        }
        writer.u32(self.check);
        if let Some(base) = self.base {
            writer.varint(base.version);
            writer.varint(base.depth);
        }
        if outside {
            writer.count(fresh.len());
            writer.count(script.len());
            fresh.extend_from_slice(&script);
        } else {
            writer.raw(&script);
        }
        writer.into_bytes()
    }

    /// The same with everything fresh in its place.
    pub(crate) fn placed(self, bases: Bases) -> Self {
        Self { script: self.script.placed(origin(bases)), ..self }
    }
}

/// Where the content of an append begins.
pub(crate) const fn origin(bases: Bases) -> Address {
    Address { segment: bases.segment, offset: bases.offset }
}

/// Whether content can begin there.
pub(crate) const fn is_place(bases: Bases) -> bool {
    bases.offset <= SEGMENT_BYTES_MAX as u64 && bases.segment < 1 << 48
}

/// A descriptor that was read, perhaps without its script.
#[derive(Clone, Debug)]
pub(crate) struct Stub {
    kind: Arc<str>,
    check: u32,
    base: Option<Base>,
    bases: Bases,
    script: StubScript,
}

#[derive(Clone, Debug)]
enum StubScript {
    Inline(Bytes),
    Outside(Vec<(Address, u64)>),
}

impl Stub {
    /// # Errors
    /// `Corrupt` where these are not the bytes of a descriptor.
    pub(crate) fn decode(part: &Part) -> Result<Self> {
        let mut reader = Reader::new(&part.body, "description of a value");
        if !is_place(part.bases) {
            return Err(reader.damaged());
        }
        let first = reader.u8()?;
        let known = usize::from(first >> 4);
        let kind = match KINDS.get(known) {
            _ if first & 0x0c != 0 => return Err(reader.damaged()),
            Some(_) if known == 0 => reader.text()?,
            Some(kind) => kind,
            None => return Err(reader.damaged()),
        };
        let check = reader.u32()?;
        let base = if first & HAS_BASE == 0 {
            None
        } else {
            let base = Base { version: reader.varint()?, depth: reader.varint()? };
            if base.depth == 0 || base.depth > 1 << 48 {
                return Err(reader.damaged());
            }
            Some(base)
        };
        let script = if first & OUTSIDE == 0 {
            StubScript::Inline(Bytes::copy_from_slice(reader.rest()))
        } else {
            let (at, len) = (reader.varint()?, reader.varint()?);
            reader.end()?;
            if at >= 1 << 32 || len > VALUE_BYTES_MAX {
                return Err(reader.damaged());
            }
            StubScript::Outside(pieces(origin(part.bases), at, len))
        };
        Ok(Self { kind: Arc::from(kind), check, base, bases: part.bases, script })
    }

    pub(crate) const fn base(&self) -> Option<Base> {
        self.base
    }

    /// Where the script lies, when it is not here.
    pub(crate) fn outside(&self) -> &[(Address, u64)] {
        match &self.script {
            StubScript::Inline(_) => &[],
            StubScript::Outside(pieces) => pieces,
        }
    }

    /// The whole, once the bytes at [`outside`](Self::outside) can be read.
    ///
    /// # Errors
    /// `Corrupt` where they are no script; those of `read`.
    pub(crate) fn finish(
        self,
        mut read: impl FnMut(Address, u64, &mut Vec<u8>) -> Result<()>,
    ) -> Result<Descriptor> {
        let script = match self.script {
            StubScript::Inline(bytes) => Script::decode(&bytes)?,
            StubScript::Outside(pieces) => {
                let mut bytes = Vec::new();
                for (at, len) in pieces {
                    read(at, len, &mut bytes)?;
                }
                Script::decode(&bytes)?
            }
        };
        let script = script.placed(origin(self.bases));
        Ok(Descriptor { kind: self.kind, check: self.check, base: self.base, script })
    }
}

/// The depth of the base of a version at depth `depth`, from 1 on.
pub(crate) const fn base_depth(depth: u64) -> u64 {
    depth & depth.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Op;

    /// The bytes that describe the versions of a list which grows by `piece` bytes each time.
    fn described(versions: u64, piece: u64) -> Vec<u64> {
        let mut chain: Vec<(u64, Script)> = Vec::new();
        let (mut total, mut totals) = (0, Vec::new());
        let (mut fresh, mut len) = (Vec::new(), 2);
        for version in 0..versions {
            let at = version * piece;
            let mut script = Script::default();
            script.push(Op::Copy { offset: 0, len: len - 1 });
            let segment = Address { segment: at / 4_096, offset: at % 4_096 };
            script.push(Op::Stored { at: segment, len: piece });
            script.push(Op::Copy { offset: len - 1, len: 1 });
            len += piece;
            let depth = version + 1;
            while let Some((before, step)) = chain.last()
                && *before > base_depth(depth)
            {
                script = step.then(&script);
                chain.pop();
            }
            let base = Some(Base { version, depth });
            let descriptor = Descriptor { kind: Arc::from("json"), check: 0, base, script };
            fresh.clear();
            total += (descriptor.encode(&mut fresh).len() + fresh.len()) as u64;
            totals.push(total);
            chain.push((depth, descriptor.script));
        }
        totals
    }

    #[test]
    fn describing_a_version_costs_the_same_at_any_length() {
        let totals = described(100_000, 600);
        let each = |versions: usize| totals[versions - 1] / versions as u64;
        println!(
            "bytes a version: {} of 1,000, {} of 10,000, {} of 100,000",
            each(1_000),
            each(10_000),
            each(100_000)
        );
        assert!(each(1_000) < 40, "{}", each(1_000));
        // Doubling adds at most the steps of one more level: never a multiple.
        assert!(each(100_000) < 2 * each(1_000), "{} then {}", each(1_000), each(100_000));
    }

    #[test]
    fn a_chain_is_left_after_as_many_steps_as_its_depth_has_bits() {
        for depth in [1_u64, 7, 8, 255, 256, 99_999, 100_000] {
            let mut steps = 0;
            let mut at = depth;
            while at > 0 {
                at = base_depth(at);
                steps += 1;
            }
            assert_eq!(steps, depth.count_ones());
        }
    }
}
