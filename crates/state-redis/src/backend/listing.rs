//! Listing, counting and clearing by cursor, without ever blocking a server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use state_core::{
    ClearOptions, CountOptions, Error, ErrorKind, Fence, FenceToken, GetOptions, Key, ListOptions,
    Meta, Outcome, Page, Resend, Result, Scope, SnapshotOptions,
};

use super::Inner;
use super::ask::{Ask, How, acknowledged, lease_name, many, role};
use super::batch::SCRIPTS_MAX;
use super::log::Marks;
use super::noting::Noted;
use super::op::Op;
use super::page_token::{Listing, Place};
use super::scan::{SCAN_COUNT, Scan};
use super::seen::Seen;
use super::sweep::Sweep;
use super::watch::ClearAnnounced;
use crate::client::{Body, Lane, NodeId, Repeat, Request, Role, Target, Wait};
use crate::command::Command;
use crate::keys::Kind;
use crate::retry::effect::Effect;
use crate::scripts::{self, Answer, integer, number, optional};
use crate::topology::slot_of;

/// The most steps of one page: a page of a small namespace in a large database may be short.
const STEPS_PER_PAGE_MAX: usize = 100;

impl Inner {
    pub(super) async fn list(&self, op: &Op, options: &ListOptions) -> Result<Page<Meta>> {
        if self.layout.index {
            return self.list_index(op, options).await;
        }
        let limit = self.capabilities.limits.check_page(options.limit)?;
        if options.after.is_some() {
            return Err(Error::unsupported("a listing that begins after a name"));
        }
        let role = role(options.consistency)?;
        let place = options.token.as_ref().map(|token| Place::read(token, Listing::Keys));
        let mut place = place.transpose()?.unwrap_or_default();
        let scan = self.scan(op, Kind::Entry, &options.prefix, &options.scope, role);
        let mut found = std::mem::take(&mut place.leftovers);
        for _ in 0..STEPS_PER_PAGE_MAX {
            if place.sweep.done || found.len() >= limit {
                break;
            }
            // Small pages look at few records only, so that little travels in the token.
            let count = limit.clamp(10, SCAN_COUNT);
            let more = self.step(&scan, &mut place.sweep, count).await?;
            found.extend(more.into_iter().map(|(_, stored)| stored));
        }
        place.leftovers = found.split_off(limit.min(found.len()));
        let more = !place.sweep.done || !place.leftovers.is_empty();
        let keys: Vec<Key> =
            found.iter().filter_map(|stored| self.keys.read(Kind::Entry, stored)).collect();
        let items = if options.expiry {
            self.with_lifetimes(op, keys).await?
        } else {
            keys.into_iter().map(Meta::new).collect()
        };
        Ok(Page::new(items, more.then(|| place.token(Listing::Keys))))
    }

    pub(super) async fn with_lifetimes(&self, op: &Op, keys: Vec<Key>) -> Result<Vec<Meta>> {
        self.metas(op, keys, &GetOptions::new().with_head(true).with_expiry(true)).await
    }

    /// Counts each key once, by a 128-bit hash of it.
    pub(super) async fn count(&self, op: &Op, options: &CountOptions) -> Result<u64> {
        let role = role(options.consistency)?;
        let scan = self.scan(op, Kind::Entry, &options.prefix, &options.scope, role);
        if self.layout.index {
            return self.count_index(&scan).await;
        }
        let mut seen = Seen::default();
        self.scan_all(&scan, |found| {
            for (key, _) in &found {
                seen.insert(key);
            }
            std::future::ready(Ok(()))
        })
        .await?;
        Ok(seen.count())
    }

    /// Removes entries and hashes step by step. Under a fence every partition that is cleared
    /// learns the token. Watchers are told when it begins and ends: two more round trips.
    pub(super) async fn clear(&self, op: &Op, options: &ClearOptions) -> Result<u64> {
        let wait = self.acks(options.acks)?;
        self.fence_args(options.fence.as_ref())?;
        let fence = options.fence.as_ref();
        if let Some(fence) = fence {
            self.check_marks(op, fence).await?;
            self.raise_mark(op, &fence.lease, fence).await?;
            if let Scope::Partition(partition) = &options.scope {
                let anything = Key::in_partition(partition.clone(), "\0");
                self.raise_mark(op, &anything, fence).await?;
            }
        }
        let announced = self.announce_clear(op, options).await;
        let removed = self.remove_all(op, options, &announced).await;
        let removed = announced.end(removed).await?;
        self.wait_everywhere(op, wait).await?;
        Ok(removed)
    }

