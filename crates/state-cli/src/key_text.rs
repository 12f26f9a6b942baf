//! Keys as text: everything but printable ASCII is escaped, and can be typed that way.

use crate::failure::Failure;

/// The text of `bytes`, fit to be given to [`parse`].
pub(crate) fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The text of a name, with what would harm a terminal escaped; fit to be given to [`parse`].
pub(crate) fn show_name(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    let mut utf8 = [0; 4];
    for c in name.chars() {
        if c == '\\' || c.is_control() {
            shown.push_str(&show(c.encode_utf8(&mut utf8).as_bytes()));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The bytes that `text` stands for: only a backslash has a meaning.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'0') => 0,
            Some(same @ (b'\\' | b'\'' | b'"')) => same,
            Some(b'x') => {
                let digits = (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit));
                let (Some(high), Some(low)) = digits else { return Err(bad_escape()) };
                high << 4 | low
            }
            _ => return Err(bad_escape()),
        });
    }
    Ok(bytes)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that hexadecimal digits stand for; `None` when `text` is something else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.bytes().map(hex_digit).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect())
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn bad_escape() -> Failure {
    Failure::usage(
        "a backslash in a key is followed by something that is no escape",
        "write \\\\ for a backslash, \\xNN for a byte, \\n, \\t, \\r, \\', \\\" or \\0 for those; \
         or give --raw-keys",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_from_its_text() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(parse(&show(&all)).unwrap(), all);
        assert_eq!(unhex(&hex(&all)).unwrap(), all);
    }

    #[test]
    fn text_stands_for_itself() {
        assert_eq!(parse("user:{7}*%Ключ").unwrap(), "user:{7}*%Ключ".as_bytes());
    }

    #[test]
    fn a_half_escape_is_refused() {
        for text in ["\\", "a\\q", "\\x", "\\x4", "\\xg0", "\\x0g"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(unhex("abc"), None);
        assert_eq!(unhex("zz"), None);
    }
}
