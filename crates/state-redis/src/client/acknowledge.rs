//! Waiting until replicas or the disk have a write, on the connection that made it.
//!
//! A server takes `WAIT` and `WAITAOF` to ask about everything that it had applied when the last
//! command of the same connection was done. So a write that turned out to be none (a delete of
//! what another client has deleted) is answered for as well.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use state_core::{AcksReached, Result};
use tokio::time::Instant;

use super::{Body, Client, NodeId, Repeat, Reply, Request, Target, Wait};
use crate::command::Command;
use crate::connect::{Exclusive, Trouble};
use crate::errors::{Fault, Sent};
use crate::info::Info;
use crate::server_info::NodeInfo;

/// The first version that knows `WAITAOF`; Valkey says that it is like this version from its first.
const WAITAOF_SINCE: (u32, u32) = (7, 2);

/// How long the server may wait, so that its answer comes before the deadline of the call.
pub(super) fn within(patience: Duration, remaining: Duration) -> Duration {
    let margin = (remaining / 4).min(Duration::from_millis(250));
    // No time at all would mean for ever.
    patience.min(remaining.saturating_sub(margin)).max(Duration::from_millis(1))
}

/// The command that waits for at most `patience`.
pub(super) fn command(wait: Wait, patience: Duration) -> Command {
    let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut command;
    match wait {
        Wait::Replicas(replicas) => {
            command = Command::new("WAIT");
            command.arg(replicas);
        }
        Wait::Disk => {
            command = Command::new("WAITAOF");
            command.arg(1_u64).arg(0_u64);
        }
    }
    command.arg(patience_ms);
    command
}

/// What the answer says. A server that refuses to say has acknowledged nothing.
pub(super) fn reached(answer: Option<Value>) -> AcksReached {
    let count = |number: &i64| u32::try_from(*number).unwrap_or(0);
    match answer {
        Some(Value::Int(replicas)) => AcksReached::by_replicas(count(&replicas)),
        Some(Value::Array(numbers)) => match numbers.as_slice() {
            [Value::Int(local), Value::Int(replicas)] => {
                let mut reached = AcksReached::by_replicas(count(replicas));
                reached.fsynced = *local > 0;
                reached
            }
            _ => AcksReached::PRIMARY,
        },
        _ => AcksReached::PRIMARY,
    }
}

/// Makes sure that the server can tell when its disk has something, before anything is written.
///
/// # Errors
/// `Unsupported`, outcome not applied, where it can not.
pub(super) async fn check_disk(connection: &mut Exclusive) -> Result<(), Trouble> {
    let mut info = Command::new("INFO");
    info.arg("server").arg("persistence");
    let answer = connection.many(&[info]).await.map_err(Trouble::before_sending)?.pop();
    let answer = answer.unwrap_or(Value::Nil).extract_error();
    let answer = answer.map_err(|error| Trouble::Redis(error, Sent::No))?;
    if syncs(&answer) { Ok(()) } else { Err(Fault::NoAppendOnlyFile.into()) }
}

/// Whether an answer to `INFO` is of a server that has an append-only file and knows `WAITAOF`.
fn syncs(answer: &Value) -> bool {
    let info = Info::read(answer);
    info.version().is_some_and(|version| version >= WAITAOF_SINCE) && info.flag("aof_enabled")
}

/// What every primary offers, as far as it depends on its version, its settings and the rights of
/// the user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Offers {
    /// Waiting for replicas.
    pub(crate) replicas: bool,
    /// Waiting for the disk.
    pub(crate) disk: bool,
    /// An append-only file.
    pub(crate) durable: bool,
    /// What the first of them says about itself, in one line.
    pub(crate) server: Arc<str>,
}

