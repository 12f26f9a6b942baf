//! The hub: one connection for all who subscribe over a store on one runtime.

use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use parking_lot::Mutex;
use state_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::board::Board;
use super::line;
use super::mailbox::{Deliveries, Mailbox};
use super::topic::Topic;
use super::{Channels, Delivery, SubscribeOptions};
use crate::client::Client;
use crate::errors::{Failure, Fault};
use crate::per_runtime::{Local, PerRuntime};

/// The hubs of a store, one for each runtime on which somebody subscribes.
pub(crate) type Hubs = PerRuntime<Hub>;

/// Receives the messages for all subscriptions of a store. Dropped, it closes its connection.
#[derive(Debug)]
pub(crate) struct Hub {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the hub shares with the task that owns the connection.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) board: Mutex<Board>,
    /// Says that somebody has come or gone.
    pub(super) changed: Notify,
}

impl Hub {
    fn start(client: Client, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared { client, board: Mutex::default(), changed: Notify::new() });
        let task = runtime.spawn(line::keep(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    pub(super) fn leave(&self, id: u64) {
        self.shared.board.lock().leave(id);
        self.shared.changed.notify_one();
    }
}

impl Local for Hub {
    fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Subscribes; messages that are published after this has returned are delivered, or a gap is.
pub(crate) async fn subscribe(
    client: Client,
    channels: Channels,
    options: SubscribeOptions,
) -> Result<BoxStream<'static, Result<Delivery>>> {
    let topics = Topic::wanted(&channels, &options)?;
    let hub = client.subscriptions().get(|runtime| Hub::start(client.clone(), runtime))?;
    let mailbox = Arc::new(Mailbox::default());
    let (id, begun) = hub.shared.board.lock().enter(topics, channels, Arc::clone(&mailbox));
    // Leaves when this future is dropped.
    let deliveries = Deliveries { hub: Arc::clone(&hub), id, mailbox };
    hub.shared.changed.notify_one();
    match tokio::time::timeout(client.config().call_timeout(), begun).await {
        Ok(begun) => begun.unwrap_or_else(|_| Err(closed())).map(|()| deliveries.boxed()),
        Err(_) => Err(Error::new(ErrorKind::Unavailable, "the server did not subscribe in time")),
    }
}

fn closed() -> Error {
    Failure::from(Fault::Closed).into_error()
}
