//! Hashes: fields under one key, with one lifetime.

use std::collections::HashSet;

use bytes::Bytes;
use state_core::{
    Change, Consistency, HashPageOptions, HashState, HashWriteOptions, Key, Page, Result, Timestamp,
};

use super::token;
use super::{Tx, View, counter};
use crate::tables::HashHead;

impl View<'_> {
    /// A hash's head, if it is there and has not expired.
    pub(crate) fn live_hash(&self, key: &Key) -> Result<Option<HashHead>> {
        Ok(self.tables.hash_head(key)?.filter(|head| !self.now.is_past(head.deadline)))
    }

    pub(crate) fn hash_get(
        &self,
        key: &Key,
        fields: &[Bytes],
        consistency: Consistency,
    ) -> Result<Vec<Option<Bytes>>> {
        self.check_fields(key, fields)?;
        self.consistency(consistency)?;
        if self.live_hash(key)?.is_none() {
            return Ok(vec![None; fields.len()]);
        }
        fields.iter().map(|field| self.tables.hash_field(key, field)).collect()
    }

    pub(crate) fn hash_page(
        &self,
        key: &Key,
        options: &HashPageOptions,
    ) -> Result<Page<(Bytes, Bytes)>> {
        let limits = &self.rules.capabilities.limits;
        limits.check_key(key)?;
        self.consistency(options.consistency)?;
        let limit = limits.check_page(options.limit)?;
        let after = options.token.as_ref().map(token::read_field).transpose()?;
        if self.live_hash(key)?.is_none() {
            return Ok(Page::new(Vec::new(), None));
        }
        let mut items = self.tables.hash_fields(key, after.as_ref(), limit.saturating_add(1))?;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next = last.map(|(field, _)| token::of_field(field));
        Ok(Page::new(items, next))
    }

    pub(crate) fn hash_state(
        &self,
        key: &Key,
        consistency: Consistency,
    ) -> Result<Option<HashState>> {
        self.rules.capabilities.limits.check_key(key)?;
        self.consistency(consistency)?;
        let head = self.live_hash(key)?;
        Ok(head.map(|head| HashState::new(head.fields, self.expires(head.deadline))))
    }

    fn check_fields<'f>(
        &self,
        key: &Key,
        fields: impl IntoIterator<Item = &'f Bytes>,
    ) -> Result<()> {
        let limits = &self.rules.capabilities.limits;
        limits.check_key(key)?;
        let mut count = 0;
        for field in fields {
            limits.check_field(field)?;
            count += 1;
        }
        limits.check_batch(count)
    }
}

impl Tx<'_> {
    pub(crate) fn hash_set(
        &mut self,
        key: &Key,
        fields: Vec<(Bytes, Bytes)>,
        options: &HashWriteOptions,
    ) -> Result<u64> {
        let view = self.view();
        view.check_fields(key, fields.iter().map(|(field, _)| field))?;
        for (_, value) in &fields {
            view.rules.capabilities.limits.check_value(value)?;
        }
        self.begin_hash_write(key, options)?;
        if fields.is_empty() {
            return Ok(0);
        }
        let deadline = self.renew_hash(key, options)?;
        let mut new = 0;
        for (field, value) in fields {
            new += u64::from(self.tables.put_field(key, &field, value)?);
        }
        self.end_hash_write(key, deadline)?;
        Ok(new)
    }

    pub(crate) fn hash_delete(
        &mut self,
        key: &Key,
        fields: &[Bytes],
        options: &HashWriteOptions,
    ) -> Result<u64> {
        self.view().check_fields(key, fields)?;
        self.begin_hash_write(key, options)?;
        let Some(head) = self.view().live_hash(key)? else { return Ok(0) };
        let deadline = self.view().deadline(options.expiry, head.deadline)?;
        let mut removed = 0;
        for field in fields.iter().collect::<HashSet<_>>() {
            removed += u64::from(self.tables.remove_field(key, field)?);
        }
        if removed == 0 && deadline == head.deadline {
            return Ok(0);
        }
        if removed < head.fields {
            self.end_hash_write(key, deadline)?;
        } else {
            self.tables.log(Change::HashChanged { key: key.clone() })?;
        }
        Ok(removed)
    }

    pub(crate) fn hash_increment(
        &mut self,
        key: &Key,
        field: &Bytes,
        by: i64,
        options: &HashWriteOptions,
    ) -> Result<i64> {
        self.view().check_fields(key, [field])?;
        self.begin_hash_write(key, options)?;
        let held = if self.view().live_hash(key)?.is_some() {
            self.tables.hash_field(key, field)?
        } else {
            None
        };
        let sum = counter::add(held.as_ref(), by)?;
        let deadline = self.renew_hash(key, options)?;
        self.tables.put_field(key, field, Bytes::from(sum.to_string()))?;
        self.end_hash_write(key, deadline)?;
        Ok(sum)
    }

    pub(crate) fn hash_remove(&mut self, key: &Key, options: &HashWriteOptions) -> Result<bool> {
        self.view().check_fields(key, [])?;
        self.begin_hash_write(key, options)?;
        let existed = self.view().live_hash(key)?.is_some();
        if existed {
            self.tables.remove_hash(key)?;
            self.tables.log(Change::HashChanged { key: key.clone() })?;
        }
        Ok(existed)
    }

    /// Checks what every write of a hash has in common, before anything is read or written.
    fn begin_hash_write(&mut self, key: &Key, options: &HashWriteOptions) -> Result<()> {
        let view = self.view();
        view.rules.capabilities.limits.check_key(key)?;
        view.deadline(options.expiry, None)?;
        view.acks(options.acks)?;
        view.check_fence(options.fence.as_ref())?;
        self.raise_fence(options.fence.as_ref())
    }

    /// Drops a hash that has expired, so that its fields do not come back to life, and returns
    /// the deadline that the hash is to have.
    fn renew_hash(&mut self, key: &Key, options: &HashWriteOptions) -> Result<Option<Timestamp>> {
        let head = self.view().live_hash(key)?;
        let deadline = self.view().deadline(options.expiry, head.and_then(|head| head.deadline))?;
        if head.is_none() {
            self.tables.remove_hash(key)?;
        }
        Ok(deadline)
    }

    fn end_hash_write(&mut self, key: &Key, deadline: Option<Timestamp>) -> Result<()> {
        self.tables.set_hash_deadline(key, deadline)?;
        self.tables.log(Change::HashChanged { key: key.clone() })
    }
}
