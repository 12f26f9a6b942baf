//! Hashes: fields under one key, with one lifetime.

use bytes::Bytes;
use redis::Value;
use state_core::{
    Consistency, Expiry, HashPageOptions, HashState, HashWriteOptions, Key, Page, Resend, Result,
};

use super::Inner;
use super::ask::{Ask, How, acknowledged, many, role};
use super::lifetime::expires;
use super::noting::Noted;
use super::op::Op;
use super::page_token::{Listing, Place};
use crate::client::{Body, Repeat, Request, Role, Target};
use crate::command::Command;
use crate::keys::Kind;
use crate::retry::effect::Effect;
use crate::scripts::{self, integer, number, optional, unlike};
use crate::topology::slot_of;

impl Inner {
    pub(super) async fn fields_set(
        &self,
        op: &Op,
        key: &Key,
        fields: Vec<(Bytes, Bytes)>,
        options: &HashWriteOptions,
    ) -> Result<u64> {
        self.check_fields(key, fields.iter().map(|(field, _)| field))?;
        for (_, value) in &fields {
            self.capabilities.limits.check_value(value)?;
        }
        let args = fields.into_iter().flat_map(|(field, value)| [field, value]);
        let done = self.hash_write(op, key, ("set", Effect::Overwrite), options, args).await?;
        number(&done)
    }

    pub(super) async fn fields_get(
        &self,
        op: &Op,
        key: &Key,
        fields: &[Bytes],
        consistency: Consistency,
    ) -> Result<Vec<Option<Bytes>>> {
        self.check_fields(key, fields)?;
        let role = role(consistency)?;
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.keys.key(Kind::Hash, key);
        let mut command = Command::new("HMGET");
        command.arg(stored.as_ref());
        for field in fields {
            command.arg(field.as_ref());
        }
        let (reply, _) = self.command(op, &stored, role, command).await?;
        let Value::Array(values) = reply else { return Err(unlike()) };
        values.into_iter().map(optional).collect()
    }

    pub(super) async fn fields_delete(
        &self,
        op: &Op,
        key: &Key,
        fields: &[Bytes],
        options: &HashWriteOptions,
    ) -> Result<u64> {
        self.check_fields(key, fields)?;
        let done = self
            .hash_write(op, key, ("delete", Effect::Delete), options, fields.iter().cloned())
            .await?;
        number(&done)
    }

    pub(super) async fn field_increment(
        &self,
        op: &Op,
        key: &Key,
        field: &Bytes,
        by: i64,
        options: &HashWriteOptions,
    ) -> Result<i64> {
        self.check_fields(key, [field])?;
        let args = [field.clone(), Bytes::from(by.to_string())];
        let done =
            self.hash_write(op, key, ("increment", Effect::EachCounts), options, args).await?;
        number(&done)
    }

    pub(super) async fn fields_page(
        &self,
        op: &Op,
        key: &Key,
        options: &HashPageOptions,
    ) -> Result<Page<(Bytes, Bytes)>> {
        self.capabilities.limits.check_key(key)?;
        let role = role(options.consistency)?;
        let limit = self.capabilities.limits.check_page(options.limit)?;
        let place = options.token.as_ref().map(|token| Place::read(token, Listing::Fields));
        let mut place = place.transpose()?.unwrap_or_default();
        let stored = self.keys.key(Kind::Hash, key);
        let mut items = Vec::new();
        let mut names = std::mem::take(&mut place.leftovers);
        if !names.is_empty() {
            place.leftovers = names.split_off(limit.min(names.len()));
            let values = self.fields_get(op, key, &names, options.consistency).await?;
            let found = names.into_iter().zip(values);
            items.extend(found.filter_map(|(name, value)| Some((name, value?))));
        } else if !place.done {
            // Replicas take turns, and what one of them calls a place means nothing to another.
            let role = if place.at.is_empty() { role } else { Role::Primary };
            let (at, mut found) = self.scan_fields(op, stored, place.at, limit, role).await?;
            let beyond = found.split_off(limit.min(found.len()));
            place.leftovers = beyond.into_iter().map(|(name, _)| name).collect();
            items = found;
            (place.done, place.at) = (at.is_none(), at.unwrap_or_default());
        }
        let more = !place.done || !place.leftovers.is_empty();
        Ok(Page::new(items, more.then(|| place.token(Listing::Fields))))
    }

