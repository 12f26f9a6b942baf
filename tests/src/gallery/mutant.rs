//! The decorator that makes a mutant of the honest store: it lets a defect take over calls.

use std::fmt;

use async_trait::async_trait;
use state_core::{
    AcquireOptions, Acquired, BackendInfo, BoxStream, Bytes, Capabilities, ClearOptions,
    Consistency, CountOptions, DeleteOptions, Deleted, Entry, FenceToken, GetOptions,
    HashPageOptions, HashState, HashStore, HashWriteOptions, Health, IncrementOptions, Incremented,
    Key, LeaseGrant, LeaseState, LeaseStore, ListOptions, MemoryUsage, Meta, OwnerId, Page,
    PutOptions, Result, SnapshotOptions, SnapshotRecord, StateBackend, Stats, TouchOptions,
    Transact, Transaction, Watch, WatchEvent, WatchOptions, WriteOp, WriteOutcome, Written,
};

use super::hooks::{Honest, Hooks, RoleGiven};

/// An honest store with one defect.
#[derive(Clone)]
pub(super) struct MutantBackend {
    honest: Honest,
    hooks: Hooks,
}

impl fmt::Debug for MutantBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutantBackend").field("honest", &self.honest).finish_non_exhaustive()
    }
}

impl MutantBackend {
    pub(super) fn new(honest: Honest, hooks: Hooks) -> Self {
        Self { honest, hooks }
    }

    /// Where the mutant puts `key`.
    fn at(&self, key: &Key) -> Key {
        self.hooks.key.as_ref().map_or_else(|| key.clone(), |place| place(&self.honest, key))
    }

    fn op_at(&self, op: WriteOp) -> WriteOp {
        match op {
            WriteOp::Put { key, value, options } => {
                WriteOp::Put { key: self.at(&key), value, options }
            }
            WriteOp::Delete { key, options } => WriteOp::Delete { key: self.at(&key), options },
            WriteOp::Increment { key, by, options } => {
                WriteOp::Increment { key: self.at(&key), by, options }
            }
            other => other,
        }
    }
}

/// Makes a call: by the hook if there is one, else by the honest store.
macro_rules! call {
    ($mutant:ident.$hook:ident($($argument:expr),*) or $honest:expr) => {
        match &$mutant.hooks.$hook {
            Some(hook) => hook($mutant.honest.clone(), $($argument),*).await,
            None => $honest.await,
        }
    };
}

