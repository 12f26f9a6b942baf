//! Reading many entries of one server by one command instead of one for each.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use redis::Value;
use state_core::{Entry, Error, Key, Result};

use super::Inner;
use super::ask::many;
use super::batch::{Item, put_at};
use super::op::Op;
use super::point::{get_command, read_plain};
use crate::client::{Body, Repeat, Request, Role};
use crate::command::Command;
use crate::keys::Kind;
use crate::scripts::{integer, unlike};

/// How many batches without a missing key it takes until none is expected to be.
const MISSES_FORGOTTEN: u32 = 16;

type Found = Vec<Result<Option<Entry>>>;

/// Whether batches of reads lately found keys missing.
#[derive(Debug, Default)]
pub(super) struct Misses(AtomicU32);

impl Misses {
    fn are_expected(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Notes how many keys a batch has found missing.
    fn saw(&self, missing: usize) {
        let left = self.0.load(Ordering::Relaxed);
        let next = if missing > 0 { MISSES_FORGOTTEN } else { left.saturating_sub(1) };
        if next != left {
            self.0.store(next, Ordering::Relaxed);
        }
    }
}

impl Inner {
    /// Reads the entries of `keys`, all of them on one server, in chunks that are on their way
    /// together. One round trip, and one more where a key holds what is no entry.
    pub(super) async fn get_together(&self, op: &Op, keys: &[Key], role: Role) -> Result<Found> {
        let mut found: Found = keys.iter().map(|_| Ok(None)).collect();
        let mut asked = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            match self.capabilities.limits.check_key(key) {
                Ok(()) => asked.push((index, self.keys.key(Kind::Entry, key))),
                Err(error) => put_at(&mut found, index, Err(error)),
            }
        }
        let chunks = self.chunks(&asked);
        let sent = join_all(chunks.iter().map(|chunk| self.read_together(op, chunk, role))).await;
        // What fails as a whole is told as a whole.
        if let [Err(_)] = sent.as_slice() {
            return sent.into_iter().next().unwrap_or_else(|| Err(unlike()));
        }
        for (chunk, answer) in chunks.iter().zip(sent) {
            match answer {
                Ok(entries) => {
                    for ((index, _), entry) in chunk.iter().zip(entries) {
                        put_at(&mut found, *index, entry);
                    }
                }
                Err(error) => {
                    for (index, _) in *chunk {
                        let message = "the node did not answer this part of the batch";
                        let part = Error::new(error.kind(), message).with_outcome(error.outcome());
                        put_at(&mut found, *index, Err(part));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Chunks within the limits for batches.
    fn chunks<'a>(&self, mut asked: &'a [(usize, Bytes)]) -> Vec<&'a [(usize, Bytes)]> {
        let mut chunks = Vec::new();
        while !asked.is_empty() {
            let mut bytes = 0;
            let fits = |(_, stored): &&(usize, Bytes)| {
                bytes += stored.len();
                bytes <= self.config.batch_bytes_max
            };
            let most = asked.iter().take(self.config.batch_keys_max).take_while(fits).count();
            let (chunk, rest) = asked.split_at(most.max(1));
            chunks.push(chunk);
            asked = rest;
        }
        chunks
    }

    /// Reads one chunk. `MGET` tells nothing of a key that holds something other than a string, so
    /// missing keys are asked for one by one: those that hold something else are errors. That is
    /// a second trip. While keys are often missing, all are counted beside the `MGET` instead, and
    /// only if more are there than were read the missing ones are asked for.
    async fn read_together(&self, op: &Op, chunk: &[(usize, Bytes)], role: Role) -> Result<Found> {
        let Some((_, first)) = chunk.first() else { return Ok(Vec::new()) };
        let bytes: usize = chunk.iter().map(|(_, stored)| stored.len()).sum();
        let command = |name: &str| {
            let mut command = Command::with_capacity(name, chunk.len(), bytes);
            for (_, stored) in chunk {
                command.arg(stored.as_ref());
            }
            command
        };
        let counting = self.misses.are_expected();
        let mut commands = vec![command("MGET")];
        commands.extend(counting.then(|| command("EXISTS")));
        let lane = self.lane_of_all(chunk.iter().map(|(_, stored)| stored), bytes);
        let target = self.client.target(first);
        let request = Request::new(op.name(), target, Body::Pipeline(commands)).with_role(role);
        let request = request.with_lane(lane).with_repeat(Repeat::Safe);
        let mut answers = many(self.send(op, request).await?.reply)?.into_iter();
        let Some(Value::Array(values)) = answers.next().transpose()? else { return Err(unlike()) };
        if values.len() != chunk.len() {
            return Err(unlike());
        }
        let read = values.iter().filter(|value| **value != Value::Nil).count();
        let mut found: Found = values.into_iter().map(|value| read_plain(value, false)).collect();
        for ((_, stored), entry) in chunk.iter().zip(&found) {
            if let Ok(Some(entry)) = entry {
                self.saw(stored, &entry.value);
            }
        }
        self.misses.saw(found.len() - read);
        let there = match answers.next().transpose()? {
            Some(there) => usize::try_from(integer(&there)?).unwrap_or(0),
            None => chunk.len(),
        };
        if there > read {
            self.ask_again(op, chunk, role, &mut found).await?;
        }
        Ok(found)
    }

    /// Asks one by one for what was not found.
    async fn ask_again(
        &self,
        op: &Op,
        chunk: &[(usize, Bytes)],
        role: Role,
        found: &mut [Result<Option<Entry>>],
    ) -> Result<()> {
        let missing = found.iter().zip(chunk).enumerate();
        let missing = missing.filter(|(_, (entry, _))| matches!(entry, Ok(None)));
        let items = missing.map(|(place, (_, (_, stored)))| {
            Item::command(stored.clone(), get_command(stored, false), place)
        });
        let items = items.collect();
        for (item, answer) in self.send_batch(op, role, items).await? {
            let read = answer.and_then(|(value, _)| read_plain(value, false));
            put_at(found, item.into_read(), read);
        }
        Ok(())
    }
}
