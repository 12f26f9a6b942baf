//! One error type: a kind that says what the caller must do, and what is known of the outcome.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The result of every operation in this workspace.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller must do about a failure.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorKind {
    /// Read again and decide anew: a precondition did not hold.
    Conflict,
    /// Stop: another holder has the lease now.
    Fenced,
    /// Do without: this backend does not offer what was asked for.
    Unsupported,
    /// Mend the request: it can never succeed as it is.
    Invalid,
    /// Make it smaller: a key, a value, a batch or a record is over the limit.
    TooLarge,
    /// Put the keys into one partition, or do it in several steps.
    NotColocated,
    /// Try again later: the store cannot be reached or cannot serve now.
    Unavailable,
    /// Find out whether it happened: the deadline passed first.
    Timeout,
    /// Slow down: the store or the driver has more work than it can take.
    Overloaded,
    /// Mend the credentials or the permissions.
    Denied,
    /// Decide whether that is enough: the write was applied but not as safely as asked for.
    Unacknowledged,
    /// Restore from a good copy: what is stored is not what was written.
    Corrupt,
    /// Open it anew: the backend was closed.
    Closed,
    /// Report it: a defect, or something nobody foresaw.
    Internal,
}

impl ErrorKind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 14] = [
        Self::Conflict,
        Self::Fenced,
        Self::Unsupported,
        Self::Invalid,
        Self::TooLarge,
        Self::NotColocated,
        Self::Unavailable,
        Self::Timeout,
        Self::Overloaded,
        Self::Denied,
        Self::Unacknowledged,
        Self::Corrupt,
        Self::Closed,
        Self::Internal,
    ];

    /// The name of the kind, as shown to people and written to `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::TooLarge => "too large",
            Self::NotColocated => "not colocated",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Overloaded => "overloaded",
            Self::Denied => "denied",
            Self::Unacknowledged => "unacknowledged",
            Self::Corrupt => "corrupt",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }

    /// What the caller must do, in a few words for people.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Conflict => "read again and decide anew",
            Self::Fenced => "stop: another holder has the lease now",
            Self::Unsupported => "do without, or use a backend that offers it",
            Self::Invalid => "mend the request: it can never succeed as it is",
            Self::TooLarge => "make it smaller",
            Self::NotColocated => "put the keys into one partition, or do it in several steps",
            Self::Unavailable => "try again later",
            Self::Timeout => "find out whether it happened, then try again",
            Self::Overloaded => "slow down",
            Self::Denied => "mend the credentials or the permissions",
            Self::Unacknowledged => "decide whether that is safe enough",
            Self::Corrupt => "restore from a good copy",
            Self::Closed => "open it anew",
            Self::Internal => "report it, with this message",
        }
    }

    /// What is known of the outcome when nothing more precise was said.
    const fn usual_outcome(self) -> Outcome {
        match self {
            Self::Unavailable | Self::Timeout | Self::Internal => Outcome::Unknown,
            Self::Unacknowledged => Outcome::Applied,
            _ => Outcome::NotApplied,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known about the effect of a failed operation.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// It has had no effect and will have none.
    NotApplied,
    /// It has had its effect.
    Applied,
    /// It may have had its effect, or may still have it.
    Unknown,
}

impl Outcome {
    /// What is known, in a few words for people.
    const fn describe(self) -> &'static str {
        match self {
            Self::NotApplied => "nothing was changed",
            Self::Applied => "the change was made",
            Self::Unknown => "it cannot be said whether the change was made",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotApplied => "not applied",
            Self::Applied => "applied",
            Self::Unknown => "unknown",
        })
    }
}

