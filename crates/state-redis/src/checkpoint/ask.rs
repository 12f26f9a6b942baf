//! Sending the scripts of threads.

use std::time::Duration;

use bytes::Bytes;
use state_core::checkpoint::{Ownership, ThreadId, ThreadLifetime};
use state_core::{Acks, Error, ErrorKind, Outcome, Result};

use super::scripts::Answer;
use super::{Inner, deadline};
use crate::backend::{acknowledged, lease_name, wait_for};
use crate::client::{Body, Lane, Repeat, Reply, Request, Role, Script, Tally, Target, Wait};
use crate::command::Command;
use crate::retry::effect::Effect;
use crate::scripts::unlike;
use crate::topology::slot_of;

/// How often a change is tried while others change the same thread.
pub(super) const TRIES: usize = 100;

/// A script with its keys and arguments.
pub(super) struct Ask {
    pub(super) script: &'static Script,
    pub(super) keys: Vec<Bytes>,
    pub(super) args: Vec<Bytes>,
    pub(super) role: Role,
    pub(super) lane: Lane,
    pub(super) effect: Effect,
    pub(super) wait: Option<Wait>,
}

impl Ask {
    /// A read.
    pub(super) fn read(script: &'static Script, keys: Vec<Bytes>, args: Vec<Bytes>) -> Self {
        let (role, lane) = (Role::Primary, Lane::Point);
        Self { script, keys, args, role, lane, effect: Effect::Read, wait: None }
    }

    /// A change that does no harm twice, once the first can not come after the second.
    pub(super) fn change(script: &'static Script, keys: Vec<Bytes>, args: Vec<Bytes>) -> Self {
        Self { effect: Effect::Overwrite, ..Self::read(script, keys, args) }
    }

    pub(super) fn with_role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Says that the answer may be large.
    pub(super) fn in_bulk(mut self) -> Self {
        self.lane = Lane::Bulk;
        self
    }

    pub(super) fn with_wait(mut self, wait: Option<Wait>) -> Self {
        self.wait = wait;
        self
    }
}

impl Inner {
    /// Runs one script on the node of its first key.
    pub(super) fn ask(&self, ask: Ask) -> impl Future<Output = Result<Answer>> + Send {
        self.call(self.request_of(ask))
    }

    fn request_of(&self, ask: Ask) -> Request {
        let Ask { script, keys, args, role, lane, effect, wait } = ask;
        let target = keys.first().map_or(Target::Any, |key| Target::Slot(slot_of(key)));
        let repeat: Repeat = effect.repeat(state_core::Resend::Safe, false);
        let request = self.request(target, script, script.call(&keys, &args), lane);
        request.with_role(role).with_repeat(repeat).with_wait(wait)
    }

    /// Changes a thread with a script that does no harm twice, whose call is put together already.
    pub(super) fn change(
        &self,
        script: &'static Script,
        key: &Bytes,
        command: Command,
        wait: Option<Wait>,
    ) -> impl Future<Output = Result<Answer>> + Send {
        let request = self.request(Target::Slot(slot_of(key)), script, command, Lane::Point);
        self.call(request.with_repeat(Repeat::Safe).with_wait(wait))
    }

    fn request(
        &self,
        target: Target,
        script: &'static Script,
        command: Command,
        lane: Lane,
    ) -> Request {
        let is_large = command.payload_bytes() >= self.config.bulk_bytes_min;
        let lane = if is_large { Lane::Bulk } else { lane };
        Request::new("checkpoint", target, Body::Script(script, command)).with_lane(lane)
    }

    async fn call(&self, request: Request) -> Result<Answer> {
        self.call_about(request).await?
    }

    /// Runs one script that reads; what it says of the thread is apart from what is said of the server.
    pub(super) fn ask_about(
        &self,
        ask: Ask,
    ) -> impl Future<Output = Result<Result<Answer>>> + Send {
        self.call_about(self.request_of(ask))
    }

    async fn call_about(&self, request: Request) -> Result<Result<Answer>> {
        let mut request = request.with_deadline(deadline::current());
        let answered = self.client.call(&mut request, &mut Tally::default()).await?;
        let Reply::One(value) = answered.reply else { return Err(unlike()) };
        let mut answer = match Answer::read(value) {
            Ok(answer) => answer,
            refused => return Ok(refused),
        };
        answer.unsettled = answered.unsettled;
        acknowledged(request.wait, answered.reached.first().copied().unwrap_or_default())?;
        Ok(Ok(answer))
    }

