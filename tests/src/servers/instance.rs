//! A server that the harness has started, or one that it was given.

use super::container::ServerContainer;
use super::error::{Result, ServersError};
use super::patience::{NotYet, until};
use super::process::ServerProcess;

/// A server, and what can be done to it.
#[derive(Debug)]
pub(crate) enum Instance {
    Process(ServerProcess),
    Container(Box<ServerContainer>),
    /// Somebody else's: it can be asked, and nothing else.
    Given,
}

impl Instance {
    pub(crate) fn pid(&self) -> Option<u32> {
        match self {
            Self::Process(process) => process.pid(),
            Self::Container(container) => container.pid(),
            Self::Given => None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        match self {
            Self::Process(process) => process.is_running(),
            Self::Container(container) => container.is_running(),
            Self::Given => true,
        }
    }

    /// Ends it at once, as a crash does, and returns when it is dead.
    pub(crate) fn kill(&self) -> Result<()> {
        match self {
            Self::Process(process) => process.kill(),
            Self::Container(container) => {
                container.signal("SIGKILL")?;
                until("a killed container is dead", || {
                    if container.is_running() { Err(NotYet::because("it runs")) } else { Ok(()) }
                })?;
            }
            Self::Given => return not_ours(),
        }
        Ok(())
    }

    /// Ends it in order.
    pub(crate) fn stop(&self) -> Result<()> {
        match self {
            Self::Process(process) => process.stop(),
            Self::Container(container) => container.stop(),
            Self::Given => not_ours(),
        }
    }

    pub(crate) fn freeze(&self) -> Result<()> {
        match self {
            Self::Process(process) => process.freeze(),
            Self::Container(container) => container.signal("SIGSTOP"),
            Self::Given => not_ours(),
        }
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        match self {
            Self::Process(process) => process.thaw(),
            Self::Container(container) => container.signal("SIGCONT"),
            Self::Given => not_ours(),
        }
    }

    /// Starts it once more, on the data that it had.
    pub(crate) fn start_again(&self) -> Result<()> {
        match self {
            Self::Process(process) => process.start_again(),
            Self::Container(container) => container.start_again(),
            Self::Given => not_ours(),
        }
    }

    pub(crate) fn log(&self) -> String {
        match self {
            Self::Process(process) => process.log(),
            Self::Container(container) => container.log(),
            Self::Given => String::new(),
        }
    }
}

fn not_ours<T>() -> Result<T> {
    Err(ServersError::Unsupported(
        "the servers were given by a URL: they can be asked, not killed or restarted".to_owned(),
    ))
}