/// An operation failed.
///
/// Branch on [`kind`](Self::kind) and [`outcome`](Self::outcome); show the rest to people. No
/// message holds a value or a secret.
///
/// `Debug` is for people as well, because a `main` that returns an error shows it so: the message
/// and everything that is known, a line each. `{:#?}` shows the fields.
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    message: Cow<'static, str>,
    op: Option<&'static str>,
    attempts: u32,
    retry_after: Option<Duration>,
    index: Option<usize>,
    position: Option<u64>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`, with the outcome that is usual for it: *unknown* for `Unavailable`,
    /// `Timeout` and `Internal`, *applied* for `Unacknowledged`, *not applied* for the rest.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            outcome: kind.usual_outcome(),
            message: message.into(),
            op: None,
            attempts: 1,
            retry_after: None,
            index: None,
            position: None,
            source: None,
        }))
    }

    /// The request can never succeed as it is.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// `what` is not offered by the backend.
    pub fn unsupported(what: &'static str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("{what} is not supported by this backend"))
    }

    /// A precondition did not hold.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// `what` holds `got` bytes (or items) and may hold at most `limit`.
    pub fn too_large(what: &'static str, got: usize, limit: usize) -> Self {
        Self::new(ErrorKind::TooLarge, format!("the {what} is too large: {got}, at most {limit}"))
    }

    /// What is stored is not what was written.
    pub fn corrupt(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Says what is known about the effect.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Names the operation that failed, unless it is named already.
    #[must_use]
    pub fn with_op(mut self, op: &'static str) -> Self {
        self.0.op.get_or_insert(op);
        self
    }

    /// Says how often it was tried.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Says how long to wait before another try.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.0.retry_after = Some(retry_after);
        self
    }

    /// Says which item of a batch or transaction failed, counted from 0.
    #[must_use]
    pub fn with_index(mut self, index: usize) -> Self {
        self.0.index = Some(index);
        self
    }

    /// Says at which byte of a stream it failed, counted from 0.
    #[must_use]
    pub fn with_position(mut self, position: u64) -> Self {
        self.0.position = Some(position);
        self
    }

    /// Records what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is known about the effect.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The operation that failed, where known.
    pub fn op(&self) -> Option<&'static str> {
        self.0.op
    }

    /// How often it was tried; 1 unless it was retried.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long to wait before another try, where the store said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Which item of a batch or transaction failed, counted from 0.
    pub fn index(&self) -> Option<usize> {
        self.0.index
    }

    /// At which byte of a stream it failed, counted from 0.
    pub fn position(&self) -> Option<u64> {
        self.0.position
    }
}

/// `operation: message (item i, at byte p, after n attempts)`, each part where it is known.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(op) = inner.op {
            write!(f, "{op}: ")?;
        }
        f.write_str(&inner.message)?;
        let details = [
            inner.index.map(|index| format!("item {index}")),
            inner.position.map(|position| format!("at byte {position}")),
            (inner.attempts > 1).then(|| format!("after {} attempts", inner.attempts)),
        ];
        let details: Vec<String> = details.into_iter().flatten().collect();
        if details.is_empty() { Ok(()) } else { write!(f, " ({})", details.join(", ")) }
    }
}

/// The message; what caused it, one by one; what is known of the effect; what to do.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f.debug_tuple("Error").field(&self.0).finish();
        }
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(source) = cause {
            write!(f, "\n  because: {source}")?;
            cause = source.source();
        }
        let inner = &self.0;
        write!(f, "\n  outcome: {} ({})", inner.outcome, inner.outcome.describe())?;
        write!(f, "\n  kind: {} ({}", inner.kind, inner.kind.advice())?;
        match inner.retry_after {
            Some(after) => write!(f, ", after {after:?})"),
            None => f.write_str(")"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_known_and_nothing_twice() {
        let source = std::io::Error::other("disk is full");
        let error = Error::new(ErrorKind::Unavailable, "the store cannot be written")
            .with_op("put")
            .with_op("write_many")
            .with_index(3)
            .with_attempts(4)
            .with_source(source);
        assert_eq!(
            error.to_string(),
            "put: the store cannot be written (item 3, after 4 attempts)"
        );
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk is full"));
    }

    #[test]
    fn a_main_that_returns_it_shows_what_happened_and_what_to_do() {
        let inner = Error::new(ErrorKind::Corrupt, "page 7 is damaged");
        let error = Error::new(ErrorKind::Unavailable, "the store cannot be written")
            .with_op("put")
            .with_retry_after(Duration::from_millis(1_500))
            .with_source(inner);
        let shown = "put: the store cannot be written\n  \
                     because: page 7 is damaged\n  \
                     outcome: unknown (it cannot be said whether the change was made)\n  \
                     kind: unavailable (try again later, after 1.5s)";
        assert_eq!(format!("{error:?}"), shown);
        let fields = format!("{error:#?}");
        assert!(fields.contains("kind: Unavailable") && fields.contains("op: Some("), "{fields}");
    }

    #[test]
    fn every_kind_has_advice_of_its_own() {
        let all: std::collections::HashSet<_> = ErrorKind::ALL.map(ErrorKind::advice).into();
        assert_eq!(all.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn the_usual_outcome_follows_the_kind() {
        for kind in ErrorKind::ALL {
            let expected = match kind {
                ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Internal => {
                    Outcome::Unknown
                }
                ErrorKind::Unacknowledged => Outcome::Applied,
                _ => Outcome::NotApplied,
            };
            assert_eq!(Error::new(kind, "x").outcome(), expected, "{kind}");
        }
    }
}
