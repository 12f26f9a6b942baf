//! What can be said of a transaction without looking at an entry, once for all drivers.

use std::collections::HashSet;

use crate::{
    Acks, Capabilities, Capability, Error, ErrorKind, Expiry, Key, Precondition, Resend, Result,
    Transaction, WriteOp,
};

impl Transaction {
    /// Checks everything that can be said without looking at an entry: limits, options that belong
    /// to the transaction, keys written twice, and keys that lie apart. `lifetime` checks what a
    /// write names as its lifetime. For drivers, which call it before anything is read or written.
    ///
    /// # Errors
    /// `Invalid`, `TooLarge` or `Unsupported`, with the index of the check or write it is about
    /// (checks counted first); `NotColocated`.
    pub fn validate(
        &self,
        capabilities: &Capabilities,
        lifetime: impl Fn(Expiry) -> Result<()>,
    ) -> Result<()> {
        let limits = &capabilities.limits;
        let first_op = self.checks.len();
        limits.check_transaction(first_op.saturating_add(self.ops.len()))?;
        for (index, check) in self.checks.iter().enumerate() {
            limits.check_key(&check.key).map_err(|error| error.with_index(index))?;
        }
        let mut written = HashSet::new();
        for (index, op) in self.ops.iter().enumerate() {
            let checked =
                limits.check_op(op).and_then(|()| check_op(op, &lifetime)).and_then(|()| {
                    if written.insert(op.key()) {
                        Ok(())
                    } else {
                        Err(Error::invalid("a transaction cannot write a key twice"))
                    }
                });
            checked.map_err(|error| error.with_index(first_op + index))?;
        }
        if capabilities.has(Capability::CrossPartition) || self.is_colocated() {
            return Ok(());
        }
        let message = "the keys of a transaction must lie in one partition";
        Err(Error::new(ErrorKind::NotColocated, message))
    }

    /// Whether all keys lie in one partition, or are one key.
    fn is_colocated(&self) -> bool {
        let mut keys = self.keys();
        let Some(first) = keys.next() else { return true };
        keys.all(|key: &Key| {
            key == first || (key.partition().is_some() && key.partition() == first.partition())
        })
    }
}

fn check_op(op: &WriteOp, lifetime: &impl Fn(Expiry) -> Result<()>) -> Result<()> {
    let (acks, fence, id, resend) = match op {
        WriteOp::Put { options, .. } => {
            lifetime(options.expiry)?;
            (options.acks, &options.fence, options.op_id, options.resend)
        }
        WriteOp::Delete { options, .. } => {
            if options.precondition == Precondition::Absent {
                return Err(Error::invalid("a delete cannot ask for its entry to be absent"));
            }
            (options.acks, &options.fence, options.op_id, options.resend)
        }
        WriteOp::Increment { options, .. } => {
            lifetime(options.expiry)?;
            (options.acks, &options.fence, options.op_id, options.resend)
        }
    };
    if acks == Acks::Primary && fence.is_none() && id.is_none() && resend == Resend::Safe {
        return Ok(());
    }
    Err(Error::invalid("acks, fence, operation id and resend belong to the transaction"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeleteOptions;

    fn kind(transaction: &Transaction) -> Option<(ErrorKind, Option<usize>)> {
        let checked = transaction.validate(&Capabilities::none(), |_| Ok(()));
        checked.err().map(|error| (error.kind(), error.index()))
    }

    #[test]
    fn what_is_wrong_is_told_with_the_place_where_it_is() {
        let put = |name: &str| WriteOp::put(Key::in_partition("p", name.to_owned()), "v");
        let good = || Transaction::new().check(Key::in_partition("p", "c"), Precondition::Present);
        assert_eq!(kind(&good().op(put("a")).op(put("b"))), None);
        assert_eq!(kind(&good().op(put("a")).op(put("a"))), Some((ErrorKind::Invalid, Some(2))));
        let apart = good().op(WriteOp::put("elsewhere", "v"));
        assert_eq!(kind(&apart), Some((ErrorKind::NotColocated, None)));
        let strong = DeleteOptions::new().with_acks(Acks::Strong);
        let own = good().op(WriteOp::delete_opts(Key::in_partition("p", "a"), strong));
        assert_eq!(kind(&own), Some((ErrorKind::Invalid, Some(1))));
        let absent = DeleteOptions::new().with_precondition(Precondition::Absent);
        let absent = good().op(WriteOp::delete_opts(Key::in_partition("p", "a"), absent));
        assert_eq!(kind(&absent), Some((ErrorKind::Invalid, Some(1))));
        let late = good().op(put("a"));
        let refuse = |_| Err(Error::invalid("too late"));
        let refused = late.validate(&Capabilities::none(), refuse).unwrap_err();
        assert_eq!((refused.kind(), refused.index()), (ErrorKind::Invalid, Some(1)));
    }
}
