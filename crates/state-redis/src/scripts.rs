//! The scripts that run on the server, one file each in `scripts/`, and what they reply.

use bytes::Bytes;
use redis::Value;
use state_core::{Error, ErrorKind, Result};

use crate::client::Script;
use crate::frame;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)+) => {
        $($(#[$doc])* pub(crate) static $name: Script = Script::new(
            $file,
            concat!(include_str!("scripts/prelude.lua"), include_str!(concat!("scripts/", $file, ".lua"))),
        );)+
    };
}

scripts! {
    PUT = "put";
    DELETE = "delete";
    INCREMENT = "increment";
    TOUCH = "touch";
    GET = "get";
    LOOK = "look";
    TRANSACT = "transact";
    UNLINK = "unlink";
    LOG_MARK = "log_mark";
    PRUNE = "prune";
    HASH_WRITE = "hash_write";
    LEASE_ACQUIRE = "lease_acquire";
    LEASE_RENEW = "lease_renew";
    LEASE_RELEASE = "lease_release";
    LEASE_READ = "lease_read";
}

pub(crate) static HASH_PAGE: Script = Script::new(
    "hash_page",
    concat!(include_str!("scripts/hash_step.lua"), include_str!("scripts/hash_page.lua")),
);

/// What a script replied: the word that says how it went, and what follows it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) word: Word,
    pub(crate) rest: Vec<Bytes>,
}

/// How a script went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Word {
    Ok,
    Conflict,
    Replay,
    Held,
}

impl Answer {
    /// Reads a reply; what a script refuses for good becomes an error here.
    pub(crate) fn read(reply: Value) -> Result<Self> {
        let Value::Array(items) = reply else { return Err(unlike()) };
        let mut items = items.into_iter().map(bytes);
        let word = items.next().ok_or_else(unlike)??;
        let rest = items.collect::<Result<Vec<_>>>()?;
        let word = match word.as_ref() {
            b"ok" => Word::Ok,
            b"conflict" => Word::Conflict,
            b"replay" => Word::Replay,
            b"held" => Word::Held,
            b"fenced" => {
                let message = "the lease has passed to another holder";
                return Err(Error::new(ErrorKind::Fenced, message));
            }
            b"invalid" => return Err(invalid(rest.first(), rest.get(1))),
            b"corrupt" => return Err(at(frame::foreign(), rest.first())),
            _ => return Err(unlike()),
        };
        Ok(Self { word, rest })
    }

    /// The item at `index` behind the word.
    pub(crate) fn item(&self, index: usize) -> Result<&Bytes> {
        self.rest.get(index).ok_or_else(unlike)
    }
}

/// Adds to an error which check or write of a transaction it is about.
pub(crate) fn at(error: Error, index: Option<&Bytes>) -> Error {
    match index.and_then(|index| number(index).ok()) {
        Some(index) => error.with_index(index),
        None => error,
    }
}

fn invalid(reason: Option<&Bytes>, index: Option<&Bytes>) -> Error {
    let reason = match reason.map(AsRef::as_ref) {
        Some(b"lifetime") => "the end of the lifetime has passed or lies over 10 years ahead",
        Some(b"operation") => "the operation id was used for a different operation on this key",
        Some(b"number") => "the value is not a decimal number that fits i64",
        Some(b"overflow") => "the counter would leave the range of i64",
        _ => "the server's script refused the request",
    };
    at(Error::invalid(reason), index)
}

/// The bytes of a reply; an absent item is empty.
pub(crate) fn bytes(value: Value) -> Result<Bytes> {
    match value {
        Value::BulkString(bytes) => Ok(Bytes::from(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(Bytes::from(text)),
        Value::Int(number) => Ok(Bytes::from(number.to_string())),
        Value::Okay => Ok(Bytes::from_static(b"OK")),
        Value::Nil => Ok(Bytes::new()),
        _ => Err(unlike()),
    }
}

/// The bytes of a reply, or `None` for an absent item.
pub(crate) fn optional(value: Value) -> Result<Option<Bytes>> {
    if value == Value::Nil { Ok(None) } else { bytes(value).map(Some) }
}

/// A number in a reply.
pub(crate) fn number<N: std::str::FromStr>(bytes: &[u8]) -> Result<N> {
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(unlike)
}

/// A whole number that the server replied.
pub(crate) fn integer(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Boolean(flag) => Ok(i64::from(*flag)),
        Value::BulkString(text) => number(text),
        _ => Err(unlike()),
    }
}

/// The server answered something that it never should.
pub(crate) fn unlike() -> Error {
    Error::new(ErrorKind::Internal, "the server's answer has an unexpected shape")
}
