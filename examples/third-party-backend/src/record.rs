//! What is stored under a key, and how a lifetime becomes a deadline.

use bytes::Bytes;
use state_core::{Entry, Expires, Expiry, Limits, Result, Timestamp, Version};

/// What is stored under a key.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) value: Bytes,
    pub(crate) version: Version,
    pub(crate) deadline: Option<Timestamp>,
}

impl Record {
    /// An expired record is absent, whether or not it has been dropped.
    pub(crate) fn is_present(&self, now: Timestamp) -> bool {
        self.deadline.is_none_or(|deadline| now < deadline)
    }

    pub(crate) fn to_entry(&self, now: Timestamp) -> Entry {
        Entry::new(self.value.clone(), self.version).with_expires(Expires::of(self.deadline, now))
    }
}

/// The deadline that a write names; `current` is that of the entry which is there now.
pub(crate) fn deadline(
    expiry: Expiry,
    current: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    Limits::check_expiry(expiry, now)?;
    Ok(match expiry {
        Expiry::After(lifetime) => now.checked_add(lifetime),
        Expiry::At(deadline) => Some(deadline),
        Expiry::Keep => current,
        // No lifetime can be configured here. A variant that is added later is never chosen.
        _ => None,
    })
}
