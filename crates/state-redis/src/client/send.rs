//! Sending a request: the way to its node, its deadline, and what is done when a try fails.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use state_core::Result;

use super::batch::{Batch, Way};
use super::{Client, Lane, NodeId, Reply, Request, Role, Target};
use crate::config::Address;
use crate::connect::{Connection, Trouble};
use crate::errors::{Failure, Fault};
use crate::retry::{Again, Call, Step, Verdict, verdict};
use crate::topology::Node;

/// What stays the same over all tries of a request.
struct Aim {
    op: &'static str,
    target: Target,
    role: Role,
    lane: Lane,
    repeat: super::Repeat,
    blocks_for: Duration,
}

/// The last connection that was used, for the case that it has to be ended.
type Used = Option<(Arc<Node>, Arc<Connection>)>;

impl Client {
    /// Sends `request` and waits for the answer, trying again where that is safe and allowed.
    ///
    /// # Errors
    /// Those of the table of failures, with the operation, the number of attempts and what is
    /// known of the outcome. A pipeline fails as a whole only when nothing of it was answered.
    pub(crate) async fn send(&self, request: Request) -> Result<Reply> {
        let Request { op, target, role, lane, repeat, blocks_for, body } = request;
        let blocks_for = blocks_for.unwrap_or_default();
        let mut aim = Aim { op, target, role, lane, repeat, blocks_for };
        let mut batch = Batch::new(body);
        let mut call = self.shared.retry.call(op, repeat, blocks_for);
        let mut used = None;
        match batch.single() {
            // By far the most requests are one command that is answered at once.
            Some(command) if lane != Lane::Exclusive => {
                let answer = self.one(&aim, &call, command, &mut used).await;
                match answer.map_err(|trouble| trouble.failure()).and_then(refused) {
                    Ok(value) => return Ok(Reply::One(value)),
                    Err(failure) => batch.failed(0, failure),
                }
            }
            _ => {
                batch.plan_all();
                Box::pin(self.attempt(&aim, &call, &mut batch, &mut used)).await;
            }
        }
        while let Some((index, failure)) = batch.take_decisive() {
            // What is rare is kept out of the future of every call.
            let again = match Box::pin(call.failed(failure)).await {
                Ok(again) => again,
                Err(error) => return batch.give_up(index, error, op),
            };
            batch.go_on();
            // A replica that failed once is not asked again.
            aim.role = Role::Primary;
            Box::pin(self.prepare(&aim, &call, &again, &used)).await;
            Box::pin(self.attempt(&aim, &call, &mut batch, &mut used)).await;
        }
        batch.into_reply()
    }

    /// Does what must be done before another try.
    async fn prepare(&self, aim: &Aim, call: &Call<'_>, again: &Again, used: &Used) {
        if let (true, Some((node, connection))) = (again.close_old, used) {
            let lane = if aim.lane == Lane::Bulk { node.bulk() } else { node.point() };
            let killed = tokio::time::timeout(call.remaining(), lane.kill(connection)).await;
            tracing::debug!(op = aim.op, confirmed = killed == Ok(true), "ended a late connection");
        }
        let topology = &self.shared.topology;
        // Where another node can take over, a lost one is a reason to look for it.
        if again.step == Step::Refresh || (again.step == Step::Reconnect && topology.can_move()) {
            match tokio::time::timeout(call.remaining(), topology.refresh()).await {
                Ok(Ok(())) => {}
                Ok(Err(trouble)) => tracing::debug!(op = aim.op, %trouble, "no new routes"),
                Err(_) => tracing::debug!(op = aim.op, "no new routes in time"),
            }
            // The name of a lone server may lead to another one by now.
            if let (false, Some((node, _))) = (topology.can_move(), used) {
                node.reset();
            }
        }
    }

    /// Sends what is to be sent next, and sorts the answers.
    async fn attempt(&self, aim: &Aim, call: &Call<'_>, batch: &mut Batch, used: &mut Used) {
        for (way, indexes) in batch.take_next() {
            let made;
            let (commands, skip, step) = if let Some(whole) = batch.whole(&indexes, &way) {
                (whole, 0, 1)
            } else {
                let (part, skip, step) = batch.part(&indexes, &way);
                made = part;
                (&made, skip, step)
            };
            match self.many(aim, call, &way, commands, used).await {
                Ok(values) => {
                    let values = values.into_iter().skip(skip).step_by(step);
                    for (index, value) in indexes.into_iter().zip(values) {
                        match refused(value) {
                            Ok(value) => batch.answered(index, Ok(value)),
                            Err(failure) => sort(aim, batch, index, failure),
                        }
                    }
                }
                Err(trouble) => {
                    for index in indexes {
                        batch.failed(index, trouble.failure());
                    }
                }
            }
        }
    }

