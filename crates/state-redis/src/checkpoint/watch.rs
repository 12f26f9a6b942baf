//! Following threads by the messages that their scripts publish.
//!
//! Every change of a thread is published with its number, so a message that got lost between the
//! server and here shows as a gap. No message comes when a thread expires: the changes say how long
//! it lives from then on, and when that is over, it is looked at. A thread that is followed alone is
//! also looked at in the beginning, and after a gap.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use state_core::checkpoint::{CheckpointRef, ThreadEvent, ThreadId};
use state_core::{BoxStream, ErrorKind, Expires, Result};
use tokio::time::Instant;

use super::Inner;
use super::ask::random;
use super::delete::Looked;
use crate::client::{Body, NodeId, Repeat, Request, Role, Target};
use crate::command::Command;
use crate::connect::pause;
use crate::keys::{ThreadKeys, escape_glob, read_place};
use crate::log::Deadlines;
use crate::pubsub::{CHANNEL_BYTES_MAX, Delivery, SubscribeOptions, subscribe};

/// The most threads whose last change is remembered.
const THREADS_MAX: usize = 10_000;
/// How long it takes until a thread is looked at again that could not be looked at.
const RETRY_MS: u64 = 1_000;
const RETRY: Duration = Duration::from_millis(RETRY_MS);
/// Threads that are looked at before messages are read again.
const LOOKS: usize = 100;

/// What a watch remembers between messages.
struct Follower {
    keys: ThreadKeys,
    /// The only thread, where there is one.
    thread: Option<ThreadId>,
    /// Generation and number of the last change of each thread.
    last: HashMap<ThreadId, (Bytes, u64)>,
    /// When threads are over, in milliseconds since `began`, as far as that was told.
    ends: Deadlines<ThreadId>,
    began: Instant,
    /// When the only thread has to be looked at because nobody knows whether it has an end.
    unsure: Option<Instant>,
    told: VecDeque<ThreadEvent>,
}

impl Inner {
    pub(super) async fn follow(
        self: Arc<Self>,
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
        let mut follower = Follower::new(self.keys.clone(), thread);
        let nodes = self.client.nodes();
        let deliveries = if nodes.len() > 1 {
            let (deliveries, sure) = self.subscribe_from_now(&nodes, options).await?;
            follower.told.extend((!sure).then_some(ThreadEvent::Gap));
            deliveries
        } else {
            subscribe(self.client.clone(), self.channels.clone(), options).await?
        };
        self.look_at_ends(&mut follower).await;
        let state = (self, deliveries, follower);
        let events = stream::unfold(state, |(inner, mut deliveries, mut follower)| async move {
            loop {
                if let Some(event) = follower.told.pop_front() {
                    return Some((Ok(event), (inner, deliveries, follower)));
                }
                let due = follower.due();
                tokio::select! {
                    biased;
                    delivery = deliveries.next() => match delivery? {
                        Ok(delivery) => follower.take(delivery, Instant::now()),
                        Err(error) => return Some((Err(error), (inner, deliveries, follower))),
                    },
                    () = wait(due) => inner.look_at_ends(&mut follower).await,
                }
            }
        });
        Ok(events.boxed())
    }

    /// Looks at the threads that are over, as far as the watch knows: their lifetime may have begun
    /// anew when somebody read them.
    async fn look_at_ends(&self, follower: &mut Follower) {
        for Due { thread, lived } in follower.take_due(Instant::now()) {
            match self.look(&thread, 0, Bytes::new(), Role::Primary).await {
                Ok(Looked::There(look)) => follower.lives(thread, look.expires),
                Ok(Looked::Absent { .. }) if lived => follower.is_over(thread),
                Ok(Looked::Absent { .. }) => {}
                // Something is there, and nobody knows until when.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {}
                Err(_) if lived => follower.remember(thread, RETRY_MS, Instant::now()),
                Err(_) => follower.unsure = Instant::now().checked_add(RETRY),
            }
        }
    }
}

/// A thread to be looked at.
#[derive(Debug, Eq, PartialEq)]
struct Due {
    thread: ThreadId,
    /// Whether it was there, so that its end is told.
    lived: bool,
}

