//! Mutants that copy and rebuild wrongly.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::checkpoint::{
    ChannelHistories, ChannelHistory, CheckpointNamespace, Checkpointer, CopyOptions,
    HistoryOptions, Metadata, ThreadId, ThreadLifetime,
};
use state_core::{Acks, Limits};

use super::broken::refused;
use super::hooks::Hooks;
use super::model::{Line, Thread, World};
use super::store::Model;
use crate::gallery::gallery;

type Asked = (ThreadId, ThreadId, CopyOptions);

/// Copies with other options.
fn copying(change: fn(&Model, &mut Asked)) -> Hooks {
    Hooks::default().on_copy(move |model, mut asked| async move {
        change(&model, &mut asked);
        model.copy_thread_opts(&asked.0, &asked.1, asked.2).await
    })
}

/// Copies, and then does something to the store.
fn copied(then: fn(&mut World, &Asked)) -> Hooks {
    Hooks::default().on_copy(move |model, asked| async move {
        let count = model.copy_thread_opts(&asked.0, &asked.1, asked.2.clone()).await?;
        model.with(|world, _| then(world, &asked));
        Ok(count)
    })
}

/// Copies, and then does something to each namespace of the copy.
fn copied_lines(then: fn(&CheckpointNamespace, &mut Line)) -> Hooks {
    Hooks::default().on_copy(move |model, asked| async move {
        let count = model.copy_thread_opts(&asked.0, &asked.1, asked.2.clone()).await?;
        model.with(|world, _| {
            let copy = world.threads.get_mut(&asked.1);
            for (namespace, line) in copy.into_iter().flat_map(|thread| &mut thread.lines) {
                then(namespace, line);
            }
        });
        Ok(count)
    })
}

/// Tells other histories.
fn rebuilt(change: fn(&Model, &HistoryOptions, &mut ChannelHistories)) -> Hooks {
    Hooks::default().on_history(move |model, asked| async move {
        let mut histories = model.channel_history(asked.clone()).await?;
        change(&model, &asked, &mut histories);
        Ok(histories)
    })
}

/// What is told of the namespace that a history is asked of.
fn within<T: Default>(model: &Model, asked: &HistoryOptions, work: impl FnOnce(&Line) -> T) -> T {
    let place = &asked.reference;
    let done = model.with(|world, _| {
        let thread = world.threads.get(&place.thread)?;
        thread.lines.get(&place.namespace).map(work)
    });
    done.unwrap_or_default()
}

/// Histories that end at the first ancestor that `ends` says yes to; it is told what the channel
/// holds there.
fn ending(ends: fn(usize, &super::model::Record, &str) -> bool) -> Hooks {
    Hooks::default().on_history(move |model, asked| async move {
        let mut histories = model.channel_history(asked.clone()).await?;
        for (channel, history) in &mut histories {
            let cut = within(&model, &asked, |line| {
                let ancestors = line.ancestors(&asked.reference.id);
                let end = ancestors
                    .iter()
                    .enumerate()
                    .position(|(steps, (_, record))| ends(steps, record, channel))?;
                let near = ancestors.iter().take(end + 1).rev();
                let writes = near.flat_map(|(id, _)| line.writes_at(id));
                let writes = writes.filter(|write| write.channel == *channel).collect();
                let seed = ancestors.get(end).and_then(|(_, record)| record.values.get(channel));
                Some(ChannelHistory::new(seed.and_then(|seed| seed.payload().cloned()), writes))
            });
            if let Some(cut) = cut {
                *history = cut;
            }
        }
        Ok(histories)
    })
}