    async fn one(
        &self,
        aim: &Aim,
        call: &Call<'_>,
        command: &redis::Cmd,
        used: &mut Used,
    ) -> Result<Value, Trouble> {
        let connection = self.connection(aim, call, &Way::Routed, used).await?;
        let limit = self.limit(aim, call);
        let answer = tokio::time::timeout(limit, connection.one(command)).await;
        answer.unwrap_or_else(|_| Err(Fault::ReplyTimeout.into()))
    }

    async fn many(
        &self,
        aim: &Aim,
        call: &Call<'_>,
        way: &Way,
        commands: &redis::Pipeline,
        used: &mut Used,
    ) -> Result<Vec<Value>, Trouble> {
        let limit = self.limit(aim, call);
        if aim.lane == Lane::Exclusive {
            let node = self.node(aim, way, used)?;
            let mut connection = node.exclusive().get().await?;
            let answers = tokio::time::timeout(limit, connection.many(commands)).await;
            return answers.unwrap_or_else(|_| Err(Fault::ReplyTimeout.into()));
        }
        let connection = self.connection(aim, call, way, used).await?;
        let answers = tokio::time::timeout(limit, connection.many(commands)).await;
        answers.unwrap_or_else(|_| Err(Fault::ReplyTimeout.into()))
    }

    /// The connection for the next try; waits for it while one is made.
    async fn connection(
        &self,
        aim: &Aim,
        call: &Call<'_>,
        way: &Way,
        used: &mut Used,
    ) -> Result<Arc<Connection>, Trouble> {
        let connection = loop {
            let node = self.node(aim, way, used)?;
            let lane = if aim.lane == Lane::Bulk { node.bulk() } else { node.point() };
            if let Some(connection) = lane.ready() {
                break (node, connection);
            }
            // Timers need a runtime, too.
            tokio::runtime::Handle::try_current().map_err(|_| Fault::Closed)?;
            let mut routes = self.shared.topology.subscribe();
            let epoch = routes.borrow_and_update().epoch();
            let made = tokio::select! {
                made = tokio::time::timeout(call.remaining(), lane.connection()) => made,
                // While this waited for one node, another took over.
                Ok(_) = routes.wait_for(|routes| routes.epoch() != epoch) => continue,
            };
            break (Arc::clone(&node), made.map_err(|_| Fault::ConnectTimeout)??);
        };
        let (_, shared) = used.insert(connection);
        Ok(Arc::clone(shared))
    }

    fn node(&self, aim: &Aim, way: &Way, used: &Used) -> Result<Arc<Node>, Trouble> {
        let topology = &self.shared.topology;
        match way {
            Way::Routed => {
                let turn = if aim.target == Target::Any || aim.role == Role::ReplicaOk {
                    self.turn()
                } else {
                    0
                };
                Ok(Arc::clone(topology.routes().find(&aim.target, aim.role, turn)?))
            }
            Way::Redirected(redirect) => {
                let from = used.as_ref().map(|(node, _)| node.id());
                let address = named(&redirect.address, from).ok_or(Fault::NoNode)?;
                if redirect.ask {
                    Ok(topology.node(&address, crate::connect::Purpose::Any))
                } else {
                    Ok(topology.moved(redirect.slot, &address))
                }
            }
        }
    }

    /// How long one try may take.
    fn limit(&self, aim: &Aim, call: &Call<'_>) -> Duration {
        let config = self.shared.topology.connector().config();
        let limit = config.attempt_timeout().saturating_add(aim.blocks_for);
        limit.min(call.remaining())
    }
}

/// A server's refusal as a failure.
fn refused(value: Value) -> Result<Value, Failure> {
    match value {
        Value::ServerError(error) => Err(Failure::from_server(&error)),
        value => Ok(value),
    }
}

/// Keeps what is final, and has the rest tried again.
fn sort(aim: &Aim, batch: &mut Batch, index: usize, failure: Failure) {
    if verdict(failure.class(), failure.outcome(), aim.repeat) == Verdict::Stop {
        batch.answered(index, Err(failure.into_error().with_op(aim.op)));
    } else {
        batch.failed(index, failure);
    }
}

/// The address that a redirection names; without a host it is that of the node which said so.
fn named(address: &str, from: Option<&NodeId>) -> Option<Address> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if !host.is_empty() {
        return Some(Address::tcp(host, port));
    }
    match from?.as_str().parse().ok()? {
        Address::Tcp { host, .. } => Some(Address::tcp(host, port)),
        Address::Unix { .. } => None,
    }
}
