//! Single entries: get, put, delete, increment, touch.

use bytes::Bytes;
use redis::Value;
use state_core::{
    DeleteOptions, Deleted, Entry, Error, ErrorKind, GetOptions, IncrementOptions, Incremented,
    Key, LifetimeOn, Meta, OpDigest, OpId, Outcome, Precondition, PutOptions, Resend, Result,
    TouchOptions, Version, Written,
};

use super::Inner;
use super::ask::{Ask, How, Receipt, What, acknowledged, role};
use super::batch::Item;
use super::lifetime::{Lifetime, expires};
use super::noting::Noted;
use super::op::Op;
use crate::client::{Role, Wait};
use crate::command::Command;
use crate::frame;
use crate::keys::Kind;
use crate::retry::effect::Effect;
use crate::scripts::{self, Answer, Word, number, optional, unlike};

impl Inner {
    pub(super) async fn get_one(
        &self,
        op: &Op,
        key: &Key,
        options: &GetOptions,
    ) -> Result<Option<Entry>> {
        let stored = self.keys.key(Kind::Entry, key);
        let found = if let Some(ask) = self.ask_get(key, &stored, options)? {
            read_answer(&Box::pin(self.script(op, ask)).await?.0, options.head)?
        } else {
            let command = get_command(&stored, options.head);
            let role = role(options.consistency)?;
            let (value, _) = self.command(op, &stored, role, command).await?;
            read_plain(value, options.head)?
        };
        self.saw_read(&stored, found.as_ref(), options);
        Ok(found)
    }

    /// Notes how large what was read is, where all of it was read.
    pub(super) fn saw_read(&self, stored: &[u8], found: Option<&Entry>, options: &GetOptions) {
        if let Some(entry) = found
            && !options.head
        {
            self.saw(stored, &entry.value);
        }
    }

    /// The script for a read that a plain command cannot do; `None` where one can. `stored` is what `key` is called on the
    /// server.
    pub(super) fn ask_get(
        &self,
        key: &Key,
        stored: &Bytes,
        options: &GetOptions,
    ) -> Result<Option<Ask>> {
        self.capabilities.limits.check_key(key)?;
        let touched = options.touch.map(|expiry| self.touched(expiry)).transpose()?;
        if touched.is_some() && options.consistency == state_core::Consistency::Eventual {
            return Err(Error::invalid("an eventual read cannot touch"));
        }
        let [lease, token] = self.fence_args(options.fence.as_ref())?;
        if touched.is_none() && lease.is_empty() && !options.expiry {
            return Ok(None);
        }
        let [mode, ms] = touched.map_or([Bytes::new(), Bytes::new()], Lifetime::args);
        let mut keys = vec![stored.clone()];
        let noted = touched.is_some() && self.layout.log.is_some();
        // One key alone can be read while its slot moves; with an absent second one the server
        // says that the caller has to wait.
        if noted || !lease.is_empty() {
            keys.push(self.keys.fence(key));
        }
        let head = Bytes::from_static(if options.head { b"1" } else { b"0" });
        // A touch and the mark of a fence are writes.
        let writes = touched.is_some() || options.fence.is_some();
        let effect = if touched.is_some() { Effect::Overwrite } else { Effect::Read };
        let how = How::of(effect, Resend::Safe, None);
        let role = if writes { Role::Primary } else { role(options.consistency)? };
        let mut ask = Ask::new(&scripts::GET, keys, vec![head, mode, ms, lease, token], how);
        if noted {
            ask = ask.noting(self.note(Kind::Entry, key, Noted::Touched)?);
        }
        Ok(Some(ask.with_role(role)))
    }

    pub(super) async fn put_one(
        &self,
        op: &Op,
        key: &Key,
        value: &Bytes,
        options: &PutOptions,
    ) -> Result<Written> {
        let Put { stored, what, how, made } = self.prepare_put(key, value, options)?;
        let done = match what {
            What::Command(command) => {
                let sent = self.write(op, &stored, how, command).await;
                sent.and_then(|(value, receipt)| made.plain_answer(&value, receipt))
            }
            What::Script(call) => {
                let sent = Box::pin(self.script(op, Ask::of(call, how))).await;
                sent.and_then(|(answer, receipt)| made.answer(&answer, receipt))
            }
        };
        match done {
            Err(unknown) if unknown.outcome() == Outcome::Unknown => {
                let found = Box::pin(self.look_up(op, vec![(0, stored, made)])).await;
                found.into_iter().next().map_or(Err(unknown), |(_, found)| found)
            }
            done => done,
        }
    }

