//! Mutants that delete, mark and prune wrongly.

use std::collections::BTreeMap;
use std::time::Duration;

use state_core::checkpoint::{
    CheckpointNamespace, Checkpointer, CheckpointerExt, DeleteThread, PruneOptions, PruneReport,
    Retention, ThreadId,
};
use state_core::{Acks, Error, Timestamp};

use super::broken::refused;
use super::hooks::Hooks;
use super::model::{Line, Thread};
use super::store::Model;
use crate::gallery::gallery;

/// What was in a thread before it was deleted.
fn taken(model: &Model, delete: &DeleteThread) -> Option<Thread> {
    model.with(|world, _| world.threads.get(&delete.thread).cloned())
}

/// Deletes, and leaves of each namespace what `keep` says.
fn leaving(keep: fn(&CheckpointNamespace, Line) -> Line) -> Hooks {
    Hooks::default().on_delete(move |model, delete| async move {
        let before = taken(&model, &delete);
        let existed = model.delete_thread_opts(delete.clone()).await?;
        if let Some(mut thread) = before {
            let lines = std::mem::take(&mut thread.lines);
            for (namespace, line) in lines {
                let left = keep(&namespace, line);
                thread.lines.insert(namespace, left);
            }
            model.with(|world, _| world.threads.insert(delete.thread, thread));
        }
        Ok(existed)
    })
}

/// Prunes with other options.
fn pruning(change: fn(&Model, &mut Vec<ThreadId>, &mut PruneOptions)) -> Hooks {
    Hooks::default().on_prune(move |model, (mut threads, mut options)| async move {
        change(&model, &mut threads, &mut options);
        model.prune(&threads, options).await
    })
}

/// Prunes, and then does something to each namespace of the threads that were named.
fn pruned(then: fn(&mut Line)) -> Hooks {
    Hooks::default().on_prune(move |model, (threads, options)| async move {
        let report = model.prune(&threads, options).await?;
        model.with(|world, _| {
            for thread in threads {
                let thread = world.threads.get_mut(&thread);
                thread.into_iter().flat_map(|thread| thread.lines.values_mut()).for_each(then);
            }
        });
        Ok(report)
    })
}

fn all_threads(model: &Model) -> Vec<ThreadId> {
    model.with(|world, _| world.threads.keys().cloned().collect())
}

/// Deletes for other runs.
fn for_runs(change: fn(&Model, &mut Vec<String>)) -> Hooks {
    Hooks::default().on_runs(move |model, mut delete| async move {
        change(&model, &mut delete.runs);
        model.delete_for_runs_opts(delete).await
    })
}

/// The run ids that are there.
fn all_runs(model: &Model) -> Vec<String> {
    model.with(|world, _| {
        let lines = world.threads.values().flat_map(|thread| thread.lines.values());
        let records = lines.flat_map(|line| line.shown.values());
        records.filter_map(|record| record.metadata.run_id().map(str::to_owned)).collect()
    })
}

/// Deletes for runs, and puts back what `back` says.
fn runs_leaving(
    back: fn(before: &BTreeMap<ThreadId, Thread>, after: &mut BTreeMap<ThreadId, Thread>),
) -> Hooks {
    Hooks::default().on_runs(move |model, delete| async move {
        let before = model.with(|world, _| world.threads.clone());
        let count = model.delete_for_runs_opts(delete).await?;
        model.with(|world, _| back(&before, &mut world.threads));
        Ok(count)
    })
}

