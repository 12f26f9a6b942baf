//! Batches: grouped by node, in chunks, all nodes at once.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use redis::Value;
use state_core::{
    Entry, Error, GetOptions, Key, Meta, Operation, Outcome, Result, Version, WriteOp, WriteOutcome,
};

use super::Inner;
use super::ask::{Ask, How, Receipt, What, acknowledged, many, role};
use super::op::Op;
use super::point::{
    Made, delete_answer, get_command, increment_answer, read_answer, read_deleted, read_meta,
    read_plain,
};
use crate::client::{Answered, Body, Lane, NodeId, Repeat, Request, Role, Wait};
use crate::command::Command;
use crate::keys::Kind;
use crate::scripts::{Answer, unlike};
use crate::topology::slot_of;

/// The most scripts of one chunk: a server is busy with one about ten times as long as with a
/// command, and what waits longest should not be taken for lost.
pub(super) const SCRIPTS_MAX: usize = 200;
/// The most keys of a batch that goes over the connection for small requests.
const POINT_KEYS_MAX: usize = 64;
/// How many chunks of one node are on their way together.
const CHUNKS_AT_ONCE: usize = 16;

/// One item of a batch: a command or a script, and where it goes.
pub(super) struct Item<T> {
    index: usize,
    stored: Bytes,
    /// Taken when it is sent.
    what: Option<What>,
    script: bool,
    how: How,
    read: T,
}

impl<T> Item<T> {
    /// A command to the node of `stored` that may be sent twice.
    pub(super) fn command(stored: Bytes, command: Command, read: T) -> Self {
        Self::new(0, stored, What::Command(command), How::read(), read)
    }

    /// A script on the node of its first key, which is `stored`.
    pub(super) fn script(stored: Bytes, ask: Ask, read: T) -> Self {
        Self::new(0, stored, What::Script(ask.call), ask.how, read)
    }

    fn new(index: usize, stored: Bytes, what: What, how: How, read: T) -> Self {
        let script = matches!(what, What::Script(_));
        Self { index, stored, what: Some(what), script, how, read }
    }

    /// Waits behind it as a write of the same key would.
    pub(super) fn waiting(mut self, wait: Option<Wait>) -> Self {
        self.how = self.how.with_wait(wait);
        self
    }

    /// About how much of a write it takes.
    fn bytes(&self) -> usize {
        self.what.as_ref().map_or(0, What::bytes)
    }

    /// What its sender keeps with it.
    pub(super) fn into_read(self) -> T {
        self.read
    }
}

/// An item with the answer to it.
type Sent<T> = (Item<T>, Result<(Value, Receipt)>);

/// How the answer of a write is read.
enum Reading {
    Put(Made),
    Delete { return_value: bool, remembered: bool },
    Increment { version: Version },
}

