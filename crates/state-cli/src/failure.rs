//! What ends a command: an answer, or a failure that says what is known and what to do next.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use state_core::{Error, ErrorKind, Outcome};

/// How a command that worked has answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// Done.
    Yes,
    /// There is no such key, thread or checkpoint; said already.
    No,
    /// There is something to mend; said already.
    Problem,
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::from(0),
            Answer::No => Self::from(1),
            Answer::Problem => Self::from(9),
        }
    }
}

/// The exit codes of failures; `statectl --help` explains them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Nobody reads the output any more: the reader has what it wanted.
    ClosedPipe = 0,
    Usage = 2,
    Unavailable = 3,
    Conflict = 4,
    Corrupt = 5,
    Unsupported = 6,
    File = 7,
    Unproven = 8,
    Internal = 70,
}

impl Exit {
    const ALL: [Self; 9] = [
        Self::ClosedPipe,
        Self::Usage,
        Self::Unavailable,
        Self::Conflict,
        Self::Corrupt,
        Self::Unsupported,
        Self::File,
        Self::Unproven,
        Self::Internal,
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command failed.
#[derive(Debug)]
pub(crate) struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    exit: Exit,
    kind: String,
    message: String,
    next: String,
    causes: Vec<String>,
    store: Option<Error>,
}

impl Failure {
    fn new(exit: Exit, kind: &str, message: String, next: String) -> Self {
        let kind = kind.to_owned();
        Self(Box::new(Inner { exit, kind, message, next, causes: Vec::new(), store: None }))
    }

    /// The command cannot work as it was typed.
    pub(crate) fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message.into(), next.into())
    }

    /// The command line could not be understood.
    pub(crate) fn usage_of(error: &clap::Error) -> Self {
        let text = error.to_string();
        let said = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
        let said: Vec<&str> = said.filter(|line| !line.is_empty()).collect();
        Self::usage(said.join(" ").trim_start_matches("error: "), "see `statectl --help`")
    }

    /// `action` failed for the file at `path`.
    pub(crate) fn file(action: &'static str, path: &Path, error: &io::Error) -> Self {
        let message = format!("{action} `{}` failed: {error}", path.display());
        let next = match error.kind() {
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::PermissionDenied => "check who may read and write there",
            io::ErrorKind::StorageFull => "make room on the disk, then run the command again",
            _ => "check the path and the disk",
        };
        Self::new(Exit::File, "file", message, next.to_owned())
    }

    /// Writing to standard output failed.
    pub(crate) fn output(error: &io::Error) -> Self {
        let closed = error.kind() == io::ErrorKind::BrokenPipe;
        let exit = if closed { Exit::ClosedPipe } else { Exit::File };
        let message = format!("standard output cannot be written: {error}");
        Self::new(exit, "output", message, "check where the output goes".to_owned())
    }

    /// There is no store where one was expected.
    pub(crate) fn no_store(path: &Path) -> Self {
        let message = format!("there is no store at `{}`", path.display());
        let next = "check the path; the first `statectl put` makes a store";
        Self::new(Exit::Unavailable, "unavailable", message, next.to_owned())
    }

    /// There is a file without content where a store was expected.
    pub(crate) fn empty_store(path: &Path) -> Self {
        let message = format!("the file `{}` is empty and not a store", path.display());
        Self::corrupt(message, "check the path; the first `statectl put` makes a store of it")
    }

    /// A precondition of a command does not hold.
    pub(crate) fn conflict(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Conflict, "conflict", message.into(), next.into())
    }

    /// The demonstration did not show what it promised.
    pub(crate) fn unproven(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Unproven, "unproven", message.into(), next.into())
    }

    /// What is stored cannot be understood.
    pub(crate) fn corrupt(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Corrupt, "corrupt", message.into(), next.into())
    }

    /// The operating system refused something that it usually grants.
    pub(crate) fn system(what: &'static str, error: &(dyn StdError + 'static)) -> Self {
        let next = "free resources of the machine, then run the command again";
        let mut failure = Self::new(Exit::Internal, "internal", what.to_owned(), next.to_owned());
        failure.0.causes = causes(Some(error));
        failure
    }

    /// What another `statectl` said about its failure, as [`document`](Self::document) wrote it.
    pub(crate) fn relayed(text: &str) -> Self {
        let document: serde_json::Value = serde_json::from_str(text.trim()).unwrap_or_default();
        let field = |name: &str| document.get("error").and_then(|error| error.get(name));
        let said = |name: &str| field(name).and_then(|text| text.as_str()).unwrap_or_default();
        let code = field("exit_code").and_then(serde_json::Value::as_u64);
        let exit = Exit::ALL.into_iter().find(|exit| Some(*exit as u64) == code);
        let message = if document.is_object() { said("message") } else { text.trim() };
        let message = format!("the worker has ended: {message}");
        let exit = exit.unwrap_or(Exit::Internal);
        let kind = if document.is_object() { said("kind") } else { "internal" };
        let mut failure = Self::new(exit, kind, message, said("next").to_owned());
        if let Some(causes) = field("causes").and_then(|causes| causes.as_array()) {
            let causes = causes.iter().filter_map(|cause| cause.as_str());
            failure.0.causes = causes.map(str::to_owned).collect();
        }
        failure
    }

    /// Replaces the advice.
    pub(crate) fn with_next(mut self, next: impl Into<String>) -> Self {
        self.0.next = next.into();
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The name of the kind of failure; that of the store's error, where the store has failed.
    pub(crate) fn kind(&self) -> &str {
        &self.0.kind
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The error of the store, where the store has failed.
    pub(crate) fn store(&self) -> Option<&Error> {
        self.0.store.as_ref()
    }

    /// What is known of the effect; `None` where nothing was asked of the store.
    fn outcome(&self) -> Option<Outcome> {
        self.0.store.as_ref().map(Error::outcome)
    }

    /// The failure as the document that `--json` writes.
    pub(crate) fn document(&self) -> FailureDocument<'_> {
        let inner = &*self.0;
        FailureDocument {
            error: FailureBody {
                kind: &inner.kind,
                message: &inner.message,
                outcome: self.outcome().map(|outcome| outcome.to_string()),
                next: &inner.next,
                exit_code: inner.exit as u8,
                operation: inner.store.as_ref().and_then(Error::op),
                item: inner.store.as_ref().and_then(Error::index),
                byte: inner.store.as_ref().and_then(Error::position),
                causes: &inner.causes,
            },
        }
    }
}

