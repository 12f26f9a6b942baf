//! Reading answers out of a stream of bytes that arrives in pieces (RESP2).
//!
//! What has been read is not looked at again: an array whose items come in many pieces keeps those that are complete, and a
//! long string goes straight into the memory in which it stays.

use std::io;

use redis::Value;

/// Longer lines are not what a server sends.
const LINE_BYTES_MAX: usize = 64 << 10;
/// The deepest array in arrays.
const DEPTH_MAX: usize = 128;
/// The longest string that a server can hold.
const STRING_BYTES_MAX: usize = 512 << 20;
/// Strings from this length on are read into their own memory.
const LONG_BYTES: usize = 16 << 10;
/// No more is reserved for a length before so much has come; enough for a value of 1 MiB and what is around it. An array in
/// an array gets half of what the outer one does.
const RESERVED_MAX: usize = 4 << 20;

/// Where reading has got to.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// Arrays that are not complete, the outermost first.
    open: Vec<Open>,
    long: Option<Long>,
    was_long: bool,
}

#[derive(Debug)]
struct Open {
    items: Vec<Value>,
    due: usize,
}

/// A long string that is not complete.
#[derive(Debug)]
pub(super) struct Long {
    bytes: Vec<u8>,
    len: usize,
}

impl Long {
    /// What is read next belongs into this, up to so many bytes.
    pub(super) fn place(&mut self) -> (&mut Vec<u8>, usize) {
        let due = self.len - self.bytes.len();
        (&mut self.bytes, due)
    }
}

impl Parser {
    /// The long string that is being read, if there is one.
    pub(super) fn long(&mut self) -> Option<&mut Long> {
        self.long.as_mut().filter(|long| long.bytes.len() < long.len)
    }

    /// Whether the last string was a long one: the next one probably is, too.
    pub(super) fn expects_long(&self) -> bool {
        self.was_long
    }

    /// The next whole answer out of `input`; `None` when more has to come.
    ///
    /// # Errors
    /// What came is no answer of a server.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> io::Result<Option<Value>> {
        loop {
            let Some(mut value) = self.item(input)? else { return Ok(None) };
            loop {
                let Some(open) = self.open.last_mut() else { return Ok(Some(value)) };
                open.items.push(value);
                open.due -= 1;
                if open.due > 0 {
                    break;
                }
                value = Value::Array(self.open.pop().map(|open| open.items).unwrap_or_default());
            }
        }
    }

    /// The next item that is no array with items.
    fn item(&mut self, input: &mut &[u8]) -> io::Result<Option<Value>> {
        loop {
            if self.long.is_some() {
                return self.end_of_long(input);
            }
            let here = *input;
            let Some(end) = end_of_line(here)? else { return Ok(None) };
            let line = here.get(..end).unwrap_or_default();
            let Some((kind, text)) = line.split_first() else {
                return Err(unlike("an empty line"));
            };
            let value = match kind {
                b'$' => {
                    let len = length(text, STRING_BYTES_MAX)?;
                    match len {
                        None => Value::Nil,
                        Some(len) if len >= LONG_BYTES => {
                            pass(input, end + 2);
                            let bytes = Vec::with_capacity(len.min(RESERVED_MAX));
                            self.long = Some(Long { bytes, len });
                            self.was_long = true;
                            continue;
                        }
                        Some(len) => {
                            self.was_long = false;
                            return string(input, end + 2, len);
                        }
                    }
                }
                b'*' => match length(text, usize::MAX)? {
                    None => Value::Nil,
                    Some(0) => Value::Array(Vec::new()),
                    Some(due) if self.open.len() < DEPTH_MAX => {
                        pass(input, end + 2);
                        let most = (RESERVED_MAX / size_of::<Value>()) >> self.open.len().min(16);
                        let items = Vec::with_capacity(due.min(most));
                        self.open.push(Open { items, due });
                        continue;
                    }
                    Some(_) => return Err(unlike("too deep an array")),
                },
                b'+' if text == b"OK" => Value::Okay,
                b'+' => Value::SimpleString(String::from_utf8_lossy(text).into_owned()),
                b':' => {
                    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                    Value::Int(number.ok_or_else(|| unlike("no number"))?)
                }
                b'-' => {
                    let whole = here.get(..end + 2).unwrap_or_default();
                    redis::parse_redis_value(whole).map_err(|_| unlike("no error"))?
                }
                _ => return Err(unlike("an unknown kind")),
            };
            pass(input, end + 2);
            return Ok(Some(value));
        }
    }

    /// Goes on with a long string.
    fn end_of_long(&mut self, input: &mut &[u8]) -> io::Result<Option<Value>> {
        let Some(long) = &mut self.long else { return Ok(None) };
        let due = (long.len - long.bytes.len()).min(input.len());
        long.bytes.extend_from_slice(input.get(..due).unwrap_or_default());
        pass(input, due);
        if long.bytes.len() < long.len || input.len() < 2 {
            return Ok(None);
        }
        end_of_string(input)?;
        Ok(self.long.take().map(|long| Value::BulkString(long.bytes)))
    }
}