    async fn remove_all(
        &self,
        op: &Op,
        options: &ClearOptions,
        announced: &ClearAnnounced<'_>,
    ) -> Result<u64> {
        let clearing = Clearing {
            fence: options.fence.as_ref(),
            marks: self.mark_cleared(op, options).await?,
            announced,
        };
        let removed = AtomicU64::new(0);
        for kind in [Kind::Entry, Kind::Hash] {
            let (prefix, scope) = (&options.prefix, &options.scope);
            let scan = self.scan(op, kind, prefix, scope, Role::Primary);
            let cleared = self.clear_kind(&scan, &clearing, &removed).await;
            if cleared.is_err() {
                self.mark_gap(op, scope).await;
            }
            cleared?;
        }
        Ok(removed.into_inner())
    }

    /// Waits on every primary until what it has done by now is as safe as wanted.
    async fn wait_everywhere(&self, op: &Op, wait: Option<Wait>) -> Result<()> {
        let Some(wait) = wait else { return Ok(()) };
        for node in self.client.nodes() {
            let body = Body::Command(Command::new("PING"));
            let request = Request::new(op.name(), Target::Node(node), body);
            let request = request.with_repeat(Repeat::Safe).with_wait(Some(wait));
            let answered = self.send(op, request).await;
            // Whatever keeps it from telling: what was found has been removed.
            let answered = answered.map_err(|error| error.with_outcome(Outcome::Applied))?;
            acknowledged(Some(wait), answered.reached.first().copied().unwrap_or_default())?;
        }
        Ok(())
    }

