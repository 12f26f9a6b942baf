//! Lifetimes, as commands and scripts take them.

use std::time::Duration;

use bytes::Bytes;
use state_core::{Error, Expires, Expiry, Limits, Result, Timestamp};

use super::Inner;
use crate::scripts::number;

/// The lifetime that a command or script sets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lifetime {
    None,
    Keep,
    /// Milliseconds from when the server applies it.
    Ms(u64),
    /// A deadline in Unix milliseconds; only scripts can refuse one that has passed.
    At(u64),
}

impl Lifetime {
    /// Mode and milliseconds, as scripts take them.
    pub(super) fn args(self) -> [Bytes; 2] {
        let (mode, ms) = match self {
            Self::None => ("n", String::new()),
            Self::Keep => ("k", String::new()),
            Self::Ms(ms) => ("p", ms.to_string()),
            Self::At(ms) => ("a", ms.to_string()),
        };
        [Bytes::from_static(mode.as_bytes()), Bytes::from(ms)]
    }
}

impl Inner {
    pub(super) fn lifetime(&self, expiry: Expiry) -> Result<Lifetime> {
        match expiry {
            Expiry::Never => Ok(Lifetime::None),
            Expiry::Keep => Ok(Lifetime::Keep),
            Expiry::Default => self.config.default_lifetime().map_or(Ok(Lifetime::None), after),
            Expiry::After(lifetime) => after(lifetime),
            Expiry::At(deadline) => Ok(Lifetime::At(deadline.unix_ms())),
            _ => Err(Error::unsupported("this kind of lifetime")),
        }
    }

    /// As [`lifetime`](Self::lifetime), for touches: there is no lifetime to keep.
    pub(super) fn touched(&self, expiry: Expiry) -> Result<Lifetime> {
        if expiry == Expiry::Keep {
            return Err(Error::invalid("a touch cannot keep the lifetime that it is to change"));
        }
        self.lifetime(expiry)
    }
}

fn after(lifetime: Duration) -> Result<Lifetime> {
    Limits::check_lifetime(lifetime)?;
    let ms = u64::try_from(lifetime.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Ok(Lifetime::Ms(ms))
}

/// Reads `PEXPIRETIME` and `PTTL`.
pub(super) fn expires(deadline: &[u8], remaining: &[u8]) -> Result<Expires> {
    let (deadline, remaining) = (number::<i64>(deadline)?, number::<i64>(remaining)?);
    let (Ok(deadline), Ok(remaining)) = (u64::try_from(deadline), u64::try_from(remaining)) else {
        return Ok(Expires::Never);
    };
    let deadline = Timestamp::from_unix_ms(deadline);
    let now = Timestamp::from_unix_ms(deadline.unix_ms().saturating_sub(remaining));
    Ok(Expires::of(Some(deadline), now))
}