/// Waits for a moment that may never come.
async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => pause(until.saturating_duration_since(Instant::now())).await,
        None => std::future::pending().await,
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
            let mut command = Command::new("PUBLISH");
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
    fn new(keys: ThreadKeys, thread: Option<ThreadId>) -> Self {
        let (last, ends, told) = (HashMap::new(), Deadlines::default(), VecDeque::new());
        let began = Instant::now();
        let unsure = thread.is_some().then_some(began);
        Self { keys, thread, last, ends, began, unsure, told }
    }

    /// A moment as the ends of threads are written down.
    fn ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Has a thread looked at when it is over, so many milliseconds from now.
    fn remember(&mut self, thread: ThreadId, left_ms: u64, now: Instant) {
        self.ends.remember(thread, self.ms(now).saturating_add(left_ms));
    }

    /// When the next thread has to be looked at.
    fn due(&self) -> Option<Instant> {
        // A thread is there until its last millisecond.
        let ends = self.ends.first_ms().map(|first| Duration::from_millis(first.saturating_add(1)));
        let ends = ends.and_then(|first| self.began.checked_add(first));
        ends.into_iter().chain(self.unsure).min()
    }

    fn take_due(&mut self, now: Instant) -> Vec<Due> {
        let ends = self.ends.take_due(self.ms(now), LOOKS).into_iter();
        let mut due: Vec<Due> = ends.map(|thread| Due { thread, lived: true }).collect();
        if self.unsure.is_some_and(|at| at <= now) {
            self.unsure = None;
            due.extend(self.thread.clone().map(|thread| Due { thread, lived: false }));
        }
        due
    }

    /// Takes note of a thread that was looked at.
    fn lives(&mut self, thread: ThreadId, expires: Expires) {
        if let Expires::At { remaining, .. } = expires {
            let left_ms = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
            self.remember(thread, left_ms, Instant::now());
        }
    }

    /// Tells that a thread has expired.
    fn is_over(&mut self, thread: ThreadId) {
        self.last.remove(&thread);
        self.told.push_back(ThreadEvent::Deleted(thread));
    }

    fn take(&mut self, delivery: Delivery, now: Instant) {
        let Delivery::Message { channel, message } = delivery else {
            self.last.clear();
            self.told.push_back(ThreadEvent::Gap);
            self.unsure = self.thread.is_some().then_some(now);
            return;
        };
        let Some(thread) = self.keys.thread_of(&channel) else { return };
        if self.thread.as_ref().is_some_and(|wanted| *wanted != thread) {
            return;
        }
        if message.as_ref() == b"d" {
            self.last.remove(&thread);
            self.ends.forget(&thread);
            self.told.push_back(ThreadEvent::Deleted(thread));
            return;
        }
        let Some(Message { generation, serial, kind, left_ms, place }) = Message::read(&message)
        else {
            // Of a later version, or of somebody else's: something has happened.
            self.told.push_back(ThreadEvent::Gap);
            return;
        };
        if self.last.len() >= THREADS_MAX {
            self.last.clear();
        }
        match left_ms.map(u64::try_from) {
            Some(Ok(left_ms)) => self.remember(thread.clone(), left_ms, now),
            Some(Err(_)) => self.ends.forget(&thread),
            None => {}
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

/// What is told of a change.
struct Message<'a> {
    generation: &'a [u8],
    serial: u64,
    kind: u8,
    /// How long the thread lives from now on, where the change has set that; -1 without an end.
    left_ms: Option<i64>,
    place: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let mut parts = message.splitn(4, |byte| *byte == b':');
        let generation = parts.next()?;
        let serial = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let (kind, left_ms) = parts.next()?.split_first()?;
        let left_ms = std::str::from_utf8(left_ms).ok().filter(|text| !text.is_empty());
        let left_ms = left_ms.map(str::parse).transpose().ok()?;
        Some(Self { generation, serial, kind: *kind, left_ms, place: parts.next()? })
    }
}

#[cfg(test)]
mod tests {
    use state_core::Namespace;

    use super::*;

    fn told(messages: &[&str]) -> Vec<ThreadEvent> {
        follow(messages).told.into()
    }

    fn follow(messages: &[&str]) -> Follower {
        let keys = ThreadKeys::new("state", &Namespace::default());
        let channel = keys.channel(&"t".into());
        let mut follower = Follower::new(keys, None);
        for message in messages {
            let message = Bytes::copy_from_slice(message.as_bytes());
            let delivery = Delivery::Message { channel: channel.clone(), message };
            follower.take(delivery, follower.began);
        }
        follower
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
    #[test]
    fn the_last_word_on_the_end_of_a_thread_counts() {
        let due = |messages: &[&str]| {
            let follower = follow(messages);
            follower.due().map(|due| due - follower.began)
        };
        let ms = Duration::from_millis;
        assert_eq!(due(&["g:1:p500:a\0"]), Some(ms(501)));
        assert_eq!(due(&["g:1:p500:a\0", "g:2:w70:a\0"]), Some(ms(71)));
        assert_eq!(due(&["g:1:p500:a\0", "g:2:-:", "g:3:c:"]), Some(ms(501)));
        assert_eq!(due(&["g:1:p500:a\0", "g:2:p-1:b\0"]), None);
        assert_eq!(due(&["g:1:p500:a\0", "d"]), None);
        assert_eq!(due(&["g:1:p:a\0"]), None);
        assert_eq!(told(&["g:1:p5x:a\0"]), [ThreadEvent::Gap]);
    }

    #[test]
    fn what_is_over_is_looked_at_once() {
        let mut follower = follow(&["g:1:p500:a\0"]);
        let began = follower.began;
        assert_eq!(follower.take_due(began + Duration::from_millis(500)), []);
        let over = began + Duration::from_millis(501);
        assert_eq!(follower.take_due(over), [Due { thread: "t".into(), lived: true }]);
        assert_eq!((follower.due(), follower.take_due(over)), (None, vec![]));

        let mut only = Follower::new(follower.keys.clone(), Some("t".into()));
        let due = only.take_due(only.began);
        assert_eq!(due, [Due { thread: "t".into(), lived: false }], "in the beginning");
        assert_eq!(only.due(), None);
        only.take(Delivery::Gap, over);
        assert_eq!(only.due(), Some(over), "after a gap");
    }
}
