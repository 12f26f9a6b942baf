//! Free loopback ports, below those that the system gives to outgoing connections.
//!
//! A server that is killed and started again needs its port once more; in the system's own range a connection of another
//! program could have taken it meanwhile.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::error::{Result, ServersError};

/// The ports that are tried. A cluster node takes the one that is [`BUS_OFFSET`] higher, too.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;
/// How far the port of a node's cluster bus is above its port.
pub(crate) const BUS_OFFSET: u16 = 10_000;
const TRIES: u32 = 1_000;

/// A port that is free now, and whose bus port is; another program may still take it first.
pub(crate) fn free() -> Result<u16> {
    for _ in 0..TRIES {
        let port = FIRST + random()? % COUNT;
        if is_free(port) && is_free(port + BUS_OFFSET) {
            return Ok(port);
        }
    }
    Err(ServersError::System(format!("no free port in {TRIES} tries")))
}

/// The loopback address with this port.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(loopback(port)).is_ok()
}

fn random() -> Result<u16> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes)
        .map_err(|error| ServersError::System(format!("random bytes: {error}")))?;
    Ok(u16::from_ne_bytes(bytes))
}

/// Forty random hexadecimal digits, by which a server that was started is recognised.
pub(crate) fn token() -> Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes)
        .map_err(|error| ServersError::System(format!("random bytes: {error}")))?;
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    Ok(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
}