impl Client {
    /// Asks every primary what it offers, until `deadline`: one round trip to each, and one more to those that can tell of
    /// their disk. A server is sent nothing that it does not know or that would be for nothing: what a user may not do is in
    /// its log of refusals.
    ///
    /// # Errors
    /// When one cannot be reached; what it refuses to say it does not offer.
    pub(crate) async fn offers(&self, deadline: Instant) -> Result<Offers> {
        let mut offers =
            Offers { replicas: true, disk: true, durable: true, server: Arc::default() };
        for node in self.nodes() {
            let mut wait = Command::new("WAIT");
            wait.arg(0_u64).arg(1_u64);
            let mut info = Command::new("INFO");
            info.arg("server").arg("persistence").arg("replication");
            let answers = self.probe(&node, vec![wait, info], deadline).await?;
            let [wait, info] = answers.as_slice() else { continue };
            let answer = info.as_ref().unwrap_or(&Value::Nil);
            let (known, info) = (syncs(answer), Info::read(answer));
            offers.replicas &= wait.is_ok();
            offers.durable &= info.flag("aof_enabled");
            if offers.server.is_empty() && info.version().is_some() {
                offers.server = NodeInfo::read(node.as_str(), &info).summary().into();
            }
            offers.disk = offers.disk && known && {
                let mut wait_disk = Command::new("WAITAOF");
                wait_disk.arg(0_u64).arg(0_u64).arg(1_u64);
                let answers = self.probe(&node, vec![wait_disk], deadline).await?;
                answers.iter().all(Result::is_ok)
            };
        }
        Ok(offers)
    }

    /// Sends commands to one node, as part of connecting.
    async fn probe(
        &self,
        node: &NodeId,
        commands: Vec<Command>,
        deadline: Instant,
    ) -> Result<Vec<Result<Value>>> {
        let body = Body::Pipeline(commands);
        let request = Request::new("connect", Target::Node(node.clone()), body);
        let request = request.with_repeat(Repeat::Safe).with_deadline(deadline);
        match self.send(request).await? {
            Reply::Many(answers) => Ok(answers),
            Reply::One(_) => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_ends_before_the_deadline_and_is_never_for_ever() {
        let ms = Duration::from_millis;
        assert_eq!(within(ms(1_000), ms(10_000)), ms(1_000));
        assert_eq!(within(ms(20_000), ms(10_000)), ms(9_750));
        assert_eq!(within(ms(1_000), ms(100)), ms(75));
        assert_eq!(within(ms(1_000), Duration::ZERO), ms(1));
        let packed = Command::pack_all(&[command(Wait::Replicas(2), Duration::from_micros(10))]);
        assert_eq!(packed, b"*3\r\n$4\r\nWAIT\r\n$1\r\n2\r\n$1\r\n1\r\n");
    }

    #[test]
    fn only_servers_that_can_tell_of_their_disk_are_asked_to() {
        let info = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        assert!(syncs(&info("redis_version:7.2.0\r\n# Persistence\r\naof_enabled:1\r\n")));
        assert!(syncs(&info("redis_version:8.0.1\r\naof_enabled:1\r\n")));
        assert!(!syncs(&info("redis_version:7.0.15\r\naof_enabled:1\r\n")));
        assert!(!syncs(&info("redis_version:7.2.0\r\naof_enabled:0\r\n")));
        assert!(!syncs(&info("aof_enabled:1\r\n")));
        assert!(!syncs(&Value::Nil));
    }

    #[test]
    fn answers_say_what_was_reached_and_a_refusal_says_nothing() {
        assert_eq!(reached(Some(Value::Int(2))), AcksReached::by_replicas(2));
        let disk = Value::Array(vec![Value::Int(1), Value::Int(0)]);
        assert_eq!(reached(Some(disk)), AcksReached::FSYNCED);
        let late = Value::Array(vec![Value::Int(0), Value::Int(0)]);
        assert_eq!(reached(Some(late)), AcksReached::PRIMARY);
        assert_eq!(reached(None), AcksReached::PRIMARY);
        assert_eq!(reached(Some(Value::Okay)), AcksReached::PRIMARY);
    }
}
