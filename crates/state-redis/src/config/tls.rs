//! Whether connections are encrypted, and whom to trust.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Whether connections are encrypted.
///
/// There is no third state: with `On`, a server that does not speak TLS is an error, never a
/// plain connection.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Nothing is encrypted.
    #[default]
    Off,
    /// Everything is encrypted, to servers, replicas and sentinels alike.
    On(TlsOptions),
}

impl Tls {
    /// Whether connections are encrypted.
    pub const fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }

    /// The options, where connections are encrypted.
    pub const fn options(&self) -> Option<&TlsOptions> {
        match self {
            Self::On(options) => Some(options),
            Self::Off => None,
        }
    }
}

impl From<TlsOptions> for Tls {
    fn from(options: TlsOptions) -> Self {
        Self::On(options)
    }
}

/// Whom to trust, and who we are. All files are PEM.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// The certificates of the authorities to trust, and no others. Default: those that the
    /// operating system trusts.
    pub ca_file: Option<PathBuf>,
    /// Our certificate chain, for a server that asks for one; needs `client_key_file`.
    pub client_cert_file: Option<PathBuf>,
    /// The private key of our certificate; needs `client_cert_file`.
    pub client_key_file: Option<PathBuf>,
    /// The name that the server's certificate must have. Default: the host of its address.
    pub server_name: Option<String>,
}

impl TlsOptions {
    /// Trust in the authorities that the operating system trusts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authorities of this file, and no others.
    #[must_use]
    pub fn with_ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// Shows this certificate chain, whose private key is in `key_file`.
    #[must_use]
    pub fn with_client_cert(
        mut self,
        cert_file: impl Into<PathBuf>,
        key_file: impl Into<PathBuf>,
    ) -> Self {
        self.client_cert_file = Some(cert_file.into());
        self.client_key_file = Some(key_file.into());
        self
    }

    /// Expects this name in the server's certificate.
    #[must_use]
    pub fn with_server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }
}
