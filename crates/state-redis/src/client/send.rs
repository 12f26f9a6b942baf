//! Sending a request: the way to its node, its deadline, and what is done when a try fails.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use redis::Value;
use state_core::{AcksReached, Error, Result};
use tokio::time::Instant;

use super::batch::{Batch, Way};
use super::settle::Settled;
use super::{
    Answered, Client, Lane, NodeId, Repeat, Reply, Request, Role, Tally, Target, Time, Wait,
    acknowledge,
};
use crate::command::Command;
use crate::config::Address;
use crate::connect::{Begun, Connection, Trouble};
use crate::errors::{Failure, Fault};
use crate::retry::{Call, Step, Verdict, verdict};
use crate::topology::Node;

/// What stays the same over all tries of a request.
pub(super) struct Aim {
    pub(super) op: &'static str,
    pub(super) target: Target,
    pub(super) role: Role,
    pub(super) lane: Lane,
    pub(super) repeat: Repeat,
    wait: Option<Wait>,
}

/// The connection that a try went over.
#[derive(Clone)]
pub(super) struct Used {
    pub(super) node: Arc<Node>,
    pub(super) by: By,
}

#[derive(Clone)]
pub(super) enum By {
    /// One that others use as well.
    Shared(Arc<Connection>),
    /// One of the pool, by the number that the server gave it, if it did.
    Exclusive(Option<i64>),
}

/// A first try that failed.
struct First {
    used: Used,
    failure: Failure,
    /// Whether it may still be applied.
    late: bool,
}

/// What one call has come to.
#[derive(Default)]
struct Progress {
    used: Option<Used>,
    /// Connections over which the request may still be on its way.
    late: Vec<Used>,
    tally: Tally,
}

impl Progress {
    /// Notes the connection of a try that may still be applied.
    fn lost(&mut self, trouble: Trouble) -> Trouble {
        if trouble.failure().may_still_apply() {
            self.late.extend(self.used.clone());
        }
        trouble
    }
}

