//! TLS: whom to trust, and how a server that speaks plain text is told from a broken one.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use state_core::{Error, ErrorKind, Result};
use tokio_rustls::TlsConnector;

use crate::config::TlsOptions;

/// What every encrypted connection of a client shares.
#[derive(Clone)]
pub(crate) struct TlsSettings {
    connector: TlsConnector,
    /// The name to expect in the certificate, if it is not the host that is dialled.
    server_name: Option<ServerName<'static>>,
}

impl TlsSettings {
    /// Reads the files that `options` names.
    pub(crate) fn new(options: &TlsOptions) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(ErrorKind::Internal, "no tls version").with_source(error))?
            .with_root_certificates(roots(options.ca_file.as_deref())?);
        let config = match (&options.client_cert_file, &options.client_key_file) {
            (Some(cert), Some(key)) => {
                let chain = certificates(cert, "tls.client_cert_file")?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| unreadable("tls.client_key_file").with_source(error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    Error::invalid("tls.client_cert_file and tls.client_key_file do not fit")
                        .with_source(error)
                })?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => {
                return Err(Error::invalid(
                    "tls.client_cert_file and tls.client_key_file need each other",
                ));
            }
        };
        let server_name = options.server_name.as_deref().map(name_of).transpose()?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name })
    }

    /// What makes TLS of a plain stream.
    pub(crate) fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    /// The name that the certificate of the server at `host` must bear.
    pub(crate) fn name_for(&self, host: &str) -> Option<ServerName<'static>> {
        self.server_name.clone().or_else(|| name_of(host).ok())
    }
}

impl std::fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSettings")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

fn name_of(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| Error::invalid("tls.server_name is not a name or an address"))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    if let Some(file) = file {
        for certificate in certificates(file, "tls.ca_file")? {
            store.add(certificate).map_err(|error| unreadable("tls.ca_file").with_source(error))?;
        }
    } else {
        // Single certificates of the system that cannot be read do not matter while others can.
        let (_, _) =
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(Error::invalid("the system has no trusted certificates: set tls.ca_file"));
        }
    }
    Ok(store)
}

fn certificates(file: &Path, setting: &'static str) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| unreadable(setting).with_source(error))?;
    if read.is_empty() { Err(unreadable(setting)) } else { Ok(read) }
}

fn unreadable(setting: &'static str) -> Error {
    Error::invalid(format!("{setting} cannot be read as pem"))
}
