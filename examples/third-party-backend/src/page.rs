//! Page tokens: the last key of a page, framed so that a foreign token is recognised.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use state_core::{Error, Key, PageToken, Result};

const MAGIC: &[u8] = b"map1";

/// The token of the page after `last`.
pub(crate) fn token_after(last: &Key) -> PageToken {
    let mut token = BytesMut::from(MAGIC);
    if let Some(partition) = last.partition() {
        token.put_u8(1);
        token.put_u64(partition.len() as u64);
        token.put_slice(partition);
    } else {
        token.put_u8(0);
    }
    token.put_slice(last.name());
    PageToken::from_bytes(token.freeze())
}

/// The last key of the page before.
pub(crate) fn key_of(token: &PageToken) -> Result<Key> {
    parse(token.as_bytes().clone()).ok_or_else(|| Error::invalid("the page token is not ours"))
}

fn parse(mut token: Bytes) -> Option<Key> {
    if !token.starts_with(MAGIC) {
        return None;
    }
    token.advance(MAGIC.len());
    let partition = match token.try_get_u8().ok()? {
        0 => None,
        1 => {
            let length = usize::try_from(token.try_get_u64().ok()?).ok()?;
            (0 < length && length < token.len()).then(|| token.split_to(length)).map(Some)?
        }
        _ => return None,
    };
    (!token.is_empty()).then(|| Key::from_parts(partition, token))
}
