//! Page tokens: the server's cursor, and what a step found beyond the limit of its page.
//!
//! A step of `SCAN` or `HSCAN` can find more than was asked for, and the cursor goes on behind all
//! of it. What does not fit into the page travels in the token, names only.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use state_core::{Error, PageToken, Result};

use super::sweep::Sweep;

/// Which kind of listing a token is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Listing {
    Keys,
    /// Keys in their order; the only leftover is the member to go on with.
    Index,
    Fields,
}

impl Listing {
    const fn letter(self) -> u8 {
        match self {
            Self::Keys => b'k',
            Self::Index => b'i',
            Self::Fields => b'h',
        }
    }
}

/// Where a listing goes on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Place {
    /// Where to go on in the fields of a hash, as its script says; empty at the beginning.
    pub(super) at: Bytes,
    /// How far the scan of all nodes has come; keys only.
    pub(super) sweep: Sweep,
    /// Whether there is nothing left to scan, only leftovers.
    pub(super) done: bool,
    /// Names that were found and have not been listed yet.
    pub(super) leftovers: Vec<Bytes>,
}

impl Place {
    pub(super) fn token(&self, listing: Listing) -> PageToken {
        let mut token = BytesMut::new();
        token.put_u8(listing.letter());
        token.put_u8(u8::from(self.done));
        if listing == Listing::Keys {
            self.sweep.write(&mut token);
        }
        for name in std::iter::once(&self.at).chain(&self.leftovers) {
            token.put_u32(u32::try_from(name.len()).unwrap_or(u32::MAX));
            token.put_slice(name);
        }
        let sum = checksum(&token);
        token.put_u32(sum);
        PageToken::from_bytes(token.freeze())
    }

    pub(super) fn read(token: &PageToken, listing: Listing) -> Result<Self> {
        let token = token.as_bytes();
        let body = token.len().checked_sub(4).filter(|body| *body >= 6).ok_or_else(forged)?;
        let (mut rest, mut sum) = (token.slice(..body), token.slice(body..));
        if checksum(&rest) != sum.get_u32() || rest.get_u8() != listing.letter() {
            return Err(forged());
        }
        let done = rest.get_u8() == 1;
        let mut place = Self { done, ..Self::default() };
        if listing == Listing::Keys {
            place.sweep = Sweep::read(&mut rest).ok_or_else(forged)?;
        }
        let mut names = Vec::new();
        while rest.has_remaining() {
            let length = rest.try_get_u32().map_err(|_| forged())?;
            let length = usize::try_from(length).map_err(|_| forged())?;
            if length > rest.len() {
                return Err(forged());
            }
            names.push(rest.split_to(length));
        }
        let mut names = names.into_iter();
        place.at = names.next().ok_or_else(forged)?;
        place.leftovers = names.collect();
        Ok(place)
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn forged() -> Error {
    Error::invalid("the page token was not made by this backend for this kind of listing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_changed_ones_are_refused() {
        let place = Place {
            sweep: Sweep::default(),
            at: Bytes::from_static(b"1f:7"),
            done: false,
            leftovers: vec![Bytes::from_static(b"a"), Bytes::new(), Bytes::from_static(b"\0b")],
        };
        let token = place.token(Listing::Keys);
        assert_eq!(Place::read(&token, Listing::Keys).unwrap(), place);
        assert!(Place::read(&token, Listing::Fields).is_err());
        for index in 0..token.as_bytes().len() {
            let mut bytes = token.as_bytes().to_vec();
            bytes[index] ^= 1;
            assert!(Place::read(&PageToken::from_bytes(bytes), Listing::Keys).is_err());
        }
        assert!(Place::read(&PageToken::from_bytes(""), Listing::Keys).is_err());
    }
}