    /// Finds out what became of puts whose outcome is unknown, all at once and in the time that the call has left. The
    /// version of a put is its own, so finding that proves that it was applied. Answers for those of which that is
    /// known now, by their numbers; the others stay unknown.
    pub(super) async fn look_up(
        &self,
        op: &Op,
        doubtful: Vec<(usize, Bytes, Made)>,
    ) -> Vec<(usize, Result<Written>)> {
        if doubtful.is_empty() || op.is_over() {
            return Vec::new();
        }
        let items = doubtful.into_iter().map(|(index, stored, made)| {
            let command = get_command(&stored, true);
            Item::command(stored, command, (index, made)).waiting(made.wait)
        });
        let Ok(sent) = self.send_batch(op, Role::Primary, items.collect()).await else {
            return Vec::new();
        };
        let applied = sent.into_iter().filter_map(|(item, answer)| {
            let (index, made) = item.into_read();
            let (value, receipt) = answer.ok()?;
            let found = read_plain(value, true).ok().flatten()?;
            (found.version == made.version).then(|| (index, made.written(made.version, receipt)))
        });
        applied.collect()
    }

    /// Checks a put and decides on its version.
    pub(super) fn prepare_put(
        &self,
        key: &Key,
        value: &Bytes,
        options: &PutOptions,
    ) -> Result<Put> {
        self.capabilities.limits.check_key(key)?;
        self.capabilities.limits.check_value(value)?;
        let lifetime = self.lifetime(options.expiry)?;
        let wait = self.acks(options.acks)?;
        let effect = match options.precondition {
            Precondition::Absent => Effect::Create,
            Precondition::Matches(_) => Effect::CompareAndSet,
            _ => Effect::Overwrite,
        };
        let how = How::of(effect, options.resend, options.op_id).with_wait(wait);
        let [lease, token] = self.fence_args(options.fence.as_ref())?;
        let stored = self.keys.key(Kind::Entry, key);
        self.saw(&stored, value);
        let made = Made { version: frame::new_version()?, wait };
        let needs_script = self.is_noting()
            || !lease.is_empty()
            || options.op_id.is_some()
            || matches!(options.precondition, Precondition::Matches(_))
            || matches!(lifetime, Lifetime::At(_));
        if !needs_script {
            let framed = frame::Framed(made.version, value);
            let command = set_command(&stored, &framed, options.precondition, lifetime)?;
            return Ok(Put { stored, what: What::Command(command), how, made });
        }
        let (kind, wanted) = precondition(options.precondition)?;
        let [fence, operation] = self.beside(key, options.op_id.as_ref());
        let digest =
            options.op_id.map_or_else(Bytes::new, |_| digest(OpDigest::of_put(value, options)));
        let keys = vec![stored.clone(), fence, operation];
        let [how_long, ms] = lifetime.args();
        let header = frame::header(made.version);
        let args = vec![header, value.clone(), kind, wanted, how_long, ms, lease, token, digest];
        let ask = Ask::new(&scripts::PUT, keys, args, how);
        let ask = ask.noting(self.note(Kind::Entry, key, Noted::Written)?);
        Ok(Put { stored, what: What::Script(ask.call), how, made })
    }

    /// The keys of the fencing marks beside `key`, and of the operation that is remembered; that of the marks in its place
    /// where none is.
    fn beside(&self, key: &Key, id: Option<&OpId>) -> [Bytes; 2] {
        let fence = self.keys.fence(key);
        let operation = id.map(|id| self.keys.operation(key, id.as_bytes()));
        [fence.clone(), operation.unwrap_or(fence)]
    }

