//! What may be chosen for a namespace when it is opened for the first time.

use std::sync::Arc;

use state_core::{Error, Result};

use super::Partitioner;

/// The longest id of a partitioner, in bytes.
const ID_BYTES_MAX: usize = 64;

/// What an opener asks of a namespace.
///
/// Everything that is not said is taken as it is recorded, or by its default when the namespace is
/// new. What is said and differs from what is recorded is refused.
///
/// ```
/// # use std::sync::Arc;
/// # use state_redis::{NamespaceOptions, Partitioner};
/// # fn example(by_region: Arc<dyn Partitioner>) -> NamespaceOptions {
/// NamespaceOptions::new().with_partitioner(by_region)
/// # }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct NamespaceOptions {
    /// Which keys lie together in a cluster. Default: each partition, and each key without one, is
    /// placed on its own.
    pub partitioner: Option<Arc<dyn Partitioner>>,
}

impl NamespaceOptions {
    /// Takes the namespace as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which keys lie together in a cluster.
    #[must_use]
    pub fn with_partitioner(mut self, partitioner: Arc<dyn Partitioner>) -> Self {
        self.partitioner = Some(partitioner);
        self
    }

    /// Checks what can be checked without asking the server.
    pub(super) fn check(&self) -> Result<()> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if let Some(id) = self.partitioner.as_ref().map(|partitioner| partitioner.id())
            && (id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(known))
        {
            let message = "partitioner: its id must be 1 to 64 letters, digits, '_', '.' or '-'";
            return Err(Error::invalid(message));
        }
        Ok(())
    }
}
