//! What typed reads return and typed updates decide.

use std::any::type_name;
use std::fmt;

use state_core::{Expires, Version};

/// A decoded value and what is known about its entry.
#[non_exhaustive]
#[derive(Clone, Eq, PartialEq)]
pub struct TypedEntry<T> {
    /// The value.
    pub value: T,
    /// The version, for [`compare_and_set`](crate::Typed::compare_and_set).
    pub version: Version,
    /// The lifetime; `Unknown` unless asked for or known for free.
    pub expires: Expires,
}

/// Shows the type of the value, never the value.
impl<T> fmt::Debug for TypedEntry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value: _, version, expires } = self;
        f.debug_struct("TypedEntry")
            .field("value", &format_args!("{}", type_name::<T>()))
            .field("version", version)
            .field("expires", expires)
            .finish()
    }
}

/// What an [`update`](crate::Typed::update) does with the value that it saw.
#[non_exhaustive]
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum TypedUpdate<T> {
    /// Stores this value.
    Put(T),
    /// Removes the entry.
    Delete,
    /// Leaves it as it is.
    Keep,
}

/// Shows the type of the value, never the value.
impl<T> fmt::Debug for TypedUpdate<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(_) => write!(f, "Put({})", type_name::<T>()),
            Self::Delete => f.write_str("Delete"),
            Self::Keep => f.write_str("Keep"),
        }
    }
}