    pub(super) async fn delete_one(
        &self,
        op: &Op,
        key: &Key,
        options: &DeleteOptions,
    ) -> Result<Deleted> {
        if let Some(ask) = self.ask_delete(key, options)? {
            let wait = ask.how.wait;
            let (answer, receipt) = Box::pin(self.script(op, ask)).await?;
            let acks = receipt.reached;
            let reading = (options.return_value, options.op_id.is_some());
            return delete_answer(&answer, reading, receipt)
                .and_then(|deleted| acknowledged(wait, acks).map(|_| deleted));
        }
        let stored = self.keys.key(Kind::Entry, key);
        let (command, how) = self.delete_command(&stored, options)?;
        let (value, receipt) = self.write(op, &stored, how, command).await?;
        let deleted = read_deleted(value, options.return_value, receipt)?;
        acknowledged(how.wait, receipt.reached).map(|_| deleted)
    }

    /// The plain command of a delete, where one is enough.
    pub(super) fn delete_command(
        &self,
        stored: &Bytes,
        options: &DeleteOptions,
    ) -> Result<(Command, How)> {
        let name = if options.return_value { "GETDEL" } else { "UNLINK" };
        let mut command = Command::new(name);
        command.arg(stored.as_ref());
        Ok((command, delete_how(options).with_wait(self.acks(options.acks)?)))
    }

    /// The script for a delete that a plain command cannot do; `None` where one can.
    pub(super) fn ask_delete(&self, key: &Key, options: &DeleteOptions) -> Result<Option<Ask>> {
        self.capabilities.limits.check_key(key)?;
        if options.precondition == Precondition::Absent {
            return Err(Error::invalid("a delete cannot ask for its entry to be absent"));
        }
        let wait = self.acks(options.acks)?;
        let [lease, token] = self.fence_args(options.fence.as_ref())?;
        let (kind, wanted) = precondition(options.precondition)?;
        let always = options.precondition == Precondition::Always;
        if always && lease.is_empty() && options.op_id.is_none() && !self.is_noting() {
            return Ok(None);
        }
        let mut ask = self.delete_script(key, options, [kind, wanted, lease, token])?;
        ask.how.wait = wait;
        Ok(Some(ask))
    }

    pub(super) fn delete_script(
        &self,
        key: &Key,
        options: &DeleteOptions,
        [kind, wanted, lease, token]: [Bytes; 4],
    ) -> Result<Ask> {
        let [fence, operation] = self.beside(key, options.op_id.as_ref());
        let digest =
            options.op_id.map_or_else(Bytes::new, |_| digest(OpDigest::of_delete(options)));
        let keys = vec![self.keys.key(Kind::Entry, key), fence, operation];
        let returned = Bytes::from_static(if options.return_value { b"1" } else { b"0" });
        let args = vec![kind, wanted, returned, lease, token, digest];
        let ask = Ask::new(&scripts::DELETE, keys, args, delete_how(options));
        Ok(ask.noting(self.note(Kind::Entry, key, Noted::Written)?))
    }

    pub(super) async fn increment_one(
        &self,
        op: &Op,
        key: &Key,
        by: i64,
        options: &IncrementOptions,
    ) -> Result<Incremented> {
        let (ask, version) = self.ask_increment(key, by, options)?;
        let wait = ask.how.wait;
        let (answer, receipt) = self.script(op, ask).await?;
        let counted = increment_answer(&answer, version, receipt)?;
        acknowledged(wait, receipt.reached).map(|_| counted)
    }

    pub(super) fn ask_increment(
        &self,
        key: &Key,
        by: i64,
        options: &IncrementOptions,
    ) -> Result<(Ask, Version)> {
        self.capabilities.limits.check_key(key)?;
        let [mode, ms] = self.lifetime(options.expiry)?.args();
        let wait = self.acks(options.acks)?;
        let [lease, token] = self.fence_args(options.fence.as_ref())?;
        let version = frame::new_version()?;
        let [fence, operation] = self.beside(key, options.op_id.as_ref());
        let digest =
            options.op_id.map_or_else(Bytes::new, |_| digest(OpDigest::of_increment(by, options)));
        let keys = vec![self.keys.key(Kind::Entry, key), fence, operation];
        let on = lifetime_on(options.lifetime_on)?;
        let by = Bytes::from(by.to_string());
        let args = vec![frame::header(version), by, mode, ms, on, lease, token, digest];
        let how = How::of(Effect::EachCounts, options.resend, options.op_id).with_wait(wait);
        let ask = Ask::new(&scripts::INCREMENT, keys, args, how);
        Ok((ask.noting(self.note(Kind::Entry, key, Noted::Written)?), version))
    }