impl Inner {
    pub(super) async fn get_each(
        &self,
        op: &Op,
        keys: &[Key],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.capabilities.limits.check_batch(keys.len())?;
        self.fence_args(options.fence.as_ref())?;
        let mut role = role(options.consistency)?;
        if is_plain(options) && !self.client.is_cluster() {
            return self.get_together(op, keys, role).await;
        }
        let mut answers: Vec<_> = keys.iter().map(|_| Ok(None)).collect();
        let mut items = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let stored = self.keys.key(Kind::Entry, key);
            let what = match self.ask_get(key, &stored, options) {
                Ok(Some(ask)) => {
                    // The same options for each key make the same of each read.
                    role = ask.role;
                    What::Script(ask.call)
                }
                Ok(None) => What::Command(get_command(&stored, options.head)),
                Err(error) => {
                    put_at(&mut answers, index, Err(error));
                    continue;
                }
            };
            items.push(Item::new(index, stored, what, How::read(), ()));
        }
        let head = options.head;
        for (item, answer) in self.send_batch(op, role, items).await? {
            let script = item.script;
            let read = |value: Value| {
                let found = if script {
                    read_answer(&Answer::read(value)?, head)?
                } else {
                    read_plain(value, head)?
                };
                self.saw_read(&item.stored, found.as_ref(), options);
                Ok(found)
            };
            put_at(&mut answers, item.index, answer.and_then(|(value, _)| read(value)));
        }
        fenced_as_a_whole(answers, options.fence.is_some())
    }

    /// What a listing tells of each key, those left out that are gone by now. One round trip per
    /// node and chunk.
    pub(super) async fn metas(
        &self,
        op: &Op,
        keys: Vec<Key>,
        options: &GetOptions,
    ) -> Result<Vec<Meta>> {
        let mut items = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let stored = self.keys.key(Kind::Entry, key);
            let Some(ask) = self.ask_get(key, &stored, options)? else { continue };
            let what = What::Script(ask.call);
            items.push(Item::new(index, stored, what, How::read(), ()));
        }
        let role = role(options.consistency)?;
        let mut told: Vec<Option<Meta>> = keys.iter().map(|_| None).collect();
        for (item, answer) in self.send_batch(op, role, items).await? {
            let (value, _) = answer?;
            if let (Some(place), Some(key)) = (told.get_mut(item.index), keys.get(item.index)) {
                *place = read_meta(key.clone(), &Answer::read(value)?)?;
            }
        }
        Ok(told.into_iter().flatten().collect())
    }

    pub(super) async fn write_each(
        &self,
        op: &Op,
        ops: &[WriteOp],
    ) -> Result<Vec<Result<WriteOutcome>>> {
        self.capabilities.limits.check_batch(ops.len())?;
        let mut answers: Vec<Option<Result<WriteOutcome>>> = ops.iter().map(|_| None).collect();
        let mut items = Vec::with_capacity(ops.len());
        for (index, write) in ops.iter().enumerate() {
            match self.prepare(index, write) {
                Ok(item) => items.push(item),
                Err(error) => {
                    if let Some(answer) = answers.get_mut(index) {
                        *answer = Some(Err(error));
                    }
                }
            }
        }
        let sent = self.send_batch(op, Role::Primary, items).await?;
        let mut doubtful = Vec::new();
        for (item, answer) in sent {
            let script = item.script;
            let read = answer.and_then(|(value, receipt)| {
                item.read.read(value, script, receipt).and_then(|outcome| {
                    acknowledged(item.how.wait, receipt.reached).map(|_| outcome)
                })
            });
            if let (Err(error), Reading::Put(made)) = (&read, &item.read)
                && error.outcome() == Outcome::Unknown
            {
                doubtful.push((item.index, item.stored, *made));
            }
            if let Some(answer) = answers.get_mut(item.index) {
                *answer = Some(read);
            }
        }
        for (index, found) in self.look_up(op, doubtful).await {
            if let Some(answer) = answers.get_mut(index) {
                *answer = Some(found.map(WriteOutcome::Written));
            }
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unlike()))).collect())
    }

    fn prepare(&self, index: usize, write: &WriteOp) -> Result<Item<Reading>> {
        if let WriteOp::Put { key, value, options } = write {
            let put = self.prepare_put(key, value, options)?;
            return Ok(Item::new(index, put.stored, put.what, put.how, Reading::Put(put.made)));
        }
        let stored = self.keys.key(Kind::Entry, write.key());
        let script = |ask: Ask| (What::Script(ask.call), ask.how);
        let ((what, how), read) = match write {
            WriteOp::Delete { key, options } => {
                let remembered = options.op_id.is_some();
                let read = Reading::Delete { return_value: options.return_value, remembered };
                let what = if let Some(ask) = self.ask_delete(key, options)? {
                    script(ask)
                } else {
                    let (command, how) = self.delete_command(&stored, options)?;
                    (What::Command(command), how)
                };
                (what, read)
            }
            WriteOp::Increment { key, by, options } => {
                let (ask, version) = self.ask_increment(key, *by, options)?;
                (script(ask), Reading::Increment { version })
            }
            _ => return Err(Error::unsupported("this kind of write")),
        };
        Ok(Item::new(index, stored, what, how, read))
    }

    /// Sends items to their nodes, those of one node in their order, and returns the answers.
    pub(super) async fn send_batch<T>(
        &self,
        op: &Op,
        role: Role,
        items: Vec<Item<T>>,
    ) -> Result<Vec<Sent<T>>> {
        if !self.client.is_cluster() {
            return self.send_node(op, role, items).await;
        }
        let mut nodes: BTreeMap<NodeId, Vec<Item<T>>> = BTreeMap::new();
        for item in items {
            let node = self.client.slot_owner(slot_of(&item.stored));
            nodes.entry(node).or_default().push(item);
        }
        let sent = nodes.into_values().map(|items| self.send_node(op, role, items));
        let mut answers = Vec::new();
        for node in join_all(sent).await {
            answers.extend(node?);
        }
        Ok(answers)
    }

    /// Sends the items of one node in chunks. They are on their way together, unless a key is in several of them, or a log
    /// tells what was written: that has an order, which a chunk that comes late or is sent again would break.
    async fn send_node<T>(&self, op: &Op, role: Role, items: Vec<Item<T>>) -> Result<Vec<Sent<T>>> {
        let mut items = items.into_iter();
        let mut chunks: Vec<Vec<Item<T>>> = Vec::new();
        while !items.as_slice().is_empty() {
            let count = self.chunk(items.as_slice());
            chunks.push(items.by_ref().take(count).collect());
        }
        let told = op.kind() == Operation::WriteMany && self.layout.log.is_some();
        let at_once = if told || share_a_key(&chunks) { 1 } else { CHUNKS_AT_ONCE };
        let sent = chunks.into_iter().map(|chunk| self.send_chunk(op, role, chunk));
        let mut sent = pin!(stream::iter(sent).buffered(at_once));
        let (mut answers, mut failed) = (Vec::new(), Vec::new());
        while let Some((chunk, answer)) = sent.next().await {
            match answer {
                Ok(values) => answers.extend(chunk.into_iter().zip(values)),
                Err(error) => failed.push((chunk, error)),
            }
            // Nothing was written by this call: nothing more is sent.
            if at_once == 1 && answers.is_empty() && all_refused(&failed) {
                break;
            }
        }
        if answers.is_empty() && all_refused(&failed) {
            // What fails as a whole is told as a whole.
            return failed.into_iter().next().map_or(Ok(answers), |(_, error)| Err(error));
        }
        answers.extend(failed.into_iter().flat_map(|(chunk, error)| unanswered(chunk, &error)));
        Ok(answers)
    }

    /// How many of these go together: of one kind, within the limits for batches.
    fn chunk<T>(&self, items: &[Item<T>]) -> usize {
        let Some(first) = items.first() else { return 0 };
        let most = self.config.batch_keys_max;
        let most = if first.script { most.min(SCRIPTS_MAX) } else { most };
        let mut bytes = 0;
        let fits = |item: &&Item<T>| {
            bytes += item.bytes();
            let alike = item.script == first.script && item.how.wait == first.how.wait;
            alike && bytes <= self.config.batch_bytes_max
        };
        items.iter().take(most).take_while(fits).count().max(1)
    }

    /// Sends what goes together: its items, with the answers to all of them or the error of all.
    async fn send_chunk<T>(
        &self,
        op: &Op,
        role: Role,
        mut chunk: Vec<Item<T>>,
    ) -> (Vec<Item<T>>, Result<Vec<Result<(Value, Receipt)>>>) {
        let Some(first) = chunk.first() else { return (chunk, Ok(Vec::new())) };
        // By the slot and not by the node, which another one may have replaced by now.
        let (target, wait) = (self.client.target(&first.stored), first.how.wait);
        let bytes = chunk.iter().map(Item::bytes).sum();
        let lane = self.lane_of_all(chunk.iter().map(|item| &item.stored), bytes);
        let mut commands = Vec::with_capacity(chunk.len());
        let mut calls = Vec::new();
        for item in &mut chunk {
            match item.what.take() {
                Some(What::Command(command)) => commands.push(command),
                Some(What::Script(call)) => calls.push(call),
                None => {}
            }
        }
        // All of it is sent again, or nothing.
        let repeat = chunk.iter().map(|item| item.how.repeat).max().unwrap_or(Repeat::Safe);
        let body = if calls.is_empty() { Body::Pipeline(commands) } else { Body::Scripts(calls) };
        let request = Request::new(op.name(), target, body);
        let request = request.with_role(role).with_lane(lane).with_repeat(repeat).with_wait(wait);
        let answer = self.send(op, request).await.and_then(|answered| {
            let Answered { reply, reached, unsettled } = answered;
            let values = many(reply)?;
            if values.len() != chunk.len() {
                return Err(unlike());
            }
            let mut reached = reached.into_iter();
            let receipts = std::iter::from_fn(|| {
                Some(Receipt { reached: reached.next().unwrap_or_default(), unsettled })
            });
            let answers = values.into_iter().zip(receipts);
            Ok(answers.map(|(value, receipt)| value.map(|value| (value, receipt))).collect())
        });
        (chunk, answer)
    }

    /// The lane of a batch: that for bulk if it is long, or large, or its answers probably are.
    pub(super) fn lane_of_all<'k>(
        &self,
        mut keys: impl ExactSizeIterator<Item = &'k Bytes>,
        bytes: usize,
    ) -> Lane {
        let bulk = keys.len() > POINT_KEYS_MAX
            || self.is_large(bytes)
            || keys.any(|stored| self.large.has(stored));
        if bulk { Lane::Bulk } else { Lane::Point }
    }
}

