//! The bounded compare-and-set loop behind `update`.

use std::fmt;

use bytes::Bytes;

use crate::byte_count::ByteCount;
use crate::{
    DeleteOptions, Error, ErrorKind, Expiry, GetOptions, Key, Outcome, Precondition, PutOptions,
    Result, StateBackend,
};

/// The most tries of one `update`.
const TRIES_MAX: u32 = 100;

/// What an [`update`](crate::StateBackendExt::update) does with the value that it saw.
#[non_exhaustive]
#[derive(Clone, Eq, PartialEq)]
pub enum UpdateAction {
    /// Stores this value.
    Put(Bytes),
    /// Removes the entry.
    Delete,
    /// Leaves it as it is.
    Keep,
}

impl UpdateAction {
    /// Stores `value`.
    pub fn put(value: impl Into<Bytes>) -> Self {
        Self::Put(value.into())
    }
}

/// Shows the size of the value, never its bytes.
impl fmt::Debug for UpdateAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(value) => f.debug_tuple("Put").field(&ByteCount(value.len())).finish(),
            Self::Delete => f.write_str("Delete"),
            Self::Keep => f.write_str("Keep"),
        }
    }
}

pub(super) async fn update<B, F>(backend: &B, key: Key, mut change: F) -> Result<Option<Bytes>>
where
    B: StateBackend + ?Sized,
    F: FnMut(Option<&Bytes>) -> UpdateAction + Send,
{
    for _ in 0..TRIES_MAX {
        let seen = backend.get_opts(&key, GetOptions::new()).await?;
        let version = seen.as_ref().map(|entry| entry.version);
        let value = seen.map(|entry| entry.value);
        let precondition = version.map_or(Precondition::Absent, Precondition::Matches);
        let tried = match change(value.as_ref()) {
            UpdateAction::Keep => return Ok(value),
            UpdateAction::Delete if version.is_none() => return Ok(None),
            UpdateAction::Delete => {
                let options = DeleteOptions::new().with_precondition(precondition);
                backend.delete_opts(&key, options).await.map(|_| None)
            }
            UpdateAction::Put(new) => {
                let expiry = if version.is_some() { Expiry::Keep } else { Expiry::Default };
                let options = PutOptions::new().with_precondition(precondition).with_expiry(expiry);
                backend.put_opts(&key, new.clone(), options).await.map(|_| Some(new))
            }
        };
        match tried {
            Err(error)
                if error.kind() == ErrorKind::Conflict
                    && error.outcome() == Outcome::NotApplied => {}
            done => return done,
        }
    }
    Err(Error::conflict("others changed the entry before each try")
        .with_op("update")
        .with_attempts(TRIES_MAX))
}