    pub(super) async fn touch_one(
        &self,
        op: &Op,
        key: &Key,
        options: &TouchOptions,
    ) -> Result<bool> {
        self.capabilities.limits.check_key(key)?;
        let [mode, ms] = self.touched(options.expiry)?.args();
        let wait = self.acks(options.acks)?;
        let [lease, token] = self.fence_args(options.fence.as_ref())?;
        let keys = vec![self.keys.key(Kind::Entry, key), self.keys.fence(key)];
        let how = How::of(Effect::Overwrite, Resend::Safe, None).with_wait(wait);
        let mut ask = Ask::new(&scripts::TOUCH, keys, vec![mode, ms, lease, token], how);
        if self.layout.log.is_some() {
            ask = ask.noting(self.note(Kind::Entry, key, Noted::Touched)?);
        }
        let (answer, receipt) = self.script(op, ask).await?;
        let touched = answer.item(0)?.as_ref() == b"1";
        acknowledged(wait, receipt.reached).map(|_| touched)
    }
}

/// A put that has been checked.
pub(super) struct Put {
    pub(super) stored: Bytes,
    pub(super) what: What,
    pub(super) how: How,
    pub(super) made: Made,
}

/// The version that a put makes, and what it waits for: what its answer is read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    version: Version,
    wait: Option<Wait>,
}

impl Made {
    /// Reads the answer to the plain command.
    pub(super) fn plain_answer(self, value: &Value, receipt: Receipt) -> Result<Written> {
        if *value == Value::Nil {
            return Err(conflict_after(receipt));
        }
        self.written(self.version, receipt)
    }

    /// Reads the answer of the script.
    pub(super) fn answer(self, answer: &Answer, receipt: Receipt) -> Result<Written> {
        let version = match answer.word {
            Word::Ok => self.version,
            Word::Replay => version(answer.item(0)?)?,
            // An earlier try of this very put is what stands in its way.
            Word::Conflict if answer.item(0)?.as_ref() == self.version.as_bytes() => self.version,
            Word::Conflict => return Err(conflict_after(receipt)),
            Word::Held => return Err(unlike()),
        };
        self.written(version, receipt)
    }

    fn written(self, version: Version, receipt: Receipt) -> Result<Written> {
        Ok(Written::new(version, acknowledged(self.wait, receipt.reached)?))
    }
}

/// The plain command of a put.
fn set_command(
    stored: &[u8],
    framed: &frame::Framed<'_>,
    precondition: Precondition,
    lifetime: Lifetime,
) -> Result<Command> {
    let mut command = Command::with_capacity("SET", 5, stored.len() + framed.len() + 32);
    command.arg(stored).arg(framed);
    match precondition {
        Precondition::Always => {}
        Precondition::Absent => drop(command.arg("NX")),
        Precondition::Present => drop(command.arg("XX")),
        _ => return Err(Error::unsupported("this precondition")),
    }
    match lifetime {
        Lifetime::Ms(ms) => drop(command.arg("PX").arg(ms)),
        Lifetime::Keep => drop(command.arg("KEEPTTL")),
        Lifetime::None | Lifetime::At(_) => {}
    }
    Ok(command)
}

fn delete_how(options: &DeleteOptions) -> How {
    let effect = match options.precondition {
        _ if options.return_value => Effect::EachCounts,
        Precondition::Matches(_) => Effect::CompareAndSet,
        _ => Effect::Delete,
    };
    How::of(effect, options.resend, options.op_id)
}

/// A digest as scripts store it in front of a result.
pub(super) fn digest(digest: OpDigest) -> Bytes {
    Bytes::from(format!("{:016x}", digest.get()))
}

pub(super) fn conflict() -> Error {
    Error::new(ErrorKind::Conflict, "the precondition does not hold")
}

/// A conflict, of which it may be an earlier try of the same call that is the reason.
fn conflict_after(receipt: Receipt) -> Error {
    let outcome = if receipt.unsettled { Outcome::Unknown } else { Outcome::NotApplied };
    conflict().with_outcome(outcome)
}