gallery! { checkpointers
    /// A copy has the latest checkpoint.
    "ckpt.copy.latest" rejected by ["ckpt.copy.basic", "ckpt.copy.all", "ckpt.copy.order"] => || {
        copied_lines(|_, line| {
            let latest = line.shown.keys().next_back().cloned();
            line.shown.retain(|id, _| Some(id) == latest.as_ref());
        })
    };
    /// A copy has no metadata.
    "ckpt.copy.no-metadata" rejected by ["ckpt.copy.metadata"] => || {
        copied_lines(|_, line| line.shown.values_mut().for_each(|record| record.metadata = Metadata::new()))
    };
    /// A copy has the root namespace.
    "ckpt.copy.root" rejected by ["ckpt.copy.namespaces"] => || {
        copied_lines(|namespace, line| {
            if !namespace.is_root() {
                *line = Line::default();
            }
        })
    };
    /// A copy has no writes.
    "ckpt.copy.no-writes" rejected by ["ckpt.copy.writes", "ckpt.copy.history"] => || {
        copied_lines(|_, line| line.writes.clear())
    };
    /// A copy takes the place of the thread.
    "ckpt.copy.moves" rejected by ["ckpt.copy.source"] => || {
        copied(|world, (from, _, _)| {
            world.threads.remove(from);
        })
    };
    /// A copy of nothing is an empty thread.
    "ckpt.copy.nothing.made" rejected by ["ckpt.copy.nothing"] => || {
        copied(|world, (_, to, _)| {
            let now = state_core::Timestamp::from_unix_ms(0);
            world.threads.entry(to.clone()).or_insert_with(|| Thread::new(now));
        })
    };
    /// A copy takes the place of what was there.
    "ckpt.copy.overwrites" rejected by ["ckpt.copy.exists"] => || {
        copying(|model, (from, to, _)| {
            if from != to {
                model.with(|world, _| world.threads.remove(to));
            }
        })
    };
    /// A copy onto itself does nothing.
    "ckpt.copy.same.nothing" rejected by ["ckpt.copy.same"] => || {
        Hooks::default().on_copy(|model, (from, to, options)| async move {
            if from == to { Ok(0) } else { model.copy_thread_opts(&from, &to, options).await }
        })
    };
    /// A copy shares the writes of its thread.
    "ckpt.copy.shared" rejected by ["ckpt.copy.independent"] => || {
        let copies: Arc<Mutex<BTreeMap<ThreadId, ThreadId>>> = Arc::default();
        let known = Arc::clone(&copies);
        Hooks::default()
            .on_copy(move |model, (from, to, options)| {
                copies.lock().insert(from.clone(), to.clone());
                async move { model.copy_thread_opts(&from, &to, options).await }
            })
            .on_writes(move |model, put| {
                let copy = known.lock().get(&put.reference.thread).cloned();
                async move {
                    if let Some(copy) = copy {
                        let mut shared = put.clone();
                        shared.reference.thread = copy;
                        model.put_writes(shared).await?;
                    }
                    model.put_writes(put).await
                }
            })
    };
    /// A copy has the default lifetime.
    "ckpt.copy.lifetime.default" rejected by ["ckpt.copy.lifetime"] => || {
        copying(|_, (_, _, options)| options.lifetime = ThreadLifetime::Default)
    };
    /// A copy waits for nothing, and refuses no level of safety.
    "ckpt.acks.not-copies" rejected by ["ckpt.acks.levels"] => || {
        copying(|_, (_, _, options)| options.acks = Acks::Primary)
    };
    /// Bad lifetimes of copies are bent to the nearest good ones.
    "ckpt.life.bad.copies" rejected by ["ckpt.life.bad"] => || {
        copying(|_, (_, _, options)| {
            if let ThreadLifetime::After(after) = &mut options.lifetime {
                *after = (*after).clamp(Limits::LIFETIME_MIN, Limits::LIFETIME_MAX);
            }
        })
    };
    /// A fork is a copy of everything.
    "ckpt.fork.everything" rejected by ["ckpt.fork.part", "ckpt.fork.nothing"] => || {
        copying(|_, (_, _, options)| options.up_to = None)
    };
    /// A fork is made in the root namespace.
    "ckpt.fork.root" rejected by ["ckpt.fork.namespace"] => || {
        copying(|_, (_, _, options)| {
            if let Some((namespace, _)) = &mut options.up_to {
                *namespace = CheckpointNamespace::root();
            }
        })
    };

    /// Histories are told newest first.
    "ckpt.history.newest-first" rejected by ["ckpt.history.oldest-first", "ckpt.history.order"] => || {
        rebuilt(|_, _, histories| histories.values_mut().for_each(|history| history.writes.reverse()))
    };
    /// The seed of a history is the value at the farthest ancestor that holds one.
    "ckpt.history.farthest-seed" rejected by ["ckpt.history.nearest-seed"] => || {
        rebuilt(|model, asked, histories| {
            for (channel, history) in histories {
                let seed = within(model, asked, |line| {
                    let ancestors = line.ancestors(&asked.reference.id).into_iter().rev();
                    let mut values = ancestors.filter_map(|(_, record)| record.values.get(channel));
                    values.find_map(|value| value.payload().cloned())
                });
                history.seed = seed;
            }
        })
    };
    /// The writes beside a checkpoint are in its own history.
    "ckpt.history.own" rejected by ["ckpt.history.not-its-own"] => || {
        rebuilt(|model, asked, histories| {
            let own = within(model, asked, |line| line.writes_at(&asked.reference.id));
            for (channel, history) in histories {
                history.writes.extend(own.iter().filter(|write| write.channel == *channel).cloned());
            }
        })
    };
    /// A history ends for all channels where it ends for the first.
    "ckpt.history.channels.together" rejected by ["ckpt.history.channels"] => || {
        rebuilt(|_, asked, histories| {
            let most = asked.channels.first().and_then(|first| histories.get(first)).map_or(0, |h| h.writes.len());
            let least = histories.values().map(|history| history.writes.len()).min().unwrap_or(most);
            for history in histories.values_mut() {
                history.writes.truncate(least.min(most));
            }
        })
    };
    /// A history of no channels is one of a channel without a name.
    "ckpt.history.no-channels.one" rejected by ["ckpt.history.no-channels"] => || {
        rebuilt(|_, _, histories| {
            if histories.is_empty() {
                histories.insert(Arc::from(""), ChannelHistory::default());
            }
        })
    };
    /// A history ends after ten ancestors.
    "ckpt.history.ten" rejected by ["ckpt.history.root"] => || ending(|steps, _, _| steps == 9);
    /// A history has no seed, and goes to the root.
    "ckpt.history.seedless" rejected by ["ckpt.history.plain-seed"] => || {
        rebuilt(|_, _, histories| histories.values_mut().for_each(|history| history.seed = None))
    };
    /// The writes beside the seed are left out.
    "ckpt.history.after-seed" rejected by ["ckpt.history.beside-seed"] => || {
        rebuilt(|model, asked, histories| {
            for (channel, history) in histories {
                let beside = within(model, asked, |line| {
                    let ancestors = line.ancestors(&asked.reference.id);
                    let holds = |record: &super::model::Record| record.values.get(channel).is_some_and(|value| value.payload().is_some());
                    let seed = ancestors.iter().find(|(_, record)| holds(record));
                    seed.map(|(id, _)| line.writes_at(id)).unwrap_or_default()
                });
                history.writes.retain(|write| !beside.contains(write));
            }
        })
    };
    /// A value ends a history where it was brought, not where it is named.
    "ckpt.history.where-brought" rejected by ["ckpt.history.named-again"] => || {
        rebuilt(|model, asked, histories| {
            for (channel, history) in histories {
                history.writes = within(model, asked, |line| {
                    let ancestors = line.ancestors(&asked.reference.id).into_iter().rev();
                    let writes = ancestors.flat_map(|(id, _)| line.writes_at(&id));
                    writes.filter(|write| write.channel == *channel).collect()
                });
            }
        })
    };
    /// A version without a value ends a history.
    "ckpt.history.ends-empty" rejected by ["ckpt.history.past-empty"] => || {
        ending(|_, record, channel| record.values.contains_key(channel))
    };
    /// A history follows the smaller ids instead of the parents.
    "ckpt.history.by-id" rejected by ["ckpt.history.path"] => || {
        rebuilt(|model, asked, histories| {
            for (channel, history) in histories {
                history.writes = within(model, asked, |line| {
                    let before = line.shown.range(..asked.reference.id.clone());
                    let writes = before.flat_map(|(id, _)| line.writes_at(id));
                    writes.filter(|write| write.channel == *channel).collect()
                });
            }
        })
    };
    /// Histories are those of the root namespace.
    "ckpt.history.of-root" rejected by ["ckpt.history.namespace"] => || {
        Hooks::default().rebuilding(|_, asked| asked.reference.namespace = CheckpointNamespace::root())
    };
    /// A history of a checkpoint that is not there is an error.
    "ckpt.history.absent.refused" rejected by ["ckpt.history.absent"] => || {
        Hooks::default().on_history(|model, asked| async move {
            let there = within(&model, &asked, |line| line.any(&asked.reference.id).is_some());
            if there { model.channel_history(asked).await } else { refused() }
        })
    };
}
