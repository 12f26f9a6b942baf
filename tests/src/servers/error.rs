//! Why a server could not be had, or did not do what it was asked.

use std::io;

/// Why a server could not be had, or did not do what it was asked.
#[non_exhaustive]
#[derive(Debug)]
pub enum ServersError {
    /// There is no server to be had; the text lists what was tried and the line that installs one.
    NotFound(String),
    /// A server ended while it was started; with the end of what it logged.
    Ended(String),
    /// Something did not happen in time.
    Late(String),
    /// What was asked for cannot be done with these servers.
    Unsupported(String),
    /// The system or the container engine refused.
    System(String),
    /// A server answered with something else than was expected.
    Answer(String),
}

impl std::fmt::Display for ServersError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound(text)
            | Self::Ended(text)
            | Self::Late(text)
            | Self::Unsupported(text)
            | Self::System(text)
            | Self::Answer(text) => formatter.write_str(text),
        }
    }
}

impl std::error::Error for ServersError {}

/// What the harness returns.
pub type Result<T> = std::result::Result<T, ServersError>;

/// Turns an error of the system into one that says what was being done.
pub(crate) fn while_doing<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> ServersError {
    move |error| ServersError::System(format!("{what}: {error}"))
}

impl From<io::Error> for ServersError {
    fn from(error: io::Error) -> Self {
        Self::System(error.to_string())
    }
}
