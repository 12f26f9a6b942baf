//! Makes connections to any node of a store, all with the same settings.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use state_core::Result;
use tokio::sync::mpsc::UnboundedSender;

use super::connection::Speaker;
use super::dial::dial;
use super::observe::Pulse;
use super::tls::TlsSettings;
use super::wire::Wire;
use super::{Connection, Trouble, handshake, pause};
use crate::config::{Address, RedisConfig};
use crate::errors::{Fault, Sent};

/// Requests that may wait for the writer of a connection with messages.
const QUEUE: usize = 4_096;

/// What a connection is for, as far as its first commands depend on it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Purpose {
    /// Any server that answers.
    Any,
    /// The server must say that it is a primary.
    Primary,
    /// Reads from a replica of a cluster, which must be asked for.
    ClusterReplica,
    /// Questions to a sentinel, with the login for sentinels.
    Sentinel,
}

/// Makes connections. Cheap to share; holds no connection itself.
#[derive(Debug)]
pub(crate) struct Connector {
    config: Arc<RedisConfig>,
    tls: Option<TlsSettings>,
}

impl Connector {
    /// Reads what `config` names; connects to nothing yet.
    pub(crate) fn new(config: &RedisConfig) -> Result<Self> {
        let tls = config.tls.options().map(TlsSettings::new).transpose()?;
        Ok(Self { config: Arc::new(config.clone()), tls })
    }

    /// The settings of the store.
    pub(crate) fn config(&self) -> &Arc<RedisConfig> {
        &self.config
    }

    /// Makes one connection within the time that the settings allow.
    pub(crate) async fn connect(
        &self,
        address: &Address,
        purpose: Purpose,
    ) -> Result<Connection, Trouble> {
        let made = self.make(address, purpose, None);
        let limit = self.config.connect_timeout();
        tokio::time::timeout(limit, made)
            .await
            .unwrap_or_else(|_| Err(Fault::ConnectTimeout.into()))
    }

    /// Makes one connection that speaks RESP3 and hands what the server sends unasked to `pushes`.
    pub(crate) async fn connect_with_pushes(
        &self,
        address: &Address,
        purpose: Purpose,
        pushes: UnboundedSender<redis::PushInfo>,
    ) -> Result<Connection, Trouble> {
        let made = self.make(address, purpose, Some(pushes));
        let limit = self.config.connect_timeout();
        tokio::time::timeout(limit, made)
            .await
            .unwrap_or_else(|_| Err(Fault::ConnectTimeout.into()))
    }

    /// Makes one connection, starting another try whenever `hedge` has passed without an answer:
    /// a try that began while the network was gone may take much longer than one that begins now.
    /// What no other try can change is told at once.
    pub(crate) async fn connect_hedged(
        &self,
        address: &Address,
        purpose: Purpose,
        hedge: Duration,
    ) -> Result<Connection, Trouble> {
        let mut tries = FuturesUnordered::new();
        tries.push(self.connect(address, purpose));
        loop {
            tokio::select! {
                Some(made) = tries.next() => {
                    let settled = made.as_ref().map_or_else(Trouble::is_permanent, |_| true);
                    if settled || tries.is_empty() {
                        return made;
                    }
                }
                () = pause(hedge) => tries.push(self.connect(address, purpose)),
            }
        }
    }

    async fn make(
        &self,
        address: &Address,
        purpose: Purpose,
        pushes: Option<UnboundedSender<redis::PushInfo>>,
    ) -> Result<Connection, Trouble> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Fault::Closed)?;
        let pulse = Arc::new(Pulse::default());
        let stream = dial(address, &self.config, self.tls.as_ref(), &pulse).await?;
        let Some(pushes) = pushes else {
            let (wire, driver) = Wire::over(stream);
            let mut connection = Connection::start(Speaker::Wire(wire), driver, pulse, &runtime);
            handshake::greet(&mut connection, &self.config, purpose, false).await?;
            return Ok(connection);
        };
        let mut settings = redis::RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_protocol(redis::ProtocolVersion::RESP3);
        let (username, password) = handshake::login(&self.config, purpose);
        if let Some(password) = password {
            settings = settings
                .set_username(username.unwrap_or("default"))
                .set_password(password.expose());
        }
        // The deadlines of calls are ours; this client's own would cut blocking commands.
        let options = redis::AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(QUEUE)
            .set_push_sender(pushes);
        let (shared, driver) =
            redis::aio::MultiplexedConnection::new_with_config(&settings, stream, options)
                .await
                .map_err(|error| Trouble::Redis(error, Sent::No))?;
        let mut connection = Connection::start(Speaker::Pushing(shared), driver, pulse, &runtime);
        handshake::greet(&mut connection, &self.config, purpose, true).await?;
        Ok(connection)
    }
}
