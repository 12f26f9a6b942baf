//! The namespace of a backend instance.

use std::fmt;

use bytes::Bytes;

use crate::{Error, Result};

/// Separates the keys of one backend instance from all others in the same store.
///
/// Literal bytes, 1 to 256 of them. Namespace `a` sees nothing of namespace `ab`.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Namespace(Bytes);

impl Namespace {
    /// The longest namespace, in bytes.
    pub const BYTES_MAX: usize = 256;

    /// A checked namespace.
    ///
    /// # Errors
    /// `Invalid` when empty, `TooLarge` over 256 bytes.
    pub fn new(name: impl Into<Bytes>) -> Result<Self> {
        let name = name.into();
        if name.is_empty() {
            return Err(Error::invalid("the namespace is empty"));
        }
        if name.len() > Self::BYTES_MAX {
            return Err(Error::too_large("namespace", name.len(), Self::BYTES_MAX));
        }
        Ok(Self(name))
    }

    /// The bytes of the namespace.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

/// The namespace `default`.
impl Default for Namespace {
    fn default() -> Self {
        Self(Bytes::from_static(b"default"))
    }
}

/// Shows the namespace with everything but printable ASCII escaped.
impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Outcome};

    #[test]
    fn a_namespace_has_1_to_256_bytes() {
        for bytes in [1, 255, 256] {
            let namespace = Namespace::new(vec![0xFF; bytes]).unwrap();
            assert_eq!(namespace.as_bytes().len(), bytes);
        }
        let refused = |bytes| {
            let error = Namespace::new(vec![b'n'; bytes]).unwrap_err();
            assert_eq!(error.outcome(), Outcome::NotApplied);
            error.kind()
        };
        assert_eq!(refused(0), ErrorKind::Invalid);
        assert_eq!([refused(257), refused(1 << 20)], [ErrorKind::TooLarge; 2]);
    }
}
