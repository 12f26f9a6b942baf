//! What one subscription wants, as the server names it.

use std::collections::HashSet;

use bytes::Bytes;
use redis::{PushInfo, PushKind, Value};
use state_core::{Error, Result};

use super::{Channels, SubscribeOptions};
use crate::command::Command;

/// A channel by its name, or all whose names match a pattern.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Topic {
    Channel(Bytes),
    Pattern(Bytes),
}

impl Topic {
    /// The topics of `options`, each once: twice the same is one subscription for the server.
    pub(super) fn wanted(channels: &Channels, options: &SubscribeOptions) -> Result<Vec<Self>> {
        let named = options.channels.iter().map(|name| channels.channel(name).map(Self::Channel));
        let matched = options.patterns.iter().map(|glob| channels.pattern(glob).map(Self::Pattern));
        let wanted = named.chain(matched).collect::<Result<HashSet<_>>>()?;
        if wanted.is_empty() {
            return Err(Error::invalid("a subscription to nothing"));
        }
        Ok(wanted.into_iter().collect())
    }

    /// The command that subscribes to it. One for each topic: the server answers one for each.
    pub(super) fn subscribe(&self) -> Command {
        self.command("SUBSCRIBE", "PSUBSCRIBE")
    }

    /// The command that gives it up.
    pub(super) fn unsubscribe(&self) -> Command {
        self.command("UNSUBSCRIBE", "PUNSUBSCRIBE")
    }

    fn command(&self, channel: &str, pattern: &str) -> Command {
        let (name, topic) = match self {
            Self::Channel(topic) => (channel, topic),
            Self::Pattern(topic) => (pattern, topic),
        };
        let mut command = Command::new(name);
        command.arg(topic.as_ref());
        command
    }
}

/// One message of the server.
pub(super) struct Arrived {
    /// What it was subscribed to.
    pub(super) topic: Topic,
    /// The channel on the server.
    pub(super) channel: Bytes,
    pub(super) message: Bytes,
}

impl Arrived {
    /// Takes it out of what the server sent unasked; `None` for anything else.
    pub(super) fn read(push: PushInfo) -> Option<Self> {
        let mut data = push.data.into_iter().map(|value| match value {
            Value::BulkString(bytes) => Some(Bytes::from(bytes)),
            _ => None,
        });
        // The pattern comes first.
        let pattern = match push.kind {
            PushKind::Message => None,
            PushKind::PMessage => Some(data.next()??),
            _ => return None,
        };
        let (channel, message) = (data.next()??, data.next()??);
        let topic = pattern.map_or_else(|| Topic::Channel(channel.clone()), Topic::Pattern);
        Some(Self { topic, channel, message })
    }
}
