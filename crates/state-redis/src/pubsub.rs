//! Messages of users' own: publish and subscribe on channels under the key prefix.
//!
//! Delivered at most once: who is not subscribed at that moment, or is too slow, misses a message.
//! In a cluster a message goes to one node, and the nodes tell it each other: subscriptions need
//! one connection whatever the number of nodes, patterns work, and slots can move under it. What
//! that costs is that every message crosses every link of the cluster; sharded channels would not,
//! but know no patterns and need a connection for each node.
//!
//! All subscriptions of a store on one runtime share a connection. A `Hub` has a `Board` with who
//! wants what, and a task that owns the connection, which reads it without waiting for anybody: each
//! subscriber has a mailbox of its own.

mod board;
mod channel;
mod hub;
mod line;
mod mailbox;
mod options;
mod topic;

use bytes::Bytes;
use state_core::{Error, ErrorKind, Result};

pub(crate) use channel::Channels;
pub(crate) use hub::{Hubs, subscribe};
pub use options::{Delivery, SubscribeOptions};

use crate::client::{Body, Client, Repeat, Reply, Request, Target};
use crate::command::Command;
use crate::scripts::{integer, unlike};
use crate::topology::slot_of;

/// The longest name of a channel, and the longest pattern, in bytes.
pub(crate) const CHANNEL_BYTES_MAX: usize = 1_024;

/// Publishes `message`; the number of receivers, as the server says.
pub(crate) async fn publish(
    client: &Client,
    channel: &[u8],
    message: &Bytes,
    message_bytes_max: usize,
) -> Result<u64> {
    if message.len() > message_bytes_max {
        let message = format!("the message has more than {message_bytes_max} bytes");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let mut command = Command::new("PUBLISH");
    command.arg(channel).arg(message.as_ref());
    // Any node takes it; what goes to one channel goes to one node, so that it stays in order.
    let target = Target::Slot(slot_of(channel));
    let request = Request::new("publish", target, Body::Command(command));
    // A message that may have been delivered is not sent again.
    let request = request.with_repeat(Repeat::OnlyIfNotApplied);
    match client.send(request).await? {
        Reply::One(count) => Ok(u64::try_from(integer(&count)?).unwrap_or(0)),
        Reply::Many(_) => Err(unlike()),
    }
}
