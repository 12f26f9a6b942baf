//! Schema ids: which shape of a type a value was written with.

use thiserror::Error;

/// The source of the `Unsupported` error when a value has another schema than the reader knows.
///
/// Register a migration with [`Typed::with_migration`](crate::Typed::with_migration), or read it
/// with the type of that schema.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
#[error("the value has schema {found}, the reader has schema {expected}")]
pub struct SchemaMismatch {
    /// The schema id in the envelope.
    pub found: u32,
    /// The schema id of the reader.
    pub expected: u32,
}
