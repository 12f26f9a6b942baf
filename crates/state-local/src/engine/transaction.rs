//! Transactions: checks first, writes last, over the keys of one partition.

use state_core::{
    AcksReached, Deleted, Entry, Error, Incremented, OpDigest, Precondition, Result, Transaction,
    WriteOp, WriteOutcome, Written,
};

use super::Tx;
use super::ops::Replay;
use crate::tables::OpOutcome;

impl Tx<'_> {
    pub(crate) fn transact(&mut self, transaction: &Transaction) -> Result<Vec<WriteOutcome>> {
        let view = self.view();
        let acks = view.acks(transaction.acks)?;
        view.check_fence(transaction.fence.as_ref())?;
        transaction
            .validate(&view.rules.capabilities, |expiry| view.deadline(expiry, None).map(drop))?;
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
