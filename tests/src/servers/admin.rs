//! The administrative connection of the harness: plain RESP over TCP or TLS, one connection per question.
//!
//! It has nothing to do with the driver under test, and goes to the server itself, not through a proxy.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::error::{Result, ServersError, while_doing};
use super::reply::Reply;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How the harness reaches a server.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) login: Option<Login>,
}

/// A user of a server.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name of the user; `None` for the default user.
    pub user: Option<String>,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Access {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, login: None }
    }

    /// Sends one command and returns its reply, an error reply included.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<Reply> {
        let socket = TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT)?;
        socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        match &self.tls {
            None => self.converse(socket, words),
            Some(config) => {
                let name = ServerName::IpAddress(self.address.ip().into());
                let client = ClientConnection::new(Arc::clone(config), name)
                    .map_err(while_doing("starting TLS"))?;
                self.converse(StreamOwned::new(client, socket), words)
            }
        }
    }

    fn converse(&self, stream: impl Read + Write, words: &[&str]) -> Result<Reply> {
        let mut stream = BufReader::new(stream);
        if let Some(login) = &self.login {
            let mut auth = vec!["AUTH"];
            auth.extend(login.user.as_deref());
            auth.push(&login.password);
            stream.get_mut().write_all(&encode(&auth))?;
            Reply::read(&mut stream)?.ok()?;
        }
        stream.get_mut().write_all(&encode(words))?;
        stream.get_mut().flush()?;
        Reply::read(&mut stream)
    }
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(word.bytes());
        bytes.extend(b"\r\n");
    }
    bytes
}

/// TLS to servers that the harness itself has started, whatever certificate they were told to show.
pub(crate) fn unchecked_tls() -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Unchecked(Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ServersError::System(format!("setting up TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Accepts any certificate: a test may want a server with an expired one, and still has to look after it.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
