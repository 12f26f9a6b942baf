//! A connection of one user's own with the messages that the server sends unasked.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Connection, Connector, Purpose, Trouble};
use crate::config::Address;

/// A RESP3 connection and its messages. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Pushes {
    connection: Arc<Connection>,
    messages: UnboundedReceiver<redis::PushInfo>,
}

impl Pushes {
    /// Connects to `address`.
    pub(crate) async fn connect(
        connector: &Connector,
        address: &Address,
        purpose: Purpose,
    ) -> Result<Self, Trouble> {
        let (sender, messages) = unbounded_channel();
        let connection = connector.connect_with_pushes(address, purpose, sender).await?;
        Ok(Self { connection: Arc::new(connection), messages })
    }

    /// The connection, for commands.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The next message; `None` once the connection is lost. Cancelling it loses no message.
    pub(crate) async fn next(&mut self) -> Option<redis::PushInfo> {
        let message = self.messages.recv().await?;
        (message.kind != redis::PushKind::Disconnection).then_some(message)
    }

    /// A message that has come already.
    pub(crate) fn next_ready(&mut self) -> Option<redis::PushInfo> {
        let message = self.messages.try_recv().ok()?;
        (message.kind != redis::PushKind::Disconnection).then_some(message)
    }
}
