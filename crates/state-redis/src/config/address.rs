//! Where one server listens.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use state_core::{Error, Result};

/// The port of a server where none is given.
pub(crate) const SERVER_PORT: u16 = 6379;
/// The port of a sentinel where none is given.
pub(crate) const SENTINEL_PORT: u16 = 26_379;

/// Where one server listens: `host`, `host:port`, `[IPv6]:port` or `unix:/path`.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Address {
    /// A TCP port.
    Tcp {
        /// A host name or an IP address, IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix {
        /// The absolute path of the socket.
        path: PathBuf,
    },
}

impl Address {
    /// The port `port` of `host`; an IPv6 address without brackets.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp { host: host.into(), port }
    }

    /// The socket at `path`.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix { path: path.into() }
    }

    /// Whether it is a socket in the file system.
    pub const fn is_unix(&self) -> bool {
        matches!(self, Self::Unix { .. })
    }

    /// Reads an address, with `port` where none is given. No message shows the text: a mistyped
    /// URL may have put a password here.
    pub(crate) fn parse(text: &str, port: u16) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let address = Self::unix(path);
            address.check()?;
            return Ok(address);
        }
        let (host, given) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) =
                    rest.split_once(']').ok_or_else(|| bad("the bracket is not closed"))?;
                match after.strip_prefix(':') {
                    Some(given) => (host, Some(given)),
                    None if after.is_empty() => (host, None),
                    None => return Err(bad("only a port may follow the bracket")),
                }
            }
            None => match text.split_once(':') {
                Some((host, given)) => (host, Some(given)),
                None => (text, None),
            },
        };
        let port = match given {
            Some(given) => given.parse().map_err(|_| bad("the port is not a number"))?,
            None => port,
        };
        let address = Self::tcp(host, port);
        address.check()?;
        // Brackets are for IPv6 alone.
        if text.starts_with('[') && host.parse::<Ipv6Addr>().is_err() {
            return Err(bad("what is in brackets is not an IPv6 address"));
        }
        Ok(address)
    }

    /// Checks that it can be an address at all.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Tcp { port: 0, .. } => Err(bad("the port is 0")),
            Self::Tcp { host, .. } if host.is_empty() => Err(bad("the host is missing")),
            Self::Tcp { host, .. } if host.parse::<Ipv6Addr>().is_ok() => Ok(()),
            Self::Tcp { host, .. } => {
                url::Host::parse(host).map(|_| ()).map_err(|_| bad("the host is not a host name"))
            }
            Self::Unix { path } if Path::is_absolute(path) => Ok(()),
            Self::Unix { .. } => Err(bad("the path of the socket is not absolute")),
        }
    }
}

fn bad(reason: &'static str) -> Error {
    Error::invalid(reason)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text, SERVER_PORT)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?, SERVER_PORT).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for (text, shown) in [
            ("db", "db:6379"),
            ("redis_1:7000", "redis_1:7000"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[::1]", "[::1]:6379"),
            ("[fe80::2]:65535", "[fe80::2]:65535"),
            ("unix:/run/redis.sock", "unix:/run/redis.sock"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for bad in [
            "",
            ":6379",
            "hunter2:",
            "hunter2:0",
            "hunter2:65536",
            "hunter2:x",
            "[::1",
            "[::1]x",
            "[hunter2]",
            "::1",
            "hunter2 x",
            "hunter2/x",
            "unix:",
            "unix:hunter2",
        ] {
            let error = bad.parse::<Address>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
