//! Failures on our side of the connection.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind as RedisKind, RedisError};
use rustls::{CertificateError, Error as TlsError};

use super::Failure;

/// Whether the server may have the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sent {
    /// Not a byte of it was written.
    No,
    /// Some of it may have been written.
    Maybe,
}

/// A failure that no server reported.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Fault {
    /// The host name has no address.
    Resolve,
    /// Nobody listens there.
    Refused,
    /// No route to the host.
    Unreachable,
    /// The connection was not made in time.
    ConnectTimeout,
    /// The connection ended before the request was written.
    LostBeforeSend,
    /// The connection ended after the request, or a part of it, was written.
    LostAfterSend,
    /// The server took nothing of what was to be written in time.
    WriteTimeout,
    /// The reply did not come in time.
    ReplyTimeout,
    /// The deadline of the call had passed before the request was sent.
    Late,
    /// The socket in the file system is not there.
    SocketMissing,
    /// The socket in the file system is not ours to use.
    SocketDenied,
    /// The certificate of the server is not trusted, not valid, or not valid now.
    TlsCertificate,
    /// The certificate of the server is for another name.
    TlsName,
    /// The server wants another certificate from us, or one at all.
    TlsRefused,
    /// The port does not speak TLS.
    TlsPlaintext,
    /// The handshake failed in another way.
    TlsHandshake,
    /// What was read is not the protocol, on a connection that has worked.
    Protocol,
    /// What was read first is not the protocol: another service, or a port for TLS.
    NotRedis,
    /// A reply that the command does not have.
    Unexpected,
    /// The server has no append-only file, or cannot wait for it.
    NoAppendOnlyFile,
    /// The server knows no RESP3.
    Resp3,
    /// The login failed, and the library does not say how.
    Login,
    /// No exclusive connection came free in time.
    PoolExhausted,
    /// No sentinel answered, or none knows the primary.
    NoPrimary,
    /// No node of the cluster answered, or none serves the slot.
    NoNode,
    /// Another server than expected: a replica where the primary should be.
    WrongRole,
    /// The library refuses the configuration.
    Config,
    /// The store was closed.
    Closed,
    /// The library failed in a way that nobody foresaw.
    Library,
}

pub(super) fn from_redis(error: &RedisError, sent: Sent) -> Failure {
    let fault = match error.kind() {
        RedisKind::Server(kind) => {
            // A transaction that was aborted tells what aborted it.
            let first = error.clone().into_server_errors();
            if let Some((_, cause)) = first.as_deref().and_then(<[_]>::first) {
                return Failure::from_server(cause);
            }
            let code = error.code().map_or_else(|| format!("{kind:?}"), str::to_owned);
            return Failure::from_reply(&code, error.detail().unwrap_or_default());
        }
        RedisKind::Extension => {
            let first = error.clone().into_server_errors();
            return match first.as_deref().and_then(<[_]>::first) {
                Some((_, cause)) => Failure::from_server(cause),
                None => Fault::Library.into(),
            };
        }
        RedisKind::Io => {
            let source = StdError::source(error);
            return match source.and_then(cause::<io::Error>) {
                Some(io) => from_io(io, sent),
                None => lost(sent).into(),
            };
        }
        RedisKind::Parse if sent == Sent::No => Fault::NotRedis,
        RedisKind::Parse => Fault::Protocol,
        RedisKind::UnexpectedReturnType => Fault::Unexpected,
        RedisKind::AuthenticationFailed => Fault::Login,
        RedisKind::InvalidClientConfig => Fault::Config,
        RedisKind::RESP3NotSupported => Fault::Resp3,
        RedisKind::MasterNameNotFoundBySentinel
        | RedisKind::NoValidReplicasFoundBySentinel
        | RedisKind::EmptySentinelList => Fault::NoPrimary,
        RedisKind::ClusterConnectionNotFound => Fault::NoNode,
        _ => match StdError::source(error).and_then(cause::<TlsError>) {
            Some(tls) => of_tls(tls),
            None => Fault::Library,
        },
    };
    fault.into()
}

pub(super) fn from_io(error: &io::Error, sent: Sent) -> Failure {
    // What the TLS library found is wrapped once.
    let inner = error.get_ref().map(|inner| inner as &(dyn StdError + 'static));
    if let Some(tls) = inner.and_then(cause::<TlsError>) {
        return match sent {
            Sent::No => of_tls(tls).into(),
            Sent::Maybe => Fault::LostAfterSend.into(),
        };
    }
    let fault = match (error.kind(), sent) {
        (io::ErrorKind::ConnectionRefused, _) => Fault::Refused,
        (io::ErrorKind::TimedOut, Sent::No) => Fault::ConnectTimeout,
        (io::ErrorKind::TimedOut, Sent::Maybe) => Fault::ReplyTimeout,
        (io::ErrorKind::NotFound, Sent::No) => Fault::SocketMissing,
        (io::ErrorKind::PermissionDenied, Sent::No) => Fault::SocketDenied,
        (
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable,
            Sent::No,
        ) => Fault::Unreachable,
        (_, sent) => lost(sent),
    };
    Failure::from(fault).with_source(error)
}

/// What is wrong between us and the server's TLS.
pub(super) fn of_tls(error: &TlsError) -> Fault {
    match error {
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Fault::TlsName,
        TlsError::InvalidCertificate(_)
        | TlsError::InvalidCertRevocationList(_)
        | TlsError::NoCertificatesPresented => Fault::TlsCertificate,
        TlsError::InvalidMessage(_) => Fault::TlsPlaintext,
        TlsError::AlertReceived(_) => Fault::TlsRefused,
        _ => Fault::TlsHandshake,
    }
}

const fn lost(sent: Sent) -> Fault {
    match sent {
        Sent::No => Fault::LostBeforeSend,
        Sent::Maybe => Fault::LostAfterSend,
    }
}

/// Looks for a `T`, also behind the shared pointer in which the library hands out its causes.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    error.downcast_ref().or_else(|| {
        let shared: &'a Arc<dyn StdError + Send + Sync> = error.downcast_ref()?;
        shared.downcast_ref()
    })
}
