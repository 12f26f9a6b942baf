//! Listing, counting and clearing, in key order.

use bytes::Bytes;
use state_core::{
    Change, ClearOptions, CountOptions, Key, ListOptions, Meta, Page, Result, Scope, Timestamp,
};

use super::{Tx, View, token};
use crate::tables::{Head, ScanFrom, Step};

/// The most records that one step looks at, so that no reader holds the tables for long.
const STEP_RECORDS_MAX: usize = 10_000;

/// Walks the keys of a scope that begin with a prefix.
///
/// Costs the matching keys plus two seeks for each partition between them.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    prefix: &'a Bytes,
    scope: &'a Scope,
    /// The least name of any partition that can match.
    from: Bytes,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(prefix: &'a Bytes, scope: &'a Scope) -> Self {
        Self { prefix, scope, from: prefix.clone() }
    }

    /// Passes over names up to `name`.
    fn beyond(mut self, name: Option<&Bytes>) -> Self {
        if let Some(name) = name.filter(|name| *name >= self.prefix) {
            let mut next = Vec::with_capacity(name.len() + 1);
            next.extend_from_slice(name);
            next.push(0);
            self.from = next.into();
        }
        self
    }

    /// The least key that can match.
    pub(crate) fn first(&self) -> ScanFrom {
        let partition = match self.scope {
            Scope::Partition(partition) => Some(partition.clone()),
            _ => None,
        };
        let key = Key::from_parts(partition, self.from.clone());
        ScanFrom { key, inclusive: true }
    }

    /// Begins after `last`, or at the least key that can match.
    pub(crate) fn after(&self, last: Option<Key>) -> ScanFrom {
        match last {
            Some(key) => ScanFrom { key, inclusive: false },
            None => self.first(),
        }
    }

    /// `None` when `key` matches, else where the next match can be.
    pub(crate) fn skip(&self, key: &Key) -> Option<Step> {
        let covered = self.scope.covers(key.partition());
        if covered && key.name() < &self.from {
            let next = Key::from_parts(key.partition().cloned(), self.from.clone());
            return Some(Step::Seek(next));
        }
        if covered && key.name().starts_with(self.prefix) {
            return None;
        }
        Some(match self.scope {
            Scope::All => {
                Step::Seek(Key::in_partition(successor(key.partition()), self.from.clone()))
            }
            _ => Step::Stop,
        })
    }
}

/// The least partition after this one; every partition comes after none.
fn successor(partition: Option<&Bytes>) -> Bytes {
    let Some(partition) = partition else { return Bytes::new() };
    let mut next = Vec::with_capacity(partition.len() + 1);
    next.extend_from_slice(partition);
    next.push(0);
    next.into()
}

/// What one step of a count or a clear did.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) count: u64,
    /// Where to go on; `None` when everything has been looked at.
    pub(crate) after: Option<Key>,
}

impl View<'_> {
    pub(crate) fn list(&self, options: &ListOptions) -> Result<Page<Meta>> {
        let limit = self.rules.capabilities.limits.check_page(options.limit)?;
        self.consistency(options.consistency)?;
        let after = options.token.as_ref().map(token::read_key).transpose()?;
        let cursor = Cursor::new(&options.prefix, &options.scope).beyond(options.after.as_ref());
        let mut items: Vec<Meta> = Vec::new();
        let mut looked_at = 0_usize;
        let mut next = None;
        self.tables.scan(cursor.after(after), &mut |key, head| {
            if items.len() >= limit {
                next = items.last().map(|meta| meta.key.clone());
                return Step::Stop;
            }
            let step = cursor.skip(key).unwrap_or(Step::Next);
            if matches!(step, Step::Next) && !self.now.is_past(head.deadline) {
                items.push(self.meta(key, head, options.expiry));
            }
            looked_at += 1;
            if looked_at >= STEP_RECORDS_MAX && !matches!(step, Step::Stop) {
                next = Some(key.clone());
                return Step::Stop;
            }
            step
        })?;
        Ok(Page::new(items, next.as_ref().map(token::of_key)))
    }

    fn meta(&self, key: &Key, head: Head, expiry: bool) -> Meta {
        let meta =
            Meta::new(key.clone()).with_version(head.version).with_value_bytes(head.value_bytes);
        if expiry { meta.with_expires(self.expires(head.deadline)) } else { meta }
    }

    /// Counts up to a step's worth of records.
    pub(crate) fn count_step(
        &self,
        options: &CountOptions,
        after: Option<Key>,
    ) -> Result<Progress> {
        self.consistency(options.consistency)?;
        let cursor = Cursor::new(&options.prefix, &options.scope);
        let mut progress = Progress { count: 0, after: None };
        let mut looked_at = 0_usize;
        self.tables.scan(cursor.after(after), &mut |key, head| {
            let step = cursor.skip(key).unwrap_or(Step::Next);
            if matches!(step, Step::Next) && !self.now.is_past(head.deadline) {
                progress.count += 1;
            }
            looked_at += 1;
            if looked_at >= STEP_RECORDS_MAX && !matches!(step, Step::Stop) {
                progress.after = Some(key.clone());
                return Step::Stop;
            }
            step
        })?;
        Ok(progress)
    }

    /// All matching entries and hashes with their deadlines.
    fn matching(&self, cursor: &Cursor<'_>) -> Result<(Vec<Matched>, Vec<Matched>)> {
        let mut entries = Vec::new();
        self.tables.scan(cursor.first(), &mut |key, head| {
            cursor.skip(key).unwrap_or_else(|| {
                entries.push((key.clone(), head.deadline));
                Step::Next
            })
        })?;
        let mut hashes = Vec::new();
        self.tables.scan_hashes(cursor.first(), &mut |key, head| {
            cursor.skip(key).unwrap_or_else(|| {
                hashes.push((key.clone(), head.deadline));
                Step::Next
            })
        })?;
        Ok((entries, hashes))
    }
}

type Matched = (Key, Option<Timestamp>);

impl Tx<'_> {
    pub(crate) fn clear(&mut self, options: &ClearOptions) -> Result<u64> {
        let view = self.view();
        view.acks(options.acks)?;
        view.check_fence(options.fence.as_ref())?;
        self.raise_fence(options.fence.as_ref())?;
        let (entries, hashes) =
            self.view().matching(&Cursor::new(&options.prefix, &options.scope))?;
        let mut removed = 0;
        for (key, deadline) in &entries {
            removed += u64::from(!self.now.is_past(*deadline));
            self.tables.remove_entry(key)?;
        }
        for (key, deadline) in &hashes {
            removed += u64::from(!self.now.is_past(*deadline));
            self.tables.remove_hash(key)?;
        }
        if removed > 0 {
            let (prefix, scope) = (options.prefix.clone(), options.scope.clone());
            self.tables.log(Change::Cleared { prefix, scope })?;
        }
        Ok(removed)
    }
}
