//! The driver's own header of a stored entry, and the versions in it.

use std::cell::RefCell;

use bytes::{Buf, Bytes};
use state_core::{Error, ErrorKind, Result, Version};

/// What every frame begins with: `S`, and the number of the format.
const MAGIC: [u8; 2] = *b"S1";
/// The latest format that this version reads and writes. The setting `write_format` holds writers
/// to an earlier one, once there is one.
pub(crate) const FORMAT_MAX: u32 = 1;
/// Magic and version.
pub(crate) const HEADER_BYTES: usize = 18;

/// A value in its frame, written straight into a command.
pub(crate) struct Framed<'a>(pub(crate) Version, pub(crate) &'a [u8]);

impl Framed<'_> {
    /// How many bytes it will take.
    pub(crate) fn len(&self) -> usize {
        HEADER_BYTES + self.1.len()
    }

    /// What is stored, in pieces.
    pub(crate) fn pieces(&self) -> [&[u8]; 3] {
        let Self(version, value) = self;
        [&MAGIC, version.as_bytes(), value]
    }
}

/// The header of a frame, for scripts that put the value behind it.
pub(crate) fn header(version: Version) -> Bytes {
    [MAGIC.as_slice(), version.as_bytes()].concat().into()
}

/// Takes a value out of its frame, without copying it.
///
/// # Errors
/// `Corrupt` for what is no frame, `Unsupported` for a frame of a later format.
pub(crate) fn open(mut stored: Bytes) -> Result<(Version, Bytes)> {
    let version = read(stored.first_chunk().ok_or_else(foreign)?)?;
    stored.advance(HEADER_BYTES);
    Ok((version, stored))
}

fn read(header: &[u8; HEADER_BYTES]) -> Result<Version> {
    let [s, format, version @ ..] = header;
    if [*s, *format] == MAGIC {
        return Ok(Version::from_bytes(*version));
    }
    if *s == b'S' && format.is_ascii_digit() {
        let message = "the entry was written by a later version of this driver";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Err(foreign())
}

/// What is at the key was not written by this driver.
pub(crate) fn foreign() -> Error {
    Error::corrupt("what is stored at the key was not written by this driver")
}

/// A version that nobody else makes: random per thread, then counted.
///
/// # Errors
/// `Unavailable` when the system gives no random bytes.
pub(crate) fn new_version() -> Result<Version> {
    thread_local! {
        /// 8 random bytes of this thread, and how many versions it has made under them.
        static SEED: RefCell<Option<([u8; 8], u64)>> = const { RefCell::new(None) };
    }
    SEED.with(|seed| {
        let mut seed = seed.borrow_mut();
        let (random, count) = match *seed {
            Some((random, count)) if count < u64::MAX => (random, count + 1),
            _ => {
                let mut random = [0; 8];
                getrandom::fill(&mut random).map_err(|error| {
                    let message = "the system gives no random bytes";
                    let error = Error::new(ErrorKind::Unavailable, message).with_source(error);
                    error.with_outcome(state_core::Outcome::NotApplied)
                })?;
                (random, 0)
            }
        };
        *seed = Some((random, count));
        let version = u128::from(u64::from_be_bytes(random)) << 64 | u128::from(count);
        Ok(Version::from_bytes(version.to_be_bytes()))
    })
}

/// A number that tells one call from another that happened in another history of the server.
///
/// # Errors
/// As [`new_version`].
pub(crate) fn new_nonce() -> Result<u64> {
    let version = new_version()?;
    let half = |bytes: &[u8]| bytes.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    let (random, count) = version.as_bytes().split_at(8);
    let (random, count) = (half(random), half(count));
    let mixed = (count ^ random).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Ok(random.rotate_left(17) ^ mixed ^ (mixed >> 32))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::command::Command;

    #[test]
    fn a_frame_comes_back_and_anything_else_is_refused() {
        let version = new_version().unwrap();
        let mut command = Command::new("SET");
        command.arg("k").arg(&Framed(version, b"value"));
        let frame = Bytes::copy_from_slice(command.parts().nth(2).unwrap());
        assert!(frame.starts_with(&header(version)));
        assert_eq!(open(frame.clone()).unwrap(), (version, Bytes::from_static(b"value")));
        for length in 0..HEADER_BYTES {
            let error = open(frame.slice(..length)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}");
        }
        let foreign = Bytes::from_static(b"a plain string of somebody else");
        assert_eq!(open(foreign).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(MAGIC.map(char::from), ['S', char::from_digit(FORMAT_MAX, 10).unwrap()]);
        let later = Bytes::from_static(b"S2xxxxxxxxxxxxxxxxvalue");
        assert_eq!(open(later).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn versions_of_all_threads_differ() {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(|| {
                    (0..1_000).map(|_| new_version().unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        let all: HashSet<Version> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.len(), 8_000);
    }
}
