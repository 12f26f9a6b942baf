//! Every kind of call that can carry a fence.

use state_core::{
    ClearOptions, DeleteOptions, Error, Expiry, Fence, GetOptions, HashWriteOptions,
    IncrementOptions, PutOptions, Result, Scope, StateBackend, TouchOptions, Transaction, WriteOp,
};

use super::p;

/// A kind of call that can carry a fence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Call {
    Get,
    GetAbsent,
    GetHead,
    GetTouch,
    GetMany,
    Put,
    PutNew,
    Delete,
    Increment,
    Touch,
    BatchPut,
    BatchDelete,
    BatchIncrement,
    Clear,
    Transact,
    TransactChecks,
    HashSet,
    HashDelete,
    HashIncrement,
    HashRemove,
}

impl Call {
    /// Reads that every backend has.
    pub(super) const READS: &[Self] = &[Self::Get, Self::GetAbsent, Self::GetHead, Self::GetMany];
    /// Writes that every backend has.
    pub(super) const WRITES: &[Self] = &[
        Self::Put,
        Self::PutNew,
        Self::Increment,
        Self::Delete,
        Self::BatchPut,
        Self::BatchIncrement,
        Self::BatchDelete,
        Self::Clear,
    ];
    /// Changes of lifetimes.
    pub(super) const TOUCHES: &[Self] = &[Self::Touch, Self::GetTouch];
    /// Transactions.
    pub(super) const TRANSACTIONS: &[Self] = &[Self::Transact, Self::TransactChecks];
    /// Writes of hashes.
    pub(super) const HASHES: &[Self] =
        &[Self::HashSet, Self::HashIncrement, Self::HashDelete, Self::HashRemove];

    /// Makes the call under `fence`, in the partition of this family.
    pub(super) async fn make(self, store: &dyn StateBackend, fence: Fence) -> Result<()> {
        match self {
            Self::Get | Self::GetAbsent | Self::GetHead | Self::GetTouch | Self::GetMany => {
                self.read(store, fence).await
            }
            Self::HashSet | Self::HashDelete | Self::HashIncrement | Self::HashRemove => {
                self.write_hash(store, fence).await
            }
            Self::Transact | Self::TransactChecks => {
                let mut transaction = Transaction::new()
                    .with_fence(fence)
                    .check(p("gone"), state_core::Precondition::Absent);
                if self == Self::Transact {
                    transaction = transaction
                        .op(WriteOp::increment(p("n"), 1))
                        .op(WriteOp::put(p("new"), "1"));
                }
                store.as_transact().unwrap().transact(transaction).await.map(drop)
            }
            _ => self.write(store, fence).await,
        }
    }

    async fn read(self, store: &dyn StateBackend, fence: Fence) -> Result<()> {
        let options = GetOptions::new().with_fence(fence);
        match self {
            Self::GetMany => {
                let answers = store.get_many(&[p("n"), p("gone")], options).await?;
                answers.into_iter().try_for_each(|answer| answer.map(drop))
            }
            Self::GetAbsent => store.get_opts(&p("gone"), options).await.map(drop),
            Self::GetHead => store.get_opts(&p("n"), options.with_head(true)).await.map(drop),
            Self::GetTouch => {
                let touching = options.with_touch(Expiry::Never);
                store.get_opts(&p("n"), touching).await.map(drop)
            }
            _ => store.get_opts(&p("n"), options).await.map(drop),
        }
    }

    async fn write(self, store: &dyn StateBackend, fence: Fence) -> Result<()> {
        let put = PutOptions::new().with_fence(fence.clone());
        let delete = DeleteOptions::new().with_fence(fence.clone());
        let increment = IncrementOptions::new().with_fence(fence.clone());
        match self {
            Self::Put => store.put_opts(&p("n"), "2".into(), put).await.map(drop),
            Self::PutNew => store.put_opts(&p("new"), "2".into(), put).await.map(drop),
            Self::Delete => store.delete_opts(&p("n"), delete).await.map(drop),
            Self::Increment => store.increment_opts(&p("n"), 1, increment).await.map(drop),
            Self::Touch => {
                let touch = TouchOptions::new(Expiry::Never).with_fence(fence);
                store.touch_opts(&p("n"), touch).await.map(drop)
            }
            Self::Clear => {
                let partition = Scope::Partition("p".into());
                let clear = ClearOptions::default().with_scope(partition).with_fence(fence);
                store.clear_opts(clear).await.map(drop)
            }
            Self::BatchPut => only(store, WriteOp::put_opts(p("n"), "2", put)).await,
            Self::BatchDelete => only(store, WriteOp::delete_opts(p("n"), delete)).await,
            _ => only(store, WriteOp::increment_opts(p("n"), 1, increment)).await,
        }
    }

    async fn write_hash(self, store: &dyn StateBackend, fence: Fence) -> Result<()> {
        let hashes = store.as_hash().unwrap();
        let options = HashWriteOptions::new().with_fence(fence);
        match self {
            Self::HashSet => {
                let fields = vec![("f".into(), "2".into()), ("g".into(), "2".into())];
                hashes.hash_set(&p("h"), fields, options).await.map(drop)
            }
            Self::HashDelete => hashes.hash_delete(&p("h"), &["f".into()], options).await.map(drop),
            Self::HashIncrement => {
                hashes.hash_increment(&p("h"), &"f".into(), 1, options).await.map(drop)
            }
            _ => hashes.hash_remove(&p("h"), options).await.map(drop),
        }
    }
}

/// The answer to a batch of one write.
async fn only(store: &dyn StateBackend, op: WriteOp) -> Result<()> {
    let mut answers = store.write_many(vec![op]).await?;
    answers.pop().unwrap_or_else(|| Err(Error::invalid("no answer"))).map(drop)
}
