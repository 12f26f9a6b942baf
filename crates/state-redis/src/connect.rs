//! Connections: dialling, the login, supervision, and which connection serves what.

mod connection;
mod connector;
mod dial;
mod exclusive;
mod handshake;
mod lane;
mod link;
mod observe;
mod push;
mod reads;
mod tls;
mod trouble;
mod wire;

use std::time::Duration;

pub(crate) use connection::{Begun, Connection, Ended, UNLIMITED};
pub(crate) use connector::{Connector, Purpose};
pub(crate) use exclusive::{Exclusive, ExclusivePools};
pub(crate) use lane::Lane;
pub(crate) use push::Pushes;
pub(crate) use trouble::Trouble;

/// Waits on the runtime's own timer: what uses it needs the runtime's sockets anyway, and tests
/// stop and move that timer.
#[expect(clippy::disallowed_methods, reason = "sockets and their timers belong to one runtime")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
