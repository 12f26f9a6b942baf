//! Following threads by the messages that their scripts publish.
//!
//! Every change of a thread is published with its number, so a message that got lost between the
//! server and here shows as a gap.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use state_core::checkpoint::{CheckpointRef, ThreadEvent, ThreadId};
use state_core::{BoxStream, Result};

use super::Inner;
use super::ask::random;
use crate::client::{Body, NodeId, Repeat, Request, Target};
use crate::keys::{escape_glob, read_place};
use crate::pubsub::{CHANNEL_BYTES_MAX, Delivery, SubscribeOptions, subscribe};

/// The most threads whose last change is remembered.
const THREADS_MAX: usize = 10_000;

/// What a watch remembers between messages.
struct Follower {
    keys: crate::keys::ThreadKeys,
    /// The only thread, where there is one.
    thread: Option<ThreadId>,
    /// Generation and number of the last change of each thread.
    last: HashMap<ThreadId, (Bytes, u64)>,
    told: VecDeque<ThreadEvent>,
}

impl Inner {
    pub(super) async fn follow(
        &self,
        thread: Option<ThreadId>,
    ) -> Result<BoxStream<'static, Result<ThreadEvent>>> {
        let name = thread.as_ref().map(|thread| self.keys.channel(thread));
        let options = if let Some(name) = name.filter(|name| name.len() <= CHANNEL_BYTES_MAX) {
            SubscribeOptions::channel(name)
        } else {
            // A name that is too long to be subscribed to is picked out of all.
            let mut pattern = bytes::BytesMut::new();
            escape_glob(&self.keys.channels(), &mut pattern);
            pattern.extend_from_slice(b"*");
            SubscribeOptions::pattern(pattern)
        };
        let (keys, last, told) = (self.keys.clone(), HashMap::new(), VecDeque::new());
        let mut follower = Follower { keys, thread, last, told };
        let nodes = self.client.nodes();
        let deliveries = if nodes.len() > 1 {
            let (deliveries, sure) = self.subscribe_from_now(&nodes, options).await?;
            follower.told.extend((!sure).then_some(ThreadEvent::Gap));
            deliveries
        } else {
            subscribe(self.client.clone(), self.channels.clone(), options).await?
        };
        let events =
            stream::unfold((deliveries, follower), |(mut deliveries, mut follower)| async move {
                loop {
                    if let Some(event) = follower.told.pop_front() {
                        return Some((Ok(event), (deliveries, follower)));
                    }
                    match deliveries.next().await? {
                        Ok(delivery) => follower.take(delivery),
                        Err(error) => return Some((Err(error), (deliveries, follower))),
                    }
                }
            });
        Ok(events.boxed())
    }
}

impl Inner {
    /// Subscribes in a cluster, whose nodes tell each other messages a while after they were
    /// published: what comes from a node before a message that it was sent now is from before.
    /// `false` where some node did not pass that on in time.
    async fn subscribe_from_now(
        &self,
        nodes: &[NodeId],
        options: SubscribeOptions,
    ) -> Result<(BoxStream<'static, Result<Delivery>>, bool)> {
        let (whole, marker) = self.keys.marker(random()?);
        let options = options.with_channel(marker.clone());
        let mut deliveries = subscribe(self.client.clone(), self.channels.clone(), options).await?;
        for node in nodes {
            let mut command = redis::cmd("PUBLISH");
            command.arg(whole.as_ref()).arg(node.as_str());
            let target = Target::Node(node.clone());
            let request = Request::new("watch_threads", target, Body::Command(command));
            self.client.send(request.with_repeat(Repeat::Safe)).await?;
        }
        let mut missing: HashSet<&[u8]> =
            nodes.iter().map(|node| node.as_str().as_bytes()).collect();
        let arrived = async {
            while !missing.is_empty()
                && let Some(Ok(delivery)) = deliveries.next().await
            {
                if let Delivery::Message { channel, message } = delivery
                    && channel == marker
                {
                    missing.remove(message.as_ref());
                }
            }
        };
        let limit = self.client.config().call_timeout();
        let in_time = tokio::time::timeout(limit, arrived).await.is_ok();
        Ok((deliveries, in_time && missing.is_empty()))
    }
}

impl Follower {
    fn take(&mut self, delivery: Delivery) {
        let Delivery::Message { channel, message } = delivery else {
            self.last.clear();
            self.told.push_back(ThreadEvent::Gap);
            return;
        };
        let Some(thread) = self.keys.thread_of(&channel) else { return };
        if self.thread.as_ref().is_some_and(|wanted| *wanted != thread) {
            return;
        }
        if message.as_ref() == b"d" {
            self.last.remove(&thread);
            self.told.push_back(ThreadEvent::Deleted(thread));
            return;
        }
        let Some((generation, serial, kind, place)) = read(&message) else {
            // Of a later version, or of somebody else's: something has happened.
            self.told.push_back(ThreadEvent::Gap);
            return;
        };
        if self.last.len() >= THREADS_MAX {
            self.last.clear();
        }
        let generation = Bytes::copy_from_slice(generation);
        let before = self.last.insert(thread.clone(), (generation.clone(), serial));
        if let Some((alive, last)) = before
            && (alive != generation || last.saturating_add(1) != serial)
        {
            self.told.push_back(ThreadEvent::Gap);
        }
        let reference = || {
            let (namespace, id) = read_place(place)?;
            Some(CheckpointRef::new(thread.clone(), id).with_namespace(namespace))
        };
        let event = match kind {
            b'p' => reference().map(ThreadEvent::Put),
            b'w' => reference().map(ThreadEvent::Writes),
            b'c' => Some(ThreadEvent::Changed(thread)),
            _ => None,
        };
        self.told.extend(event);
    }
}

/// Generation, number, kind and place of a change.
fn read(message: &[u8]) -> Option<(&[u8], u64, u8, &[u8])> {
    let mut parts = message.splitn(4, |byte| *byte == b':');
    let generation = parts.next()?;
    let serial = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let kind = *parts.next()?.first()?;
    Some((generation, serial, kind, parts.next()?))
}

#[cfg(test)]
mod tests {
    use state_core::Namespace;

    use super::*;

    fn told(messages: &[&str]) -> Vec<ThreadEvent> {
        let keys = crate::keys::ThreadKeys::new("state", &Namespace::default());
        let channel = keys.channel(&"t".into());
        let (last, told) = (HashMap::new(), VecDeque::new());
        let mut follower = Follower { keys, thread: None, last, told };
        for message in messages {
            let message = Bytes::copy_from_slice(message.as_bytes());
            follower.take(Delivery::Message { channel: channel.clone(), message });
        }
        follower.told.into()
    }

    #[test]
    fn changes_are_told_and_a_missing_one_is_a_gap() {
        let put = |id: &str| ThreadEvent::Put(CheckpointRef::new("t", id));
        assert_eq!(told(&["g:1:p:a\0", "g:2:-:", "g:3:p:b\0"]), [put("a"), put("b")]);
        assert_eq!(told(&["g:1:p:a\0", "g:3:p:b\0"]), [put("a"), ThreadEvent::Gap, put("b")]);
        assert_eq!(told(&["g:1:p:a\0", "h:1:p:b\0"]), [put("a"), ThreadEvent::Gap, put("b")]);
        let gone = ThreadEvent::Deleted("t".into());
        assert_eq!(told(&["g:1:p:a\0", "d", "h:1:p:b\0"]), [put("a"), gone, put("b")]);
        assert_eq!(told(&["?"]), [ThreadEvent::Gap]);
    }
}
