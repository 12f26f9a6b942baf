//! The driver methods of a space.

use bytes::Bytes;
use futures_core::stream::BoxStream;
use state_core::{
    BackendInfo, Capabilities, ClearOptions, CountOptions, DeleteOptions, Deleted, Entry, Fence,
    GetOptions, Health, IncrementOptions, Incremented, Key, ListOptions, MemoryUsage, Meta,
    Operation, Page, PutOptions, Result, SnapshotOptions, SnapshotRecord, Stats, TouchOptions,
    WriteOp, WriteOutcome, Written,
};

use super::Local;
use crate::engine::Tx;
use crate::reach::Reach;
use crate::space::Space;
use crate::stats::Call;

impl<S: Space> Local<S> {
    pub(crate) fn info(&self) -> BackendInfo {
        self.space.info()
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.space.rules().capabilities
    }

    pub(crate) async fn get(&self, key: &Key, options: &GetOptions) -> Result<Option<Entry>> {
        let found = if writes(options) {
            let reach = within(key, options.fence.as_ref());
            let work = |tx: &mut Tx<'_>, key: &Key, options: &_| tx.get_and_touch(key, options);
            self.space.write_key(reach, key, options, work).await
        } else {
            self.space.read_within(Reach::of(key), |view| view.get(key, options))
        };
        self.counted(Operation::Get, found, |found| {
            let mut call = Call { bytes_in: key.len_bytes() as u64, ..Call::default() };
            count_found(&mut call, found.as_ref());
            call
        })
    }

    pub(crate) async fn put(
        &self,
        key: &Key,
        value: Bytes,
        options: &PutOptions,
    ) -> Result<Written> {
        let bytes_in = (key.len_bytes() + value.len()) as u64;
        let reach = within(key, options.fence.as_ref());
        let work = move |tx: &mut Tx<'_>, key: &Key, options: &_| tx.put(key, value, options);
        let written = self.space.write_key(reach, key, options, work).await;
        self.counted(Operation::Put, written, |_| Call { bytes_in, ..Call::default() })
    }

    pub(crate) async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Deleted> {
        let bytes_in = key.len_bytes() as u64;
        let reach = within(key, options.fence.as_ref());
        let work = |tx: &mut Tx<'_>, key: &Key, options: &_| tx.delete(key, options);
        let deleted = self.space.write_key(reach, key, options, work).await;
        self.counted(Operation::Delete, deleted, |deleted| Call {
            hits: u64::from(deleted.existed),
            misses: u64::from(!deleted.existed),
            bytes_in,
            bytes_out: deleted.previous.as_ref().map_or(0, |entry| entry.value.len() as u64),
        })
    }

    pub(crate) async fn increment(
        &self,
        key: &Key,
        by: i64,
        options: &IncrementOptions,
    ) -> Result<Incremented> {
        let bytes_in = key.len_bytes() as u64;
        let reach = within(key, options.fence.as_ref());
        let work = move |tx: &mut Tx<'_>, key: &Key, options: &_| tx.increment(key, by, options);
        let sum = self.space.write_key(reach, key, options, work).await;
        self.counted(Operation::Increment, sum, |_| Call { bytes_in, ..Call::default() })
    }

