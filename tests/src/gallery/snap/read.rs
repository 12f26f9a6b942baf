//! Defects of reading snapshots.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use state_core::{
    ClearOptions, Entry, GetOptions, Key, ListOptions, Namespace, Result, SnapshotOptions,
    SnapshotRecord, StateBackend,
};
use state_local::MemoryBackend;

use crate::gallery::hooks::{Honest, Hooks, Records};
use crate::gallery::shadow::Shadow;

/// Changes the records of a snapshot one by one.
fn recording(change: fn(SnapshotRecord) -> Option<SnapshotRecord>) -> Hooks {
    Hooks::default().on_snapshot(move |honest, options| async move {
        let records = honest.snapshot_opts(options).await?;
        let changed =
            records.filter_map(move |record| std::future::ready(record.map(change).transpose()));
        Ok(changed.boxed())
    })
}

/// Changes all records of a snapshot.
fn collected(change: fn(Vec<SnapshotRecord>) -> Vec<SnapshotRecord>) -> Hooks {
    Hooks::default().on_snapshot(move |honest, options| async move {
        let records = honest.snapshot_opts(options).await?;
        let records = change(records.try_collect().await?);
        Ok(stream::iter(records.into_iter().map(Ok)).boxed())
    })
}

pub(super) fn no_empty_values() -> Hooks {
    recording(|record| match record {
        SnapshotRecord::Entry { value, .. } if value.is_empty() => None,
        other => Some(other),
    })
}

pub(super) fn last_lost() -> Hooks {
    collected(|mut records| {
        records.pop();
        records
    })
}

pub(super) fn first_twice() -> Hooks {
    collected(|mut records| {
        records.extend(records.first().cloned());
        records
    })
}

pub(super) fn deleted() -> Hooks {
    let deleted = Arc::new(Mutex::new(BTreeSet::<Key>::new()));
    let buried = Arc::clone(&deleted);
    Hooks::default()
        .on_delete(move |honest, key, options| {
            buried.lock().insert(key.clone());
            async move { honest.delete_opts(&key, options).await }
        })
        .on_snapshot(move |honest, options| {
            let deleted: Vec<Key> = deleted.lock().iter().cloned().collect();
            async move {
                let records = honest.snapshot_opts(options).await?;
                let dead = deleted.into_iter().map(|key| {
                    Ok(SnapshotRecord::Entry { key, value: "deleted".into(), deadline: None })
                });
                Ok(records.chain(stream::iter(dead)).boxed())
            }
        })
}

pub(super) fn spills() -> Hooks {
    let known = Arc::new(Mutex::new(BTreeSet::<Namespace>::new()));
    let written = Arc::clone(&known);
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            written.lock().insert(honest.namespace.clone());
            async move { honest.put_opts(&key, value, options).await }
        })
        .on_snapshot(move |honest, options| {
            let known = known.lock().clone();
            async move {
                let mut all: Records = honest.snapshot_opts(options.clone()).await?;
                let own = honest.namespace.clone();
                for other in known {
                    if other != own && other.as_bytes().starts_with(own.as_bytes()) {
                        let other = honest.store.open(other)?;
                        all = all.chain(other.snapshot_opts(options.clone()).await?).boxed();
                    }
                }
                Ok(all)
            }
        })
}

pub(super) fn everything() -> Hooks {
    Hooks::default().on_snapshot(|honest, _| async move {
        honest.snapshot_opts(SnapshotOptions::default()).await
    })
}

pub(super) fn no_deadlines() -> Hooks {
    recording(|record| {
        Some(match record {
            SnapshotRecord::Entry { key, value, .. } => {
                SnapshotRecord::Entry { key, value, deadline: None }
            }
            other => other,
        })
    })
}

pub(super) fn expired_too() -> Hooks {
    let (shadow, hooks) = Shadow::cast();
    hooks.on_snapshot(move |honest, options| {
        let shadow = shadow.clone();
        async move { shadow.of(&honest)?.snapshot_opts(options).await }
    })
}

pub(super) fn one_state() -> Hooks {
    let writes = Arc::new(AtomicU64::new(0));
    let putting = Arc::clone(&writes);
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            putting.fetch_add(1, Ordering::Relaxed);
            async move { honest.put_opts(&key, value, options).await }
        })
        .on_snapshot(move |honest, options| {
            let writes = Arc::clone(&writes);
            async move {
                let begun = writes.load(Ordering::Relaxed);
                let same = move || writes.load(Ordering::Relaxed) == begun;
                let records = honest.snapshot_opts(options).await?;
                Ok(records.take_while(move |_| std::future::ready(same())).boxed())
            }
        })
}

/// The records of the page of a listing that begins with `token`, and where the next begins.
async fn page(
    honest: &Honest,
    options: &ListOptions,
) -> Result<(Vec<Result<SnapshotRecord>>, Option<ListOptions>)> {
    let page = honest.list_page(options.clone()).await?;
    let keys: Vec<Key> = page.items.into_iter().map(|meta| meta.key).collect();
    let found = honest.get_many(&keys, GetOptions::new().with_expiry(true)).await?;
    let record = |(key, found): (Key, Result<Option<Entry>>)| {
        let record = |entry: Entry| SnapshotRecord::Entry {
            key,
            deadline: entry.expires.deadline(),
            value: entry.value,
        };
        found.map(|found| found.map(record)).transpose()
    };
    let records = keys.into_iter().zip(found).filter_map(record).collect();
    let next = page.next.map(|token| options.clone().with_token(token));
    Ok((records, next))
}

pub(super) fn by_pages() -> Hooks {
    Hooks::default().on_snapshot(|honest, options| async move {
        let first =
            ListOptions::new(options.prefix).with_scope(options.scope).with_limit(100_usize);
        let pages = stream::try_unfold((honest, Some(first)), |(honest, at)| async move {
            let Some(at) = at else { return Ok(None) };
            let (records, next) = page(&honest, &at).await?;
            Ok(Some((stream::iter(records), (honest, next))))
        });
        Ok(pages.try_flatten().boxed())
    })
}

pub(super) fn with_instance() -> Hooks {
    Hooks::default().on_snapshot(|honest, options| async move {
        let records = honest.snapshot_opts(options).await?;
        let instance = Arc::downgrade(&honest.backend);
        let there = move || instance.strong_count() > 0;
        Ok(records.take_while(move |_| std::future::ready(there())).boxed())
    })
}

/// Empties the namespace when it is dropped before the end of the snapshot.
struct Drain(Option<Arc<MemoryBackend>>);

impl Drop for Drain {
    fn drop(&mut self) {
        if let Some(backend) = self.0.take() {
            // The store in memory never waits.
            drop(backend.clear_opts(ClearOptions::default()).now_or_never());
        }
    }
}

pub(super) fn drains() -> Hooks {
    Hooks::default().on_snapshot(|honest, options| async move {
        let records = honest.snapshot_opts(options).await?;
        let drain = Drain(Some(Arc::clone(&honest.backend)));
        let drained = stream::unfold((records, drain), |(mut records, mut drain)| async move {
            let record = records.next().await;
            if record.is_none() {
                drain.0 = None;
            }
            record.map(|record| (record, (records, drain)))
        });
        Ok(drained.boxed())
    })
}

pub(super) fn no_hashes() -> Hooks {
    recording(|record| Some(record).filter(|record| matches!(record, SnapshotRecord::Entry { .. })))
}
