//! Mutants that lose, double or mix up writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::Error;
use state_core::checkpoint::{
    Checkpoint, Checkpointer, PendingWrite, PutCheckpoint, PutWrites, WriteIndex, WritesReceipt,
};

use super::broken::{is_there, line};
use super::hooks::Hooks;
use super::store::Model;
use crate::gallery::gallery;

/// Takes away the writes at the places of these, where `which` says so.
fn make_room(model: &Model, put: &PutWrites, which: impl Fn(WriteIndex) -> bool) {
    line(model, &put.reference, |line| {
        if let Some(there) = line.writes.get_mut(&put.reference.id) {
            let places = put.writes.iter().filter(|write| which(write.index));
            for write in places {
                there.remove(&(Arc::clone(&write.task), write.index));
            }
        }
    });
}

/// The places that are taken beside the checkpoint of `put`.
fn taken(model: &Model, put: &PutWrites, write: &PendingWrite) -> bool {
    let there = line(model, &put.reference, |line| {
        let writes = line.writes.get(&put.reference.id);
        writes.is_some_and(|writes| writes.contains_key(&(Arc::clone(&write.task), write.index)))
    });
    there == Some(true)
}

gallery! { checkpointers
    /// Writes are lost.
    "ckpt.writes.lost" rejected by ["ckpt.writes.basic"] => || {
        Hooks::default().telling(|tuple| tuple.pending_writes.clear())
    };
    /// Of the writes of a task in one call the last stays.
    "ckpt.writes.same-task.last" rejected by ["ckpt.writes.same-task"] => || {
        Hooks::default().writing(|_, put| {
            let writes = std::mem::take(&mut put.writes);
            let last: BTreeSet<_> = writes.iter().map(|write| (&write.task, write.index)).collect();
            let is_last = |write: &PendingWrite| {
                !last.iter().any(|(task, index)| **task == write.task && *index > write.index)
            };
            put.writes = writes.iter().filter(|write| is_last(write)).cloned().collect();
        })
    };
    /// A task takes the place of the one before.
    "ckpt.writes.tasks.one" rejected by ["ckpt.writes.tasks"] => || {
        Hooks::default().on_writes(|model, put| async move {
            line(&model, &put.reference, |line| {
                if let Some(there) = line.writes.get_mut(&put.reference.id) {
                    there.retain(|(task, _), _| put.writes.iter().any(|write| write.task == *task));
                }
            });
            model.put_writes(put).await
        })
    };
    /// Tasks are shown by their first letter.
    "ckpt.writes.task-id.cut" rejected by ["ckpt.writes.task-id"] => || {
        Hooks::default().telling(|tuple| {
            for write in &mut tuple.pending_writes {
                write.task = write.task.chars().take(1).collect::<String>().into();
            }
        })
    };
    /// The channel of a write comes back in capitals.
    "ckpt.writes.value.channel" rejected by ["ckpt.writes.value"] => || {
        Hooks::default().telling(|tuple| {
            for write in &mut tuple.pending_writes {
                write.channel = write.channel.to_uppercase().into();
            }
        })
    };
    /// The task path of a write is lost.
    "ckpt.writes.task-path.lost" rejected by ["ckpt.writes.task-path"] => || {
        Hooks::default().writing(|_, put| {
            put.writes.iter_mut().for_each(|write| write.task_path = "".into());
        })
    };
    /// Writes that are sent again are there twice.
    "ckpt.writes.again.twice" rejected by ["ckpt.writes.again"] => || {
        Hooks::default().on_writes(|model, mut put| async move {
            let again = |write: &PendingWrite| !write.index.is_special() && taken(&model, &put, write);
            let again: Vec<bool> = put.writes.iter().map(again).collect();
            for (write, again) in put.writes.iter_mut().zip(again) {
                let more = if again { 1_000 } else { 0 };
                write.index = WriteIndex::new(write.index.get() + more);
            }
            model.put_writes(put).await
        })
    };
    /// Special writes of a task share one place.
    "ckpt.writes.special.one" rejected by ["ckpt.writes.special"] => || {
        Hooks::default().telling(|tuple| {
            let first = tuple.pending_writes.iter().position(|write| write.index.is_special());
            let mut place = 0;
            tuple.pending_writes.retain(|write| {
                place += 1;
                !write.index.is_special() || Some(place - 1) == first
            });
        })
    };
    /// Writes are beside the checkpoints of that id in all namespaces.
    "ckpt.writes.namespaces.all" rejected by ["ckpt.writes.namespaces"] => || {
        Hooks::default().on_writes(|model, put| async move {
            let receipt = model.put_writes(put.clone()).await?;
            model.with(|world, _| {
                let thread = world.threads.get_mut(&put.reference.thread);
                for line in thread.into_iter().flat_map(|thread| thread.lines.values_mut()) {
                    line.write(put.reference.id.clone(), put.writes.iter().map(|write| {
                        let mut more = write.clone();
                        more.index = WriteIndex::new(write.index.get() + 50);
                        more
                    }).collect());
                }
            });
            Ok(receipt)
        })
    };
    /// A new checkpoint begins with the writes of its parent.
    "ckpt.writes.next.inherited" rejected by ["ckpt.writes.next"] => || {
        Hooks::default().after_put(|model, put| {
            line(model, &put.reference(), |line| {
                let parent = put.parent.as_ref().and_then(|parent| line.writes.get(parent)).cloned();
                line.writes.entry(put.checkpoint.id.clone()).or_insert(parent.unwrap_or_default());
            });
        })
    };
    /// Writes come back in the order of their indices alone.
    "ckpt.writes.order.index" rejected by ["ckpt.writes.order"] => || {
        Hooks::default().telling(|tuple| tuple.pending_writes.sort_by_key(|write| write.index))
    };
    /// The last regular write of a place stays.
    "ckpt.writes.last-wins" rejected by ["ckpt.writes.first-wins", "ckpt.race.same-write"] => || {
        Hooks::default().on_writes(|model, put| async move {
            make_room(&model, &put, |index| !index.is_special());
            model.put_writes(put).await
        })
    };
    /// The first special write of a place stays.
    "ckpt.writes.special.first-wins" rejected by ["ckpt.writes.special.last-wins"] => || {
        Hooks::default().on_writes(|model, mut put| async move {
            let all = std::mem::take(&mut put.writes);
            let new = all.iter().filter(|write| !taken(&model, &put, write)).cloned().collect();
            put.writes = new;
            model.put_writes(put).await
        })
    };
    /// The first write of a call decides whether all of it overwrites.
    "ckpt.writes.mixed.by-first" rejected by ["ckpt.writes.mixed"] => || {
        Hooks::default().on_writes(|model, put| async move {
            if put.writes.first().is_some_and(|write| write.index.is_special()) {
                make_room(&model, &put, |_| true);
            }
            model.put_writes(put).await
        })
    };
    /// The put of a checkpoint clears the writes that were there before it.
    "ckpt.writes.before-put.cleared" rejected by ["ckpt.writes.before-put"] => || {
        Hooks::default().on_put(|model, put| async move {
            if !is_there(&model, &put.reference()) {
                line(&model, &put.reference(), |line| line.writes.remove(&put.checkpoint.id));
            }
            model.put_checkpoint(put).await
        })
    };
    /// Writes that come before their checkpoint make an empty one.
    "ckpt.writes.before-put.makes-one" rejected by ["ckpt.writes.before-put.no-checkpoint"] => || {
        Hooks::default().on_writes(|model, put| async move {
            let receipt = model.put_writes(put.clone()).await?;
            if !is_there(&model, &put.reference) {
                let place = &put.reference;
                let stub = Checkpoint::new(place.id.clone(), state_core::Timestamp::from_unix_ms(0));
                let stub = PutCheckpoint::new(place.thread.clone(), stub);
                model.put_checkpoint(stub.with_namespace(place.namespace.clone())).await?;
            }
            Ok(receipt)
        })
    };
    /// Writes beside a checkpoint that is not there are refused.
    "ckpt.writes.before-put.refused" rejected by ["ckpt.writes.before-put"] => || {
        Hooks::default().on_writes(|model, put| async move {
            if !is_there(&model, &put.reference) {
                return Err(Error::conflict("there is no such checkpoint"));
            }
            model.put_writes(put).await
        })
    };
    /// Places of writes are named by task and number run together.
    "ckpt.names.tasks.joined" rejected by ["ckpt.names.tasks"] => || {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        Hooks::default().on_writes(move |model, put| {
            let seen = Arc::clone(&seen);
            async move {
                let name = |write: &PendingWrite| {
                    format!("{:?}{}{}", put.reference, write.task, write.index.get())
                };
                if !put.writes.iter().all(|write| seen.lock().insert(name(write))) {
                    return Ok(WritesReceipt::new(0, 0, put.writes.len()));
                }
                model.put_writes(put).await
            }
        })
    };
    /// Reading a checkpoint shows all writes of its namespace.
    "ckpt.get.writes.all" rejected by ["ckpt.get.writes"] => || {
        Hooks::default().on_get(|model, get| async move {
            let mut found = model.get_checkpoint(get).await?;
            if let Some(tuple) = &mut found {
                let all = line(&model, &tuple.reference, |line| {
                    line.writes.keys().flat_map(|id| line.writes_at(id)).collect()
                });
                tuple.pending_writes = all.unwrap_or_default();
            }
            Ok(found)
        })
    };
}
