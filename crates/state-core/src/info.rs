//! What a backend says about itself.

use crate::Namespace;

/// What a backend says about itself, fit to be shown and logged: it holds no secret.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackendInfo {
    /// The kind of store, as in its URL: `memory`, `file`, `redis`.
    pub scheme: &'static str,
    /// The namespace of this instance.
    pub namespace: Namespace,
    /// Where the store is, without passwords: a path, an address, or empty.
    pub location: String,
    /// What runs there, for example the engine and the version of its format; or empty.
    pub server: String,
}

impl BackendInfo {
    /// A backend of kind `scheme` bound to `namespace`.
    pub fn new(scheme: &'static str, namespace: Namespace) -> Self {
        Self { scheme, namespace, location: String::new(), server: String::new() }
    }

    /// Adds where the store is. Must not hold a password.
    #[must_use]
    pub fn with_location(mut self, location: impl Into<String>) -> Self {
        self.location = location.into();
        self
    }

    /// Adds what runs there.
    #[must_use]
    pub fn with_server(mut self, server: impl Into<String>) -> Self {
        self.server = server.into();
        self
    }
}
