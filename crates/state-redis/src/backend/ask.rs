//! Asking the client: requests as the driver methods need them.

use bytes::Bytes;
use redis::{Cmd, Value};
use state_core::{Acks, AcksReached, Consistency, Error, Fence, Key, Operation, Resend, Result};

use super::Inner;
use crate::client::{Body, Lane, Repeat, Reply, Request, Role, Script, ScriptCall, Target};
use crate::scripts::{Answer, unlike};
use crate::topology::slot_of;

/// A script with its keys and arguments.
pub(super) struct Ask {
    pub(super) call: ScriptCall,
    pub(super) repeat: Repeat,
}

impl Ask {
    pub(super) fn new(script: &'static Script, keys: Vec<Bytes>, args: Vec<Bytes>) -> Self {
        Self { call: ScriptCall { script, keys, args }, repeat: Repeat::OnlyIfNotApplied }
    }

    /// Being applied twice does no harm.
    pub(super) fn safe(mut self) -> Self {
        self.repeat = Repeat::Safe;
        self
    }

    pub(super) fn safe_if(self, safe: bool) -> Self {
        if safe { self.safe() } else { self }
    }
}

impl Inner {
    /// Sends one command to the node of `key`.
    pub(super) async fn command(
        &self,
        operation: Operation,
        key: &[u8],
        role: Role,
        repeat: Repeat,
        command: Cmd,
    ) -> Result<Value> {
        let lane = self.lane(command.args_iter().map(|arg| match arg {
            redis::Arg::Simple(bytes) => bytes.len(),
            _ => 0,
        }));
        let target = Target::Slot(slot_of(key));
        let body = Body::Command(command);
        let request = Request::new(operation.name(), target, body);
        let request = request.with_role(role).with_lane(lane).with_repeat(repeat);
        one(self.client.send(request).await?)
    }

    /// Runs one script on the node of its first key.
    pub(super) async fn script(&self, operation: Operation, ask: Ask) -> Result<Answer> {
        let Ask { call: ScriptCall { script, keys, args }, repeat } = ask;
        let lane = self.lane(args.iter().map(Bytes::len));
        let target = keys.first().map_or(Target::Any, |key| Target::Slot(slot_of(key)));
        let body = Body::Script { script, keys, args };
        let request = Request::new(operation.name(), target, body);
        let request = request.with_lane(lane).with_repeat(repeat);
        Answer::read(one(self.client.send(request).await?)?)
    }

    /// Large requests go where they delay nobody.
    pub(super) fn lane(&self, sizes: impl Iterator<Item = usize>) -> Lane {
        if sizes.sum::<usize>() >= self.config.bulk_bytes_min { Lane::Bulk } else { Lane::Point }
    }

    /// What a receipt says; a level that is not offered is refused before anything is sent.
    #[expect(clippy::unused_self, reason = "what is offered is going to depend on the topology")]
    pub(super) fn acks(&self, wanted: Acks) -> Result<AcksReached> {
        match wanted {
            Acks::Primary | Acks::Replicas(0) => Ok(AcksReached::PRIMARY),
            Acks::Replicas(_) => Err(Error::unsupported("waiting for replicas")),
            Acks::Fsynced => Err(Error::unsupported("waiting for the disk")),
            _ => Err(Error::unsupported("this level of acknowledgement")),
        }
    }

    /// The lease and the token of a fence, as scripts take them; empty without a fence.
    pub(super) fn fence_args(&self, fence: Option<&Fence>) -> Result<[Bytes; 2]> {
        let Some(fence) = fence else { return Ok([Bytes::new(), Bytes::new()]) };
        self.capabilities.limits.check_key(&fence.lease)?;
        Ok([lease_name(&fence.lease), Bytes::from(fence.token.get().to_string())])
    }
}

/// The name of a lease in fencing marks: injective, whatever partition and name hold.
pub(super) fn lease_name(lease: &Key) -> Bytes {
    let partition = lease.partition().map_or(b"".as_slice(), |partition| partition);
    let mut name = format!("{}:{}:", u8::from(lease.partition().is_some()), partition.len());
    name.reserve(partition.len() + lease.name().len());
    let mut name = name.into_bytes();
    name.extend_from_slice(partition);
    name.extend_from_slice(lease.name());
    name.into()
}

pub(super) fn role(consistency: Consistency) -> Result<Role> {
    match consistency {
        Consistency::Strong => Ok(Role::Primary),
        Consistency::Eventual => Ok(Role::ReplicaOk),
        _ => Err(Error::unsupported("this consistency level")),
    }
}

/// Whether a plain write may be sent again when its outcome is unknown.
pub(super) fn plain_repeat(resend: Resend) -> Repeat {
    if resend == Resend::Safe { Repeat::Safe } else { Repeat::OnlyIfNotApplied }
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
