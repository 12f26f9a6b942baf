//! Asking the client: requests as the driver methods need them.

use bytes::Bytes;
use redis::Value;
use state_core::{
    Acks, AcksReached, Capability, Consistency, Error, ErrorKind, Fence, Key, OpId, Resend, Result,
};

use super::Inner;
use super::op::Op;
use crate::client::{
    Answered, Body, Lane, Repeat, Reply, Request, Role, Script, ScriptCall, Tally, Target, Wait,
};
use crate::command::Command;
use crate::retry::effect::Effect;
use crate::scripts::{Answer, unlike};

/// A script with its keys and arguments.
pub(super) struct Ask {
    pub(super) call: ScriptCall,
    pub(super) role: Role,
    pub(super) how: How,
}

/// What is sent for one key: a plain command, or a script.
pub(super) enum What {
    Command(Command),
    Script(ScriptCall),
}

impl What {
    /// About how much of a write it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Command(command) => command.payload_bytes(),
            Self::Script(call) => call.keys.iter().chain(&call.args).map(Bytes::len).sum(),
        }
    }
}

/// How a request is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) repeat: Repeat,
    pub(super) wait: Option<Wait>,
}

impl How {
    /// Such an operation without acknowledgements beyond the primary's.
    pub(super) fn of(effect: Effect, resend: Resend, id: Option<OpId>) -> Self {
        Self { repeat: effect.repeat(resend, id.is_some()), wait: None }
    }

    /// A read: being sent twice does no harm.
    pub(super) fn read() -> Self {
        Self::of(Effect::Read, Resend::Safe, None)
    }

    /// A write that is sent until it is made: being made twice, or late, does no harm.
    pub(super) fn upkeep() -> Self {
        Self::of(Effect::Upkeep, Resend::Safe, None)
    }

    pub(super) fn with_wait(mut self, wait: Option<Wait>) -> Self {
        self.wait = wait;
        self
    }
}

/// What is known beside the answer to a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Receipt {
    pub(super) reached: AcksReached,
    /// Whether an earlier try may have been applied as well.
    pub(super) unsettled: bool,
}

impl Ask {
    pub(super) fn new(
        script: &'static Script,
        keys: Vec<Bytes>,
        args: Vec<Bytes>,
        how: How,
    ) -> Self {
        Self::of(ScriptCall { script, keys, args }, how)
    }

    /// A call for the primary.
    pub(super) fn of(call: ScriptCall, how: How) -> Self {
        Self { call, role: Role::Primary, how }
    }

    /// Says which copy serves it.
    pub(super) fn with_role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
}

impl Inner {
    /// Sends a request, and counts what was sent for it.
    pub(super) async fn send(&self, op: &Op, mut request: Request) -> Result<Answered> {
        self.send_from(op, &mut request).await
    }

    /// As [`send`](Self::send), of a request that stays where it is.
    async fn send_from(&self, op: &Op, request: &mut Request) -> Result<Answered> {
        let mut tally = Tally::default();
        request.time = Some(op.time());
        let answered = self.client.call_quietly(request, &mut tally).await;
        self.counters.sent(op.kind(), tally);
        if let Some(gave_up) = tally.gave_up {
            op.tell(gave_up);
        }
        // Those of several requests of one call add up to its last word; most need one try.
        if tally.retries > 0 {
            tracing::Span::current().record("attempts", tally.retries + 1);
        }
        answered
    }