gallery! { checkpointers
    /// A deletion does nothing.
    "ckpt.delete.does-nothing" rejected by ["ckpt.delete.checkpoints", "ckpt.delete.large", "ckpt.delete.existed"] => || {
        leaving(|_, line| line)
    };
    /// A deletion leaves the writes.
    "ckpt.delete.writes-stay" rejected by ["ckpt.delete.writes", "ckpt.delete.no-records"] => || {
        leaving(|_, line| Line { writes: line.writes, ..Line::default() })
    };
    /// A deletion leaves the values.
    "ckpt.delete.values-stay" rejected by ["ckpt.delete.values"] => || {
        leaving(|_, line| Line { hidden: line.shown, ..Line::default() })
    };
    /// A deletion empties the root namespace.
    "ckpt.delete.root" rejected by ["ckpt.delete.namespaces"] => || {
        leaving(|namespace, line| if namespace.is_root() { Line::default() } else { line })
    };
    /// A deletion takes all threads whose names begin with the name.
    "ckpt.delete.prefix" rejected by ["ckpt.delete.other-threads", "ckpt.names.deleted"] => || {
        Hooks::default().after_delete(|model, delete| {
            let gone = delete.thread.as_str();
            model.with(|world, _| world.threads.retain(|thread, _| !thread.as_str().starts_with(gone)));
        })
    };
    /// Deleting what is not there is an error.
    "ckpt.delete.nothing.refused" rejected by ["ckpt.delete.nothing"] => || {
        Hooks::default().on_delete(|model, delete| async move {
            if model.delete_thread_opts(delete).await? { Ok(true) } else { refused() }
        })
    };
    /// Deletions leave no marks.
    "ckpt.delete.tombstone.none" rejected by ["ckpt.delete.tombstone"] => || {
        Hooks::default().deleting(|_, delete| {
            delete.tombstone.take_if(|life| *life > Duration::ZERO);
        })
    };
    /// Deletions wait for nothing, and refuse no level of safety.
    "ckpt.acks.not-deletions" rejected by ["ckpt.acks.levels"] => || {
        Hooks::default().deleting(|_, delete| delete.acks = Acks::Primary)
    };
    /// Waiting for no replicas is waiting for replicas.
    "ckpt.acks.none.refused" rejected by ["ckpt.acks.none"] => || {
        Hooks::default().on_prune(|model, (threads, options)| async move {
            if matches!(options.acks, Acks::Replicas(_)) {
                return Err(Error::unsupported("waiting for replicas"));
            }
            model.prune(&threads, options).await
        })
    };
    /// Marks do not bind writes.
    "ckpt.delete.tombstone.puts-alone" rejected by ["ckpt.delete.tombstone.writes"] => || {
        Hooks::default().writing(|_, put| put.recreate = true)
    };
    /// Marks stand whatever a put says.
    "ckpt.delete.tombstone.for-all" rejected by ["ckpt.delete.tombstone.recreate"] => || {
        Hooks::default().putting(|_, put| put.recreate = false)
    };
    /// Marks stand for a second longer.
    "ckpt.delete.tombstone.late" rejected by ["ckpt.delete.tombstone.ends"] => || {
        Hooks::default().deleting(|_, delete| {
            delete.tombstone = delete.tombstone.map(|life| life + Duration::from_secs(1));
        })
    };
    /// A deletion leaves a mark for each namespace.
    "ckpt.delete.tombstone.each" rejected by ["ckpt.delete.tombstone.one-record"] => || {
        Hooks::default().on_delete(|model, delete| async move {
            let before = taken(&model, &delete);
            let existed = model.delete_thread_opts(delete.clone()).await?;
            for namespace in before.into_iter().flat_map(|thread| thread.lines.into_keys()) {
                if let Some(life) = delete.tombstone.filter(|_| !namespace.is_root()) {
                    let mark = ThreadId::new(format!("{} {}", delete.thread.as_str(), namespace.as_str()));
                    model.with(|world, now| now.checked_add(life).map(|until| world.tombstones.insert(mark, until)));
                }
            }
            Ok(existed)
        })
    };
    /// Every deletion leaves a mark.
    "ckpt.delete.tombstone.always" rejected by ["ckpt.delete.tombstone.asked"] => || {
        Hooks::default().deleting(|_, delete| {
            delete.tombstone.get_or_insert(DeleteThread::TOMBSTONE);
        })
    };

    /// Deleting runs does nothing.
    "ckpt.runs.does-nothing" rejected by ["ckpt.runs.single"] => || for_runs(|_, runs| runs.clear());
    /// Of several runs the first is deleted.
    "ckpt.runs.first" rejected by ["ckpt.runs.multiple"] => || for_runs(|_, runs| runs.truncate(1));
    /// Runs are deleted whose ids begin with the id.
    "ckpt.runs.prefix" rejected by ["ckpt.runs.others"] => || for_runs(|model, runs| {
        let mut all = all_runs(model);
        all.retain(|run| runs.iter().any(|wanted| run.starts_with(wanted)));
        *runs = all;
    });
    /// The writes beside the checkpoints of a deleted run stay.
    "ckpt.runs.writes-stay" rejected by ["ckpt.runs.writes"] => || runs_leaving(|before, after| {
        for (id, thread) in after {
            for (namespace, line) in &mut thread.lines {
                let before = before.get(id).and_then(|thread| thread.lines.get(namespace));
                line.writes = before.map(|line| line.writes.clone()).unwrap_or_default();
            }
        }
    });
    /// Deleting no runs deletes all.
    "ckpt.runs.none.all" rejected by ["ckpt.runs.none"] => || for_runs(|model, runs| {
        if runs.is_empty() {
            *runs = all_runs(model);
            runs.retain(|run| !run.is_empty());
        }
    });
    /// Runs are deleted for anybody, and waiting for nothing.
    "ckpt.runs.unbound" rejected by ["ckpt.owner.token.stale-removal", "ckpt.acks.levels"] => || {
        Hooks::default().on_runs(|model, delete| async move { model.delete_for_runs(&delete.runs).await })
    };
    /// Deleting a run that is not there is an error.
    "ckpt.runs.unknown.refused" rejected by ["ckpt.runs.unknown"] => || {
        Hooks::default().on_runs(|model, delete| async move {
            let count = model.delete_for_runs_opts(delete.clone()).await?;
            if count == 0 && !delete.runs.is_empty() { refused() } else { Ok(count) }
        })
    };
    /// Runs are deleted in the root namespace.
    "ckpt.runs.root" rejected by ["ckpt.runs.namespaces"] => || runs_leaving(|before, after| {
        for (id, thread) in before {
            for (namespace, line) in thread.lines.iter().filter(|(namespace, _)| !namespace.is_root()) {
                let there = after.entry(id.clone()).or_insert_with(|| Thread::new(thread.last_write));
                there.lines.insert(namespace.clone(), line.clone());
            }
        }
    });
    /// Runs are deleted in one thread.
    "ckpt.runs.one-thread" rejected by ["ckpt.runs.threads"] => || runs_leaving(|before, after| {
        for (id, thread) in before.iter().skip(1) {
            after.insert(id.clone(), thread.clone());
        }
    });
    /// What a deleted run brought is lost to others.
    "ckpt.runs.values-go" rejected by ["ckpt.runs.values-kept"] => || runs_leaving(|_, after| {
        for line in after.values_mut().flat_map(|thread| thread.lines.values_mut()) {
            for record in line.shown.values_mut() {
                record.values.retain(|channel, _| &**channel != "same");
            }
        }
    });
    /// What others are rebuilt from goes with its run.
    "ckpt.runs.history-goes" rejected by ["ckpt.runs.history"] => || runs_leaving(|_, after| {
        for line in after.values_mut().flat_map(|thread| thread.lines.values_mut()) {
            line.hidden.clear();
        }
    });
    /// Runs are told by their ids up to a colon.
    "ckpt.names.runs.colon" rejected by ["ckpt.names.runs"] => || for_runs(|model, runs| {
        let head = |run: &str| run.split(':').next().map(str::to_owned);
        let mut all = all_runs(model);
        all.retain(|run| runs.iter().any(|wanted| head(run) == head(wanted)));
        if !all.is_empty() {
            *runs = all;
        }
    });
    /// A run is in an index as soon as somebody tries to put it.
    "ckpt.runs.refused.indexed" rejected by ["ckpt.runs.refused.no-records"] => || {
        Hooks::default().on_put(|model, put| async move {
            let run = put.metadata.run_id().map(|run| ThreadId::new(format!("run {run}")));
            let put = model.put_checkpoint(put).await;
            if let (Err(_), Some(run)) = (&put, run) {
                let end = |now: Timestamp| now.checked_add(DeleteThread::TOMBSTONE);
                model.with(|world, now| end(now).map(|until| world.tombstones.insert(run, until)));
            }
            put
        })
    };
    /// A run is told by any metadata that looks like its id.
    "ckpt.runs.by-any" rejected by ["ckpt.runs.by-text"] => || {
        Hooks::default().on_runs(|model, delete| async move {
            let count = model.delete_for_runs_opts(delete.clone()).await?;
            model.with(|world, _| {
                for line in world.threads.values_mut().flat_map(|thread| thread.lines.values_mut()) {
                    line.shown.retain(|_, record| {
                        let like = |run: &String| {
                            let mut all = record.metadata.iter();
                            all.any(|(_, value)| format!("{value:?}").contains(&format!("({run})")))
                        };
                        !delete.runs.iter().any(like)
                    });
                }
            });
            Ok(count)
        })
    };

    /// Pruning does nothing.
    "ckpt.prune.does-nothing" rejected by ["ckpt.prune.latest"] => || {
        Hooks::default().on_prune(|_, _| std::future::ready(Ok(PruneReport::new(0, 0))))
    };
    /// Of several threads the first is pruned.
    "ckpt.prune.first-thread" rejected by ["ckpt.prune.latest.threads"] => || {
        pruning(|_, threads, _| threads.truncate(1))
    };
    /// Pruning leaves the latest of the thread, whichever namespace it is in.
    "ckpt.prune.of-thread" rejected by ["ckpt.prune.latest.namespaces"] => || {
        Hooks::default().on_prune(|model, (threads, options)| async move {
            let report = model.prune(&threads, options).await?;
            model.with(|world, _| {
                for thread in threads {
                    let Some(thread) = world.threads.get_mut(&thread) else { continue };
                    let latest = thread.shown().map(|(_, _, id)| id.clone()).max();
                    for line in thread.lines.values_mut() {
                        line.shown.retain(|id, _| Some(id) == latest.as_ref());
                    }
                }
            });
            Ok(report)
        })
    };
    /// Pruning takes all writes.
    "ckpt.prune.writes-go" rejected by ["ckpt.prune.latest.writes"] => || pruned(|line| line.writes.clear());
    /// Pruning to nothing leaves the latest.
    "ckpt.prune.delete.latest" rejected by ["ckpt.prune.delete", "ckpt.prune.delete.no-records"] => || {
        pruning(|_, _, options| {
            if options.retention == Retention::Delete {
                options.retention = Retention::KeepLatest;
            }
        })
    };
    /// Pruning a thread prunes all.
    "ckpt.prune.all-threads" rejected by ["ckpt.prune.other-threads"] => || {
        pruning(|model, threads, _| *threads = all_threads(model))
    };
    /// Pruning no threads prunes all.
    "ckpt.prune.none.all" rejected by ["ckpt.prune.none"] => || {
        pruning(|model, threads, _| {
            if threads.is_empty() {
                *threads = all_threads(model);
            }
        })
    };
    /// Pruning a thread that is not there is an error.
    "ckpt.prune.unknown.refused" rejected by ["ckpt.prune.unknown"] => || {
        Hooks::default().on_prune(|model, (threads, options)| async move {
            let there = all_threads(&model);
            if !threads.iter().all(|thread| there.contains(thread)) {
                return refused();
            }
            model.prune(&threads, options).await
        })
    };
    /// Pruning to the last of a number leaves the latest.
    "ckpt.prune.last.one" rejected by ["ckpt.prune.last"] => || {
        pruning(|_, _, options| {
            if matches!(options.retention, Retention::KeepLast(1..)) {
                options.retention = Retention::KeepLatest;
            }
        })
    };
    /// Pruning by age takes the latest too.
    "ckpt.prune.age.latest-too" rejected by ["ckpt.prune.age"] => || {
        Hooks::default().on_prune(|model, (threads, options)| async move {
            let report = model.prune(&threads, options.clone()).await?;
            model.with(|world, now: Timestamp| {
                let Retention::MaxAge(age) = options.retention else { return };
                for line in world.threads.values_mut().flat_map(|thread| thread.lines.values_mut()) {
                    line.shown.retain(|_, record| now.saturating_since(record.checkpoint.time) <= age);
                }
            });
            Ok(report)
        })
    };
    /// Pruning takes the values that pruned checkpoints brought.
    "ckpt.prune.values-go" rejected by ["ckpt.prune.survivors"] => || pruned(|line| {
        for record in line.shown.values_mut() {
            record.values.retain(|channel, _| &**channel != "same");
        }
    });
    /// Pruning takes what others are rebuilt from.
    "ckpt.prune.history-goes" rejected by ["ckpt.prune.history"] => || pruned(|line| line.hidden.clear());
    /// Pruning keeps all writes, and what they stand beside.
    "ckpt.prune.history.all" rejected by ["ckpt.prune.history.unnamed"] => || {
        Hooks::default().on_prune(|model, (threads, options)| async move {
            let before = model.with(|world, _| world.threads.clone());
            let report = model.prune(&threads, options).await?;
            model.with(|world, _| {
                for (id, thread) in &mut world.threads {
                    let Some(before) = before.get(id) else { continue };
                    for (namespace, line) in &mut thread.lines {
                        let Some(before) = before.lines.get(namespace) else { continue };
                        line.writes.clone_from(&before.writes);
                        line.hidden.clone_from(&before.shown);
                        line.hidden.retain(|id, _| !line.shown.contains_key(id));
                    }
                }
            });
            Ok(report)
        })
    };
    /// What others are rebuilt from is shown.
    "ckpt.prune.hidden.shown" rejected by ["ckpt.prune.hidden"] => || pruned(|line| {
        line.shown.append(&mut line.hidden);
    });
    /// A retention of no checkpoints deletes the thread.
    "ckpt.prune.retention.zero" rejected by ["ckpt.prune.retention"] => || {
        pruning(|_, _, options| {
            if options.retention == Retention::KeepLast(0) {
                options.retention = Retention::Delete;
            }
        })
    };
}
