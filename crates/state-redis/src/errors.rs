//! From what a server, a connection or the client library says to one typed error.
//!
//! Everything goes through one table (`table.rs`). The text of a server is matched and then
//! dropped: it can echo keys and arguments, so only our own words reach an error, its source
//! included.

mod client;
mod table;

use std::error::Error as StdError;
use std::fmt;
use std::io;

use redis::{RedisError, ServerError};
use state_core::{Error, ErrorKind, Outcome};

pub(crate) use client::{Fault, Sent};
use table::{Row, When};

/// What another try needs, were it allowed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum RetryClass {
    /// Another try would fail in the same way.
    Never,
    /// To be sent at once to the node that was named; costs nothing of the retry budget.
    Redirect,
    /// The script to be loaded, then at once; costs nothing of the retry budget.
    LoadScript,
    /// A wait, then the same node again.
    Wait,
    /// The same as often as the deadline allows: it ends by itself, and later than a few tries.
    SlotMoves,
    /// A wait, and to find out meanwhile which node serves the key now.
    Refresh,
    /// A wait, then a new connection.
    Reconnect,
}

/// Where a cluster says that a key is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Redirect {
    /// The slot of the key.
    pub(crate) slot: u16,
    /// `host:port` of the node; without a host it is the host that said so.
    pub(crate) address: String,
    /// For this request only, behind `ASKING`; otherwise for good.
    pub(crate) ask: bool,
}

/// One failed try.
pub(crate) struct Failure {
    row: &'static Row,
    redirect: Option<Redirect>,
    source: Option<io::Error>,
}

impl Failure {
    pub(crate) fn of(row: &'static Row) -> Self {
        Self { row, redirect: None, source: None }
    }

    /// What a server answered to one command.
    pub(crate) fn from_server(error: &ServerError) -> Self {
        Self::from_reply(error.code(), error.details().unwrap_or_default())
    }

    /// What a server answered: the first word, and the rest.
    pub(crate) fn from_reply(code: &str, text: &str) -> Self {
        let row = table::of_reply(code, text);
        let redirect = if row.class == RetryClass::Redirect { redirect(code, text) } else { None };
        Self { redirect, ..Self::of(row) }
    }

    /// What the client library reports; `sent` says whether the server may have the request.
    pub(crate) fn from_redis(error: &RedisError, sent: Sent) -> Self {
        client::from_redis(error, sent)
    }

    /// What the operating system or the TLS library reports.
    pub(crate) fn from_io(error: &io::Error, sent: Sent) -> Self {
        client::from_io(error, sent)
    }

    /// Records what the operating system said, without any text of its own.
    fn with_source(mut self, error: &io::Error) -> Self {
        self.source = Some(
            error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error),
        );
        self
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        self.row.kind
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.row.outcome
    }

    pub(crate) fn class(&self) -> RetryClass {
        self.row.class
    }

    /// What it is, in our own words.
    pub(crate) fn says(&self) -> &'static str {
        self.row.says
    }

    pub(crate) fn redirect(&self) -> Option<&Redirect> {
        self.redirect.as_ref()
    }

    /// Whether the server may still be about to apply the request: until its connection is known
    /// to be closed there, a second try can be overtaken by the first.
    pub(crate) fn may_still_apply(&self) -> bool {
        self.outcome() == Outcome::Unknown && matches!(self.row.when, When::Client(_))
    }

    /// The error for the caller.
    pub(crate) fn into_error(self) -> Error {
        let error = Error::new(self.row.kind, self.row.says).with_outcome(self.row.outcome);
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::of(table::of_fault(fault))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("when", &self.row.when)
            .field("outcome", &self.row.outcome)
            .field("class", &self.row.class)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.says)
    }
}

impl StdError for Failure {}

/// Reads `slot address` of MOVED and ASK; nothing when a server says something else there.
fn redirect(code: &str, text: &str) -> Option<Redirect> {
    let mut words = text.split_ascii_whitespace();
    let slot = words.next()?.parse().ok().filter(|slot| *slot < 16_384)?;
    let address = words.next()?.to_owned();
    Some(Redirect { slot, address, ask: code == "ASK" })
}

#[cfg(test)]
mod tests;
