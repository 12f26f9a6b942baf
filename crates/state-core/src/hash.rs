//! The role of stores that keep fields under one key.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use crate::options::with_methods;
use crate::{Acks, Consistency, Expires, Expiry, Fence, Key, Page, PageToken, Result};

/// How hash fields are written.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HashWriteOptions {
    /// The lifetime of the whole hash. Default: `Keep`, so a field can be written without
    /// knowing the lifetime of the others; a hash that the write creates gets none.
    pub expiry: Expiry,
    /// How safe the write must be. Default: applied by the primary.
    pub acks: Acks,
    /// Makes the write as the holder of a lease.
    pub fence: Option<Fence>,
}

impl HashWriteOptions {
    /// A write that keeps the hash's lifetime.
    pub const fn new() -> Self {
        Self { expiry: Expiry::Keep, acks: Acks::Primary, fence: None }
    }
}

impl Default for HashWriteOptions {
    fn default() -> Self {
        Self::new()
    }
}

with_methods!(HashWriteOptions {
    /// Sets the lifetime of the whole hash.
    with_expiry => into expiry: Expiry,
    /// Sets how safe the write must be.
    with_acks => into acks: Acks,
    /// Makes the write as the holder of a lease.
    with_fence => into fence: Option<Fence>,
});

/// Which fields [`hash_page`](HashStore::hash_page) returns.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HashPageOptions {
    /// The most fields of a page, from 1; a backend may return fewer. Default: 1,000.
    pub limit: usize,
    /// Where to go on. Default: at the beginning.
    pub token: Option<PageToken>,
    /// How fresh the answer must be. Default: `Strong`.
    pub consistency: Consistency,
}

impl HashPageOptions {
    /// Pages of 1,000 fields.
    pub const fn new() -> Self {
        Self { limit: 1_000, token: None, consistency: Consistency::Strong }
    }
}

impl Default for HashPageOptions {
    fn default() -> Self {
        Self::new()
    }
}

with_methods!(HashPageOptions {
    /// Sets the most fields of a page.
    with_limit => limit: usize,
    /// Sets where to go on.
    with_token => into token: Option<PageToken>,
    /// Sets how fresh the answer must be.
    with_consistency => consistency: Consistency,
});

/// What is known of a hash as a whole.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HashState {
    /// The number of fields, at least 1.
    pub fields: u64,
    /// The lifetime of the hash.
    pub expires: Expires,
}

impl HashState {
    /// A hash of `fields` fields.
    pub const fn new(fields: u64, expires: Expires) -> Self {
        Self { fields, expires }
    }
}

/// Fields under one key, for records that are read and written in parts.
///
/// Hashes are a kind of their own: a hash and an entry can have the same key and know nothing
/// of each other; hashes have no versions and are not in `list` or `count`, but `clear` removes
/// them and snapshots hold them. One lifetime is for the whole hash. A hash without fields does
/// not exist. Field names are literal bytes, 1 to 1,024 of them.
///
/// Dropping a future may leave its call applied or not; no call is ever applied in part.
#[async_trait]
pub trait HashStore: Debug + Send + Sync {
    /// Writes fields and returns how many are new. Of a field named twice the last value stays.
    /// One atomic step; cost grows with the fields written.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn hash_set(
        &self,
        key: &Key,
        fields: Vec<(Bytes, Bytes)>,
        options: HashWriteOptions,
    ) -> Result<u64>;

    /// Reads fields, in the order asked for; `None` for each that is absent.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn hash_get(
        &self,
        key: &Key,
        fields: &[Bytes],
        consistency: Consistency,
    ) -> Result<Vec<Option<Bytes>>>;

    /// Removes fields and returns how many there were. The last field takes the hash with it.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn hash_delete(
        &self,
        key: &Key,
        fields: &[Bytes],
        options: HashWriteOptions,
    ) -> Result<u64>;

    /// Adds `by` to a field that holds a decimal number, absent being 0, and returns the sum.
    ///
    /// # Errors
    /// `Invalid` when the field holds something else or the sum leaves `i64`; nothing changes.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn hash_increment(
        &self,
        key: &Key,
        field: &Bytes,
        by: i64,
        options: HashWriteOptions,
    ) -> Result<i64>;

    /// Lists fields with their values, each at least once; where fields are ordered
    /// ([`OrderedFields`](crate::Capability::OrderedFields)), once and in their order.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn hash_page(&self, key: &Key, options: HashPageOptions) -> Result<Page<(Bytes, Bytes)>>;

    /// Tells the number of fields and the lifetime; `None` when there is no such hash.
    ///
    /// Cancellation: dropping the future has no effect on the store.
    async fn hash_state(&self, key: &Key, consistency: Consistency) -> Result<Option<HashState>>;

    /// Removes the whole hash and returns whether there was one.
    ///
    /// Cancellation: dropping the future does not take it back; it is applied whole or not at all.
    async fn hash_remove(&self, key: &Key, options: HashWriteOptions) -> Result<bool>;
}
