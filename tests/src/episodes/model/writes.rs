//! Writes: single ones, and those of transactions.

use std::time::Duration;

use state_core::{
    ErrorKind, Expiry, Fence, Key, LifetimeOn, OpId, Precondition, Transaction, WriteOp,
    WriteOutcome,
};

use super::{Fits, Gate, Given, Held, Made, Mark, Misfit, Remembered, fits, place};
use crate::episodes::call::Reply;

/// How long an operation is remembered.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// What keeps a write from being made.
type Blocked = Option<ErrorKind>;

impl Made<'_> {
    pub(super) fn write(&mut self, op: &WriteOp) -> Fits {
        let (fence, id) = named(op);
        if let Some(known) = id.and_then(|id| self.known(op.key(), id)) {
            return self.told_again(&[op], known);
        }
        if self.gate(fence)? == Gate::Shut {
            return Ok(());
        }
        if let Some(kind) = self.blocked(op) {
            return self.refused(kind, None);
        }
        let receipt = match self.reply {
            None => None,
            Some(Reply::Receipt(receipt)) => Some(receipt),
            Some(_) => return Err(Misfit),
        };
        let given = self.apply(op, receipt, self.tag)?;
        self.remember(op.key(), id, vec![given]);
        Ok(())
    }

    pub(super) fn transact(&mut self, transaction: &Transaction) -> Fits {
        let Transaction { checks, ops, fence, op_id, .. } = transaction;
        let Some(home) = transaction.keys().next().cloned() else { return Err(Misfit) };
        if let Some(known) = op_id.and_then(|id| self.known(&home, id)) {
            return self.told_again(&ops.iter().collect::<Vec<_>>(), known);
        }
        if self.gate(fence.as_ref())? == Gate::Shut {
            return Ok(());
        }
        let failed = checks.iter().map(|check| {
            (!self.holds(&check.key, check.precondition)).then_some(ErrorKind::Conflict)
        });
        let blocked = failed.chain(ops.iter().map(|op| self.blocked(op))).enumerate();
        let first = blocked.into_iter().find_map(|(place, blocked)| Some((place, blocked?)));
        if let Some((place, kind)) = first {
            return self.refused(kind, Some(place));
        }
        let receipts = match self.reply {
            None => None,
            Some(Reply::Receipts(receipts)) if receipts.len() == ops.len() => Some(receipts),
            Some(_) => return Err(Misfit),
        };
        let mut given = Vec::new();
        for (number, op) in ops.iter().enumerate() {
            let receipt = receipts.and_then(|receipts| receipts.get(number));
            given.push(self.apply(op, receipt, part_tag(self.tag, number))?);
        }
        self.remember(&home, *op_id, given);
        Ok(())
    }

    fn holds(&self, key: &Key, wanted: Precondition) -> bool {
        let held = self.world.entries.get(key);
        match wanted {
            Precondition::Absent => held.is_none(),
            Precondition::Present => held.is_some(),
            Precondition::Matches(version) => {
                held.is_some_and(|held| held.mark == Mark::Shown(version))
            }
            _ => true,
        }
    }

    fn blocked(&self, op: &WriteOp) -> Blocked {
        let wanted = match op {
            WriteOp::Put { options, .. } => options.precondition,
            WriteOp::Delete { options, .. } => options.precondition,
            _ => Precondition::Always,
        };
        if !self.holds(op.key(), wanted) {
            return Some(ErrorKind::Conflict);
        }
        match op {
            WriteOp::Increment { key, by, .. } if self.sum(key, *by).is_none() => {
                Some(ErrorKind::Invalid)
            }
            _ => None,
        }
    }

    /// The number after an increment, if there is a number and the sum is one.
    fn sum(&self, key: &Key, by: i64) -> Option<i64> {
        let held = self.world.entries.get(key);
        let held = held.map_or(Some(0), |held| {
            let number: i64 = std::str::from_utf8(&held.value).ok()?.parse().ok()?;
            (number.to_string().as_bytes() == held.value).then_some(number)
        });
        held?.checked_add(by)
    }

    /// Makes a write that nothing keeps from being made.
    fn apply(&mut self, op: &WriteOp, receipt: Option<&WriteOutcome>, tag: u64) -> Fits<Given> {
        let key = op.key();
        let before = self.world.entries.get(key).cloned();
        let kept = before.as_ref().and_then(|held| held.deadline);
        match (op, receipt) {
            (WriteOp::Put { value, options, .. }, None | Some(WriteOutcome::Written(_))) => {
                let mark = mark(receipt, tag);
                let deadline = self.world.deadline(options.expiry, kept);
                let held = Held { value: value.clone(), mark, deadline };
                self.world.entries.insert(key.clone(), held);
                Ok(Given::Written(mark))
            }
            (WriteOp::Increment { by, options, .. }, None | Some(WriteOutcome::Incremented(_))) => {
                let sum = self.sum(key, *by).ok_or(Misfit)?;
                if let Some(WriteOutcome::Incremented(told)) = receipt {
                    fits(told.value == sum)?;
                }
                let mark = mark(receipt, tag);
                let keeps = before.is_some() && options.lifetime_on == LifetimeOn::Create;
                let expiry = if keeps { Expiry::Keep } else { options.expiry };
                let deadline = self.world.deadline(expiry, kept);
                let held = Held { value: sum.to_string().into(), mark, deadline };
                self.world.entries.insert(key.clone(), held);
                Ok(Given::Incremented(sum, mark))
            }
            (WriteOp::Delete { options, .. }, None | Some(WriteOutcome::Deleted(_))) => {
                let previous = before.as_ref().filter(|_| options.return_value);
                let previous = previous.map(|held| (held.value.clone(), held.mark));
                let given = Given::Deleted { existed: before.is_some(), previous };
                let given = self.told(key, receipt, given)?;
                self.world.entries.remove(key);
                Ok(given)
            }
            _ => Err(Misfit),
        }
    }

    /// Whether `receipt` tells what was given; what was given, with the versions that it shows.
    fn told(&mut self, key: &Key, receipt: Option<&WriteOutcome>, given: Given) -> Fits<Given> {
        let Some(receipt) = receipt else { return Ok(given) };
        match (receipt, given) {
            (WriteOutcome::Written(told), Given::Written(mark)) => {
                self.same(key, mark, told.version)?;
                Ok(Given::Written(Mark::Shown(told.version)))
            }
            (WriteOutcome::Incremented(told), Given::Incremented(sum, mark)) => {
                fits(told.value == sum)?;
                self.same(key, mark, told.version)?;
                Ok(Given::Incremented(sum, Mark::Shown(told.version)))
            }
            (WriteOutcome::Deleted(told), Given::Deleted { existed, previous }) => {
                fits(told.existed == existed && !told.existed_unknown)?;
                let previous = match (&told.previous, previous) {
                    (None, None) => None,
                    (Some(entry), Some((value, mark))) => {
                        fits(entry.value == value)?;
                        self.same(key, mark, entry.version)?;
                        Some((value, Mark::Shown(entry.version)))
                    }
                    _ => return Err(Misfit),
                };
                Ok(Given::Deleted { existed, previous })
            }
            _ => Err(Misfit),
        }
    }

    fn known(&self, key: &Key, id: OpId) -> Option<Vec<Given>> {
        self.world.operations.get(&place(key, id)).map(|remembered| remembered.given.clone())
    }

    /// An operation that was made before: it changes nothing and is answered as then.
    fn told_again(&mut self, ops: &[&WriteOp], known: Vec<Given>) -> Fits {
        let receipts: Vec<&WriteOutcome> = match self.reply {
            None => return Ok(()),
            Some(Reply::Receipt(receipt)) => vec![receipt],
            Some(Reply::Receipts(receipts)) => receipts.iter().collect(),
            Some(_) => return Err(Misfit),
        };
        fits(receipts.len() == known.len() && ops.len() == known.len())?;
        for ((op, receipt), given) in ops.iter().zip(receipts).zip(known) {
            self.told(op.key(), Some(receipt), given)?;
        }
        Ok(())
    }

    fn remember(&mut self, key: &Key, id: Option<OpId>, given: Vec<Given>) {
        let id = id.filter(|id| self.contract.sent_again.contains(id));
        let (Some(id), Some(deadline)) = (id, self.world.now.checked_add(WINDOW)) else { return };
        self.world.operations.insert(place(key, id), Remembered { given, deadline });
    }
}

/// The version that a write gives.
fn mark(receipt: Option<&WriteOutcome>, tag: u64) -> Mark {
    match receipt {
        Some(WriteOutcome::Written(told)) => Mark::Shown(told.version),
        Some(WriteOutcome::Incremented(told)) => Mark::Shown(told.version),
        _ => Mark::Of(tag),
    }
}

/// The tag of one write of a transaction.
pub(in crate::episodes) fn part_tag(tag: u64, number: usize) -> u64 {
    tag.wrapping_mul(64).wrapping_add(number as u64)
}

fn named(op: &WriteOp) -> (Option<&Fence>, Option<OpId>) {
    match op {
        WriteOp::Put { options, .. } => (options.fence.as_ref(), options.op_id),
        WriteOp::Delete { options, .. } => (options.fence.as_ref(), options.op_id),
        WriteOp::Increment { options, .. } => (options.fence.as_ref(), options.op_id),
        _ => (None, None),
    }
}
