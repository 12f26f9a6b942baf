//! Reading the ordered index: in key order, over all buckets, without what has expired.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use redis::Value;
use state_core::{Key, ListOptions, Meta, Page, Result};

use super::Inner;
use super::ask::{Ask, How, role};
use super::batch::Item;
use super::op::Op;
use super::page_token::{Listing, Place};
use super::scan::Scan;
use crate::client::Role;
use crate::command::Command;
use crate::keys::{Buckets, Kind, MemberRange, after_member};
use crate::scripts::{self, bytes, integer, unlike};

/// Members of one command, and keys of one script.
const CHUNK: usize = 1_000;
/// Members that are looked at for one page: under a prefix that few names have, pages may be short.
const MEMBERS_PER_PAGE_MAX: usize = 20_000;

/// Where a bucket is read, and what has been read of it.
struct Head {
    bucket: usize,
    from: Bytes,
    read: VecDeque<Bytes>,
    /// Whether there may be more behind what has been read.
    more: bool,
}

impl Head {
    fn is_to_be_read(&self) -> bool {
        self.more && self.read.is_empty()
    }
}

impl Inner {
    /// Keys in their order from the member `from` on, at most `limit`, and where to go on. What has
    /// expired is among them.
    pub(super) async fn index_page(
        &self,
        scan: &Scan<'_>,
        from: Option<&Bytes>,
        limit: usize,
    ) -> Result<(Vec<Key>, Option<Bytes>)> {
        let Some(buckets) = self.keys.buckets() else { return Ok((Vec::new(), None)) };
        let chosen = self.buckets_in(scan.scope);
        // Twice the share of a bucket: few pages need a second look at any.
        let share = (2 * limit / chosen.len().max(1)).saturating_add(16).min(CHUNK);
        let mut keys = Vec::new();
        let mut looked_at = 0;
        for range in scan.kind.ranges(scan.prefix, scan.scope, scan.after) {
            let start = from.filter(|from| **from > range.start).unwrap_or(&range.start);
            let head = |bucket: &usize| Head {
                bucket: *bucket,
                from: start.clone(),
                read: VecDeque::new(),
                more: *start < range.end,
            };
            let mut heads: Vec<Head> = chosen.iter().map(head).collect();
            loop {
                if heads.iter().any(Head::is_to_be_read) {
                    self.read_heads(scan, buckets, &range, share, &mut heads).await?;
                }
                let least = heads.iter_mut().filter(|head| !head.read.is_empty());
                let least = least.min_by(|left, right| left.read.front().cmp(&right.read.front()));
                let Some(member) = least.and_then(|head| head.read.pop_front()) else { break };
                looked_at += 1;
                let key = scan.kind.read_member(&member);
                keys.extend(key.filter(|key| scan.covers(key)));
                if keys.len() >= limit || looked_at >= MEMBERS_PER_PAGE_MAX {
                    return Ok((keys, Some(after_member(&member))));
                }
            }
        }
        Ok((keys, None))
    }

    /// Reads on where nothing is left of what was read.
    async fn read_heads(
        &self,
        scan: &Scan<'_>,
        buckets: &Buckets,
        range: &MemberRange,
        count: usize,
        heads: &mut [Head],
    ) -> Result<()> {
        let items = heads.iter().enumerate().filter(|(_, head)| head.is_to_be_read());
        let items = items.map(|(place, head)| {
            let index = self.keys.index(buckets, head.bucket);
            let mut command = Command::new("ZRANGEBYLEX");
            command.arg(index.as_ref());
            command.arg([b"[", head.from.as_ref()]);
            command.arg([b"(", range.end.as_ref()]);
            command.arg("LIMIT").arg(0_u64).arg(count);
            Item::command(index, command, place)
        });
        let items = items.collect();
        for (item, answer) in self.send_batch(scan.op, scan.role, items).await? {
            let Value::Array(members) = answer?.0 else { return Err(unlike()) };
            let Some(head) = heads.get_mut(item.into_read()) else { continue };
            head.more = members.len() >= count;
            head.read = members.into_iter().map(bytes).collect::<Result<_>>()?;
            if let Some(last) = head.read.back() {
                head.from = after_member(last);
            }
        }
        Ok(())
    }