    /// Reads by one command from the node of `key`.
    pub(super) fn command<'a>(
        &'a self,
        op: &'a Op,
        key: &[u8],
        role: Role,
        command: Command,
    ) -> impl Future<Output = Result<(Value, Receipt)>> + Send + use<'a> {
        self.one(op, self.plain(op, key, How::read(), command).with_role(role))
    }

    /// Writes by one command to the node of `key`.
    pub(super) fn write<'a>(
        &'a self,
        op: &'a Op,
        key: &[u8],
        how: How,
        command: Command,
    ) -> impl Future<Output = Result<(Value, Receipt)>> + Send + use<'a> {
        self.one(op, self.plain(op, key, how, command))
    }

    /// The request of one command to the primary that holds `key`.
    fn plain(&self, op: &Op, key: &[u8], how: How, command: Command) -> Request {
        let (lane, target) = (self.lane(key, command.payload_bytes()), self.client.target(key));
        let request = Request::new(op.name(), target, Body::Command(command)).with_lane(lane);
        request.with_repeat(how.repeat).with_wait(how.wait)
    }

    /// Runs one script on the node of its first key.
    pub(super) async fn script(&self, op: &Op, ask: Ask) -> Result<(Answer, Receipt)> {
        let (value, receipt) = self.run(op, ask).await?;
        Ok((Answer::read(value)?, receipt))
    }

    fn run<'a>(
        &'a self,
        op: &'a Op,
        ask: Ask,
    ) -> impl Future<Output = Result<(Value, Receipt)>> + Send + use<'a> {
        let Ask { call: ScriptCall { script, keys, args }, role, how } = ask;
        let bytes = args.iter().map(Bytes::len).sum();
        let lane = keys.first().map_or(Lane::Point, |key| self.lane(key, bytes));
        let target = keys.first().map_or(Target::Any, |key| self.client.target(key));
        let request = Request::new(op.name(), target, Body::script(script, &keys, &args));
        let request = request.with_role(role).with_lane(lane);
        self.one(op, request.with_repeat(how.repeat).with_wait(how.wait))
    }

    /// Sends a request of one command. What is known before it is sent is put together outside of the future, which all
    /// calls make room for.
    #[expect(clippy::manual_async_fn, reason = "an async function would hold the request twice")]
    fn one<'a>(
        &'a self,
        op: &'a Op,
        mut request: Request,
    ) -> impl Future<Output = Result<(Value, Receipt)>> + Send + use<'a> {
        async move { alone(self.send_from(op, &mut request).await?) }
    }

    /// Large requests go where they delay nobody, and so do those whose answers are probably large.
    pub(super) fn lane(&self, key: &[u8], bytes: usize) -> Lane {
        if self.is_large(bytes) || self.large.has(key) { Lane::Bulk } else { Lane::Point }
    }

    pub(super) fn is_large(&self, bytes: usize) -> bool {
        bytes >= self.config.bulk_bytes_min
    }

    /// Notes how large the value of a key is.
    pub(super) fn saw(&self, stored: &[u8], value: &[u8]) {
        self.large.saw(stored, self.is_large(value.len()));
    }

    /// What has to be waited for; a level that is not offered is refused before anything is sent.
    pub(super) fn acks(&self, wanted: Acks) -> Result<Option<Wait>> {
        let offers = |capability| self.capabilities.has(capability);
        let replicas = offers(Capability::AckReplicas);
        wait_for(wanted, self.config.strong_replicas, replicas, offers(Capability::AckFsync))
    }

    /// The lease and the token of a fence, as scripts take them; empty without a fence.
    pub(super) fn fence_args(&self, fence: Option<&Fence>) -> Result<[Bytes; 2]> {
        let Some(fence) = fence else { return Ok([Bytes::new(), Bytes::new()]) };
        self.capabilities.limits.check_key(&fence.lease)?;
        Ok([lease_name(&fence.lease), Bytes::from(fence.token.get().to_string())])
    }
}

/// What has to be waited for, where waiting for replicas and for the disk is offered or not.
///
/// # Errors
/// `Unsupported` for what is not.
pub(crate) fn wait_for(
    wanted: Acks,
    strong_replicas: u32,
    replicas_offered: bool,
    disk_offered: bool,
) -> Result<Option<Wait>> {
    let replicas = match wanted {
        Acks::Primary => 0,
        Acks::Replicas(replicas) => replicas,
        Acks::Strong => strong_replicas,
        Acks::Fsynced if disk_offered => return Ok(Some(Wait::Disk)),
        Acks::Fsynced => return Err(Error::unsupported("waiting for the disk")),
        _ => return Err(Error::unsupported("this level of acknowledgement")),
    };
    if replicas > 0 && !replicas_offered {
        return Err(Error::unsupported("waiting for replicas"));
    }
    Ok((replicas > 0).then_some(Wait::Replicas(replicas)))
}

/// The name of a lease in fencing marks: injective, whatever partition and name hold.
pub(crate) fn lease_name(lease: &Key) -> Bytes {
    let partition = lease.partition().map_or(b"".as_slice(), |partition| partition);
    let mut name = format!("{}:{}:", u8::from(lease.partition().is_some()), partition.len());
    name.reserve(partition.len() + lease.name().len());
    let mut name = name.into_bytes();
    name.extend_from_slice(partition);
    name.extend_from_slice(lease.name());
    name.into()
}

pub(crate) fn role(consistency: Consistency) -> Result<Role> {
    match consistency {
        Consistency::Strong => Ok(Role::Primary),
        Consistency::Eventual => Ok(Role::ReplicaOk),
        _ => Err(Error::unsupported("this consistency level")),
    }
}

/// What a receipt says of a write that was applied.
///
/// # Errors
/// `Unacknowledged`, outcome applied, when that is less than was waited for.
pub(crate) fn acknowledged(wait: Option<Wait>, reached: AcksReached) -> Result<AcksReached> {
    let message = match wait {
        None => return Ok(AcksReached::PRIMARY),
        Some(Wait::Replicas(wanted)) if reached.replicas >= wanted => return Ok(reached),
        Some(Wait::Disk) if reached.fsynced => return Ok(reached),
        Some(Wait::Replicas(wanted)) => format!(
            "applied, but acknowledged by {} of the {wanted} replicas wanted",
            reached.replicas
        ),
        Some(Wait::Disk) => {
            "applied, but synced to the disk of 0 of the 1 servers wanted".to_owned()
        }
    };
    Err(Error::new(ErrorKind::Unacknowledged, message))
}

/// The answer to a request of one command.
fn alone(answered: Answered) -> Result<(Value, Receipt)> {
    let reached = answered.reached.first().copied().unwrap_or_default();
    Ok((one(answered.reply)?, Receipt { reached, unsettled: answered.unsettled }))
}

pub(super) fn one(reply: Reply) -> Result<Value> {
    match reply {
        Reply::One(value) => Ok(value),
        Reply::Many(_) => Err(unlike()),
    }
}

pub(super) fn many(reply: Reply) -> Result<Vec<Result<Value>>> {
    match reply {
        Reply::Many(values) => Ok(values),
        Reply::One(_) => Err(unlike()),
    }
}
