//! Listing, counting and clearing: scope, pages and options.

use std::fmt;

use bytes::Bytes;

use crate::options::with_methods;
use crate::{Acks, Consistency, Fence};

/// Which partitions a listing covers.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum Scope {
    /// Keys with and without a partition.
    #[default]
    All,
    /// Keys without a partition.
    Unpartitioned,
    /// Keys in this partition.
    Partition(Bytes),
}

impl Scope {
    /// Whether a key in `partition` is covered.
    pub fn covers(&self, partition: Option<&Bytes>) -> bool {
        match self {
            Self::All => true,
            Self::Unpartitioned => partition.is_none(),
            Self::Partition(wanted) => partition == Some(wanted),
        }
    }
}

/// Where a listing goes on; opaque, made by the backend that reads it.
///
/// It stays good while the namespace changes: an entry that is present from the first page to
/// the last is listed; one that comes or goes meanwhile may be.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct PageToken(Bytes);

impl PageToken {
    /// A token from the bytes that a backend gave out.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes of the token.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageToken({} bytes)", self.0.len())
    }
}

/// One page of a listing.
#[non_exhaustive]
#[derive(Clone, Eq, PartialEq)]
pub struct Page<T> {
    /// The items; may be fewer than asked for, even none, while `next` is there.
    pub items: Vec<T>,
    /// Where the listing goes on; `None` when it is complete.
    pub next: Option<PageToken>,
}

impl<T> Page<T> {
    /// A page, and where the listing goes on.
    pub const fn new(items: Vec<T>, next: Option<PageToken>) -> Self {
        Self { items, next }
    }
}

/// Shows how many items there are, not the items: they may be fields of a hash with their values.
impl<T> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, next } = self;
        f.debug_struct("Page").field("items", &items.len()).field("next", next).finish()
    }
}

/// What [`list_page`](crate::StateBackend::list_page) lists.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListOptions {
    /// Names that begin with these literal bytes; empty for all.
    pub prefix: Bytes,
    /// Which partitions are listed. Default: all.
    pub scope: Scope,
    /// The most items of a page, from 1; a backend may return fewer. Default: 1,000.
    pub limit: usize,
    /// Where to go on. Default: at the beginning.
    pub token: Option<PageToken>,
    /// Only names greater than this one, in each partition; needs
    /// [`OrderedList`](crate::Capability::OrderedList). Default: from the first name on.
    pub after: Option<Bytes>,
    /// Asks for each entry's lifetime.
    pub expiry: bool,
    /// How fresh the answer must be. Default: `Strong`.
    pub consistency: Consistency,
}

impl ListOptions {
    /// Lists names that begin with `prefix`.
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        Self {
            prefix: prefix.into(),
            scope: Scope::All,
            limit: 1_000,
            token: None,
            after: None,
            expiry: false,
            consistency: Consistency::Strong,
        }
    }
}

impl Default for ListOptions {
    fn default() -> Self {
        Self::new(Bytes::new())
    }
}

with_methods!(ListOptions {
    /// Sets which partitions are listed.
    with_scope => scope: Scope,
    /// Sets the most items of a page.
    with_limit => limit: usize,
    /// Sets where to go on.
    with_token => into token: Option<PageToken>,
    /// Lists only names greater than this one.
    with_after => into after: Option<Bytes>,
    /// Asks for each entry's lifetime.
    with_expiry => expiry: bool,
    /// Sets how fresh the answer must be.
    with_consistency => consistency: Consistency,
});

/// What [`count_opts`](crate::StateBackend::count_opts) counts.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CountOptions {
    /// Names that begin with these literal bytes; empty for all.
    pub prefix: Bytes,
    /// Which partitions are counted. Default: all.
    pub scope: Scope,
    /// How fresh the answer must be. Default: `Strong`.
    pub consistency: Consistency,
}

impl CountOptions {
    /// Counts names that begin with `prefix`.
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }
}

with_methods!(CountOptions {
    /// Sets which partitions are counted.
    with_scope => scope: Scope,
    /// Sets how fresh the answer must be.
    with_consistency => consistency: Consistency,
});

/// What [`clear_opts`](crate::StateBackend::clear_opts) removes.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClearOptions {
    /// Names that begin with these literal bytes; empty for all.
    pub prefix: Bytes,
    /// Which partitions are cleared. Default: all.
    pub scope: Scope,
    /// How safe the removal must be. Default: applied by the primary.
    pub acks: Acks,
    /// Makes the removal as the holder of a lease.
    pub fence: Option<Fence>,
}

impl ClearOptions {
    /// Removes names that begin with `prefix`.
    pub fn new(prefix: impl Into<Bytes>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }
}

with_methods!(ClearOptions {
    /// Sets which partitions are cleared.
    with_scope => scope: Scope,
    /// Sets how safe the removal must be.
    with_acks => into acks: Acks,
    /// Makes the removal as the holder of a lease.
    with_fence => into fence: Option<Fence>,
});
