//! Snapshots: every key as it was at some time while the stream was read.

use std::collections::HashSet;
use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use state_core::{
    Consistency, GetOptions, HashPageOptions, Key, Result, SnapshotOptions, SnapshotRecord,
};

use super::Inner;
use super::listing::Walk;
use crate::keys::Kind;

impl Inner {
    /// Streams entries and then hashes, in steps of a scan.
    pub(super) fn records(
        self: Arc<Self>,
        options: SnapshotOptions,
    ) -> BoxStream<'static, Result<SnapshotRecord>> {
        let start = Some((Walk::default(), HashSet::<Key>::new()));
        stream::try_unfold(start, move |state| {
            let (backend, options) = (Arc::clone(&self), options.clone());
            async move {
                let Some((walk, mut seen)) = state else { return Ok(None) };
                let (kind, found, next) = backend.walk(walk, &options).await?;
                let mut keys: Vec<Key> = found;
                keys.retain(|key| seen.insert(key.clone()));
                let records = match kind {
                    Kind::Hash => backend.hash_records(&keys).await?,
                    _ => backend.entry_records(&keys).await?,
                };
                if next.as_ref().is_some_and(Walk::is_new_kind) {
                    seen.clear();
                }
                let records = stream::iter(records.into_iter().map(Ok));
                Ok(Some((records, next.map(|walk| (walk, seen)))))
            }
        })
        .try_flatten()
        .boxed()
    }

    async fn entry_records(&self, keys: &[Key]) -> Result<Vec<SnapshotRecord>> {
        let mut records = Vec::with_capacity(keys.len());
        for keys in keys.chunks(self.config.batch_keys_max.max(1)) {
            let found = self.get_each(keys, &GetOptions::new().with_expiry(true)).await?;
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

    async fn hash_records(&self, keys: &[Key]) -> Result<Vec<SnapshotRecord>> {
        let mut records = Vec::new();
        for key in keys {
            let Some(state) = self.fields_state(key, Consistency::Strong).await? else { continue };
            let mut options = HashPageOptions::new();
            let mut seen = HashSet::new();
            loop {
                let page = self.fields_page(key, &options).await?;
                let fields: Vec<_> = page
                    .items
                    .into_iter()
                    .filter(|(field, _)| seen.insert(field.clone()))
                    .collect();
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
