//! Following the change log of a namespace.

use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use redis::Value;
use state_core::{Change, Error, Key, Operation, Result, WatchEvent, WatchOptions, WatchStart};
use tokio::time::Instant;

use super::Inner;
use super::batch::Item;
use super::op::Op;
use crate::client::Role;
use crate::command::Command;
use crate::connect::pause;
use crate::keys::{Buckets, Kind};
use crate::log::{Entry, Merge, Position, read_token};
use crate::scripts::{integer, number, unlike};

/// Events that are read of one stream in one round.
const EVENTS_PER_READ: usize = 512;
/// Ended lifetimes that are looked up at once.
const DUE_MAX: usize = 256;
/// How long after a deadline its entry is looked at, and again if it is still there.
const DUE_MARGIN_MS: u64 = 100;

/// A watch of the log.
struct Follower {
    inner: Arc<Inner>,
    merge: Merge,
    follow: bool,
    /// The server's time, in microseconds, and when it was told.
    clock: (u64, Instant),
}

/// Where a stream ends, and the server's time.
struct End {
    position: Position,
    now_us: u64,
}

impl Inner {
    /// Follows changes by the log.
    pub(super) async fn watch_log(
        self: Arc<Self>,
        op: &Op,
        options: WatchOptions,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        let buckets = self.keys.buckets().map_or(0, Buckets::count);
        let starts = match &options.start {
            WatchStart::Now if !options.follow => {
                let message = "a watch that begins now and does not follow tells nothing";
                return Err(Error::invalid(message));
            }
            WatchStart::Now => None,
            WatchStart::Oldest => Some(vec![None; buckets]),
            WatchStart::After(token) => {
                Some(read_token(token, buckets)?.into_iter().map(Some).collect())
            }
            _ => return Err(Error::unsupported("this beginning of a watch")),
        };
        let asked = Instant::now();
        let ends = self.begin_logs(op, (0..buckets).collect()).await?;
        let now_us = ends.iter().map(|end| end.now_us).max().unwrap_or(0);
        let ends: Vec<Position> = ends.into_iter().map(|end| end.position).collect();
        let starts = starts.unwrap_or_else(|| ends.iter().copied().map(Some).collect());
        let follow = options.follow;
        let merge = Merge::new(options, starts, &ends);
        let mut follower = Follower { inner: self, merge, follow, clock: (now_us, asked) };
        // So that a token of another history tells a gap before anything else.
        follower.round(op).await?;
        Ok(stream::try_unfold(follower, |mut follower| async move {
            let event = follower.next().await;
            let event = event.map_err(|error| error.with_op("watch"))?;
            Ok(event.map(|event| (event, follower)))
        })
        .boxed())
    }

    /// The ends of the logs of these buckets; those that have not begun are begun, so that what is
    /// lost from now on is noticed.
    async fn begin_logs(&self, op: &Op, chosen: Vec<usize>) -> Result<Vec<End>> {
        let mut ends = self.mark(op, chosen, Vec::new()).await?;
        ends.sort_by_key(|(bucket, _)| *bucket);
        let end = |(_, answer): (usize, crate::scripts::Answer)| {
            let position = Position::from_id(answer.item(0)?, answer.item(1)?);
            Ok(End { position: position.ok_or_else(unlike)?, now_us: number(answer.item(2)?)? })
        };
        ends.into_iter().map(end).collect()
    }
}

impl Follower {
    async fn next(&mut self) -> Result<Option<WatchEvent>> {
        loop {
            if let Some(event) = self.merge.ready.pop_front() {
                return Ok(Some(event));
            }
            if !self.follow && self.merge.is_finished() {
                return Ok(None);
            }
            let now_ms = self.now_ms();
            let op = self.inner.begin(Operation::Watch);
            if self.round(&op).await? || !self.merge.ready.is_empty() {
                continue;
            }
            if self.follow {
                self.tell_expired(&op, now_ms).await?;
            }
            if self.merge.ready.is_empty() {
                pause(self.inner.config.log_poll()).await;
            }
        }
    }

    /// Reads all streams; whether there was anything new.
    async fn round(&mut self, op: &Op) -> Result<bool> {
        let inner = Arc::clone(&self.inner);
        let Some(buckets) = inner.keys.buckets() else { return Ok(false) };
        let items = self.merge.wanted().into_iter().map(|(bucket, from)| {
            let log = inner.keys.log(buckets, bucket);
            let mut command = Command::new("XRANGE");
            command.arg(log.as_ref());
            match from {
                // Any entry of this number, so that one of another history is noticed.
                Some(from) => command.arg(format!("{}-0", from.number).as_str()),
                None => command.arg("-"),
            };
            command.arg("+").arg("COUNT").arg(EVENTS_PER_READ);
            Item::command(log, command, bucket)
        });
        let items = items.collect();
        let (mut news, mut gone) = (false, Vec::new());
        for (item, answer) in inner.send_batch(op, Role::Primary, items).await? {
            let Value::Array(entries) = answer?.0 else { return Err(unlike()) };
            let entries = entries.into_iter().map(Entry::read).collect::<Result<Vec<_>>>()?;
            let bucket = item.into_read();
            if entries.is_empty() {
                gone.push(bucket);
            }
            let full = entries.len() >= EVENTS_PER_READ;
            news |= self.merge.take_in(bucket, entries, full);
        }
        if !gone.is_empty() {
            inner.begin_logs(op, gone).await?;
            news = true;
        }
        self.merge.tell(news, Instant::now());
        Ok(news)
    }

    /// Tells of entries whose lifetime has ended and that are gone. `now_ms` is when the last round
    /// began, so whatever else had become of them by their deadline has been told.
    async fn tell_expired(&mut self, op: &Op, now_ms: u64) -> Result<()> {
        let due = self.merge.deadlines.take_due(now_ms.saturating_sub(DUE_MARGIN_MS), DUE_MAX);
        let item = |key: Key| {
            let stored = self.inner.keys.key(Kind::Entry, &key);
            let mut command = Command::new("EXISTS");
            command.arg(stored.as_ref());
            Item::command(stored, command, key)
        };
        let items: Vec<_> = due.into_iter().map(item).collect();
        if items.is_empty() {
            return Ok(());
        }
        for (item, answer) in self.inner.send_batch(op, Role::Primary, items).await? {
            let there = integer(&answer?.0)? > 0;
            let key = item.into_read();
            if there {
                self.merge.deadlines.remember(key, now_ms);
            } else {
                self.merge.tell_beside(Change::Expired { key });
            }
        }
        Ok(())
    }

    /// About the server's time.
    fn now_ms(&self) -> u64 {
        let (us, told) = self.clock;
        let since = u64::try_from(told.elapsed().as_millis()).unwrap_or(u64::MAX);
        (us / 1_000).saturating_add(since)
    }
}
