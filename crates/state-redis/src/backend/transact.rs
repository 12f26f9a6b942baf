//! Transactions: one script over the keys of one partition.

use bytes::Bytes;
use state_core::{
    AcksReached, Deleted, Entry, Error, Incremented, OpDigest, Resend, Result, Transaction,
    Version, WriteOp, WriteOutcome, Written,
};

use super::Inner;
use super::ask::{Ask, How, acknowledged};
use super::noting::Noted;
use super::op::Op;
use super::point::{conflict, digest, lifetime_on, precondition, version};
use crate::frame;
use crate::keys::Kind;
use crate::retry::effect::Effect;
use crate::scripts::{self, Word, at, number, unlike};

impl Inner {
    pub(super) async fn transact_all(
        &self,
        op: &Op,
        transaction: &Transaction,
    ) -> Result<Vec<WriteOutcome>> {
        transaction.validate(&self.capabilities, |expiry| self.lifetime(expiry).map(drop))?;
        let [lease, token] = self.fence_args(transaction.fence.as_ref())?;
        let wait = self.acks(transaction.acks)?;
        let Some(home) = transaction.keys().next() else { return Ok(Vec::new()) };
        let operation = transaction
            .op_id
            .map_or_else(|| self.keys.fence(home), |id| self.keys.operation(home, id.as_bytes()));
        let mut keys = vec![self.keys.fence(home), operation];
        keys.extend(transaction.keys().map(|key| self.keys.key(Kind::Entry, key)));
        let remembered = transaction.op_id.map(|_| digest(OpDigest::of_transaction(transaction)));
        let checks = Bytes::from(transaction.checks.len().to_string());
        let [events_max, nonce] = self.log_args()?;
        let indexed = Bytes::from_static(if self.layout.index { b"1" } else { b"" });
        let remembered = remembered.unwrap_or_default();
        let mut args = vec![lease, token, remembered, checks, indexed, events_max, nonce];
        for check in &transaction.checks {
            let (kind, wanted) = precondition(check.precondition)?;
            args.extend([kind, wanted]);
        }
        for write in &transaction.ops {
            let note = self.note(Kind::Entry, write.key(), Noted::Written)?;
            keys.extend(note.keys);
            args.extend(note.args.into_iter().next_back());
            args.extend(self.write_args(write)?);
        }
        let how = How::of(Effect::EachCounts, Resend::Safe, transaction.op_id).with_wait(wait);
        let ask = Ask::new(&scripts::TRANSACT, keys, args, how);
        let (answer, sent) = self.script(op, ask).await?;
        if answer.word == Word::Conflict {
            return Err(at(conflict(), answer.rest.first()));
        }
        if answer.rest.len() != transaction.ops.len() {
            return Err(unlike());
        }
        let acks = acknowledged(wait, sent.reached)?;
        let results = transaction.ops.iter().zip(&answer.rest);
        results.map(|(op, result)| receipt(op, result, acks)).collect()
    }

    fn write_args(&self, op: &WriteOp) -> Result<Vec<Bytes>> {
        let word = |word: &'static str| Bytes::from_static(word.as_bytes());
        Ok(match op {
            WriteOp::Put { value, options, .. } => {
                let (kind, wanted) = precondition(options.precondition)?;
                let [mode, ms] = self.lifetime(options.expiry)?.args();
                let header = frame::header(frame::new_version()?);
                vec![word("put"), kind, wanted, header, value.clone(), mode, ms]
            }
            WriteOp::Delete { options, .. } => {
                let (kind, wanted) = precondition(options.precondition)?;
                let returned = word(if options.return_value { "1" } else { "0" });
                vec![word("delete"), kind, wanted, returned]
            }
            WriteOp::Increment { by, options, .. } => {
                let [mode, ms] = self.lifetime(options.expiry)?.args();
                let header = frame::header(frame::new_version()?);
                let on = lifetime_on(options.lifetime_on)?;
                vec![word("increment"), header, Bytes::from(by.to_string()), mode, ms, on]
            }
            _ => return Err(Error::unsupported("this kind of write")),
        })
    }
}

fn receipt(op: &WriteOp, result: &Bytes, acks: AcksReached) -> Result<WriteOutcome> {
    let made = || -> Result<(Version, Bytes)> {
        let (made, rest) = result.split_at_checked(16).ok_or_else(unlike)?;
        Ok((version(made)?, result.slice_ref(rest)))
    };
    match op {
        WriteOp::Put { .. } => Ok(WriteOutcome::Written(Written::new(made()?.0, acks))),
        WriteOp::Increment { .. } => {
            let (version, sum) = made()?;
            Ok(WriteOutcome::Incremented(Incremented::new(number(&sum)?, version, acks)))
        }
        WriteOp::Delete { options, .. } => {
            let existed = result.starts_with(b"1");
            let previous = if existed && options.return_value {
                let (version, value) = frame::open(result.slice(1..))?;
                Some(Entry::new(value, version))
            } else {
                None
            };
            Ok(WriteOutcome::Deleted(Deleted::new(existed, previous, acks)))
        }
        _ => Err(unlike()),
    }
}
