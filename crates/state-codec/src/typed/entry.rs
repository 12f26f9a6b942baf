//! What typed reads return and typed updates decide.

use state_core::{Expires, Version};

/// A decoded value and what is known about its entry.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypedEntry<T> {
    /// The value.
    pub value: T,
    /// The version, for [`compare_and_set`](crate::Typed::compare_and_set).
    pub version: Version,
    /// The lifetime; `Unknown` unless asked for or known for free.
    pub expires: Expires,
}

/// What an [`update`](crate::Typed::update) does with the value that it saw.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TypedUpdate<T> {
    /// Stores this value.
    Put(T),
    /// Removes the entry.
    Delete,
    /// Leaves it as it is.
    Keep,
}