    /// Removes everything of one kind.
    async fn clear_kind(
        &self,
        scan: &Scan<'_>,
        clearing: &Clearing<'_>,
        removed: &AtomicU64,
    ) -> Result<()> {
        let unlink = |found| async {
            clearing.announced.renew().await;
            let unlinked = self.unlink(scan, found, clearing).await?;
            removed.fetch_add(unlinked, Ordering::Relaxed);
            Ok(())
        };
        if !self.layout.index {
            return self.scan_all(scan, unlink).await;
        }
        let mut from = None;
        loop {
            let (keys, next) = self.index_page(scan, from.as_ref(), SCAN_COUNT).await?;
            let stored = |key: Key| (self.keys.key(scan.kind, &key), key);
            let found = keys.into_iter().map(stored).map(|(stored, key)| (key, stored));
            unlink(found.collect()).await?;
            self.renew(scan.op);
            match next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Removes what was found, one call each, so that keys of any slots go in one pipeline.
    async fn unlink(
        &self,
        scan: &Scan<'_>,
        found: Vec<(Key, Bytes)>,
        clearing: &Clearing<'_>,
    ) -> Result<u64> {
        let (op, kind) = (scan.op, scan.kind);
        let (fence, marks) = (clearing.fence, &clearing.marks);
        let mut nodes: BTreeMap<NodeId, Vec<(Key, Bytes)>> = BTreeMap::new();
        for (key, stored) in found {
            let node = self.client.slot_owner(slot_of(&stored));
            nodes.entry(node).or_default().push((key, stored));
        }
        let [lease, token] = self.fence_args(fence)?;
        let by_script = fence.is_some() || self.is_noting();
        // What comes late must not remove what was written behind the clear.
        let how = How::of(Effect::Delete, Resend::Safe, None);
        let call = |(key, stored): &(Key, Bytes)| {
            let keys = vec![stored.clone(), self.keys.fence(key)];
            let ask = Ask::new(&scripts::UNLINK, keys, vec![lease.clone(), token.clone()], how);
            let mut call = ask.noting(self.note(kind, key, Noted::Written)?).call;
            let bucket = self.keys.buckets().map(|buckets| buckets.of(key));
            call.args.extend(bucket.and_then(|bucket| marks.get(bucket)).cloned());
            Ok(call)
        };
        let mut removed = 0;
        for (node, found) in nodes {
            let most = if by_script { SCRIPTS_MAX } else { found.len().max(1) };
            for found in found.chunks(most) {
                let body = if by_script {
                    Body::Scripts(found.iter().map(call).collect::<Result<_>>()?)
                } else {
                    let commands = found.iter().map(|(_, stored)| {
                        let mut command = Command::new("UNLINK");
                        command.arg(stored.as_ref());
                        command
                    });
                    Body::Pipeline(commands.collect())
                };
                let request = Request::new(op.name(), Target::Node(node.clone()), body);
                let request = request.with_lane(Lane::Bulk).with_repeat(how.repeat);
                for value in many(self.send(op, request).await?.reply)? {
                    removed += if by_script {
                        number::<u64>(Answer::read(value?)?.item(0)?)?
                    } else {
                        u64::try_from(integer(&value?)?).unwrap_or(0)
                    };
                }
            }
        }
        Ok(removed)
    }

    /// Raises the mark beside `key`, removing nothing.
    async fn raise_mark(&self, op: &Op, key: &Key, fence: &Fence) -> Result<()> {
        let [lease, token] = self.fence_args(Some(fence))?;
        // Nothing is ever stored as the operation with the id 0.
        let nothing = self.keys.operation(key, &[0; 16]);
        let keys = vec![nothing, self.keys.fence(key)];
        let ask = Ask::new(&scripts::UNLINK, keys, vec![lease, token], How::upkeep());
        self.script(op, ask).await.map(drop)
    }

    /// Refuses a clear whose token is smaller than any mark in the namespace. Costs a scan, and a
    /// command for each partition, or key without one, that a fenced call has touched.
    async fn check_marks(&self, op: &Op, fence: &Fence) -> Result<()> {
        let everything = Bytes::new();
        let scan = self.scan(op, Kind::Fence, &everything, &Scope::All, Role::Primary);
        let name = lease_name(&fence.lease);
        let mut sweep = Sweep::default();
        while !sweep.done {
            for stored in self.raw_step(&scan, &mut sweep, SCAN_COUNT).await? {
                let mut command = Command::new("HGET");
                command.arg(stored.as_ref()).arg(name.as_ref());
                let sent = self.command(op, &stored, Role::Primary, command);
                let (mark, _) = sent.await?;
                let Some(mark) = optional(mark)? else { continue };
                if FenceToken::new(number(&mark)?) > fence.token {
                    let message = "the lease has passed to another holder";
                    return Err(Error::new(ErrorKind::Fenced, message));
                }
            }
            self.renew(op);
        }
        Ok(())
    }

    /// One step of a walk over all entries and then all hashes: the kind and keys found, and
    /// where to go on.
    pub(super) async fn walk(
        &self,
        op: &Op,
        walk: Walk,
        options: &SnapshotOptions,
    ) -> Result<(Kind, Vec<Key>, Option<Walk>)> {
        let kind = if walk.hashes { Kind::Hash } else { Kind::Entry };
        let (prefix, scope) = (&options.prefix, &options.scope);
        let scan = self.scan(op, kind, prefix, scope, Role::Primary);
        let (keys, next) = if self.layout.index {
            let (keys, next) = self.index_page(&scan, walk.from.as_ref(), SCAN_COUNT).await?;
            (keys, next.map(|from| Walk { from: Some(from), ..walk }))
        } else {
            let mut sweep = walk.sweep.for_another_call();
            let found = self.step(&scan, &mut sweep, SCAN_COUNT).await?;
            let keys = found.into_iter().map(|(key, _)| key).collect();
            (keys, (!sweep.done).then(|| Walk { sweep, ..walk.clone() }))
        };
        let next = match next {
            None if !walk.hashes => Some(Walk { hashes: true, ..Walk::default() }),
            next => next,
        };
        Ok((kind, keys, next))
    }
}

/// A clear that is under way.
struct Clearing<'a> {
    fence: Option<&'a Fence>,
    marks: Marks,
    announced: &'a ClearAnnounced<'a>,
}

/// How far a walk over all entries and then all hashes has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    hashes: bool,
    sweep: Sweep,
    /// In a namespace with an index: the member to go on with.
    from: Option<Bytes>,
}

impl Walk {
    /// Whether it is about to begin with the hashes.
    pub(super) fn is_new_kind(&self) -> bool {
        self.hashes && self.sweep.is_new() && self.from.is_none()
    }
}
