//! What a proxy can do wrong.

use std::num::NonZeroUsize;
use std::time::Duration;

/// What happens to the bytes that arrive, from now on and until another fault is set.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: bytes pass as they come.
    #[default]
    Pass,
    /// Connections are accepted and stay open; what is sent vanishes. A connection that lost bytes stays dead afterwards.
    BlackHole,
    /// New connections are refused; those that exist are reset.
    Refuse,
    /// The server sees its connections close, the client is not told, and what it sends vanishes.
    HalfOpen,
    /// Bytes are kept, in order, and delivered when another fault is set: a write that arrives late.
    Hold,
    /// Each piece that arrives, in either direction, is passed on this much later.
    Delay(Duration),
    /// Bytes are passed on in pieces of this many.
    Chunks(NonZeroUsize),
}

/// Ends a connection at an exact place.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which command, counted from when the cut is armed: 1 is the next one.
    pub command: u64,
    /// Where in the command or its reply.
    pub moment: Moment,
    /// How the client sees it.
    pub ending: Ending,
}

impl Cut {
    /// Cuts the `command`-th command from now (1 is the next one) at `moment`, by a reset.
    pub fn reset(command: u64, moment: Moment) -> Self {
        Self { command, moment, ending: Ending::Reset }
    }

    /// The same with another ending.
    #[must_use]
    pub fn with_ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

/// A place in the life of a command.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The server gets nothing of it.
    BeforeRequest,
    /// The server gets half of its bytes, and must not execute it.
    MidRequest,
    /// The server has executed it and replied; the client gets nothing of the reply.
    BeforeReply,
    /// The client gets half of the bytes of the reply.
    MidReply,
    /// The client gets the whole reply, and then the connection ends.
    AfterReply,
}

impl Moment {
    /// All of them, in the order in which they happen.
    pub const ALL: [Self; 5] = [
        Self::BeforeRequest,
        Self::MidRequest,
        Self::BeforeReply,
        Self::MidReply,
        Self::AfterReply,
    ];

    /// Whether a command that is cut here has been executed.
    pub fn is_executed(self) -> bool {
        matches!(self, Self::BeforeReply | Self::MidReply | Self::AfterReply)
    }
}

/// How a connection ends. The server always sees it closed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client gets a TCP reset.
    Reset,
    /// The client reads the end of the stream.
    Close,
    /// The client is not told: nothing comes any more, and what it sends vanishes.
    Silence,
}