/// A string of `len` bytes that begins at `start`, once all of it has come.
fn string(input: &mut &[u8], start: usize, len: usize) -> io::Result<Option<Value>> {
    if input.len() < start + len + 2 {
        return Ok(None);
    }
    let value = input.get(start..start + len).unwrap_or_default().to_vec();
    pass(input, start + len);
    end_of_string(input)?;
    Ok(Some(Value::BulkString(value)))
}

/// Goes past so many bytes, which are there.
fn pass(input: &mut &[u8], bytes: usize) {
    *input = input.get(bytes..).unwrap_or_default();
}

/// Where the first line ends, without its end.
fn end_of_line(input: &[u8]) -> io::Result<Option<usize>> {
    let found = input.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\r');
    match found {
        Some(end) if input.len() < end + 2 => Ok(None),
        Some(end) if input.get(end + 1) == Some(&b'\n') => Ok(Some(end)),
        Some(_) => Err(unlike("no end of a line")),
        None if input.len() >= LINE_BYTES_MAX => Err(unlike("too long a line")),
        None => Ok(None),
    }
}

/// Goes past the end of a string.
fn end_of_string(input: &mut &[u8]) -> io::Result<()> {
    if !input.starts_with(b"\r\n") {
        return Err(unlike("no end of a string"));
    }
    pass(input, 2);
    Ok(())
}

/// A length of at most `max`; `None` for that of what is absent.
fn length(text: &[u8], max: usize) -> io::Result<Option<usize>> {
    if text == b"-1" {
        return Ok(None);
    }
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| digits);
    match number.and_then(|text| text.parse().ok()) {
        Some(len) if len <= max => Ok(Some(len)),
        _ => Err(unlike("no length")),
    }
}

/// Our own words only: what came may be anything.
fn unlike(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not what a server answers: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pieces::{read, same_in_pieces};
    use super::*;

    fn written(value: &Value, into: &mut Vec<u8>) {
        let line = |into: &mut Vec<u8>, text: String| into.extend_from_slice(text.as_bytes());
        match value {
            Value::Nil => line(into, "$-1\r\n".to_owned()),
            Value::Int(number) => line(into, format!(":{number}\r\n")),
            Value::Okay => line(into, "+OK\r\n".to_owned()),
            Value::SimpleString(text) => line(into, format!("+{text}\r\n")),
            Value::BulkString(bytes) => {
                line(into, format!("${}\r\n", bytes.len()));
                into.extend_from_slice(bytes);
                line(into, "\r\n".to_owned());
            }
            Value::Array(items) => {
                line(into, format!("*{}\r\n", items.len()));
                for item in items {
                    written(item, into);
                }
            }
            Value::ServerError(_) => line(into, "-ERR a b\r\n".to_owned()),
            other => panic!("not written: {other:?}"),
        }
    }

    fn error() -> Value {
        redis::parse_redis_value(b"-ERR a b\r\n").unwrap()
    }

    fn values() -> impl Strategy<Value = Vec<Value>> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            Just(Value::Okay),
            Just(error()),
            any::<i64>().prop_map(Value::Int),
            "[a-zA-Z ]{0,9}".prop_map(|text| Value::SimpleString(format!("x{text}"))),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::BulkString),
            (0..3_usize).prop_map(|more| Value::BulkString(vec![b'\r'; LONG_BYTES + more])),
        ];
        let value = leaf.prop_recursive(4, 24, 6, |inner| {
            prop::collection::vec(inner, 0..6).prop_map(Value::Array)
        });
        prop::collection::vec(value, 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_written_is_read_in_whatever_pieces(values in values(), piece in 1..40_usize) {
            let mut bytes = Vec::new();
            for value in &values {
                written(value, &mut bytes);
            }
            let piece = if bytes.len() > 4_000 { piece * 997 } else { piece };
            let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
            prop_assert_eq!(read(&pieces).unwrap(), values.clone());
            prop_assert_eq!(read(&[&bytes]).unwrap(), values);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            same_in_pieces(&bytes);
        }
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        for bytes in [
            b"?1\r\n".as_slice(),
            b"\r\n",
            b"$1\rx",
            b":1a\r\n",
            b":\r\n",
            b"$-2\r\n",
            b"$+1\r\n",
            b"$99999999999999999999\r\n",
            b"$536870913\r\n",
            b"*-2\r\n",
            b"$1\r\nabc",
        ] {
            assert!(read(&[bytes]).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
        assert!(read(&[&b"*1\r\n".repeat(DEPTH_MAX + 1)]).is_err());
        assert!(read(&[&vec![b'+'; LINE_BYTES_MAX]]).is_err());
    }

    #[test]
    fn a_lying_length_reserves_little() {
        let mut parser = Parser::default();
        let mut input = b"*999999999999\r\n$536870912\r\nab".as_slice();
        assert!(parser.next(&mut input).unwrap().is_none());
        assert!(parser.open[0].items.capacity() * size_of::<Value>() <= RESERVED_MAX);
        assert!(parser.long.unwrap().bytes.capacity() <= RESERVED_MAX);
    }
}
