//! Why a task did not end well, and the exit code that says so.

use std::{fmt, io};

/// The reasons that a caller of `cargo xtask` may want to tell apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A check or a test failed, or a program that was started did.
    Check(String),
    /// The same, when everything that there is to say has been printed.
    Told,
    /// What was asked for does not exist.
    Usage(String),
    /// A tool is missing; the text names the line that installs it.
    Tool(String),
}

impl Failure {
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self::Check(message.into())
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn tool(message: impl Into<String>) -> Self {
        Self::Tool(message.into())
    }

    /// An error of the operating system, with what was being done.
    pub(crate) fn io(doing: impl fmt::Display, error: &io::Error) -> Self {
        Self::Check(format!("{doing}: {error}"))
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Check(_) | Self::Told => 1,
            Self::Usage(_) => 2,
            Self::Tool(_) => 3,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told => formatter.write_str("failed"),
            Self::Check(message) | Self::Usage(message) | Self::Tool(message) => {
                formatter.write_str(message)
            }
        }
    }
}
