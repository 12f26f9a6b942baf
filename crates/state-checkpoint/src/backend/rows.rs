//! The values of rows: a version, a checksum that is bound to the key, and a body.

mod head;
mod lists;

use bytes::Bytes;
use state_core::{Error, ErrorKind, Key, Result};

use crate::digest::hash;

pub(super) use head::Head;
pub(super) use lists::{
    Place, append_part, append_place, find, parts, place_of, places, read_writes, write_writes,
};

const VERSION: u8 = 1;
/// The bytes in front of a body.
pub(super) const HEADER_BYTES: usize = 9;

/// The value of the row `key`.
pub(super) fn seal(key: &Key, body: &[u8]) -> Bytes {
    let mut value = Vec::with_capacity(HEADER_BYTES + body.len());
    value.push(VERSION);
    value.extend_from_slice(&hash(seed(key), body).to_le_bytes());
    value.extend_from_slice(body);
    value.into()
}

/// The body of the row `key`.
///
/// # Errors
/// `Corrupt` where it is damaged or is another row, `Unsupported` where a later version wrote it.
pub(super) fn open(key: &Key, value: &Bytes) -> Result<Bytes> {
    let damaged = || Error::corrupt("a row of a thread is damaged");
    let (version, rest) = value.split_first().ok_or_else(damaged)?;
    if *version != VERSION {
        return Err(Error::new(ErrorKind::Unsupported, "a row of a thread is of a later version"));
    }
    let (checksum, body) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    if hash(seed(key), body) != u64::from_le_bytes(*checksum) {
        return Err(damaged());
    }
    Ok(value.slice(HEADER_BYTES..))
}

fn seed(key: &Key) -> u64 {
    let partition = hash(0, key.partition().map_or(b"".as_slice(), |partition| partition));
    hash(partition, key.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_or_moved_row_is_corrupt() {
        let key = Key::in_partition("t1", "gabcdefghs1");
        let value = seal(&key, b"body");
        assert_eq!(open(&key, &value).unwrap(), b"body".as_slice());
        let kind = |key: &Key, value: &Bytes| open(key, value).map_err(|error| error.kind());
        assert_eq!(kind(&Key::in_partition("t2", "gabcdefghs1"), &value), Err(ErrorKind::Corrupt));
        assert_eq!(kind(&Key::in_partition("t1", "gabcdefghs2"), &value), Err(ErrorKind::Corrupt));
        for bit in 8..value.len() * 8 {
            let mut flipped = value.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(kind(&key, &flipped.into()), Err(ErrorKind::Corrupt), "bit {bit}");
        }
        for len in 0..value.len() {
            assert!(kind(&key, &value.slice(..len)).is_err(), "cut at {len}");
        }
    }
}
