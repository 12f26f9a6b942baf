//! Single entries: get, put, delete, touch.

use bytes::Bytes;
use state_core::{
    Change, Consistency, DeleteOptions, Deleted, Entry, Error, Expiry, GetOptions, Key, OpDigest,
    Precondition, PutOptions, Result, Timestamp, TouchOptions, Version, Written,
};

use super::ops::Replay;
use super::{Tx, View};
use crate::tables::{Head, OpOutcome};

impl View<'_> {
    /// An entry's head, if it is there and has not expired.
    #[inline]
    pub(crate) fn live_head(&self, key: &Key) -> Result<Option<Head>> {
        Ok(self.tables.head(key)?.filter(|head| !self.now.is_past(head.deadline)))
    }

    pub(crate) fn get(&self, key: &Key, options: &GetOptions) -> Result<Option<Entry>> {
        self.rules.capabilities.limits.check_key(key)?;
        self.consistency(options.consistency)?;
        if options.head {
            let Some(head) = self.live_head(key)? else { return Ok(None) };
            let entry = Entry::new(Bytes::new(), head.version);
            return Ok(Some(self.describe(entry, head.deadline, options)));
        }
        let Some(record) = self.tables.entry(key)? else { return Ok(None) };
        if self.now.is_past(record.deadline) {
            return Ok(None);
        }
        let entry = Entry::new(record.value, record.version);
        Ok(Some(self.describe(entry, record.deadline, options)))
    }

    /// What can be said about a read that also writes without looking at an entry; the deadline
    /// that it gives, if it touches.
    #[expect(clippy::option_option, reason = "whether it touches, and whether with a deadline")]
    pub(crate) fn check_touch(&self, options: &GetOptions) -> Result<Option<Option<Timestamp>>> {
        self.consistency(options.consistency)?;
        self.check_fence(options.fence.as_ref())?;
        let touched = options.touch.map(|expiry| {
            if options.consistency == Consistency::Eventual {
                return Err(Error::invalid("an eventual read cannot touch"));
            }
            self.touched_deadline(expiry)
        });
        touched.transpose()
    }

    fn describe(&self, entry: Entry, deadline: Option<Timestamp>, options: &GetOptions) -> Entry {
        if options.expiry { entry.with_expires(self.expires(deadline)) } else { entry }
    }

    #[inline]
    pub(crate) fn check_precondition(
        &self,
        key: &Key,
        precondition: Precondition,
    ) -> Result<Option<Head>> {
        let head = self.live_head(key)?;
        let holds = match precondition {
            Precondition::Always => true,
            Precondition::Absent => head.is_none(),
            Precondition::Present => head.is_some(),
            Precondition::Matches(version) => head.is_some_and(|head| head.version == version),
            _ => return Err(Error::unsupported("this precondition")),
        };
        if holds { Ok(head) } else { Err(Error::conflict("the precondition does not hold")) }
    }
}

