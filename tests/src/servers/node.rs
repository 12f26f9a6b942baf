//! One server of a setup.

use std::net::SocketAddr;

use super::admin::Access;
use super::error::{Result, ServersError};
use super::instance::Instance;
use super::patience::{NotYet, until};
use super::reply::Reply;
use crate::proxy::Proxy;

/// What a server is for. Which of the data servers is the primary changes with a failover; see
/// [`Running::primaries`](super::Running::primaries).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Holds data.
    Data,
    /// Watches others.
    Sentinel,
}

/// One server of a setup.
#[derive(Debug)]
pub struct Node {
    pub(crate) kind: Kind,
    pub(crate) access: Access,
    pub(crate) instance: Instance,
    pub(crate) proxy: Option<Proxy>,
    /// By what the server is recognised as the one that was started, and not another one on its port.
    pub(crate) token: Option<String>,
}

impl Node {
    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where clients reach it: its proxy, if it has one.
    pub fn address(&self) -> SocketAddr {
        self.proxy.as_ref().map_or(self.access.address, Proxy::address)
    }

    /// Where it listens itself.
    pub fn direct_address(&self) -> SocketAddr {
        self.access.address
    }

    /// The proxy in front of it, where the setup was started with proxies.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The number of its process while it runs; `None` for a server given by a URL.
    pub fn pid(&self) -> Option<u32> {
        self.instance.pid()
    }

    /// Sends a command as an administrator, past any proxy, and returns the reply: an error reply too.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not answer within ten seconds.
    pub fn admin(&self, words: &[&str]) -> Result<Reply> {
        self.access.ask(words)
    }

    /// Waits until it answers and has loaded its data.
    pub(crate) fn wait_until_ready(&self) -> Result<()> {
        until(&format!("the server on {} is ready", self.access.address), || self.check_ready())
    }

    fn check_ready(&self) -> std::result::Result<(), NotYet> {
        if !self.instance.is_running() {
            let log = self.instance.log();
            return Err(NotYet::Never(ServersError::Ended(format!("a server ended:\n{log}"))));
        }
        self.admin(&["PING"])?.ok()?;
        let Some(token) = &self.token else { return Ok(()) };
        let answer = match self.kind {
            Kind::Data => self.admin(&["CONFIG", "GET", "syslog-ident"])?.field("syslog-ident"),
            Kind::Sentinel => Some(self.admin(&["SENTINEL", "MYID"])?.ok()?.text()),
        };
        if answer.as_ref() == Some(token) {
            return Ok(());
        }
        Err(NotYet::because("another server answers on this port"))
    }
}