    /// Sends a command to the primary that holds `key`; it must do no harm twice.
    pub(super) async fn command(
        &self,
        name: &str,
        key: &Bytes,
        arguments: &[impl AsRef<[u8]> + Sync],
    ) -> Result<redis::Value> {
        let mut command = Command::new(name);
        command.arg(key.as_ref());
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        let target = Target::Slot(slot_of(key));
        let request = Request::new("checkpoint", target, Body::Command(command))
            .with_repeat(Repeat::Safe)
            .with_deadline(deadline::current());
        let Reply::One(value) = self.client.send(request).await? else { return Err(unlike()) };
        Ok(value)
    }

    /// What has to be waited for; a level that is not offered is refused before anything is sent.
    pub(super) fn acks(&self, wanted: Acks) -> Result<Option<Wait>> {
        let offers = &self.offers;
        wait_for(wanted, self.config.strong_replicas, offers.replicas, offers.disk)
    }

    pub(super) fn keys_of(&self, thread: &ThreadId) -> Vec<Bytes> {
        self.keys.of(thread)
    }

    /// A lifetime as scripts take it: a letter and milliseconds, or nothing for the default where
    /// there is none.
    pub(super) fn lifetime_arg(&self, lifetime: ThreadLifetime) -> Bytes {
        let (mode, lifetime) = match lifetime {
            ThreadLifetime::Keep => ("k", self.options.lifetime),
            ThreadLifetime::Pinned => ("p", None),
            ThreadLifetime::After(lifetime) => ("a", Some(lifetime)),
            _ if self.options.lifetime.is_none() => return Bytes::new(),
            _ => ("d", self.options.lifetime),
        };
        let ms = lifetime.map(whole_ms).map_or_else(String::new, |ms| ms.to_string());
        Bytes::from(format!("{mode}{ms}"))
    }
}

/// The token and the lease of an owner, as scripts take them; empty without one.
pub(super) fn fence_arg(ownership: &Ownership) -> Bytes {
    match ownership {
        Ownership::Holder(fence) => {
            let token = format!("{}:", fence.token.get());
            [token.as_bytes(), lease_name(&fence.lease).as_ref()].concat().into()
        }
        _ => Bytes::new(),
    }
}

fn whole_ms(lifetime: Duration) -> u128 {
    lifetime.as_nanos().div_ceil(1_000_000)
}

pub(super) fn milliseconds(lifetime: Duration) -> Bytes {
    Bytes::from(whole_ms(lifetime).to_string())
}

pub(super) fn decimal(number: u64) -> Bytes {
    Bytes::from(number.to_string())
}

/// A number of a list, in front of it.
pub(super) fn count(len: usize) -> Bytes {
    Bytes::from(len.to_string())
}

pub(super) fn flag(set: bool) -> Bytes {
    Bytes::from_static(if set { b"1" } else { b"" })
}

/// A generation as it is stored, as an argument.
pub(super) fn generation_text(generation: u64) -> Bytes {
    Bytes::copy_from_slice(&generation_digits(generation))
}

/// A generation as it is stored.
pub(super) fn generation_digits(generation: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (mut text, mut rest) = ([0; 16], generation);
    for digit in text.iter_mut().rev() {
        *digit = usize::try_from(rest & 15)
            .ok()
            .and_then(|place| DIGITS.get(place))
            .copied()
            .unwrap_or(b'0');
        rest >>= 4;
    }
    text
}

pub(super) fn read_generation(text: &str) -> Result<u64> {
    u64::from_str_radix(text, 16).map_err(|_| super::scripts::damaged())
}

/// The generation of a thread that may be made.
pub(super) fn random() -> Result<u64> {
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).map_err(|error| {
        Error::new(ErrorKind::Internal, "the system has no random bits").with_source(error)
    })?;
    Ok(u64::from_le_bytes(bits))
}

/// Others changed the thread each time.
pub(super) fn too_busy() -> Error {
    Error::new(ErrorKind::Overloaded, "too many write to the thread at once")
        .with_outcome(Outcome::NotApplied)
}