    /// Those of `keys` that are there. The others have expired: their members are taken out of the
    /// index, if the primary was asked.
    pub(super) async fn present(&self, scan: &Scan<'_>, keys: Vec<Key>) -> Result<Vec<Key>> {
        let Some(buckets) = self.keys.buckets() else { return Ok(keys) };
        let mut by_bucket: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, key) in keys.iter().enumerate() {
            by_bucket.entry(buckets.of(key)).or_default().push(place);
        }
        let chunks: Vec<Vec<usize>> = by_bucket
            .into_values()
            .flat_map(|places| places.chunks(CHUNK).map(<[_]>::to_vec).collect::<Vec<_>>())
            .collect();
        let doubtful = self.not_all_there(scan, &keys, chunks).await?;
        if doubtful.is_empty() {
            return Ok(keys);
        }
        let singles = doubtful.into_iter().flatten().map(|place| vec![place]).collect();
        let absent = self.not_all_there(scan, &keys, singles).await?;
        let mut there = vec![true; keys.len()];
        for place in absent.into_iter().flatten() {
            if let Some(flag) = there.get_mut(place) {
                *flag = false;
            }
        }
        let (mut present, mut expired) = (Vec::new(), Vec::new());
        for (key, there) in keys.into_iter().zip(there) {
            if there { present.push(key) } else { expired.push(key) }
        }
        self.prune(scan, &expired).await;
        Ok(present)
    }

    /// Which of these sets of keys, each in one bucket, are not there as a whole.
    async fn not_all_there(
        &self,
        scan: &Scan<'_>,
        keys: &[Key],
        sets: Vec<Vec<usize>>,
    ) -> Result<Vec<Vec<usize>>> {
        let item = |places: Vec<usize>| {
            let mut command = Command::new("EXISTS");
            let mut first = Bytes::new();
            for key in places.iter().filter_map(|place| keys.get(*place)) {
                let stored = self.keys.key(scan.kind, key);
                command.arg(stored.as_ref());
                first = stored;
            }
            Item::command(first, command, places)
        };
        let items = sets.into_iter().map(item).collect();
        let mut missing = Vec::new();
        for (item, answer) in self.send_batch(scan.op, scan.role, items).await? {
            let there = integer(&answer?.0)?;
            let places = item.into_read();
            if usize::try_from(there).ok() != Some(places.len()) {
                missing.push(places);
            }
        }
        Ok(missing)
    }

    /// Takes members out of the index whose entries or hashes have expired. If it fails, the next
    /// listing tries again: nothing depends on it but space.
    pub(super) async fn prune(&self, scan: &Scan<'_>, expired: &[Key]) {
        let Some(buckets) = self.keys.buckets().filter(|_| scan.role == Role::Primary) else {
            return;
        };
        let mut by_bucket: BTreeMap<usize, Vec<&Key>> = BTreeMap::new();
        for key in expired {
            by_bucket.entry(buckets.of(key)).or_default().push(key);
        }
        let mut items = Vec::new();
        for (bucket, keys) in by_bucket {
            for keys in keys.chunks(CHUNK) {
                let index = self.keys.index(buckets, bucket);
                let mut stored = vec![index.clone()];
                stored.extend(keys.iter().map(|key| self.keys.key(scan.kind, key)));
                let members = keys.iter().map(|key| scan.kind.member(key)).collect();
                let ask = Ask::new(&scripts::PRUNE, stored, members, How::upkeep());
                items.push(Item::script(index, ask, ()));
            }
        }
        let done = self.send_batch(scan.op, Role::Primary, items).await;
        let failed = match done {
            Ok(answers) => answers.into_iter().find_map(|(_, answer)| answer.err()),
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            tracing::debug!(%error, "expired members stay in the index for now");
        }
    }

    /// A page in key order.
    pub(super) async fn list_index(&self, op: &Op, options: &ListOptions) -> Result<Page<Meta>> {
        let limit = self.capabilities.limits.check_page(options.limit)?;
        let role = role(options.consistency)?;
        let place = options.token.as_ref().map(|token| Place::read(token, Listing::Index));
        let from = place.transpose()?.and_then(|place| place.leftovers.into_iter().next());
        let mut scan = self.scan(op, Kind::Entry, &options.prefix, &options.scope, role);
        scan.after = options.after.as_ref();
        let (keys, next) = self.index_page(&scan, from.as_ref(), limit).await?;
        let items = if options.expiry {
            let items = self.with_lifetimes(op, keys.clone()).await?;
            self.prune(&scan, &without(keys, &items)).await;
            items
        } else {
            self.present(&scan, keys).await?.into_iter().map(Meta::new).collect()
        };
        let token = |from| Place { leftovers: vec![from], ..Place::default() };
        Ok(Page::new(items, next.map(|from| token(from).token(Listing::Index))))
    }

    /// Counts what is there.
    pub(super) async fn count_index(&self, scan: &Scan<'_>) -> Result<u64> {
        let mut count = 0;
        let mut from = None;
        loop {
            let (keys, next) = self.index_page(scan, from.as_ref(), 4 * CHUNK).await?;
            count += self.present(scan, keys).await?.len() as u64;
            self.renew(scan.op);
            match next {
                Some(next) => from = Some(next),
                None => return Ok(count),
            }
        }
    }
}

/// The keys that are not among `items`, which come in the same order.
fn without(keys: Vec<Key>, items: &[Meta]) -> Vec<Key> {
    let mut found = items.iter().peekable();
    let is_gone = |key: &Key| found.next_if(|meta| meta.key == *key).is_none();
    keys.into_iter().filter(is_gone).collect()
}
