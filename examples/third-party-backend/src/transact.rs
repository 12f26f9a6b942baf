//! The role of transactions: all checks, then all writes, in one step under the lock.

use async_trait::async_trait;
use state_core::{Limits, Operation, Result, StateBackend, Transact, Transaction, WriteOutcome};

use crate::backend::{MapBackend, refuse};
use crate::effects;

impl MapBackend {
    fn transaction(&self, transaction: Transaction) -> Result<Vec<WriteOutcome>> {
        let now = self.now();
        transaction.validate(&self.capabilities(), |expiry| Limits::check_expiry(expiry, now))?;
        refuse(transaction.acks, transaction.fence.as_ref(), transaction.op_id)?;
        let mut view = self.lock();
        for (index, check) in transaction.checks.iter().enumerate() {
            let checked = view.check(&check.key, check.precondition);
            checked.map_err(|error| error.with_index(index))?;
        }
        // No key is written twice, so one write does not decide whether another can be made.
        for (index, op) in (transaction.checks.len()..).zip(&transaction.ops) {
            effects::check(&view, op).map_err(|error| error.with_index(index))?;
        }
        transaction.ops.into_iter().map(|op| effects::write(&mut view, op)).collect()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transact for MapBackend {
    async fn transact(&self, transaction: Transaction) -> Result<Vec<WriteOutcome>> {
        let answer = self.transaction(transaction);
        self.count(Operation::Transact, answer)
    }
}
