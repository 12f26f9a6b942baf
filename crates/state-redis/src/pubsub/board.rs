//! Who subscribes to what, and what each of them has been told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use state_core::{Error, Result};
use tokio::sync::oneshot;

use super::mailbox::Mailbox;
use super::topic::{Arrived, Topic};
use super::{Channels, Delivery};

/// One subscription.
#[derive(Debug)]
struct Subscriber {
    topics: Vec<Topic>,
    channels: Channels,
    mailbox: Arc<Mailbox>,
    /// Whether the connection of now is subscribed to all of its topics.
    on: bool,
    /// Told when that is so for the first time, or why it cannot be.
    begun: Option<oneshot::Sender<Result<()>>>,
}

/// The subscriptions that share a connection.
#[derive(Debug, Default)]
pub(super) struct Board {
    subscribers: HashMap<u64, Subscriber>,
    by_topic: HashMap<Topic, HashSet<u64>>,
    last: u64,
}

impl Board {
    /// Adds a subscription; what is returned tells when it has begun.
    pub(super) fn enter(
        &mut self,
        topics: Vec<Topic>,
        channels: Channels,
        mailbox: Arc<Mailbox>,
    ) -> (u64, oneshot::Receiver<Result<()>>) {
        self.last += 1;
        for topic in &topics {
            self.by_topic.entry(topic.clone()).or_default().insert(self.last);
        }
        let (sender, begun) = oneshot::channel();
        let subscriber = Subscriber { topics, channels, mailbox, on: false, begun: Some(sender) };
        self.subscribers.insert(self.last, subscriber);
        (self.last, begun)
    }

    /// Removes a subscription.
    pub(super) fn leave(&mut self, id: u64) {
        self.remove(id);
    }

    fn remove(&mut self, id: u64) -> Option<Subscriber> {
        let subscriber = self.subscribers.remove(&id)?;
        for topic in &subscriber.topics {
            if let Some(ids) = self.by_topic.get_mut(topic) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_topic.remove(topic);
                }
            }
        }
        Some(subscriber)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.subscribers.is_empty()
    }

    /// A subscription that the connection of now does not serve yet, and its topics.
    pub(super) fn next_off(&self) -> Option<(u64, Vec<Topic>)> {
        let off = self.subscribers.iter().find(|(_, subscriber)| !subscriber.on);
        off.map(|(id, subscriber)| (*id, subscriber.topics.clone()))
    }

    /// Whether anybody wants `topic`.
    pub(super) fn wants(&self, topic: &Topic) -> bool {
        self.by_topic.contains_key(topic)
    }

    /// The connection serves a subscription from now on. One that was served before may have missed
    /// messages.
    pub(super) fn begin(&mut self, id: u64) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        subscriber.on = true;
        match subscriber.begun.take() {
            // Who does not wait any more leaves by itself.
            Some(begun) => drop(begun.send(Ok(()))),
            None => subscriber.mailbox.miss(),
        }
    }

    /// Ends a subscription that cannot be served.
    pub(super) fn refuse(&mut self, id: u64, error: Error) {
        let Some(subscriber) = self.remove(id) else { return };
        match subscriber.begun {
            Some(begun) => drop(begun.send(Err(error))),
            None => subscriber.mailbox.end(error.with_op("subscribe")),
        }
    }

    /// Ends those that have not begun, and with `all` the others, too.
    pub(super) fn refuse_each(&mut self, all: bool, error: impl Fn() -> Error) {
        let waits = |subscriber: &Subscriber| subscriber.begun.is_some();
        let refused = self.subscribers.iter().filter(|(_, subscriber)| all || waits(subscriber));
        for id in refused.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.refuse(id, error());
        }
    }

    /// No connection serves anybody.
    pub(super) fn lost(&mut self) {
        for subscriber in self.subscribers.values_mut() {
            subscriber.on = false;
        }
    }

    /// Delivers a message to all who want it.
    pub(super) fn deliver(&self, arrived: &Arrived) {
        let ids = self.by_topic.get(&arrived.topic).into_iter().flatten();
        for subscriber in ids.filter_map(|id| self.subscribers.get(id)) {
            if let (true, Some(channel)) =
                (subscriber.on, subscriber.channels.name(&arrived.channel))
            {
                let message = arrived.message.clone();
                subscriber.mailbox.deliver(Delivery::Message { channel, message });
            }
        }
    }
}
