//! What a client asks a store for, and what it is answered.

use std::sync::Arc;

use state_core::{
    AcquireOptions, Acquired, Entry, Error, ErrorKind, Fence, FenceToken, GetOptions, Key,
    LeaseGrant, LeaseState, LeaseStore, Outcome, OwnerId, Result, StateBackend, TouchOptions,
    Transaction, WriteOp, WriteOutcome,
};

/// A call, with everything that it names.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Get(Key, GetOptions),
    GetMany(Vec<Key>),
    Write(WriteOp),
    Touch(Key, TouchOptions),
    Batch(Vec<WriteOp>),
    Transact(Transaction),
    Acquire(Key, AcquireOptions),
    Renew(Key, FenceToken, AcquireOptions),
    Release(Key, OwnerId, FenceToken),
    ReadLease(Key),
}

/// The answer to a call, or to one part of a batch.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Entry(Option<Entry>),
    Receipt(WriteOutcome),
    Receipts(Vec<WriteOutcome>),
    Touched(bool),
    Acquired(Acquired),
    Granted(LeaseGrant),
    Released(bool),
    Lease(Option<LeaseState>),
    /// The contract has a reason to refuse it; nothing was done.
    Refused(ErrorKind, Option<usize>),
    /// The store could not serve; nothing was done.
    Failed,
    /// It may have been done.
    Unknown,
    /// What the contract has no room for, in words.
    Strange(String),
}

impl Request {
    /// Whether it leaves everything as it is.
    pub(super) fn is_read(&self) -> bool {
        match self {
            Self::Get(_, options) => options.touch.is_none() && options.fence.is_none(),
            Self::GetMany(_) | Self::ReadLease(_) => true,
            _ => false,
        }
    }

    /// The token that it is made under.
    pub(super) fn fence(&self) -> Option<&Fence> {
        match self {
            Self::Get(_, options) => options.fence.as_ref(),
            Self::Touch(_, options) => options.fence.as_ref(),
            Self::Write(WriteOp::Put { options, .. }) => options.fence.as_ref(),
            Self::Write(WriteOp::Delete { options, .. }) => options.fence.as_ref(),
            Self::Write(WriteOp::Increment { options, .. }) => options.fence.as_ref(),
            Self::Transact(transaction) => transaction.fence.as_ref(),
            _ => None,
        }
    }

    /// The single steps that it is made of; more than one for a batch alone.
    pub(super) fn parts(&self) -> Vec<Self> {
        match self {
            Self::GetMany(keys) => {
                keys.iter().map(|key| Self::Get(key.clone(), GetOptions::new())).collect()
            }
            Self::Batch(ops) => ops.iter().cloned().map(Self::Write).collect(),
            single => vec![single.clone()],
        }
    }

    /// Makes the call: one answer for each part.
    pub(super) async fn make(self, store: Arc<dyn StateBackend>) -> Vec<Reply> {
        let parts = match &self {
            Self::GetMany(keys) => keys.len(),
            Self::Batch(ops) => ops.len(),
            _ => 1,
        };
        match self {
            Self::GetMany(keys) => match store.get_many(&keys, GetOptions::new()).await {
                Ok(entries) => entries.into_iter().map(|one| told(one, Reply::Entry)).collect(),
                Err(error) => vec![refused(&error); parts],
            },
            Self::Batch(ops) => match store.write_many(ops).await {
                Ok(receipts) => receipts.into_iter().map(|one| told(one, Reply::Receipt)).collect(),
                Err(error) => vec![refused(&error); parts],
            },
            single => vec![single.make_one(&*store).await],
        }
    }

    async fn make_one(self, store: &dyn StateBackend) -> Reply {
        match self {
            Self::Get(key, options) => told(store.get_opts(&key, options).await, Reply::Entry),
            Self::Touch(key, options) => {
                told(store.touch_opts(&key, options).await, Reply::Touched)
            }
            Self::Write(op) => told(write(store, op).await, Reply::Receipt),
            Self::Transact(transaction) => match store.as_transact() {
                Some(role) => told(role.transact(transaction).await, Reply::Receipts),
                None => Reply::Strange("there are no transactions".to_owned()),
            },
            other => match store.as_lease() {
                Some(role) => other.make_lease(role).await,
                None => Reply::Strange("there are no leases".to_owned()),
            },
        }
    }

    async fn make_lease(self, role: &dyn LeaseStore) -> Reply {
        match self {
            Self::Acquire(name, options) => {
                told(role.acquire_lease(&name, options).await, Reply::Acquired)
            }
            Self::Renew(name, token, options) => {
                told(role.renew_lease(&name, token, options).await, Reply::Granted)
            }
            Self::Release(name, owner, token) => {
                told(role.release_lease(&name, owner, token).await, Reply::Released)
            }
            Self::ReadLease(name) => told(role.read_lease(&name).await, Reply::Lease),
            other => Reply::Strange(format!("{other:?} is no call about a lease")),
        }
    }
}

async fn write(store: &dyn StateBackend, op: WriteOp) -> Result<WriteOutcome> {
    match op {
        WriteOp::Put { key, value, options } => {
            store.put_opts(&key, value, options).await.map(WriteOutcome::Written)
        }
        WriteOp::Delete { key, options } => {
            store.delete_opts(&key, options).await.map(WriteOutcome::Deleted)
        }
        WriteOp::Increment { key, by, options } => {
            store.increment_opts(&key, by, options).await.map(WriteOutcome::Incremented)
        }
        _ => Err(Error::unsupported("a write of another kind")),
    }
}

fn told<T>(result: Result<T>, reply: impl FnOnce(T) -> Reply) -> Reply {
    result.map_or_else(|error| refused(&error), reply)
}

fn refused(error: &Error) -> Reply {
    match (error.kind(), error.outcome()) {
        (
            kind @ (ErrorKind::Conflict | ErrorKind::Fenced | ErrorKind::Invalid),
            Outcome::NotApplied,
        ) => Reply::Refused(kind, error.index()),
        (ErrorKind::Unavailable, Outcome::NotApplied) => Reply::Failed,
        (ErrorKind::Unavailable, Outcome::Unknown) => Reply::Unknown,
        (kind, outcome) => Reply::Strange(format!("{kind}, {outcome}: {error}")),
    }
}
