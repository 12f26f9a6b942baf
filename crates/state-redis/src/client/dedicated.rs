//! A connection that belongs to one user: tracking, publish and subscribe.

use std::sync::Arc;

use state_core::Result;

use crate::command::Command;
use crate::connect::{Connection, Pushes, UNLIMITED};
use crate::errors::{Failure, Sent};

/// A connection of its own, with what the server sends unasked.
///
/// Dropping it and all its speakers closes it. It is not made again when it is lost, because what
/// was missed meanwhile is for its user to deal with.
#[derive(Debug)]
pub(crate) struct Dedicated {
    pushes: Pushes,
}

/// The side of a connection that sends commands.
#[derive(Clone, Debug)]
pub(crate) struct Speaker(Arc<Connection>);

impl Dedicated {
    pub(super) fn new(pushes: Pushes) -> Self {
        Self { pushes }
    }

    /// The side that sends commands, for use while somebody waits for messages.
    pub(crate) fn speaker(&self) -> Speaker {
        Speaker(Arc::clone(self.pushes.connection()))
    }

    /// The next message; `None` once the connection is lost. Cancelling it loses no message.
    pub(crate) async fn next(&mut self) -> Option<redis::PushInfo> {
        self.pushes.next().await
    }

    /// A message that has come already. What the server sent before an answer is there as soon as
    /// the answer is.
    pub(crate) fn next_ready(&mut self) -> Option<redis::PushInfo> {
        self.pushes.next_ready()
    }
}

impl Speaker {
    /// Sends one command and waits for its answer, as long as that takes.
    ///
    /// # Errors
    /// Those of the table of failures; nothing is tried twice.
    pub(crate) async fn command(&self, command: &Command) -> Result<redis::Value> {
        let answer = self.0.one(command, UNLIMITED).await;
        judge(answer.map_err(|trouble| trouble.failure().into_error())?)
    }

    /// Sends several commands in one write and waits for their answers, as long as that takes.
    ///
    /// # Errors
    /// When the connection was lost; what the server refuses is among the answers.
    pub(crate) async fn commands(&self, commands: &[Command]) -> Result<Vec<Result<redis::Value>>> {
        Ok(self.answers(commands).await?.into_iter().map(judge).collect())
    }

    /// As [`commands`](Self::commands), with refusals in the words of the server: for who has to tell them apart, and
    /// never to be shown.
    ///
    /// # Errors
    /// When the connection was lost.
    pub(crate) async fn answers(&self, commands: &[Command]) -> Result<Vec<redis::Value>> {
        let answers = self.0.many(commands, UNLIMITED).await;
        answers.map_err(|trouble| trouble.failure().into_error())
    }
}

fn judge(answer: redis::Value) -> Result<redis::Value> {
    answer.extract_error().map_err(|error| Failure::from_redis(&error, Sent::Maybe).into_error())
}
