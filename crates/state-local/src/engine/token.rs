//! Page tokens: where a listing goes on, checked so that a forged one is refused.

use bytes::Bytes;
use state_core::{Error, Key, PageToken, Result};

/// What a token begins with: which listing it is of.
const KEYS: u8 = b'k';
const FIELDS: u8 = b'f';

/// A token that goes on after `key`.
pub(super) fn of_key(key: &Key) -> PageToken {
    let partition = key.partition().map_or(b"".as_slice(), |partition| partition);
    let length = u32::try_from(partition.len()).unwrap_or(u32::MAX);
    let mut bytes = vec![KEYS, u8::from(key.partition().is_some())];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(partition);
    bytes.extend_from_slice(key.name());
    seal(bytes)
}

pub(super) fn read_key(token: &PageToken) -> Result<Key> {
    let bytes = open(token, KEYS)?;
    let split = || {
        let (&flag, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (partition, name) = rest.split_at_checked(length)?;
        let partition = (flag == 1).then(|| Bytes::copy_from_slice(partition));
        Some(Key::from_parts(partition, Bytes::copy_from_slice(name)))
    };
    split().ok_or_else(forged)
}

/// A token that goes on after `field`.
pub(super) fn of_field(field: &Bytes) -> PageToken {
    let mut bytes = vec![FIELDS];
    bytes.extend_from_slice(field);
    seal(bytes)
}

pub(super) fn read_field(token: &PageToken) -> Result<Bytes> {
    open(token, FIELDS).map(Bytes::copy_from_slice)
}

fn seal(mut bytes: Vec<u8>) -> PageToken {
    bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
    PageToken::from_bytes(bytes)
}

fn open(token: &PageToken, kind: u8) -> Result<&[u8]> {
    let (body, sum) = token.as_bytes().split_last_chunk::<4>().ok_or_else(forged)?;
    if checksum(body).to_le_bytes() != *sum {
        return Err(forged());
    }
    match body.split_first() {
        Some((first, rest)) if *first == kind => Ok(rest),
        _ => Err(forged()),
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
        for key in [Key::from("a"), Key::in_partition("p\0", "n"), Key::in_partition("p", "")] {
            let token = of_key(&key);
            assert_eq!(read_key(&token).ok(), Some(key));
            assert!(read_field(&token).is_err());
            for index in 0..token.as_bytes().len() {
                let mut bytes = token.as_bytes().to_vec();
                bytes[index] ^= 1;
                assert!(read_key(&PageToken::from_bytes(bytes)).is_err());
            }
        }
        assert!(read_key(&PageToken::from_bytes("")).is_err());
    }
}
