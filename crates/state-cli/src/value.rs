//! Values: where they come from, and how they are shown.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use state_core::{Expires, Key};

use crate::duration;
use crate::failure::Failure;
use crate::key_text;

/// Reads the value that an argument means: text, `@FILE` or `-` for standard input.
///
/// What is longer than `bytes_max` is read no further than one byte past it: the store then
/// refuses it with its own words.
pub(crate) fn read(argument: &str, bytes_max: usize) -> Result<Bytes, Failure> {
    let stop = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut value = Vec::new();
    if argument == "-" {
        let read = io::stdin().lock().take(stop).read_to_end(&mut value);
        read.map_err(|error| Failure::file("reading", Path::new("standard input"), &error))?;
    } else if let Some(path) = argument.strip_prefix('@') {
        let path = Path::new(path);
        let file = fs::File::open(path);
        let read = file.and_then(|file| file.take(stop).read_to_end(&mut value));
        read.map_err(|error| Failure::file("reading", path, &error))?;
    } else {
        return Ok(Bytes::copy_from_slice(argument.as_bytes()));
    }
    Ok(value.into())
}

/// A value as a terminal can show it: text as it is, everything else escaped.
pub(crate) fn for_terminal(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) => {
            text.to_owned()
        }
        _ => key_text::show(value),
    }
}

/// Text with its line ends, and without other characters that a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// The first bytes of a value on one line.
pub(crate) fn preview(value: &[u8], width: usize) -> String {
    let text: String = for_terminal(value)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(width + 1)
        .collect();
    if text.chars().count() > width {
        text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
    } else {
        text
    }
}

/// A value in a JSON document.
#[derive(Debug, Serialize)]
pub(crate) struct JsonValue<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

impl<'a> JsonValue<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        match std::str::from_utf8(value) {
            Ok(text) => Self { value: Some(text), value_base64: None },
            Err(_) => Self { value: None, value_base64: Some(STANDARD.encode(value)) },
        }
    }
}

/// A key in a JSON document.
#[derive(Debug, Serialize)]
pub(crate) struct JsonKey {
    pub(crate) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition: Option<String>,
}

impl JsonKey {
    pub(crate) fn new(key: &Key) -> Self {
        let partition = key.partition().map(|partition| key_text::show(partition));
        Self { key: key_text::show(key.name()), partition }
    }
}

/// A lifetime in a JSON document; nothing when there is none.
#[derive(Debug, Serialize)]
pub(crate) struct JsonExpires {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_ms: Option<u64>,
}

impl JsonExpires {
    pub(crate) fn new(expires: Expires) -> Self {
        match expires {
            Expires::At { deadline, remaining } => Self {
                expires: Some(duration::show_timestamp(deadline)),
                expires_unix_ms: Some(deadline.unix_ms()),
                remaining_ms: Some(duration::millis(remaining)),
            },
            _ => Self { expires: None, expires_unix_ms: None, remaining_ms: None },
        }
    }
}

/// A lifetime for people.
pub(crate) fn show_expires(expires: Expires) -> String {
    match expires {
        Expires::At { remaining, .. } => format!("in {}", duration::show(remaining)),
        Expires::Never => "never".to_owned(),
        _ => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_text_and_never_control_characters() {
        assert_eq!(for_terminal("naïve\n".as_bytes()), "naïve\n");
        assert_eq!(for_terminal(b"\x1b[2J"), "\\x1b[2J");
        assert_eq!(for_terminal(b"\xff\x00"), "\\xff\\x00");
        assert_eq!(preview(b"one\ntwo three", 8), "one two…");
    }

    #[test]
    fn json_holds_text_or_base64() {
        let json = |value| serde_json::to_string(&JsonValue::new(value)).unwrap();
        assert_eq!(json(b"hi"), r#"{"value":"hi"}"#);
        assert_eq!(json(b"\xff\xfe"), r#"{"value_base64":"//4="}"#);
    }
}
