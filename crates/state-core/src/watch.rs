//! The role of stores whose changes can be followed.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;

use crate::options::with_methods;
use crate::{Key, Result, Scope, Timestamp, Version};

/// Where a watch was when it told of an event; opaque, at most 4 KiB, good on any instance of the
/// namespace that made it. Cloning is cheap.
///
/// Its length is the backend's: a change log in one piece needs one position, one that is spread
/// over several nodes needs one for each part.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct ResumeToken(Bytes);

impl ResumeToken {
    /// A token from the bytes that a backend gave out. Whether they are a token of the namespace
    /// turns out when a watch resumes after it.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self(Bytes::copy_from_slice(bytes.as_ref()))
    }

    /// The bytes of the token, to be kept with what was derived from the events.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResumeToken({})", self.0.escape_ascii())
    }
}

/// Where a watch begins.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum WatchStart {
    /// With the first change after the watch was set up.
    #[default]
    Now,
    /// With the oldest change that is retained; needs the capability `WatchLog`.
    Oldest,
    /// After the event that bore this token; needs the capability `WatchLog`. When the events
    /// after it are no longer retained, or the token is of another history, the first event is
    /// a gap.
    After(ResumeToken),
}

/// What a watch follows.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WatchOptions {
    /// Names that begin with these literal bytes; empty for all.
    pub prefix: Bytes,
    /// Which partitions are followed. Default: all.
    pub scope: Scope,
    /// Where the watch begins. Default: now.
    pub start: WatchStart,
    /// Whether the stream waits for further changes (the default) or ends when it has told
    /// those that are retained.
    pub follow: bool,
}

impl WatchOptions {
    /// Follows names that begin with `prefix`, from now on.
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        Self { prefix: prefix.into(), scope: Scope::All, start: WatchStart::Now, follow: true }
    }

    /// Whether changes of `key` are told.
    pub fn covers(&self, key: &Key) -> bool {
        key.name().starts_with(&self.prefix) && self.scope.covers(key.partition())
    }
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self::new(Bytes::new())
    }
}

with_methods!(WatchOptions {
    /// Sets which partitions are followed.
    with_scope => scope: Scope,
    /// Sets where the watch begins.
    with_start => start: WatchStart,
    /// Sets whether the stream waits for further changes.
    with_follow => follow: bool,
});

/// What happened.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// An entry was written.
    Put {
        /// Its key.
        key: Key,
        /// The version that the write gave it; another may have replaced it since.
        version: Version,
        /// The end of its lifetime, if it has one.
        deadline: Option<Timestamp>,
    },
    /// The lifetime of an entry changed and its value did not.
    Touched {
        /// Its key.
        key: Key,
        /// The end of its lifetime, if it has one.
        deadline: Option<Timestamp>,
    },
    /// An entry was removed.
    Deleted {
        /// Its key.
        key: Key,
    },
    /// The lifetime of an entry had ended when its expired record was reclaimed. Told some time
    /// after the deadline, and not at all when the entry was written anew before.
    Expired {
        /// Its key.
        key: Key,
    },
    /// An entry was evicted because the capacity was reached.
    Evicted {
        /// Its key.
        key: Key,
    },
    /// The fields or the lifetime of a hash changed.
    HashChanged {
        /// Its key.
        key: Key,
    },
    /// Everything under a prefix was removed, entries and hashes.
    Cleared {
        /// The prefix.
        prefix: Bytes,
        /// The partitions.
        scope: Scope,
    },
    /// Changes may have been missed here: read anew what you derived from them.
    Gap,
}

impl Change {
    /// The key that changed; `None` for `Cleared` and `Gap`.
    pub const fn key(&self) -> Option<&Key> {
        match self {
            Self::Put { key, .. }
            | Self::Touched { key, .. }
            | Self::Deleted { key }
            | Self::Expired { key }
            | Self::Evicted { key }
            | Self::HashChanged { key } => Some(key),
            Self::Cleared { .. } | Self::Gap => None,
        }
    }
}

/// A change and where the watch was when it told of it.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WatchEvent {
    /// Resumes after this event.
    pub token: ResumeToken,
    /// What happened.
    pub change: Change,
}

impl WatchEvent {
    /// An event that can be resumed after with `token`.
    pub const fn new(token: ResumeToken, change: Change) -> Self {
        Self { token, change }
    }
}

/// Following the changes of a namespace.
#[async_trait]
pub trait Watch: Debug + Send + Sync {
    /// Follows changes; every change made after this call has returned is told, or a gap is.
    ///
    /// The changes of one key come in the order in which they happened. Changes that follow
    /// each other may be merged into the last of them where only `Watch` and not `WatchLog` is
    /// offered; there, a touch of an entry whose put was not told may be told as a put of the
    /// version that it has, and what expired or was evicted as deleted. A reader that is too slow gets a gap, never a silent loss. Events carry no
    /// values: read the entry.
    /// The stream ends after an error; another watch resumes after the last token.
    ///
    /// # Errors
    /// `Unsupported` for `Oldest` and `After` without the capability `WatchLog`; `Invalid` for
    /// `follow: false` together with `Now`.
    ///
    /// # Cancellation
    /// Dropping the future or the stream ends the watch and nothing else.
    async fn watch(&self, options: WatchOptions) -> Result<BoxStream<'static, Result<WatchEvent>>>;
}