/// Whether a key is in several chunks.
fn share_a_key<T>(chunks: &[Vec<Item<T>>]) -> bool {
    let mut seen = HashMap::new();
    chunks.len() > 1
        && chunks.iter().enumerate().any(|(number, chunk)| {
            chunk.iter().any(|item| *seen.entry(&item.stored).or_insert(number) != number)
        })
}

/// Whether all of these chunks certainly had no effect.
fn all_refused<T>(failed: &[(Vec<Item<T>>, Error)]) -> bool {
    failed.iter().all(|(_, error)| error.outcome() == Outcome::NotApplied)
}

/// The items of a chunk of a batch, parts of which were answered, when the chunk was not.
fn unanswered<T>(chunk: Vec<Item<T>>, error: &Error) -> impl Iterator<Item = Sent<T>> + use<T> {
    let (kind, outcome) = (error.kind(), error.outcome());
    chunk.into_iter().map(move |item| {
        let message = "the node did not answer this part of the batch";
        (item, Err(Error::new(kind, message).with_outcome(outcome)))
    })
}

impl Reading {
    fn read(&self, value: Value, script: bool, receipt: Receipt) -> Result<WriteOutcome> {
        match self {
            Self::Put(put) if script => {
                put.answer(&Answer::read(value)?, receipt).map(WriteOutcome::Written)
            }
            Self::Put(put) => put.plain_answer(&value, receipt).map(WriteOutcome::Written),
            Self::Delete { return_value, remembered } if script => {
                let reading = (*return_value, *remembered);
                let deleted = delete_answer(&Answer::read(value)?, reading, receipt)?;
                Ok(WriteOutcome::Deleted(deleted))
            }
            Self::Delete { return_value, .. } => {
                Ok(WriteOutcome::Deleted(read_deleted(value, *return_value, receipt)?))
            }
            Self::Increment { version } => {
                let sum = increment_answer(&Answer::read(value)?, *version, receipt)?;
                Ok(WriteOutcome::Incremented(sum))
            }
        }
    }
}

/// Whether nothing but the value and its version is asked for.
const fn is_plain(options: &GetOptions) -> bool {
    options.touch.is_none() && options.fence.is_none() && !options.expiry && !options.head
}

pub(super) fn put_at<T>(answers: &mut [Result<T>], index: usize, answer: Result<T>) {
    if let Some(place) = answers.get_mut(index) {
        *place = answer;
    }
}

/// A stale token is refused for the whole call, as one step would be.
fn fenced_as_a_whole<T>(answers: Vec<Result<T>>, fenced: bool) -> Result<Vec<Result<T>>> {
    let stale = |answer: &Result<T>| {
        answer.as_ref().is_err_and(|error| error.kind() == state_core::ErrorKind::Fenced)
    };
    if fenced && answers.iter().any(stale) {
        let found = answers.into_iter().find(stale);
        return found.map_or_else(|| Err(unlike()), |answer| answer.map(|_| Vec::new()));
    }
    Ok(answers)
}
