//! Why a connection could not be made or used, in a form that all who waited for it can share.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::errors::{Failure, Fault, RetryClass, Sent};

/// The cause of a [`Failure`] that several calls have in common.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// What the client found out itself.
    Fault(Fault),
    /// What the operating system or the TLS library reports.
    Io(Arc<io::Error>, Sent),
    /// What the server or the client library reports.
    Redis(redis::RedisError, Sent),
}

impl Trouble {
    /// What the operating system or the TLS library reports before anything was sent.
    pub(crate) fn connecting(error: io::Error) -> Self {
        Self::Io(Arc::new(error), Sent::No)
    }

    /// The same, where what was sent had no effect.
    pub(crate) fn before_sending(self) -> Self {
        match self {
            Self::Redis(error, _) => Self::Redis(error, Sent::No),
            Self::Io(error, _) => Self::Io(error, Sent::No),
            Self::Fault(Fault::LostAfterSend | Fault::WriteTimeout) => {
                Self::Fault(Fault::LostBeforeSend)
            }
            Self::Fault(fault) => Self::Fault(fault),
        }
    }

    /// What it means for one call.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Fault(fault) => (*fault).into(),
            Self::Io(error, sent) => Failure::from_io(error, *sent),
            Self::Redis(error, sent) => Failure::from_redis(error, *sent),
        }
    }

    /// Whether dialling again can not help until somebody mends something.
    pub(crate) fn is_permanent(&self) -> bool {
        self.failure().class() == RetryClass::Never
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.failure(), f)
    }
}

/// Shows our own words only: the text of a server can echo what was sent.
impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.failure(), f)
    }
}
