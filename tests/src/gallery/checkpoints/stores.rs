//! Mutants that mix up instances, lose what was durable, race, or tell the wrong events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use parking_lot::Mutex;
use state_core::checkpoint::{
    ChannelValue, CheckpointRef, Checkpointer, Ownership, PutReceipt, ThreadEvent, ThreadLifetime,
};
use state_core::{Error, Namespace, Page};

use super::broken::{is_there, latest, line, pause, record};
use super::hooks::{Events, Hooks};
use super::model::Line;
use super::store::Model;
use crate::gallery::gallery;

/// Tells other events.
fn told(change: fn(ThreadEvent) -> Vec<ThreadEvent>) -> Hooks {
    Hooks::default().on_watch(move |model, thread| async move {
        let events = model.watch_threads(thread).await?;
        let changed = events.flat_map(move |event| {
            let events = match event {
                Ok(event) => change(event).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            futures_util::stream::iter(events)
        });
        Ok(changed.boxed() as Events)
    })
}

/// Puts without a part of the step.
async fn put_later(model: &Model, place: &CheckpointRef, values: BTreeMap<Arc<str>, ChannelValue>) {
    pause().await;
    record(model, place, |record| record.values = values);
}

gallery! { checkpointers
    /// A checkpointer says that it is bound to no namespace in particular.
    "ckpt.store.info.other" rejected by ["ckpt.store.info"] => || {
        Hooks::default().saying(|mut info| {
            info.scheme = "";
            info
        })
    };
    /// A read of the latest answers what was read before.
    "ckpt.store.instances.cached" rejected by ["ckpt.store.instances"] => || {
        let cache = Arc::new(Mutex::new(BTreeMap::new()));
        Hooks::default().on_get(move |model, get| {
            let cache = Arc::clone(&cache);
            async move {
                if get.id.is_some() {
                    return model.get_checkpoint(get).await;
                }
                let place = (get.thread.clone(), get.namespace.clone());
                if let Some(found) = cache.lock().get(&place).cloned() {
                    return Ok(Some(found));
                }
                let found = model.get_checkpoint(get).await?;
                if let Some(tuple) = &found {
                    cache.lock().insert(place, tuple.clone());
                }
                Ok(found)
            }
        })
    };
    /// All namespaces are one.
    "ckpt.store.apart.one" rejected by ["ckpt.store.apart"] => || {
        Hooks::default().opening(|namespace| Namespace::new("all").unwrap_or(namespace))
    };
    /// A store that cannot be reached has no checkpoints.
    "ckpt.store.unreachable.empty" rejected by ["ckpt.store.unreachable.reads"] => || {
        Hooks::default()
            .on_get(|model, get| async move {
                if model.store.is_reachable() { model.get_checkpoint(get).await } else { Ok(None) }
            })
            .on_list(|model, list| async move {
                if model.store.is_reachable() {
                    return model.list_checkpoints(list).await;
                }
                Ok(Page::new(vec![], None))
            })
    };
    /// In a store that cannot be reached there is nothing to delete.
    "ckpt.store.unreachable.deleted" rejected by ["ckpt.store.unreachable.writes"] => || {
        Hooks::default().on_delete(|model, delete| async move {
            if model.store.is_reachable() { model.delete_thread_opts(delete).await } else { Ok(false) }
        })
    };
    /// A restart loses the writes.
    "ckpt.store.durable.no-writes" rejected by ["ckpt.store.durable"] => || {
        Hooks::default().restarting(|store| store.each(|world| {
            for line in world.threads.values_mut().flat_map(|thread| thread.lines.values_mut()) {
                line.writes.clear();
            }
        }))
    };
    /// A restart begins lifetimes anew.
    "ckpt.store.durable.lives-anew" rejected by ["ckpt.store.durable.lives"] => || {
        Hooks::default().restarting(|store| store.each(|world| {
            for thread in world.threads.values_mut() {
                let later = |end: state_core::Timestamp| end.checked_add(Duration::from_secs(1));
                thread.deadline = thread.deadline.and_then(later);
            }
        }))
    };
    /// A restart loses tokens and marks.
    "ckpt.store.durable.unguarded" rejected by ["ckpt.store.durable.guards"] => || {
        Hooks::default().restarting(|store| store.each(|world| {
            world.tombstones.clear();
            world.threads.values_mut().for_each(|thread| thread.tokens.clear());
        }))
    };

    /// Whether the parent is the latest is found out before the put.
    "ckpt.race.parent.before" rejected by ["ckpt.race.parent"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            if put.ownership == Ownership::ParentIsLatest && latest(&model, &put.reference()) == put.parent {
                put.ownership = Ownership::Anyone;
                pause().await;
            }
            model.put_checkpoint(put).await
        })
    };
    /// A put reads all checkpoints and writes all checkpoints.
    "ckpt.race.forks.read-write" rejected by ["ckpt.race.forks"] => || {
        Hooks::default().on_put(|model, put| async move {
            let before = line(&model, &put.reference(), |line| line.shown.clone()).unwrap_or_default();
            pause().await;
            let receipt = model.put_checkpoint(put.clone()).await?;
            line(&model, &put.reference(), |line| {
                line.shown.retain(|id, _| before.contains_key(id) || *id == put.checkpoint.id);
            });
            Ok(receipt)
        })
    };
    /// Writes read all writes and write all writes.
    "ckpt.race.writes.read-write" rejected by ["ckpt.race.writes"] => || {
        Hooks::default().on_writes(|model, put| async move {
            let place = put.reference.clone();
            let read = |line: &mut Line| line.writes.get(&place.id).cloned().unwrap_or_default();
            let before = line(&model, &place, read).unwrap_or_default();
            pause().await;
            let new: BTreeSet<_> = put.writes.iter().map(|write| (Arc::clone(&write.task), write.index)).collect();
            let receipt = model.put_writes(put).await?;
            line(&model, &place, |line| {
                if let Some(there) = line.writes.get_mut(&place.id) {
                    there.retain(|at, _| before.contains_key(at) || new.contains(at));
                }
            });
            Ok(receipt)
        })
    };
    /// Whether a put is there already is found out before it.
    "ckpt.race.same-put.before" rejected by ["ckpt.race.same-put"] => || {
        Hooks::default().on_put(|model, put| async move {
            let existed = is_there(&model, &put.reference());
            pause().await;
            let receipt = model.put_checkpoint(put).await?;
            Ok(PutReceipt::new(receipt.reference, existed))
        })
    };
    /// Whether another checkpoint has the id is found out before the put.
    "ckpt.race.other-put.before" rejected by ["ckpt.race.other-put"] => || {
        Hooks::default().on_put(|model, put| async move {
            let place = put.reference();
            if !is_there(&model, &place) {
                pause().await;
                line(&model, &place, |line| line.shown.remove(&place.id));
            }
            model.put_checkpoint(put).await
        })
    };
    /// A put is seen before its values are.
    "ckpt.race.readers.early" rejected by ["ckpt.race.readers"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            let values = put.values.clone();
            for value in put.values.values_mut() {
                *value = ChannelValue::Empty;
            }
            let place = put.reference();
            let receipt = model.put_checkpoint(put).await?;
            put_later(&model, &place, values).await;
            Ok(receipt)
        })
    };
    /// A copy reads one namespace after the other.
    "ckpt.race.copy.piecewise" rejected by ["ckpt.race.copy"] => || {
        Hooks::default().on_copy(|model, (from, to, options)| async move {
            let count = model.copy_thread_opts(&from, &to, options).await?;
            for _ in 0..20 {
                pause().await;
            }
            let more = model.with(|world, _| {
                let root = world.threads.get(&from)?.lines.iter().find(|(n, _)| n.is_root())?;
                let (namespace, line) = (root.0.clone(), root.1.clone());
                let copy = world.threads.get_mut(&to)?;
                let before = copy.shown().count() as u64;
                copy.lines.insert(namespace, line);
                Some(copy.shown().count() as u64 - before)
            });
            Ok(count + more.unwrap_or_default())
        })
    };
    /// A put that meets a deletion is there without its values.
    "ckpt.race.delete.torn" rejected by ["ckpt.race.delete"] => || {
        let deletions = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&deletions);
        Hooks::default()
            .on_delete(move |model, delete| {
                let counted = Arc::clone(&counted);
                async move {
                    let existed = model.delete_thread_opts(delete).await?;
                    counted.fetch_add(1, Ordering::SeqCst);
                    Ok(existed)
                }
            })
            .on_put(move |model, mut put| {
                let deletions = Arc::clone(&deletions);
                async move {
                    let before = deletions.load(Ordering::SeqCst);
                    pause().await;
                    if deletions.load(Ordering::SeqCst) != before {
                        put.values.clear();
                    }
                    model.put_checkpoint(put).await
                }
            })
    };

    /// Following all threads is refused, and following one is not.
    "ckpt.watch.secret" rejected by ["ckpt.watch.undeclared"] => || {
        Hooks::default().on_watch(|model, thread| async move {
            match thread {
                None => Err(Error::unsupported("following all threads")),
                thread => model.watch_threads(thread).await,
            }
        })
    };
    /// Only puts into the root namespace are told.
    "ckpt.watch.puts.root" rejected by ["ckpt.watch.puts"] or late => || told(|event| match event {
        ThreadEvent::Put(place) if !place.namespace.is_root() => vec![],
        other => vec![other],
    });
    /// Writes are told twice.
    "ckpt.watch.writes.twice" rejected by ["ckpt.watch.writes"] => || told(|event| match event {
        ThreadEvent::Writes(_) => vec![event.clone(), event],
        other => vec![other],
    });
    /// Deletions are told as changes.
    "ckpt.watch.deleted.changed" rejected by ["ckpt.watch.deleted", "ckpt.watch.expired"] => || told(|event| match event {
        ThreadEvent::Deleted(thread) => vec![ThreadEvent::Changed(thread)],
        other => vec![other],
    });
    /// Prunings and copies are told as gaps.
    "ckpt.watch.changed.gap" rejected by ["ckpt.watch.changed"] => || told(|event| match event {
        ThreadEvent::Changed(_) => vec![ThreadEvent::Gap],
        other => vec![other],
    });
    /// A watch begins with what is there.
    "ckpt.watch.from-the-start" rejected by ["ckpt.watch.from-now-on"] => || {
        Hooks::default().on_watch(|model, thread| async move {
            let events = model.watch_threads(thread.clone()).await?;
            let there: Vec<_> = model.with(|world, _| {
                let threads = world.threads.iter().filter(|(id, _)| thread.as_ref().is_none_or(|wanted| wanted == *id));
                threads.map(|(id, _)| Ok(ThreadEvent::Changed(id.clone()))).collect()
            });
            Ok(futures_util::stream::iter(there).chain(events).boxed() as Events)
        })
    };
    /// A watch of one thread is one of all.
    "ckpt.watch.all" rejected by ["ckpt.watch.only-this"] => || {
        Hooks::default().on_watch(|model, _| async move { model.watch_threads(None).await })
    };
    /// A put that changes nothing is told.
    "ckpt.watch.again" rejected by ["ckpt.watch.not-refused"] => || {
        Hooks::default().on_put(|model, put| async move {
            let receipt = model.put_checkpoint(put.clone()).await?;
            if receipt.existed && put.lifetime == ThreadLifetime::Default {
                model.with(|world, _| world.tell(&put.thread, &ThreadEvent::Put(put.reference())));
            }
            Ok(receipt)
        })
    };
}
