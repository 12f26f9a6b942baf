//! One subscription: a connection of its own, made again when it is lost.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use redis::{PushInfo, PushKind, Value};
use state_core::{Error, ErrorKind, Result};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::{Channels, Delivery, SubscribeOptions};
use crate::client::{Client, Dedicated};
use crate::connect::pause;
use crate::retry::Backoff;

/// Messages that wait for a slow reader; those that come then are dropped and told as a gap.
const MESSAGES_MAX: usize = 1_024;

/// A connection that has been quiet for so long is asked whether it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest pause between two tries to subscribe again.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Subscribes; messages that are published after this has returned are delivered, or a gap is.
pub(crate) async fn subscribe(
    client: Client,
    channels: Channels,
    options: SubscribeOptions,
) -> Result<BoxStream<'static, Result<Delivery>>> {
    let wanted = Wanted::new(&channels, &options)?;
    let limit = client.config().call_timeout();
    let first = tokio::time::timeout(limit, wanted.subscribe(&client)).await;
    let first = first.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Unavailable, "the server did not subscribe in time"))
    })?;
    let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
    let task = Task { client, channels, wanted, sender, missed: false };
    let ended = Ended(tokio::spawn(task.run(first)).abort_handle());
    let deliveries = stream::unfold((receiver, ended), async |(mut receiver, ended)| {
        receiver.recv().await.map(|delivery| (delivery, (receiver, ended)))
    });
    Ok(deliveries.boxed())
}

/// Ends the task, and with it the connection, when the stream is dropped.
struct Ended(AbortHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is subscribed to, as the server names it.
struct Wanted {
    channels: Vec<Bytes>,
    patterns: Vec<Bytes>,
}

impl Wanted {
    fn new(channels: &Channels, options: &SubscribeOptions) -> Result<Self> {
        if options.channels.is_empty() && options.patterns.is_empty() {
            return Err(Error::invalid("a subscription to nothing"));
        }
        // Twice the same channel is one subscription for the server.
        let unique = |names: &[Bytes]| names.iter().cloned().collect::<HashSet<_>>();
        let named = unique(&options.channels);
        let matched = unique(&options.patterns);
        Ok(Self {
            channels: named.iter().map(|name| channels.channel(name)).collect::<Result<_>>()?,
            patterns: matched.iter().map(|glob| channels.pattern(glob)).collect::<Result<_>>()?,
        })
    }

    /// Makes a connection and subscribes on it.
    async fn subscribe(&self, client: &Client) -> Result<Dedicated> {
        let nodes = client.nodes();
        let node = nodes.get(client.turn() % nodes.len().max(1));
        let node = node.ok_or_else(|| Error::new(ErrorKind::Unavailable, "no node is known"))?;
        let dedicated = client.dedicated(node).await?;
        for (name, topics) in [("SUBSCRIBE", &self.channels), ("PSUBSCRIBE", &self.patterns)] {
            if topics.is_empty() {
                continue;
            }
            let mut command = redis::cmd(name);
            for topic in topics {
                command.arg(topic.as_ref());
            }
            dedicated.speaker().command(&command).await?;
        }
        Ok(dedicated)
    }
}

struct Task {
    client: Client,
    channels: Channels,
    wanted: Wanted,
    sender: mpsc::Sender<Result<Delivery>>,
    /// Whether messages were missed and that was not told yet.
    missed: bool,
}

impl Task {
    async fn run(mut self, first: Dedicated) {
        let mut connection = first;
        loop {
            self.receive(&mut connection).await;
            self.missed = true;
            connection = match self.again().await {
                Ok(connection) => connection,
                Err(error) => {
                    // The end of the stream: there is room for it sooner or later.
                    if self.sender.send(Err(error)).await.is_err() {
                        tracing::debug!("nobody reads the end of a subscription");
                    }
                    return;
                }
            };
            self.tell_missed();
        }
    }

    /// Subscribes again, however often that takes, unless it can not be mended.
    async fn again(&self) -> Result<Dedicated> {
        let config = self.client.config();
        let longest = config.retry_max_delay().min(PAUSE_MAX);
        let mut waits = Backoff::new(config.retry_base_delay(), longest);
        loop {
            let limit = config.call_timeout();
            match tokio::time::timeout(limit, self.wanted.subscribe(&self.client)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => match error.kind() {
                    ErrorKind::Denied | ErrorKind::Unsupported | ErrorKind::Invalid => {
                        return Err(error.with_op("subscribe"));
                    }
                    _ => tracing::debug!(%error, "cannot subscribe again"),
                },
                Err(_) => tracing::debug!("cannot subscribe again in time"),
            }
            self.client.find_nodes_again().await;
            pause(waits.next()).await;
        }
    }

    /// Delivers what comes until the connection is lost.
    async fn receive(&mut self, connection: &mut Dedicated) {
        let speaker = connection.speaker();
        loop {
            tokio::select! {
                message = connection.next() => match message {
                    Some(message) => self.deliver(message),
                    None => return,
                },
                () = pause(BEAT) => {
                    self.tell_missed();
                    // An answer that says no is an answer; a lost connection is seen above.
                    let ping = redis::cmd("PING");
                    let asked = speaker.command(&ping);
                    if tokio::time::timeout(PATIENCE, asked).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn deliver(&mut self, message: PushInfo) {
        let mut data = message.data.into_iter();
        match message.kind {
            PushKind::Message => {}
            // The pattern comes first.
            PushKind::PMessage => drop(data.next()),
            _ => return,
        }
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) =
            (data.next(), data.next())
        else {
            return;
        };
        let Some(channel) = self.channels.name(&channel) else { return };
        self.tell_missed();
        let delivery = Delivery::Message { channel, message: message.into() };
        // While a gap waits to be told nothing may come before it.
        self.missed = self.missed || self.sender.try_send(Ok(delivery)).is_err();
    }

    /// Tells that messages were missed as soon as there is room for that.
    fn tell_missed(&mut self) {
        if self.missed {
            self.missed = self.sender.try_send(Ok(Delivery::Gap)).is_err();
        }
    }
}
