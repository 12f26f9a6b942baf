//! Opening the stream of a connection: TCP and its options, TLS, Unix sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::observe::{Observed, Pulse};
use super::tls::TlsSettings;
use super::{Trouble, pause};
use crate::config::{Address, RedisConfig};
use crate::errors::Fault;

/// The bytes of a connection, whatever carries them.
pub(crate) trait Stream:
    AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug + 'static
{
}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug + 'static> Stream for S {}

/// How long a TLS handshake may take before it is asked whether the server speaks TLS at all.
const PATIENCE: Duration = Duration::from_millis(250);

/// Opens a stream to `address`, encrypted where `tls` says so and never without it then. What its
/// peer shows of life is told to `pulse`.
pub(crate) async fn dial(
    address: &Address,
    config: &RedisConfig,
    tls: Option<&TlsSettings>,
    pulse: &Arc<Pulse>,
) -> Result<Box<dyn Stream>, Trouble> {
    let patience = config.write_timeout();
    match (address, tls) {
        (Address::Unix { path }, _) => {
            let made = UnixStream::connect(path).await;
            let stream = made.map_err(Trouble::connecting)?;
            Ok(Box::new(Observed::new(stream, Arc::clone(pulse), patience)))
        }
        (Address::Tcp { host, port }, None) => {
            let stream = tcp(host, *port, config).await?;
            Ok(Box::new(Observed::new(stream, Arc::clone(pulse), patience)))
        }
        (Address::Tcp { host, port }, Some(tls)) => {
            let stream = tcp(host, *port, config).await?;
            let stream = Observed::new(stream, Arc::clone(pulse), patience);
            let name = tls.name_for(host).ok_or(Fault::TlsName)?;
            let handshake = tls.connector().connect(name, stream);
            let plaintext = async {
                pause(PATIENCE).await;
                if speaks_plaintext(host, *port, config).await {
                    return;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                made = handshake => match made {
                    Ok(stream) => Ok(Box::new(stream)),
                    Err(error) => Err(Trouble::connecting(error)),
                },
                () = plaintext => Err(Fault::TlsPlaintext.into()),
            }
        }
    }
}

async fn tcp(host: &str, port: u16, config: &RedisConfig) -> Result<TcpStream, Trouble> {
    let found = lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
    if addresses.is_empty() {
        return Err(Fault::Resolve.into());
    }
    let connected = TcpStream::connect(addresses.as_slice()).await;
    let stream = connected.map_err(Trouble::connecting)?;
    set_options(&stream, config).map_err(Trouble::connecting)?;
    Ok(stream)
}

fn set_options(stream: &TcpStream, config: &RedisConfig) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let probes = Duration::from_millis((config.tcp_keepalive_ms / 3).max(1_000));
    let keepalive = TcpKeepalive::new().with_time(config.tcp_keepalive()).with_interval(probes);
    socket.set_tcp_keepalive(&keepalive.with_retries(3))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(config.tcp_user_timeout()))?;
    Ok(())
}

/// Whether the server answers a plain `PING`: a server that speaks no TLS takes its handshake for
/// the start of a long line and says nothing. Only the error gets better by this; nothing else is
/// ever sent in the clear.
async fn speaks_plaintext(host: &str, port: u16, config: &RedisConfig) -> bool {
    let Ok(mut stream) = tcp(host, port, config).await else { return false };
    let mut first = [0; 1];
    stream.write_all(b"*1\r\n$4\r\nPING\r\n").await.is_ok()
        && stream.read_exact(&mut first).await.is_ok()
        && matches!(first, [b'+' | b'-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_without_an_address_is_told_as_such() {
        // No name service is asked about a name with a space in it.
        let address = Address::tcp("no such host", 6379);
        let trouble =
            dial(&address, &RedisConfig::default(), None, &Arc::default()).await.unwrap_err();
        assert!(trouble.to_string().contains("host name has no address"), "{trouble}");
    }
}
