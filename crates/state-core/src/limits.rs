//! The limits of a backend, and the checks that every backend makes first.

use std::time::Duration;

use bytes::Bytes;

use crate::{Error, Expiry, Key, Result, Timestamp, WriteOp};

/// The limits of a backend instance.
///
/// The `check_*` methods are what backends call before anything else, so that bad input gets
/// the same error everywhere.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The longest key, name and partition together, in bytes.
    pub key_bytes_max: usize,
    /// The largest value in bytes.
    pub value_bytes_max: usize,
    /// The longest hash field name in bytes.
    pub field_bytes_max: usize,
    /// The most operations of one batch.
    pub batch_ops_max: usize,
    /// The most operations and checks of one transaction, together.
    pub transaction_ops_max: usize,
    /// The most items of one page; a greater limit is taken as this one.
    pub page_items_max: usize,
}

impl Limits {
    /// The shortest lifetime.
    pub const LIFETIME_MIN: Duration = Duration::from_millis(1);
    /// The longest lifetime: 10 years of 365.25 days.
    pub const LIFETIME_MAX: Duration = Duration::from_secs(315_576_000);

    /// The default limits: 1 KiB keys and fields, 64 MiB values, 10,000 operations a batch,
    /// 1,000 a transaction, 10,000 items a page.
    pub const DEFAULT: Self = Self {
        key_bytes_max: 1 << 10,
        value_bytes_max: 64 << 20,
        field_bytes_max: 1 << 10,
        batch_ops_max: 10_000,
        transaction_ops_max: 1_000,
        page_items_max: 10_000,
    };

    /// Sets the largest value in bytes.
    #[must_use]
    pub const fn with_value_bytes_max(mut self, value_bytes_max: usize) -> Self {
        self.value_bytes_max = value_bytes_max;
        self
    }

    /// Checks a key.
    ///
    /// # Errors
    /// `Invalid` when the name, or a given partition, is empty; `TooLarge` over the limit.
    #[inline]
    pub fn check_key(&self, key: &Key) -> Result<()> {
        if key.name().is_empty() {
            return Err(Error::invalid("the key is empty"));
        }
        if key.partition().is_some_and(Bytes::is_empty) {
            return Err(Error::invalid("the partition of the key is empty"));
        }
        check_size("key", key.len_bytes(), self.key_bytes_max)
    }

    /// Checks the size of a value in bytes.
    ///
    /// # Errors
    /// `TooLarge` over the limit.
    #[inline]
    pub fn check_value(&self, value: &[u8]) -> Result<()> {
        check_size("value", value.len(), self.value_bytes_max)
    }

    /// Checks a hash field name.
    ///
    /// # Errors
    /// `Invalid` when empty, `TooLarge` over the limit.
    pub fn check_field(&self, field: &[u8]) -> Result<()> {
        if field.is_empty() {
            return Err(Error::invalid("the field name is empty"));
        }
        check_size("field name", field.len(), self.field_bytes_max)
    }

    /// Checks the number of operations of a batch.
    ///
    /// # Errors
    /// `TooLarge` over the limit.
    pub fn check_batch(&self, ops: usize) -> Result<()> {
        check_size("batch", ops, self.batch_ops_max)
    }

    /// Checks the number of operations and checks of a transaction.
    ///
    /// # Errors
    /// `TooLarge` over the limit.
    pub fn check_transaction(&self, ops: usize) -> Result<()> {
        check_size("transaction", ops, self.transaction_ops_max)
    }

    /// Checks the limit of a page and returns how many items it may hold.
    ///
    /// # Errors
    /// `Invalid` when 0.
    pub fn check_page(&self, limit: usize) -> Result<usize> {
        if limit == 0 {
            return Err(Error::invalid("the limit of a page is 0"));
        }
        Ok(limit.min(self.page_items_max))
    }

    /// Checks key, value and field sizes of one write.
    ///
    /// # Errors
    /// As [`check_key`](Self::check_key) and [`check_value`](Self::check_value).
    pub fn check_op(&self, op: &WriteOp) -> Result<()> {
        self.check_key(op.key())?;
        if let WriteOp::Put { value, .. } = op {
            self.check_value(value)?;
        }
        Ok(())
    }

    /// Checks a lifetime.
    ///
    /// # Errors
    /// `Invalid` under 1 ms or over 10 years.
    pub fn check_lifetime(lifetime: Duration) -> Result<()> {
        if lifetime < Self::LIFETIME_MIN {
            return Err(Error::invalid("the lifetime is under 1 ms"));
        }
        if lifetime > Self::LIFETIME_MAX {
            return Err(Error::invalid("the lifetime is over 10 years"));
        }
        Ok(())
    }

    /// Checks the lifetime that a write names, at `now`.
    ///
    /// # Errors
    /// `Invalid` for a duration under 1 ms or over 10 years, and for a point that has passed or
    /// lies over 10 years ahead.
    pub fn check_expiry(expiry: Expiry, now: Timestamp) -> Result<()> {
        match expiry {
            Expiry::After(lifetime) => Self::check_lifetime(lifetime),
            Expiry::At(deadline) => {
                if deadline <= now {
                    return Err(Error::invalid("the end of the lifetime has passed"));
                }
                Self::check_lifetime(deadline.saturating_since(now))
            }
            Expiry::Default | Expiry::Never | Expiry::Keep => Ok(()),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[inline]
fn check_size(what: &'static str, got: usize, limit: usize) -> Result<()> {
    if got > limit { Err(Error::too_large(what, got, limit)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn lifetimes_at_the_edges() {
        let now = Timestamp::from_unix_ms(1_000_000);
        let at = |ms: u64| Expiry::At(Timestamp::from_unix_ms(1_000_000 + ms));
        let ten_years_ms = 315_576_000_000;
        for legal in [
            Expiry::Default,
            Expiry::Never,
            Expiry::Keep,
            Expiry::After(Duration::from_millis(1)),
            Expiry::After(Limits::LIFETIME_MAX),
            at(1),
            at(ten_years_ms),
        ] {
            assert!(Limits::check_expiry(legal, now).is_ok(), "{legal:?}");
        }
        for bad in [
            Expiry::After(Duration::ZERO),
            Expiry::After(Duration::from_micros(999)),
            Expiry::After(Limits::LIFETIME_MAX + Duration::from_nanos(1)),
            Expiry::After(Duration::MAX),
            at(0),
            Expiry::At(Timestamp::from_unix_ms(0)),
            Expiry::At(Timestamp::from_unix_ms(u64::MAX)),
            at(ten_years_ms + 1),
        ] {
            let kind = Limits::check_expiry(bad, now).map_err(|error| error.kind());
            assert_eq!(kind, Err(ErrorKind::Invalid), "{bad:?}");
        }
    }
}