/// Hands out a role.
macro_rules! role {
    ($mutant:ident.$role:ident, $inner:ident) => {
        match $mutant.hooks.roles.$role {
            RoleGiven::Own => Some($mutant),
            RoleGiven::Inner => $mutant.honest.backend.$inner(),
            RoleGiven::Nothing => None,
        }
    };
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StateBackend for MutantBackend {
    fn info(&self) -> BackendInfo {
        let info = self.honest.info();
        self.hooks.info.as_ref().map_or_else(|| info.clone(), |say| say(&self.honest, info.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        let honest = self.honest.capabilities();
        self.hooks.capabilities.as_ref().map_or(honest, |say| say(&self.honest, honest))
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<Option<Entry>> {
        let key = self.at(key);
        call!(self.get(key, options) or self.honest.get_opts(&key, options))
    }

    async fn put_opts(&self, key: &Key, value: Bytes, options: PutOptions) -> Result<Written> {
        let key = self.at(key);
        call!(self.put(key, value, options) or self.honest.put_opts(&key, value, options))
    }

    async fn delete_opts(&self, key: &Key, options: DeleteOptions) -> Result<Deleted> {
        let key = self.at(key);
        call!(self.delete(key, options) or self.honest.delete_opts(&key, options))
    }

    async fn increment_opts(
        &self,
        key: &Key,
        by: i64,
        options: IncrementOptions,
    ) -> Result<Incremented> {
        let key = self.at(key);
        call!(self.increment(key, by, options) or self.honest.increment_opts(&key, by, options))
    }

    async fn touch_opts(&self, key: &Key, options: TouchOptions) -> Result<bool> {
        let key = self.at(key);
        call!(self.touch(key, options) or self.honest.touch_opts(&key, options))
    }

    async fn list_page(&self, options: ListOptions) -> Result<Page<Meta>> {
        call!(self.list(options) or self.honest.list_page(options))
    }

    async fn count_opts(&self, options: CountOptions) -> Result<u64> {
        call!(self.count(options) or self.honest.count_opts(options))
    }

    async fn get_many(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let keys: Vec<Key> = keys.iter().map(|key| self.at(key)).collect();
        call!(self.get_many(keys, options) or self.honest.get_many(&keys, options))
    }

    async fn write_many(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<WriteOutcome>>> {
        let ops: Vec<WriteOp> = ops.into_iter().map(|op| self.op_at(op)).collect();
        call!(self.write_many(ops) or self.honest.write_many(ops))
    }

    async fn clear_opts(&self, options: ClearOptions) -> Result<u64> {
        call!(self.clear(options) or self.honest.clear_opts(options))
    }

    async fn snapshot_opts(
        &self,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        call!(self.snapshot(options) or self.honest.snapshot_opts(options))
    }

    async fn ping(&self) -> Result<()> {
        call!(self.ping() or self.honest.ping())
    }

    async fn stats(&self) -> Result<Stats> {
        call!(self.stats() or self.honest.stats())
    }

    async fn health(&self) -> Result<Health> {
        call!(self.health() or self.honest.health())
    }

    async fn memory_usage(&self) -> Result<MemoryUsage> {
        call!(self.memory_usage() or self.honest.memory_usage())
    }

    fn as_hash(&self) -> Option<&dyn HashStore> {
        role!(self.hash, as_hash)
    }

    fn as_transact(&self) -> Option<&dyn Transact> {
        role!(self.transact, as_transact)
    }

    fn as_watch(&self) -> Option<&dyn Watch> {
        role!(self.watch, as_watch)
    }

    fn as_lease(&self) -> Option<&dyn LeaseStore> {
        role!(self.lease, as_lease)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl HashStore for MutantBackend {
    async fn hash_set(
        &self,
        key: &Key,
        fields: Vec<(Bytes, Bytes)>,
        options: HashWriteOptions,
    ) -> Result<u64> {
        let key = self.at(key);
        call!(self.hash_set(key, fields, options) or self.honest.hash_set(&key, fields, options))
    }

    async fn hash_get(
        &self,
        key: &Key,
        fields: &[Bytes],
        consistency: Consistency,
    ) -> Result<Vec<Option<Bytes>>> {
        let key = self.at(key);
        call!(self.hash_get(key, fields.to_vec(), consistency)
            or self.honest.hash_get(&key, fields, consistency))
    }

    async fn hash_delete(
        &self,
        key: &Key,
        fields: &[Bytes],
        options: HashWriteOptions,
    ) -> Result<u64> {
        let key = self.at(key);
        call!(self.hash_delete(key, fields.to_vec(), options)
            or self.honest.hash_delete(&key, fields, options))
    }

    async fn hash_increment(
        &self,
        key: &Key,
        field: &Bytes,
        by: i64,
        options: HashWriteOptions,
    ) -> Result<i64> {
        let key = self.at(key);
        call!(self.hash_increment(key, field.clone(), by, options)
            or self.honest.hash_increment(&key, field, by, options))
    }

    async fn hash_page(&self, key: &Key, options: HashPageOptions) -> Result<Page<(Bytes, Bytes)>> {
        let key = self.at(key);
        call!(self.hash_page(key, options) or self.honest.hash_page(&key, options))
    }

    async fn hash_state(&self, key: &Key, consistency: Consistency) -> Result<Option<HashState>> {
        let key = self.at(key);
        call!(self.hash_state(key, consistency) or self.honest.hash_state(&key, consistency))
    }

    async fn hash_remove(&self, key: &Key, options: HashWriteOptions) -> Result<bool> {
        let key = self.at(key);
        call!(self.hash_remove(key, options) or self.honest.hash_remove(&key, options))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Transact for MutantBackend {
    async fn transact(&self, mut transaction: Transaction) -> Result<Vec<WriteOutcome>> {
        for check in &mut transaction.checks {
            check.key = self.at(&check.key);
        }
        let ops = std::mem::take(&mut transaction.ops);
        transaction.ops = ops.into_iter().map(|op| self.op_at(op)).collect();
        call!(self.transact(transaction) or self.honest.transact(transaction))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Watch for MutantBackend {
    async fn watch(&self, options: WatchOptions) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        call!(self.watch(options) or self.honest.watch(options))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl LeaseStore for MutantBackend {
    async fn acquire_lease(&self, name: &Key, options: AcquireOptions) -> Result<Acquired> {
        let name = self.at(name);
        call!(self.acquire(name, options) or self.honest.acquire_lease(&name, options))
    }

    async fn renew_lease(
        &self,
        name: &Key,
        token: FenceToken,
        options: AcquireOptions,
    ) -> Result<LeaseGrant> {
        let name = self.at(name);
        call!(self.renew(name, token, options) or self.honest.renew_lease(&name, token, options))
    }

    async fn release_lease(&self, name: &Key, owner: OwnerId, token: FenceToken) -> Result<bool> {
        let name = self.at(name);
        call!(self.release(name, owner, token) or self.honest.release_lease(&name, owner, token))
    }

    async fn read_lease(&self, name: &Key) -> Result<Option<LeaseState>> {
        let name = self.at(name);
        call!(self.read_lease(name) or self.honest.read_lease(&name))
    }
}
