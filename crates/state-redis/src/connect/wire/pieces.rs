//! Reading bytes that come in pieces, for tests and for the fuzz target of the parser.

use std::io;

use bytes::{Buf, BytesMut};
use redis::Value;

use super::parse::Parser;

/// Reads what comes in such pieces, as the driver does.
pub(crate) fn read(pieces: &[&[u8]]) -> io::Result<Vec<Value>> {
    let (mut parser, mut input, mut values) = (Parser::default(), BytesMut::new(), Vec::new());
    for piece in pieces {
        let mut piece = *piece;
        while !piece.is_empty() {
            let taken = if let (Some(long), true) = (parser.long(), input.is_empty()) {
                let (bytes, due) = long.place();
                let (now, _) = piece.split_at(due.min(piece.len()));
                bytes.extend_from_slice(now);
                now.len()
            } else {
                input.extend_from_slice(piece);
                piece.len()
            };
            piece = &piece[taken..];
            let mut rest = input.as_ref();
            while let Some(value) = parser.next(&mut rest)? {
                values.push(value);
            }
            let used = input.len() - rest.len();
            input.advance(used);
        }
    }
    Ok(values)
}

/// Any bytes mean the same at once and in pieces, of which the first byte says the length, and are refused alike.
pub(crate) fn same_in_pieces(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*first).max(1)).collect();
    match (read(&[bytes]), read(&pieces)) {
        (Ok(whole), Ok(parts)) => assert_eq!(whole, parts),
        (whole, parts) => assert_eq!(whole.is_err(), parts.is_err(), "{whole:?} {parts:?}"),
    }
}