    /// One step through the fields of a hash: where to go on, and what it found.
    async fn scan_fields(
        &self,
        op: &Op,
        stored: Bytes,
        at: Bytes,
        limit: usize,
        role: Role,
    ) -> Result<(Option<Bytes>, Vec<(Bytes, Bytes)>)> {
        let at = if at.is_empty() { Bytes::from_static(b"0") } else { at };
        let args = vec![at, Bytes::from(limit.to_string())];
        let ask = Ask::new(&scripts::HASH_PAGE, vec![stored], args, How::read()).with_role(role);
        let mut rest = self.script(op, ask).await?.0.rest.into_iter();
        let at = rest.next().ok_or_else(unlike)?;
        let mut fields = Vec::new();
        while let (Some(field), Some(value)) = (rest.next(), rest.next()) {
            fields.push((field, value));
        }
        Ok(((at.as_ref() != b"0").then_some(at), fields))
    }

    pub(super) async fn fields_state(
        &self,
        op: &Op,
        key: &Key,
        consistency: Consistency,
    ) -> Result<Option<HashState>> {
        self.capabilities.limits.check_key(key)?;
        let role = role(consistency)?;
        let stored = self.keys.key(Kind::Hash, key);
        let commands = ["HLEN", "PEXPIRETIME", "PTTL"].map(|name| {
            let mut command = Command::new(name);
            command.arg(stored.as_ref());
            command
        });
        let target = Target::Slot(slot_of(&stored));
        let body = Body::Pipeline(commands.into());
        let request = Request::new(op.name(), target, body);
        let request = request.with_role(role).with_repeat(Repeat::Safe);
        let replies = many(self.send(op, request).await?.reply)?;
        let numbers =
            replies.into_iter().map(|value| integer(&value?)).collect::<Result<Vec<_>>>()?;
        let [fields, deadline, remaining] = numbers.as_slice() else { return Err(unlike()) };
        if *fields <= 0 || *remaining == -2 {
            return Ok(None);
        }
        let (deadline, remaining) = (deadline.to_string(), remaining.to_string());
        let expires = expires(deadline.as_bytes(), remaining.as_bytes())?;
        Ok(Some(HashState::new(u64::try_from(*fields).unwrap_or(0), expires)))
    }

    pub(super) async fn fields_remove(
        &self,
        op: &Op,
        key: &Key,
        options: &HashWriteOptions,
    ) -> Result<bool> {
        self.check_fields(key, [])?;
        let done = self.hash_write(op, key, ("remove", Effect::Delete), options, []).await?;
        Ok(done.as_ref() != b"0")
    }

    fn check_fields<'f>(
        &self,
        key: &Key,
        fields: impl IntoIterator<Item = &'f Bytes>,
    ) -> Result<()> {
        let limits = &self.capabilities.limits;
        limits.check_key(key)?;
        let mut count = 0;
        for field in fields {
            limits.check_field(field)?;
            count += 1;
        }
        limits.check_batch(count)
    }

    async fn hash_write(
        &self,
        op: &Op,
        key: &Key,
        (what, effect): (&'static str, Effect),
        options: &HashWriteOptions,
        fields: impl IntoIterator<Item = Bytes>,
    ) -> Result<Bytes> {
        let expiry = if options.expiry == Expiry::Default {
            self.config.default_lifetime().map_or(Expiry::Never, Expiry::After)
        } else {
            options.expiry
        };
        let [mode, ms] = self.lifetime(expiry)?.args();
        let wait = self.acks(options.acks)?;
        let [lease, token] = self.fence_args(options.fence.as_ref())?;
        let keys = vec![self.keys.key(Kind::Hash, key), self.keys.fence(key)];
        let note = self.note(Kind::Hash, key, Noted::Written)?;
        let first = Bytes::from((7 + note.args.len()).to_string());
        let args = vec![Bytes::from_static(what.as_bytes()), mode, ms, lease, token, first];
        let how = How::of(effect, Resend::Safe, None).with_wait(wait);
        let mut ask = Ask::new(&scripts::HASH_WRITE, keys, args, how).noting(note);
        ask.call.args.extend(fields);
        let (answer, receipt) = self.script(op, ask).await?;
        acknowledged(wait, receipt.reached)?;
        Ok(answer.item(0)?.clone())
    }
}