/// The message, what is known of the outcome, and what to do next.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "error: {}", inner.message)?;
        for cause in &inner.causes {
            write!(f, "\n  because: {cause}")?;
        }
        match self.outcome() {
            Some(Outcome::NotApplied) => f.write_str("\n  known: nothing was changed")?,
            Some(Outcome::Applied) => f.write_str("\n  known: the change was made")?,
            Some(_) => f.write_str("\n  known: it cannot be said whether the change was made")?,
            None => {}
        }
        if inner.next.is_empty() { Ok(()) } else { write!(f, "\n  next: {}", inner.next) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = exit_of(error.kind());
        let next = next_of(&error);
        let mut failure = Self::new(exit, error.kind().name(), error.to_string(), next);
        failure.0.causes = causes(error.source());
        failure.0.store = Some(error);
        failure
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct FailureDocument<'a> {
    error: FailureBody<'a>,
}

#[derive(Debug, Serialize)]
struct FailureBody<'a> {
    kind: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    next: &'a str,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte: Option<u64>,
    causes: &'a [String],
}

fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Conflict | ErrorKind::Fenced => Exit::Conflict,
        ErrorKind::Unsupported => Exit::Unsupported,
        ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::NotColocated => Exit::Usage,
        ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Overloaded
        | ErrorKind::Denied
        | ErrorKind::Unacknowledged
        | ErrorKind::Closed => Exit::Unavailable,
        ErrorKind::Corrupt => Exit::Corrupt,
        _ => Exit::Internal,
    }
}

fn next_of(error: &Error) -> String {
    let next = match error.kind() {
        ErrorKind::Conflict => "read the key again (`statectl get --json KEY`) and decide anew",
        ErrorKind::Fenced => "stop: another holder has the lease now",
        ErrorKind::Unsupported => {
            "see what the store offers with `statectl info`; what a later version has written takes that version"
        }
        ErrorKind::Invalid => "mend the argument; it can never work as it is",
        ErrorKind::TooLarge => "make it smaller; `statectl info` shows the limits",
        ErrorKind::NotColocated => "put the keys into one partition",
        ErrorKind::Unavailable => {
            "if another process has the store open, wait until it ends; \
             check the path, the permissions and the room on the disk; \
             where the store is a server, that it runs and can be reached"
        }
        ErrorKind::Timeout => "look whether it happened (`statectl get KEY`), then try again",
        ErrorKind::Overloaded => "wait a little, then try again",
        ErrorKind::Denied => "check who may read and write the store",
        ErrorKind::Unacknowledged => "decide whether that is safe enough",
        ErrorKind::Corrupt => {
            "check that this is the right store; if it is, restore from a good copy (`statectl restore`)"
        }
        ErrorKind::Closed => "run the command again",
        _ => "please report it, with this message",
    };
    match error.retry_after() {
        Some(after) => format!("{next} (after {})", crate::duration::show(after)),
        None => next.to_owned(),
    }
}

fn causes(mut source: Option<&(dyn StdError + 'static)>) -> Vec<String> {
    let mut causes = Vec::new();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_exit_code_and_advice() {
        for kind in ErrorKind::ALL {
            let failure = Failure::from(Error::new(kind, "x"));
            assert!(!failure.0.next.is_empty(), "{kind}");
            let expected = kind == ErrorKind::Internal;
            assert_eq!(failure.exit() == Exit::Internal, expected, "{kind}");
        }
    }

    #[test]
    fn says_what_is_known_and_what_to_do() {
        let source = io::Error::other("disk is full");
        let error = Error::new(ErrorKind::Unavailable, "the store cannot be written")
            .with_op("put")
            .with_source(source);
        let text = Failure::from(error).to_string();
        assert!(text.starts_with("error: put: the store cannot be written\n"), "{text}");
        assert!(text.contains("because: disk is full"), "{text}");
        assert!(text.contains("cannot be said"), "{text}");
        assert!(text.contains("next: "), "{text}");
    }
}