/// Reads the answer to the script of a delete. `remembered` says that it has an operation id, so that the
/// answer is that of the first try.
pub(super) fn delete_answer(
    answer: &Answer,
    (return_value, remembered): (bool, bool),
    receipt: Receipt,
) -> Result<Deleted> {
    if answer.word == Word::Conflict {
        return Err(conflict_after(receipt));
    }
    let existed = answer.item(0)?.as_ref() == b"1";
    let frame = answer.item(1)?;
    let previous = (existed && return_value).then(|| frame::open(frame.clone())).transpose()?;
    let previous = previous.map(|(version, value)| Entry::new(value, version));
    let deleted = Deleted::new(existed, previous, receipt.reached);
    Ok(deleted.with_existed_unknown(receipt.unsettled && !remembered))
}

pub(super) fn increment_answer(
    answer: &Answer,
    version_made: Version,
    receipt: Receipt,
) -> Result<Incremented> {
    let item = answer.item(0)?;
    if answer.word == Word::Replay {
        let (made, sum) = item.split_at_checked(16).ok_or_else(unlike)?;
        return Ok(Incremented::new(number(sum)?, version(made)?, receipt.reached));
    }
    Ok(Incremented::new(number(item)?, version_made, receipt.reached))
}

pub(super) fn read_deleted(value: Value, return_value: bool, receipt: Receipt) -> Result<Deleted> {
    if !return_value {
        let deleted = Deleted::new(scripts::integer(&value)? > 0, None, receipt.reached);
        return Ok(deleted.with_existed_unknown(receipt.unsettled));
    }
    let previous = optional(value)?.map(frame::open).transpose()?;
    let previous = previous.map(|(version, value)| Entry::new(value, version));
    Ok(Deleted::new(previous.is_some(), previous, receipt.reached))
}

pub(super) fn get_command(stored: &[u8], head: bool) -> Command {
    let mut command = Command::new(if head { "GETRANGE" } else { "GET" });
    command.arg(stored);
    if head {
        command.arg(0_u64).arg(frame::HEADER_BYTES - 1);
    }
    command
}

pub(super) fn read_plain(value: Value, head: bool) -> Result<Option<Entry>> {
    let Some(stored) = optional(value)? else { return Ok(None) };
    read_stored(stored, head)
}

/// Reads what is stored at a key; nothing is there when the beginning of it is empty.
fn read_stored(stored: Bytes, head: bool) -> Result<Option<Entry>> {
    if head && stored.is_empty() {
        return Ok(None);
    }
    let (version, value) = frame::open(stored)?;
    Ok(Some(Entry::new(value, version)))
}

pub(super) fn read_answer(answer: &Answer, head: bool) -> Result<Option<Entry>> {
    let [stored, deadline, remaining, _] = answer.rest.as_slice() else { return Ok(None) };
    let entry = read_stored(stored.clone(), head)?;
    let expires = expires(deadline, remaining)?;
    Ok(entry.map(|entry| entry.with_expires(expires)))
}

/// What a listing tells of the entry at `key`.
pub(super) fn read_meta(key: Key, answer: &Answer) -> Result<Option<Meta>> {
    let Some(entry) = read_answer(answer, true)? else { return Ok(None) };
    let stored: u64 = number(answer.item(3)?)?;
    let meta = Meta::new(key).with_version(entry.version).with_expires(entry.expires);
    Ok(Some(meta.with_value_bytes(stored.saturating_sub(frame::HEADER_BYTES as u64))))
}

pub(super) fn version(bytes: &[u8]) -> Result<Version> {
    bytes.try_into().map(Version::from_bytes).map_err(|_| unlike())
}

/// A precondition as scripts take it.
pub(super) fn precondition(precondition: Precondition) -> Result<(Bytes, Bytes)> {
    let kind: &'static [u8] = match precondition {
        Precondition::Always => b"a",
        Precondition::Absent => b"n",
        Precondition::Present => b"p",
        Precondition::Matches(version) => {
            let wanted = Bytes::copy_from_slice(version.as_bytes());
            return Ok((Bytes::from_static(b"m"), wanted));
        }
        _ => return Err(Error::unsupported("this precondition")),
    };
    Ok((Bytes::from_static(kind), Bytes::new()))
}

pub(super) fn lifetime_on(on: LifetimeOn) -> Result<Bytes> {
    match on {
        LifetimeOn::Create => Ok(Bytes::from_static(b"c")),
        LifetimeOn::Every => Ok(Bytes::from_static(b"e")),
        _ => Err(Error::unsupported("this rule for lifetimes of counters")),
    }
}
