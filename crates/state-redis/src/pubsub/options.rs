//! What a subscription covers, and what it delivers.

use bytes::Bytes;

/// What is subscribed to: channels by their literal names, and by patterns.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SubscribeOptions {
    /// Literal names, 1 to 1,024 bytes each.
    pub channels: Vec<Bytes>,
    /// Globs as the server knows them: `*`, `?`, `[…]` and `\`; 1 to 1,024 bytes each. A message
    /// that several of them match, or a name and a pattern, is delivered once for each.
    pub patterns: Vec<Bytes>,
}

impl SubscribeOptions {
    /// Subscribes to one channel.
    pub fn channel(name: impl Into<Bytes>) -> Self {
        Self::default().with_channel(name)
    }

    /// Subscribes to the channels whose names match a glob.
    pub fn pattern(glob: impl Into<Bytes>) -> Self {
        Self::default().with_pattern(glob)
    }

    /// Adds a channel.
    #[must_use]
    pub fn with_channel(mut self, name: impl Into<Bytes>) -> Self {
        self.channels.push(name.into());
        self
    }

    /// Adds the channels whose names match a glob.
    #[must_use]
    pub fn with_pattern(mut self, glob: impl Into<Bytes>) -> Self {
        self.patterns.push(glob.into());
        self
    }
}

/// What a subscription delivers.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// A message.
    Message {
        /// The name of its channel, without the key prefix.
        channel: Bytes,
        /// What was published.
        message: Bytes,
    },
    /// Messages may have been missed: the connection was lost, or the reader was too slow.
    Gap,
}
