//! Snapshots: every key as it was at some time while the stream was read.

use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use state_core::{
    Consistency, GetOptions, HashPageOptions, Key, Operation, Result, SnapshotOptions,
    SnapshotRecord,
};

use super::Inner;
use super::listing::Walk;
use super::op::Op;
use super::seen::Seen;
use crate::keys::Kind;

impl Inner {
    /// Streams entries and then hashes, in steps of a scan. Each step is a call with a deadline of its own.
    pub(super) fn records(
        self: Arc<Self>,
        options: SnapshotOptions,
    ) -> BoxStream<'static, Result<SnapshotRecord>> {
        let start = Some((Walk::default(), Seen::default()));
        stream::try_unfold(start, move |state| {
            let (backend, options) = (Arc::clone(&self), options.clone());
            async move {
                let Some((walk, mut seen)) = state else { return Ok(None) };
                let op = backend.begin(Operation::Snapshot);
                let step = backend.step_of_records(&op, walk, &options, &mut seen).await;
                let (records, next) = step.map_err(|error| {
                    backend.counters.failed(Operation::Snapshot);
                    error.with_op(op.name())
                })?;
                let bytes_out = records.iter().map(size).sum();
                backend.counters.told(Operation::Snapshot, bytes_out);
                let records = stream::iter(records.into_iter().map(Ok));
                Ok(Some((records, next.map(|walk| (walk, seen)))))
            }
        })
        .try_flatten()
        .boxed()
    }

    async fn step_of_records(
        &self,
        op: &Op,
        walk: Walk,
        options: &SnapshotOptions,
        seen: &mut Seen,
    ) -> Result<(Vec<SnapshotRecord>, Option<Walk>)> {
        let (kind, mut keys, next) = self.walk(op, walk, options).await?;
        keys.retain(|key| seen.insert(key));
        self.renew(op);
        let records = match kind {
            Kind::Hash => self.hash_records(op, &keys).await?,
            _ => self.entry_records(op, &keys).await?,
        };
        if next.as_ref().is_some_and(Walk::is_new_kind) {
            seen.clear();
        }
        Ok((records, next))
    }

    async fn entry_records(&self, op: &Op, keys: &[Key]) -> Result<Vec<SnapshotRecord>> {
        let mut records = Vec::with_capacity(keys.len());
        for keys in keys.chunks(self.config.batch_keys_max.max(1)) {
            let found = self.get_each(op, keys, &GetOptions::new().with_expiry(true)).await?;
            self.renew(op);
            for (key, entry) in keys.iter().zip(found) {
                if let Some(entry) = entry? {
                    records.push(SnapshotRecord::Entry {
                        key: key.clone(),
                        value: entry.value,
                        deadline: entry.expires.deadline(),
                    });
                }
            }
        }
        Ok(records)
    }

    async fn hash_records(&self, op: &Op, keys: &[Key]) -> Result<Vec<SnapshotRecord>> {
        let mut records = Vec::new();
        for key in keys {
            let state = self.fields_state(op, key, Consistency::Strong).await?;
            let Some(state) = state else { continue };
            let mut options = HashPageOptions::new();
            let mut seen = Seen::default();
            loop {
                let page = self.fields_page(op, key, &options).await?;
                self.renew(op);
                let fields: Vec<_> =
                    page.items.into_iter().filter(|(field, _)| seen.insert(field)).collect();
                if !fields.is_empty() {
                    let deadline = state.expires.deadline();
                    records.push(SnapshotRecord::HashFields { key: key.clone(), fields, deadline });
                }
                options = options.with_token(page.next);
                if options.token.is_none() {
                    break;
                }
            }
        }
        Ok(records)
    }
}

/// What a record takes: keys and fields are told by a snapshot as values are.
fn size(record: &SnapshotRecord) -> u64 {
    let content = match record {
        SnapshotRecord::Entry { value, .. } => value.len(),
        SnapshotRecord::HashFields { fields, .. } => {
            fields.iter().map(|(field, value)| field.len() + value.len()).sum()
        }
        _ => 0,
    };
    (record.key().len_bytes() + content) as u64
}
