//! Batches: grouped by node, in chunks, all nodes at once.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::join_all;
use redis::{Cmd, Value};
use state_core::{
    Entry, Error, GetOptions, Key, Meta, Operation, Outcome, Result, Version, WriteOp, WriteOutcome,
};

use super::Inner;
use super::ask::{Ask, How, Receipt, What, acknowledged, many, role};
use super::point::{
    Made, delete_answer, get_command, increment_answer, read_answer, read_deleted, read_meta,
    read_plain,
};
use crate::client::{Answered, Body, Lane, NodeId, Repeat, Request, Role};
use crate::keys::Kind;
use crate::scripts::{Answer, unlike};
use crate::topology::slot_of;

/// The most scripts of one chunk: a server is busy with one about ten times as long as with a
/// command, and what waits longest should not be taken for lost.
pub(super) const SCRIPTS_MAX: usize = 200;

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
    pub(super) fn command(stored: Bytes, command: Cmd, read: T) -> Self {
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
        keys: &[Key],
        options: &GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.capabilities.limits.check_batch(keys.len())?;
        self.fence_args(options.fence.as_ref())?;
        let mut role = role(options.consistency)?;
        if is_plain(options) && !self.client.is_cluster() {
            return self.get_together(keys, role).await;
        }
        let mut answers: Vec<_> = keys.iter().map(|_| Ok(None)).collect();
        let mut items = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let stored = self.keys.key(Kind::Entry, key);
            let what = match self.ask_get(key, options) {
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
        for (item, answer) in self.send_batch(Operation::GetMany, role, items).await? {
            let script = item.script;
            let read = |value: Value| {
                if script {
                    read_answer(&Answer::read(value)?, head)
                } else {
                    read_plain(value, head)
                }
            };
            put_at(&mut answers, item.index, answer.and_then(|(value, _)| read(value)));
        }
        fenced_as_a_whole(answers, options.fence.is_some())
    }

    /// What a listing tells of each key, those left out that are gone by now. One round trip per
    /// node and chunk.
    pub(super) async fn metas(&self, keys: Vec<Key>, options: &GetOptions) -> Result<Vec<Meta>> {
        let mut items = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let Some(ask) = self.ask_get(key, options)? else { continue };
            let stored = self.keys.key(Kind::Entry, key);
            let what = What::Script(ask.call);
            items.push(Item::new(index, stored, what, How::read(), ()));
        }
        let role = role(options.consistency)?;
        let mut told: Vec<Option<Meta>> = keys.iter().map(|_| None).collect();
        for (item, answer) in self.send_batch(Operation::List, role, items).await? {
            let (value, _) = answer?;
            if let (Some(place), Some(key)) = (told.get_mut(item.index), keys.get(item.index)) {
                *place = read_meta(key.clone(), &Answer::read(value)?)?;
            }
        }
        Ok(told.into_iter().flatten().collect())
    }

    pub(super) async fn write_each(&self, ops: &[WriteOp]) -> Result<Vec<Result<WriteOutcome>>> {
        self.capabilities.limits.check_batch(ops.len())?;
        let mut answers: Vec<Option<Result<WriteOutcome>>> = ops.iter().map(|_| None).collect();
        let mut items = Vec::with_capacity(ops.len());
        for (index, op) in ops.iter().enumerate() {
            match self.prepare(index, op) {
                Ok(item) => items.push(item),
                Err(error) => {
                    if let Some(answer) = answers.get_mut(index) {
                        *answer = Some(Err(error));
                    }
                }
            }
        }
        let sent = self.send_batch(Operation::WriteMany, Role::Primary, items).await?;
        for (item, answer) in sent {
            let script = item.script;
            let read = answer.and_then(|(value, receipt)| {
                item.read.read(value, script, receipt).and_then(|outcome| {
                    acknowledged(item.how.wait, receipt.reached).map(|_| outcome)
                })
            });
            let read = match (read, &item.read) {
                (Err(error), Reading::Put(made)) if error.outcome() == Outcome::Unknown => {
                    let found = self.look_up(Operation::WriteMany, &item.stored, *made, error);
                    found.await.map(WriteOutcome::Written)
                }
                (read, _) => read,
            };
            if let Some(answer) = answers.get_mut(item.index) {
                *answer = Some(read);
            }
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unlike()))).collect())
    }

    fn prepare(&self, index: usize, op: &WriteOp) -> Result<Item<Reading>> {
        if let WriteOp::Put { key, value, options } = op {
            let put = self.prepare_put(key, value, options)?;
            return Ok(Item::new(index, put.stored, put.what, put.how, Reading::Put(put.made)));
        }
        let stored = self.keys.key(Kind::Entry, op.key());
        let script = |ask: Ask| (What::Script(ask.call), ask.how);
        let ((what, how), read) = match op {
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
        operation: Operation,
        role: Role,
        items: Vec<Item<T>>,
    ) -> Result<Vec<Sent<T>>> {
        if !self.client.is_cluster() {
            return self.send_node(operation, role, items).await;
        }
        let mut nodes: BTreeMap<NodeId, Vec<Item<T>>> = BTreeMap::new();
        for item in items {
            let node = self.client.slot_owner(slot_of(&item.stored));
            nodes.entry(node).or_default().push(item);
        }
        let sent = nodes.into_values().map(|items| self.send_node(operation, role, items));
        let mut answers = Vec::new();
        for node in join_all(sent).await {
            answers.extend(node?);
        }
        Ok(answers)
    }

    async fn send_node<T>(
        &self,
        operation: Operation,
        role: Role,
        items: Vec<Item<T>>,
    ) -> Result<Vec<Sent<T>>> {
        let mut answers = Vec::with_capacity(items.len());
        let mut items = items.into_iter();
        while !items.as_slice().is_empty() {
            let count = self.chunk(items.as_slice());
            let chunk = items.by_ref().take(count).collect();
            self.send_chunk(operation, role, chunk, &mut answers).await?;
        }
        Ok(answers)
    }

    /// How many of these go together: of one kind, within the limits for batches.
    fn chunk<T>(&self, items: &[Item<T>]) -> usize {
        let Some(first) = items.first() else { return 0 };
        let most = self.config.batch_keys_max;
        let most = if first.script { most.min(SCRIPTS_MAX) } else { most };
        let mut bytes = 0;
        let fits = |item: &&Item<T>| {
            bytes += item.what.as_ref().map_or(0, What::bytes);
            let alike = item.script == first.script && item.how.wait == first.how.wait;
            alike && bytes <= self.config.batch_bytes_max
        };
        items.iter().take(most).take_while(fits).count().max(1)
    }

    async fn send_chunk<T>(
        &self,
        operation: Operation,
        role: Role,
        mut chunk: Vec<Item<T>>,
        answers: &mut Vec<Sent<T>>,
    ) -> Result<()> {
        let Some(first) = chunk.first() else { return Ok(()) };
        // By the slot and not by the node, which another one may have replaced by now.
        let (target, wait) = (self.client.target(&first.stored), first.how.wait);
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
        let lane = if chunk.len() > 64 { Lane::Bulk } else { Lane::Point };
        let request = Request::new(operation.name(), target, body);
        let request = request.with_role(role).with_lane(lane).with_repeat(repeat).with_wait(wait);
        let first = answers.is_empty();
        match self.send(operation, request).await {
            Ok(Answered { reply, reached, unsettled }) => {
                let values = many(reply)?;
                if values.len() != chunk.len() {
                    return Err(unlike());
                }
                let mut reached = reached.into_iter();
                for (item, value) in chunk.into_iter().zip(values) {
                    let reached = reached.next().unwrap_or_default();
                    let receipt = Receipt { reached, unsettled };
                    answers.push((item, value.map(|value| (value, receipt))));
                }
                Ok(())
            }
            // Nothing was written by this call before: it fails as a whole.
            Err(error) if first && error.outcome() == Outcome::NotApplied => Err(error),
            Err(error) => {
                let (kind, outcome) = (error.kind(), error.outcome());
                let again = || {
                    let message = "the node did not answer this part of the batch";
                    Error::new(kind, message).with_outcome(outcome)
                };
                answers.extend(chunk.into_iter().map(|item| (item, Err(again()))));
                Ok(())
            }
        }
    }
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