impl Client {
    /// Sends `request` and waits for the answer, trying again where that is safe and allowed.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub(crate) async fn send(&self, mut request: Request) -> Result<Reply> {
        Ok(self.call(&mut request, &mut Tally::default()).await?.reply)
    }

    /// As [`send`](Self::send), and tells what is known beside the answer. What was sent is added
    /// to `tally`, whether the call succeeds or not. The request stays where it is, so that no future holds it twice;
    /// what it holds is taken.
    ///
    /// # Errors
    /// Those of the table of failures, with the operation, the number of attempts and what is
    /// known of the outcome. A pipeline fails as a whole only when nothing of it was answered.
    pub(crate) async fn call(&self, request: &mut Request, tally: &mut Tally) -> Result<Answered> {
        let answered = self.call_quietly(request, tally).await;
        if let Some(gave_up) = tally.gave_up {
            gave_up.log(true);
        }
        answered
    }

    /// As [`call`](Self::call); what is to be logged of a failure is left to the caller, in `tally`.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub(crate) async fn call_quietly(
        &self,
        request: &mut Request,
        tally: &mut Tally,
    ) -> Result<Answered> {
        self.shared.retry.count();
        let time = request.time.unwrap_or_else(|| self.time());
        // By far the most requests are one command over a connection that is there, and are answered at once.
        let way = (request.lane, request.role);
        if let Some(command) = request.body.single()
            && let Some((node, mut begun)) = self.begin(&request.target, way, command, time)
        {
            let (failure, late) = match begun.answer().await.map(refused) {
                Ok(Ok(value)) => {
                    tally.commands += 1;
                    let reply = Reply::One(value);
                    return Ok(Answered { reply, reached: Vec::new(), unsettled: false });
                }
                Ok(Err(failure)) => (failure, false),
                Err(trouble) => (trouble.failure(), trouble.failure().may_still_apply()),
            };
            let used = Used { node, by: By::Shared(begun.into_connection()) };
            let first = First { used, failure, late };
            return self.long(request, time, Some(first), tally).await;
        }
        // Everything else is kept out of the future of every call.
        self.long(request, time, None, tally).await
    }

    /// Hands in a request of one command, where its connection is there; `None` where the way is longer.
    fn begin<'r>(
        &self,
        target: &Target,
        (lane, role): (Lane, Role),
        command: &'r Command,
        time: Time,
    ) -> Option<(Arc<Node>, Begun<'r>)> {
        if matches!(target, Target::At(_)) || lane == Lane::Exclusive {
            return None;
        }
        let until = (time.now + self.config().attempt_timeout()).min(time.deadline);
        if until <= time.now {
            return None;
        }
        let node = self.routed(target, role).ok()?;
        let connection = lane_of(lane, &node).ready()?;
        let begun = connection.begin(command, until)?;
        Some((node, begun))
    }

    /// As [`go_on`](Self::go_on), apart from the future of the caller.
    fn long<'a>(
        &'a self,
        request: &'a mut Request,
        time: Time,
        first: Option<First>,
        tally: &'a mut Tally,
    ) -> BoxFuture<'a, Result<Answered>> {
        Box::pin(self.go_on(request, time, first, tally))
    }

    /// What a request comes to that was not answered at once.
    async fn go_on(
        &self,
        request: &mut Request,
        time: Time,
        first: Option<First>,
        tally: &mut Tally,
    ) -> Result<Answered> {
        let Request { op, role, lane, repeat, wait, .. } = *request;
        let mut aim = Aim { op, target: request.target.clone(), role, lane, repeat, wait };
        let mut batch = Batch::new(request.body.take());
        let left = time.deadline.saturating_duration_since(Instant::now());
        let mut call = self.shared.retry.call_within(op, repeat, left);
        let mut progress = Progress::default();
        match (first, batch.single()) {
            (Some(First { used, failure, late }), _) => {
                progress.late.extend(late.then(|| used.clone()));
                progress.used = Some(used);
                progress.tally.wrote(1);
                batch.failed(0, failure);
            }
            (None, Some(command)) if lane != Lane::Exclusive => {
                let answer = self.one(&aim, &call, command, &mut progress).await;
                match answer.map_err(|trouble| trouble.failure()).and_then(refused) {
                    Ok(value) => {
                        tally.commands += 1;
                        let reply = Reply::One(value);
                        return Ok(Answered { reply, reached: Vec::new(), unsettled: false });
                    }
                    Err(failure) => batch.failed(0, failure),
                }
            }
            _ => {
                batch.plan_all();
                self.attempt(&aim, &call, &mut batch, &mut progress).await;
            }
        }
        let ended = self.try_again(&mut aim, &mut call, &mut batch, &mut progress).await;
        tally.commands += progress.tally.commands;
        tally.pipelines += progress.tally.pipelines;
        tally.retries += u64::from(call.retries());
        tally.gave_up = call.gave_up().or(tally.gave_up);
        match ended {
            None => batch.into_answer(call.is_unsettled()),
            Some((index, error)) => batch.give_up(index, error, op),
        }
    }

    /// Tries again until everything is answered, or there is to be no other try: the error then,
    /// and the command it is about.
    async fn try_again(
        &self,
        aim: &mut Aim,
        call: &mut Call<'_>,
        batch: &mut Batch,
        progress: &mut Progress,
    ) -> Option<(usize, Error)> {
        while let Some((index, failure)) = batch.take_decisive() {
            let again = match call.failed(failure).await {
                Ok(again) => again,
                Err(error) => return Some((index, error)),
            };
            batch.go_on();
            // A replica that failed once is not asked again, but one that does not know a script is
            // taught it: no other would know it, either.
            if again.step != Step::LoadScript {
                aim.role = Role::Primary;
            }
            self.find_again(aim, call, &again, progress.used.as_ref().map(|used| &used.node)).await;
            match self.settle(aim, call, &mut progress.late).await {
                Settled::Yes => self.attempt(aim, call, batch, progress).await,
                Settled::NotYet => batch.put_off(|| Fault::LostAfterSend.into()),
                Settled::Never => {
                    let why = "the late connection could not be ended on the server";
                    return Some((index, call.stop(Fault::LostAfterSend.into(), why)));
                }
            }
        }
        None
    }

    /// Sends what is to be sent next, and sorts the answers.
    async fn attempt(
        &self,
        aim: &Aim,
        call: &Call<'_>,
        batch: &mut Batch,
        progress: &mut Progress,
    ) {
        for (way, indexes) in batch.take_next() {
            let made;
            let (commands, skip, step) = if let Some(whole) = batch.whole(&indexes, &way) {
                (whole, 0, 1)
            } else {
                let (part, skip, step) = batch.part(&indexes, &way);
                made = part;
                (made.as_slice(), skip, step)
            };
            match self.many(aim, call, &way, commands, progress).await {
                Ok((values, reached)) => {
                    let values = values.into_iter().skip(skip).step_by(step);
                    for (index, value) in indexes.into_iter().zip(values) {
                        match refused(value) {
                            Ok(value) => {
                                batch.answered(index, Ok(value));
                                if let Some(reached) = reached {
                                    batch.acknowledged(index, reached);
                                }
                            }
                            Err(failure) => sort(aim, batch, index, failure),
                        }
                    }
                }
                Err(trouble) => {
                    let trouble = progress.lost(trouble);
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
        command: &Command,
        progress: &mut Progress,
    ) -> Result<Value, Trouble> {
        let connection = self.connection(aim, call, &Way::Routed, &mut progress.used).await?;
        let limit = self.limit(call)?;
        connection.one(command, limit).await.map_err(|trouble| {
            progress.tally.wrote(1);
            progress.lost(trouble)
        })
    }

    async fn many(
        &self,
        aim: &Aim,
        call: &Call<'_>,
        way: &Way,
        commands: &[Command],
        progress: &mut Progress,
    ) -> Result<(Vec<Value>, Option<AcksReached>), Trouble> {
        if aim.lane == Lane::Exclusive {
            return Box::pin(self.exclusive(aim, call, way, commands, progress)).await;
        }
        let connection = self.connection(aim, call, way, &mut progress.used).await?;
        let limit = self.limit(call)?;
        progress.tally.wrote(commands.len());
        Ok((connection.many(commands, limit).await?, None))
    }

    /// Sends `commands` over a connection of their own, with what is waited for behind them.
    async fn exclusive(
        &self,
        aim: &Aim,
        call: &Call<'_>,
        way: &Way,
        commands: &[Command],
        progress: &mut Progress,
    ) -> Result<(Vec<Value>, Option<AcksReached>), Trouble> {
        let node = self.node(aim, way, progress.used.as_ref())?;
        let taken = tokio::time::timeout(call.remaining(), node.exclusive().get()).await;
        let mut connection = taken.map_err(|_| Fault::ConnectTimeout)??;
        progress.used = Some(Used { node, by: By::Exclusive(connection.server_id()) });
        if aim.wait == Some(Wait::Disk) {
            let limit = self.limit(call)?;
            progress.tally.wrote(1);
            let checked = tokio::time::timeout(limit, acknowledge::check_disk(&mut connection));
            // Nothing was written yet, whatever became of the question.
            checked.await.map_err(|_| Fault::ConnectTimeout)??;
        }
        let limit = self.limit(call)?;
        let Some(wait) = aim.wait else {
            progress.tally.wrote(commands.len());
            let answers = tokio::time::timeout(limit, connection.many(commands)).await;
            return Ok((answers.unwrap_or_else(|_| Err(Fault::ReplyTimeout.into()))?, None));
        };
        let patience = self.shared.topology.connector().config().acks_timeout();
        let patience = acknowledge::within(patience, call.remaining());
        let mut all = commands.to_vec();
        all.push(acknowledge::command(wait, patience));
        progress.tally.wrote(all.len());
        let limit = limit.saturating_add(patience).min(call.remaining());
        let answers = tokio::time::timeout(limit, connection.many(&all)).await;
        let mut answers = answers.unwrap_or_else(|_| Err(Fault::ReplyTimeout.into()))?;
        let reached = acknowledge::reached(answers.pop());
        Ok((answers, Some(reached)))
    }

    /// The connection for the next try; waits for it while one is made.
    async fn connection(
        &self,
        aim: &Aim,
        call: &Call<'_>,
        way: &Way,
        used: &mut Option<Used>,
    ) -> Result<Arc<Connection>, Trouble> {
        let (node, connection) = loop {
            let node = self.node(aim, way, used.as_ref())?;
            let lane = lane_of(aim.lane, &node);
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
            let made = made.map_err(|_| Fault::ConnectTimeout)??;
            // Only primaries are asked to wait for replicas or for their disk.
            if aim.role == Role::Primary {
                node.exclusive().fill();
            }
            break (Arc::clone(&node), made);
        };
        *used = Some(Used { node, by: By::Shared(Arc::clone(&connection)) });
        Ok(connection)
    }

    /// The node that serves the next try.
    pub(super) fn node(
        &self,
        aim: &Aim,
        way: &Way,
        used: Option<&Used>,
    ) -> Result<Arc<Node>, Trouble> {
        let topology = &self.shared.topology;
        match way {
            Way::Routed => {
                if let Target::At(address) = &aim.target {
                    return Ok(topology.node(address, crate::connect::Purpose::Any));
                }
                self.routed(&aim.target, aim.role)
            }
            Way::Redirected(redirect) => {
                let from = used.map(|used| used.node.id());
                let address = named(&redirect.address, from).ok_or(Fault::NoNode)?;
                if redirect.ask {
                    Ok(topology.node(&address, crate::connect::Purpose::Any))
                } else {
                    Ok(topology.moved(redirect.slot, &address))
                }
            }
        }
    }

    /// The node that the routes of now name.
    fn routed(&self, target: &Target, role: Role) -> Result<Arc<Node>, Trouble> {
        let alike = *target == Target::Any || role == Role::ReplicaOk;
        let turn = if alike { self.turn() } else { 0 };
        Ok(self.shared.topology.find(target, role, turn)?)
    }

    /// How long one try may take.
    ///
    /// # Errors
    /// When no time is left: what is not sent can have no effect.
    fn limit(&self, call: &Call<'_>) -> Result<Duration, Trouble> {
        let config = self.shared.topology.connector().config();
        let limit = config.attempt_timeout().min(call.remaining());
        if limit.is_zero() { Err(Fault::Late.into()) } else { Ok(limit) }
    }
}

/// The shared connection of `node` for such a request.
pub(super) fn lane_of(lane: Lane, node: &Node) -> &crate::connect::Lane {
    if lane == Lane::Bulk { node.bulk() } else { node.point() }
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