    pub(crate) async fn touch(&self, key: &Key, options: &TouchOptions) -> Result<bool> {
        let bytes_in = key.len_bytes() as u64;
        let reach = within(key, options.fence.as_ref());
        let work = |tx: &mut Tx<'_>, key: &Key, options: &_| tx.touch(key, options);
        let touched = self.space.write_key(reach, key, options, work).await;
        self.counted(Operation::Touch, touched, |touched| Call {
            hits: u64::from(*touched),
            misses: u64::from(!touched),
            bytes_in,
            bytes_out: 0,
        })
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn list(&self, options: ListOptions) -> Result<Page<Meta>> {
        let page = self.space.read(|view| view.list(&options));
        self.counted(Operation::List, page, |_| Call::default())
    }

    /// Counts step by step, so that writers get their turn in between.
    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn count(&self, options: CountOptions) -> Result<u64> {
        let mut count = 0;
        let mut after = None;
        let counted = loop {
            match self.space.read(|view| view.count_step(&options, after.take())) {
                Ok(step) => {
                    count += step.count;
                    after = step.after;
                    if after.is_none() {
                        break Ok(count);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        self.counted(Operation::Count, counted, |_| Call::default())
    }

    pub(crate) async fn get_many(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        let found = self.get_each(keys, options).await;
        self.counted(Operation::GetMany, found, |found| {
            let bytes_in = keys.iter().map(|key| key.len_bytes() as u64).sum();
            let mut call = Call { bytes_in, ..Call::default() };
            for entry in found.iter().filter_map(|entry| entry.as_ref().ok()) {
                count_found(&mut call, entry.as_ref());
            }
            call
        })
    }

    async fn get_each(
        &self,
        keys: &[Key],
        options: GetOptions,
    ) -> Result<Vec<Result<Option<Entry>>>> {
        self.capabilities().limits.check_batch(keys.len())?;
        let fence = options.fence.as_ref().map(|fence| &fence.lease);
        let reach = Reach::of_all(keys).and(fence);
        if !writes(&options) {
            return self.space.read_within(reach, |view| {
                view.consistency(options.consistency)?;
                Ok(keys.iter().map(|key| view.get(key, &options)).collect())
            });
        }
        let keys = keys.to_vec();
        let found = self.space.write_within(reach, move |tx| {
            tx.view().check_touch(&options)?;
            tx.raise_fence(options.fence.as_ref())?;
            Ok(keys.iter().map(|key| tx.get_and_touch(key, &options)).collect())
        });
        found.await
    }

    pub(crate) async fn write_many(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<WriteOutcome>>> {
        let bytes_in = ops.iter().map(size).sum();
        let outcomes = match self.capabilities().limits.check_batch(ops.len()) {
            Ok(()) if ops.is_empty() => Ok(Vec::new()),
            Ok(()) => {
                let fences = ops.iter().filter_map(fence).map(|fence| &fence.lease);
                let reach = Reach::of_all(ops.iter().map(WriteOp::key).chain(fences));
                let work = |tx: &mut Tx<'_>| Ok(ops.into_iter().map(|op| write(tx, op)).collect());
                self.space.write_within(reach, work).await
            }
            Err(error) => Err(error),
        };
        self.counted(Operation::WriteMany, outcomes, |_| Call { bytes_in, ..Call::default() })
    }

    pub(crate) async fn clear(&self, options: ClearOptions) -> Result<u64> {
        let cleared = self.space.write(move |tx| tx.clear(&options)).await;
        self.counted(Operation::Clear, cleared, |_| Call::default())
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn snapshot(
        &self,
        options: SnapshotOptions,
    ) -> Result<BoxStream<'static, Result<SnapshotRecord>>> {
        let records = self.space.snapshot(options);
        self.counted(Operation::Snapshot, records, |_| Call::default())
    }

    /// A sign of life is that the tables can be read.
    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn ping(&self) -> Result<()> {
        let read = self.space.read(|view| view.tables.log_bounds());
        read.map(drop).map_err(|error| error.with_op("ping"))
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn stats(&self) -> Result<Stats> {
        Ok(self.counters.stats())
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn health(&self) -> Result<Health> {
        Ok(self.space.health())
    }

    #[expect(clippy::unused_async, reason = "the same shape as its siblings, which wait")]
    pub(crate) async fn memory_usage(&self) -> Result<MemoryUsage> {
        self.space.memory_usage()
    }
}

/// What a call on `key` reaches.
#[inline]
pub(super) fn within(key: &Key, fence: Option<&Fence>) -> Reach {
    Reach::of(key).and(fence.map(|fence| &fence.lease))
}

fn fence(op: &WriteOp) -> Option<&Fence> {
    match op {
        WriteOp::Put { options, .. } => options.fence.as_ref(),
        WriteOp::Delete { options, .. } => options.fence.as_ref(),
        WriteOp::Increment { options, .. } => options.fence.as_ref(),
        _ => None,
    }
}

/// Whether a read also writes: it changes a lifetime, or raises a fencing mark.
fn writes(options: &GetOptions) -> bool {
    options.touch.is_some() || options.fence.is_some()
}

fn count_found(call: &mut Call, found: Option<&Entry>) {
    match found {
        Some(entry) => {
            call.hits += 1;
            call.bytes_out += entry.value.len() as u64;
        }
        None => call.misses += 1,
    }
}

fn size(op: &WriteOp) -> u64 {
    let value = if let WriteOp::Put { value, .. } = op { value.len() } else { 0 };
    (op.key().len_bytes() + value) as u64
}

fn write(tx: &mut Tx<'_>, op: WriteOp) -> Result<WriteOutcome> {
    match op {
        WriteOp::Put { key, value, options } => {
            tx.put(&key, value, &options).map(WriteOutcome::Written)
        }
        WriteOp::Delete { key, options } => tx.delete(&key, &options).map(WriteOutcome::Deleted),
        WriteOp::Increment { key, by, options } => {
            tx.increment(&key, by, &options).map(WriteOutcome::Incremented)
        }
        _ => Err(state_core::Error::unsupported("this kind of write")),
    }
}
