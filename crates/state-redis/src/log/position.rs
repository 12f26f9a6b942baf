//! Where a reader is in each stream, and the token that holds it.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use state_core::{Error, Result, ResumeToken};

use crate::scripts::number;

/// What every token begins with: the number of its format.
const MAGIC: &[u8; 2] = b"L1";

/// Behind an entry of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Position {
    /// Which life of the stream: another one when it was lost and begun anew.
    pub(crate) generation: u64,
    /// The number of the entry; 0 before the first.
    pub(crate) number: u64,
    /// The nonce of the entry, so that an entry of the same number in another history is told from
    /// it; 0 where it was not seen, because it has been dropped.
    pub(crate) nonce: u64,
}

impl Position {
    /// From the id of an entry and the generation that it bears.
    pub(crate) fn from_id(id: &[u8], generation: &[u8]) -> Option<Self> {
        let dash = id.iter().position(|byte| *byte == b'-')?;
        let (count, nonce) = (number(id.get(..dash)?).ok()?, number(id.get(dash + 1..)?).ok()?);
        Some(Self { generation: number(generation).ok()?, number: count, nonce })
    }

    /// Before the entry that this is behind, whatever came before it.
    pub(crate) const fn before(self) -> Self {
        Self { number: self.number.saturating_sub(1), nonce: 0, ..self }
    }

    /// Whether `next` is the entry that follows.
    pub(crate) const fn is_followed_by(self, next: Self) -> bool {
        self.generation == next.generation && self.number + 1 == next.number
    }
}

/// The token of an event: a position in every bucket, and which event there it is when several
/// have the same.
pub(crate) fn write_token(positions: impl Iterator<Item = Position>, same: u32) -> ResumeToken {
    let mut token = BytesMut::with_capacity(16 + 24 * positions.size_hint().0);
    token.put_slice(MAGIC);
    token.put_u32(same);
    for position in positions {
        token.put_u64(position.generation);
        token.put_u64(position.number);
        token.put_u64(position.nonce);
    }
    ResumeToken::from_bytes(token)
}

/// The positions that a token holds.
///
/// # Errors
/// `Invalid` for what is no token of a log with so many buckets.
pub(crate) fn read_token(token: &ResumeToken, buckets: usize) -> Result<Vec<Position>> {
    let foreign = || Error::invalid("the resume token was not made by this namespace");
    let mut rest: Bytes = token.as_bytes().clone();
    if !rest.starts_with(MAGIC) || rest.len() != 6 + 24 * buckets {
        return Err(foreign());
    }
    rest.advance(6);
    let position =
        |_| Position { generation: rest.get_u64(), number: rest.get_u64(), nonce: rest.get_u64() };
    Ok((0..buckets).map(position).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_and_fits_and_others_are_refused() {
        let at = |number| Position { generation: u64::MAX, number, nonce: 7 };
        for buckets in [1, 16, 128] {
            let positions: Vec<_> = (0..buckets).map(at).collect();
            let token = write_token(positions.iter().copied(), 3);
            assert!(token.as_bytes().len() <= 4_096);
            let count = positions.len();
            assert_eq!(read_token(&token, count).unwrap(), positions);
            assert!(read_token(&token, count + 1).is_err());
        }
        for foreign in [b"".as_slice(), b"L1", &[0; 30]] {
            assert!(read_token(&ResumeToken::from_bytes(foreign), 1).is_err());
        }
    }
}