impl Tx<'_> {
    /// A read that also writes: it touches, or is fenced.
    pub(crate) fn get_and_touch(
        &mut self,
        key: &Key,
        options: &GetOptions,
    ) -> Result<Option<Entry>> {
        let view = self.view();
        view.rules.capabilities.limits.check_key(key)?;
        let touched = view.check_touch(options)?;
        self.raise_fence(options.fence.as_ref())?;
        if let Some(deadline) = touched
            && self.view().live_head(key)?.is_some()
        {
            self.tables.set_deadline(key, deadline)?;
            self.tables.log(Change::Touched { key: key.clone(), deadline })?;
        }
        self.view().get(key, options)
    }

    pub(crate) fn put(&mut self, key: &Key, value: Bytes, options: &PutOptions) -> Result<Written> {
        let view = self.view();
        view.rules.capabilities.limits.check_key(key)?;
        view.rules.capabilities.limits.check_value(&value)?;
        let deadline = view.deadline(options.expiry, None)?;
        let acks = view.acks(options.acks)?;
        view.check_fence(options.fence.as_ref())?;
        let digest = options.op_id.map(|_| OpDigest::of_put(&value, options));
        if let Replay::Before(OpOutcome::Written(version)) =
            view.replay(key, options.op_id, digest)?
        {
            return Ok(Written::new(version, acks));
        }
        self.raise_fence(options.fence.as_ref())?;
        // A plain overwrite need not know what it overwrites.
        let blind = options.precondition == Precondition::Always && options.expiry != Expiry::Keep;
        let head =
            if blind { None } else { self.view().check_precondition(key, options.precondition)? };
        let kept = options.expiry == Expiry::Keep;
        let deadline = if kept { head.and_then(|head| head.deadline) } else { deadline };
        let version = self.tables.put_entry(key, value, deadline)?;
        self.remember(key, options.op_id, digest, || OpOutcome::Written(version))?;
        Ok(Written::new(version, acks))
    }

    /// Stores a value over `head`, which is what lives there now.
    #[inline]
    pub(crate) fn store(
        &mut self,
        key: &Key,
        value: Bytes,
        expiry: Expiry,
        head: Option<Head>,
    ) -> Result<Version> {
        let deadline = self.view().deadline(expiry, head.and_then(|head| head.deadline))?;
        self.tables.put_entry(key, value, deadline)
    }

    pub(crate) fn delete(&mut self, key: &Key, options: &DeleteOptions) -> Result<Deleted> {
        let view = self.view();
        view.rules.capabilities.limits.check_key(key)?;
        check_delete(options)?;
        let acks = view.acks(options.acks)?;
        view.check_fence(options.fence.as_ref())?;
        let digest = options.op_id.map(|_| OpDigest::of_delete(options));
        if let Replay::Before(OpOutcome::Deleted { existed, previous }) =
            view.replay(key, options.op_id, digest)?
        {
            let previous = previous.map(|(value, version)| Entry::new(value, version));
            return Ok(Deleted::new(existed, previous, acks));
        }
        self.raise_fence(options.fence.as_ref())?;
        let head = self.view().check_precondition(key, options.precondition)?;
        let previous = self.take(key, head, options.return_value)?;
        self.remember(key, options.op_id, digest, || OpOutcome::Deleted {
            existed: head.is_some(),
            previous: previous.as_ref().map(|entry| (entry.value.clone(), entry.version)),
        })?;
        Ok(Deleted::new(head.is_some(), previous, acks))
    }

    /// Removes what lives at `key` now, which is `head`.
    pub(crate) fn take(
        &mut self,
        key: &Key,
        head: Option<Head>,
        return_value: bool,
    ) -> Result<Option<Entry>> {
        if head.is_none() {
            return Ok(None);
        }
        let previous = if return_value {
            self.view().get(key, &GetOptions::new().with_expiry(true))?
        } else {
            None
        };
        self.tables.remove_entry(key)?;
        self.tables.log(Change::Deleted { key: key.clone() })?;
        Ok(previous)
    }

    pub(crate) fn touch(&mut self, key: &Key, options: &TouchOptions) -> Result<bool> {
        let view = self.view();
        view.rules.capabilities.limits.check_key(key)?;
        let deadline = view.touched_deadline(options.expiry)?;
        view.acks(options.acks)?;
        view.check_fence(options.fence.as_ref())?;
        self.raise_fence(options.fence.as_ref())?;
        if self.view().live_head(key)?.is_none() {
            return Ok(false);
        }
        self.tables.set_deadline(key, deadline)?;
        self.tables.log(Change::Touched { key: key.clone(), deadline })?;
        Ok(true)
    }
}

/// What can be said about the options of a delete without looking at the entry.
pub(super) fn check_delete(options: &DeleteOptions) -> Result<()> {
    if options.precondition == Precondition::Absent {
        return Err(Error::invalid("a delete cannot ask for its entry to be absent"));
    }
    Ok(())
}
