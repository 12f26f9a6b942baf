//! Lifetimes: from what a write names to a stored deadline.

use state_core::{Error, Expires, Expiry, Limits, Result, Timestamp};

use super::View;

impl View<'_> {
    /// The deadline that `expiry` means now; `kept` is the one that `Keep` keeps.
    #[inline]
    pub(crate) fn deadline(
        &self,
        expiry: Expiry,
        kept: Option<Timestamp>,
    ) -> Result<Option<Timestamp>> {
        let lifetime = match expiry {
            Expiry::Never => return Ok(None),
            Expiry::Keep => return Ok(kept),
            Expiry::Default => match self.rules.default_lifetime {
                None => return Ok(None),
                Some(lifetime) => lifetime,
            },
            Expiry::At(deadline) => {
                Limits::check_expiry(expiry, self.now.get())?;
                return Ok(Some(deadline));
            }
            Expiry::After(lifetime) => lifetime,
            _ => return Err(Error::unsupported("this kind of lifetime")),
        };
        Limits::check_lifetime(lifetime)?;
        let deadline = self.now.get().checked_add(lifetime);
        deadline.map(Some).ok_or_else(|| Error::invalid("the lifetime ends after the end of time"))
    }

    /// As [`deadline`](Self::deadline), for touches: there is no lifetime to keep.
    pub(crate) fn touched_deadline(&self, expiry: Expiry) -> Result<Option<Timestamp>> {
        if expiry == Expiry::Keep {
            return Err(Error::invalid("a touch cannot keep the lifetime that it is to change"));
        }
        self.deadline(expiry, None)
    }

    /// What a reader is told about a stored deadline.
    pub(crate) fn expires(&self, deadline: Option<Timestamp>) -> Expires {
        match deadline {
            None => Expires::Never,
            Some(_) => Expires::of(deadline, self.now.get()),
        }
    }
}
