//! What is sent through the client, and what comes back.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use state_core::{AcksReached, Result};
use tokio::time::Instant;

use super::Script;
use crate::command::Command;
use crate::config::Address;
use crate::retry::GaveUp;

/// Which connection of a node a request goes over.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Lane {
    /// The shared connection for small requests.
    Point,
    /// The shared connection for large values and long batches, so that they delay nobody else.
    Bulk,
    /// A connection of its own for as long as the request takes: `WAIT`, `WAITAOF`.
    Exclusive,
}

/// Which node serves a request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Target {
    /// The node that holds this slot. Standalone servers and Sentinel hold all of them.
    Slot(u16),
    /// This node, as [`Client::nodes`](super::Client::nodes) named it.
    Node(NodeId),
    /// The server at this address, whether or not anything is known to be there.
    At(Address),
    /// Any primary.
    Any,
}

/// Which copy of the data serves a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Role {
    /// The primary.
    Primary,
    /// A replica where reads from replicas are configured, otherwise the primary.
    ReplicaOk,
}

/// Whether a request may be sent again when it is not known whether it was applied.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Repeat {
    /// Being applied twice does no harm, in whatever order.
    Safe,
    /// The last one wins, so being applied twice does no harm either, once the first can not come
    /// after the second any more: the connection of the first has to be ended before.
    LastWins,
    /// Only when it certainly had no effect.
    OnlyIfNotApplied,
}

/// What is waited for behind the commands of a request, on the same connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Wait {
    /// This many replicas: `WAIT`.
    Replicas(u32),
    /// The disk of the primary: `WAITAOF`.
    Disk,
}

/// The address of a node, as it is shown to people. Cheap to clone.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct NodeId(Arc<str>);

impl NodeId {
    /// The node at `address`.
    pub(crate) fn new(address: &str) -> Self {
        Self(address.into())
    }

    /// `host:port`, or the path of a Unix socket.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a request is sent, and until when it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    pub(crate) now: Instant,
    pub(crate) deadline: Instant,
}

/// One call of the client.
pub(crate) struct Request {
    /// The operation, as errors and spans name it.
    pub(crate) op: &'static str,
    pub(crate) target: Target,
    pub(crate) role: Role,
    pub(crate) lane: Lane,
    pub(crate) repeat: Repeat,
    pub(crate) wait: Option<Wait>,
    /// The usual time from now where nothing is said.
    pub(crate) time: Option<Time>,
    pub(crate) body: Body,
}

impl Request {
    /// A request to the primary over the lane for small values that is sent once only, unless it
    /// certainly had no effect.
    pub(crate) fn new(op: &'static str, target: Target, body: Body) -> Self {
        Self {
            op,
            target,
            role: Role::Primary,
            lane: Lane::Point,
            repeat: Repeat::OnlyIfNotApplied,
            wait: None,
            time: None,
            body,
        }
    }

    /// Says which copy serves it.
    pub(crate) fn with_role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Says which connection it goes over.
    pub(crate) fn with_lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// Says whether it may be sent again when its outcome is unknown.
    pub(crate) fn with_repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// Says what is waited for behind it; that takes a connection of its own, whatever lane was
    /// named.
    pub(crate) fn with_wait(mut self, wait: Option<Wait>) -> Self {
        self.wait = wait;
        if wait.is_some() {
            self.lane = Lane::Exclusive;
        }
        self
    }

    /// Says until when it may take: that of the call of which it is a part, if that has one.
    pub(crate) fn with_deadline(mut self, deadline: impl Into<Option<Instant>>) -> Self {
        self.time = deadline.into().map(|deadline| Time { now: Instant::now(), deadline });
        self
    }
}

/// The commands of a request.
pub(crate) enum Body {
    /// One command: [`Reply::One`].
    Command(Command),
    /// Several commands in one write, not a transaction: [`Reply::Many`], one item per command.
    Pipeline(Vec<Command>),
    /// A call of one script: [`Reply::One`].
    Script(&'static Script, Command),
    /// Several scripts in one write: [`Reply::Many`], one item per call. A node that does not know
    /// a script is taught it, and only the calls that it refused are sent again.
    Scripts(Vec<ScriptCall>),
}

/// One call of a script.
#[derive(Clone)]
pub(crate) struct ScriptCall {
    pub(crate) script: &'static Script,
    pub(crate) keys: Vec<Bytes>,
    pub(crate) args: Vec<Bytes>,
}

/// What a node answered.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The answer to one command.
    One(redis::Value),
    /// The answers to several, in their order.
    Many(Vec<Result<redis::Value>>),
}

/// The answer to a request, and what is known beside it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    /// What was reached behind each command, in their order; empty when nothing was waited for.
    pub(crate) reached: Vec<AcksReached>,
    /// Whether an earlier try may have been applied as well.
    pub(crate) unsettled: bool,
}

/// What a call has sent, whether it succeeds or not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    /// Commands, those of every try.
    pub(crate) commands: u64,
    /// Writes of more than one command.
    pub(crate) pipelines: u64,
    /// Tries after the first one.
    pub(crate) retries: u64,
    /// How it ended, if it failed for good and a connection or a server is the cause.
    pub(crate) gave_up: Option<GaveUp>,
}

impl Tally {
    pub(super) fn wrote(&mut self, commands: usize) {
        self.commands += commands as u64;
        self.pipelines += u64::from(commands > 1);
    }
}

/// Shows what kind of request it is and never what it holds.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("op", &self.op)
            .field("target", &self.target)
            .field("role", &self.role)
            .field("lane", &self.lane)
            .field("repeat", &self.repeat)
            .field("commands", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Body {
    /// A call of `script`.
    pub(crate) fn script(script: &'static Script, keys: &[Bytes], args: &[Bytes]) -> Self {
        Self::Script(script, script.call(keys, args))
    }

    /// What it holds, which it holds no longer.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Pipeline(Vec::new()))
    }

    /// The only command, where it is known that there is one; it is complete.
    pub(super) fn single(&mut self) -> Option<&Command> {
        match self {
            Self::Command(command) | Self::Script(_, command) => {
                command.share();
                Some(command)
            }
            Self::Pipeline(_) | Self::Scripts(_) => None,
        }
    }

    /// How many commands it holds.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Command(_) | Self::Script(..) => 1,
            Self::Pipeline(commands) => commands.len(),
            Self::Scripts(calls) => calls.len(),
        }
    }
}
