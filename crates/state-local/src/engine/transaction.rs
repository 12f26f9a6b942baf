//! Transactions: checks first, writes last, over the keys of one partition.

use std::collections::HashSet;

use state_core::{
    Acks, AcksReached, Capability, Deleted, Entry, Error, ErrorKind, Incremented, Key, OpDigest,
    Precondition, Resend, Result, Transaction, WriteOp, WriteOutcome, Written,
};

use super::entries::check_delete;
use super::ops::Replay;
use super::{Tx, View};
use crate::tables::OpOutcome;

impl Tx<'_> {
    pub(crate) fn transact(&mut self, transaction: &Transaction) -> Result<Vec<WriteOutcome>> {
        let view = self.view();
        let acks = view.acks(transaction.acks)?;
        view.check_fence(transaction.fence.as_ref())?;
        view.check_transaction(transaction)?;
        let Some(home) = transaction.keys().next().cloned() else { return Ok(Vec::new()) };
        let digest = transaction.op_id.map(|_| OpDigest::of_transaction(transaction));
        if let Replay::Before(OpOutcome::Transaction(outcomes)) =
            view.replay(&home, transaction.op_id, digest)?
        {
            return Ok(outcomes.into_iter().map(|outcome| receipt(outcome, acks)).collect());
        }
        self.raise_fence(transaction.fence.as_ref())?;
        let sums = self.check_all(transaction)?;
        let mut outcomes = Vec::with_capacity(transaction.ops.len());
        for (op, sum) in transaction.ops.iter().zip(sums) {
            outcomes.push(self.apply(op, sum)?);
        }
        self.remember(&home, transaction.op_id, digest, || {
            OpOutcome::Transaction(outcomes.clone())
        })?;
        Ok(outcomes.into_iter().map(|outcome| receipt(outcome, acks)).collect())
    }

    /// Looks at everything that can still fail, and returns the sum of each increment.
    fn check_all(&self, transaction: &Transaction) -> Result<Vec<Option<i64>>> {
        let view = self.view();
        for (index, check) in transaction.checks.iter().enumerate() {
            let checked = view.check_precondition(&check.key, check.precondition);
            checked.map_err(|error| error.with_index(index))?;
        }
        let first_op = transaction.checks.len();
        let sums = transaction.ops.iter().enumerate().map(|(index, op)| {
            let checked = view.check_precondition(op.key(), precondition(op));
            let sum = checked.and_then(|_| match op {
                WriteOp::Increment { key, by, .. } => self.sum(key, *by).map(Some),
                _ => Ok(None),
            });
            sum.map_err(|error| error.with_index(first_op + index))
        });
        sums.collect()
    }

    fn apply(&mut self, op: &WriteOp, sum: Option<i64>) -> Result<OpOutcome> {
        let head = self.view().live_head(op.key())?;
        match op {
            WriteOp::Put { key, value, options } => {
                let version = self.store(key, value.clone(), options.expiry, head)?;
                Ok(OpOutcome::Written(version))
            }
            WriteOp::Delete { key, options } => {
                let previous = self.take(key, head, options.return_value)?;
                let previous = previous.map(|entry| (entry.value, entry.version));
                Ok(OpOutcome::Deleted { existed: head.is_some(), previous })
            }
            WriteOp::Increment { key, options, .. } => {
                let value = sum.unwrap_or_default();
                let version = self.store_sum(key, value, options)?;
                Ok(OpOutcome::Incremented { value, version })
            }
            _ => Err(Error::unsupported("this kind of write")),
        }
    }
}

impl View<'_> {
    /// Everything that can be said without looking at an entry.
    fn check_transaction(&self, transaction: &Transaction) -> Result<()> {
        let limits = &self.rules.capabilities.limits;
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
                self.deadline(options.expiry, None)?;
                (options.acks, &options.fence, options.op_id, options.resend)
            }
            WriteOp::Delete { options, .. } => {
                check_delete(options)?;
                (options.acks, &options.fence, options.op_id, options.resend)
            }
            WriteOp::Increment { options, .. } => {
                self.deadline(options.expiry, None)?;
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
        if self.rules.capabilities.has(Capability::CrossPartition) {
            return Ok(());
        }
        let mut keys = transaction.keys();
        let Some(first) = keys.next() else { return Ok(()) };
        let together = |key: &Key| {
            key == first || (key.partition().is_some() && key.partition() == first.partition())
        };
        if keys.all(together) {
            Ok(())
        } else {
            let message = "the keys of a transaction must lie in one partition";
            Err(Error::new(ErrorKind::NotColocated, message))
        }
    }
}

fn precondition(op: &WriteOp) -> Precondition {
    match op {
        WriteOp::Put { options, .. } => options.precondition,
        WriteOp::Delete { options, .. } => options.precondition,
        _ => Precondition::Always,
    }
}

fn receipt(outcome: OpOutcome, acks: AcksReached) -> WriteOutcome {
    match outcome {
        OpOutcome::Written(version) => WriteOutcome::Written(Written::new(version, acks)),
        OpOutcome::Incremented { value, version } => {
            WriteOutcome::Incremented(Incremented::new(value, version, acks))
        }
        OpOutcome::Deleted { existed, previous } => {
            let previous = previous.map(|(value, version)| Entry::new(value, version));
            WriteOutcome::Deleted(Deleted::new(existed, previous, acks))
        }
        // A transaction holds no transactions.
        OpOutcome::Transaction(_) => WriteOutcome::Deleted(Deleted::new(false, None, acks)),
    }
}
