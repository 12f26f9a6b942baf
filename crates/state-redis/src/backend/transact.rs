//! Transactions: one script over the keys of one partition.

use std::collections::HashSet;

use bytes::Bytes;
use state_core::{
    Acks, AcksReached, Capability, Deleted, Entry, Error, ErrorKind, Incremented, Key, OpDigest,
    Operation, Precondition, Resend, Result, Transaction, Version, WriteOp, WriteOutcome, Written,
};

use super::Inner;
use super::ask::Ask;
use super::point::{conflict, digest, lifetime_on, precondition, version};
use crate::frame;
use crate::keys::Kind;
use crate::scripts::{self, Word, at, number, unlike};

impl Inner {
    pub(super) async fn transact_all(
        &self,
        transaction: &Transaction,
    ) -> Result<Vec<WriteOutcome>> {
        self.check_transaction(transaction)?;
        let [lease, token] = self.fence_args(transaction.fence.as_ref())?;
        let acks = self.acks(transaction.acks)?;
        let Some(home) = transaction.keys().next() else { return Ok(Vec::new()) };
        let operation = transaction
            .op_id
            .map_or_else(|| self.keys.fence(home), |id| self.keys.operation(home, id.as_bytes()));
        let mut keys = vec![self.keys.fence(home), operation];
        keys.extend(transaction.keys().map(|key| self.keys.key(Kind::Entry, key)));
        let remembered = transaction.op_id.map(|_| digest(OpDigest::of_transaction(transaction)));
        let checks = Bytes::from(transaction.checks.len().to_string());
        let mut args = vec![lease, token, remembered.unwrap_or_default(), checks];
        for check in &transaction.checks {
            let (kind, wanted) = precondition(check.precondition)?;
            args.extend([kind, wanted]);
        }
        for op in &transaction.ops {
            args.extend(self.write_args(op)?);
        }
        let ask = Ask::new(&scripts::TRANSACT, keys, args).safe_if(transaction.op_id.is_some());
        let answer = self.script(Operation::Transact, ask).await?;
        if answer.word == Word::Conflict {
            return Err(at(conflict(), answer.rest.first()));
        }
        if answer.rest.len() != transaction.ops.len() {
            return Err(unlike());
        }
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

    /// Everything that can be said without asking the server.
    fn check_transaction(&self, transaction: &Transaction) -> Result<()> {
        let limits = &self.capabilities.limits;
        let first_op = transaction.checks.len();
        limits.check_transaction(first_op.saturating_add(transaction.ops.len()))?;
        for (index, check) in transaction.checks.iter().enumerate() {
            limits.check_key(&check.key).map_err(|error| error.with_index(index))?;
        }
        let mut written = HashSet::new();
        for (index, op) in transaction.ops.iter().enumerate() {
            let checked = limits.check_op(op).and_then(|()| self.check_op(op)).and_then(|()| {
                if written.insert(op.key()) {
                    Ok(())
                } else {
                    Err(Error::invalid("a transaction cannot write a key twice"))
                }
            });
            checked.map_err(|error| error.with_index(first_op + index))?;
        }
        self.check_colocated(transaction)
    }

    fn check_op(&self, op: &WriteOp) -> Result<()> {
        let (acks, fence, id, resend) = match op {
            WriteOp::Put { options, .. } => {
                self.lifetime(options.expiry)?;
                (options.acks, &options.fence, options.op_id, options.resend)
            }
            WriteOp::Delete { options, .. } => {
                if options.precondition == Precondition::Absent {
                    let message = "a delete cannot ask for its entry to be absent";
                    return Err(Error::invalid(message));
                }
                (options.acks, &options.fence, options.op_id, options.resend)
            }
            WriteOp::Increment { options, .. } => {
                self.lifetime(options.expiry)?;
                (options.acks, &options.fence, options.op_id, options.resend)
            }
            _ => return Err(Error::unsupported("this kind of write")),
        };
        if acks == Acks::Primary && fence.is_none() && id.is_none() && resend == Resend::Safe {
            return Ok(());
        }
        Err(Error::invalid("acks, fence, operation id and resend belong to the transaction"))
    }

    fn check_colocated(&self, transaction: &Transaction) -> Result<()> {
        if self.capabilities.has(Capability::CrossPartition) {
            return Ok(());
        }
        let mut keys = transaction.keys();
        let Some(first) = keys.next() else { return Ok(()) };
        let together = |key: &Key| {
            key == first || (key.partition().is_some() && key.partition() == first.partition())
        };
        if keys.all(together) {
            return Ok(());
        }
        let message = "the keys of a transaction must lie in one partition";
        Err(Error::new(ErrorKind::NotColocated, message))
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
                let (version, value) = frame::open(&result.slice(1..))?;
                Some(Entry::new(value, version))
            } else {
                None
            };
            Ok(WriteOutcome::Deleted(Deleted::new(existed, previous, acks)))
        }
        _ => Err(unlike()),
    }
}
