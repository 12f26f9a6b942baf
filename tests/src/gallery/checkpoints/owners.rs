//! Mutants that let the wrong ones write, and threads live for the wrong time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use state_core::checkpoint::{CheckpointRef, Checkpointer, Ownership, ThreadLifetime};
use state_core::{Acks, Error, ErrorKind, FenceToken, Limits};

use super::broken::{is_there, latest};
use super::hooks::Hooks;
use crate::gallery::gallery;

/// Puts and writes with another lifetime.
macro_rules! living {
    ($change:expr) => {
        Hooks::default()
            .putting(|model, put| {
                let change: fn(&super::store::Model, &CheckpointRef, &mut ThreadLifetime) = $change;
                change(model, &put.reference(), &mut put.lifetime);
            })
            .writing(|model, put| {
                let change: fn(&super::store::Model, &CheckpointRef, &mut ThreadLifetime) = $change;
                change(model, &put.reference, &mut put.lifetime);
            })
    };
}

gallery! { checkpointers
    /// Tokens do not matter.
    "ckpt.owner.token.ignored" rejected by ["ckpt.owner.token.stale-put"] => || {
        Hooks::default().putting(|_, put| {
            if matches!(put.ownership, Ownership::Holder(_)) {
                put.ownership = Ownership::Anyone;
            }
        })
    };
    /// Only the token that was seen first is good.
    "ckpt.owner.token.first" rejected by ["ckpt.owner.token.fresh"] => || {
        let first = Arc::new(Mutex::new(BTreeMap::new()));
        Hooks::default().on_put(move |model, put| {
            let first = Arc::clone(&first);
            async move {
                if let Ownership::Holder(fence) = &put.ownership {
                    let seen = *first.lock().entry(put.thread.clone()).or_insert(fence.token);
                    if seen != fence.token {
                        return Err(Error::new(ErrorKind::Fenced, "another token"));
                    }
                }
                model.put_checkpoint(put).await
            }
        })
    };
    /// Writes do not look at tokens.
    "ckpt.owner.token.not-writes" rejected by ["ckpt.owner.token.stale-writes"] => || {
        Hooks::default().writing(|_, put| put.ownership = Ownership::Anyone)
    };
    /// Deletions do not look at tokens.
    "ckpt.owner.token.not-deletions" rejected by ["ckpt.owner.token.stale-removal"] => || {
        Hooks::default().deleting(|_, delete| {
            if matches!(delete.ownership, Ownership::Holder(_)) {
                delete.ownership = Ownership::Anyone;
            }
        })
    };
    /// Taking a thread over changes nothing until the first put.
    "ckpt.owner.token.claims-nothing" rejected by ["ckpt.owner.token.claim"] => || {
        Hooks::default().touching(|_, touch| touch.ownership = Ownership::Anyone)
    };
    /// A token binds all threads.
    "ckpt.owner.token.of-all" rejected by ["ckpt.owner.token.of-each-thread"] => || {
        let seen = Arc::new(Mutex::new(FenceToken::new(0)));
        Hooks::default().on_put(move |model, put| {
            let seen = Arc::clone(&seen);
            async move {
                if let Ownership::Holder(fence) = &put.ownership {
                    let mut seen = seen.lock();
                    if fence.token < *seen {
                        return Err(Error::new(ErrorKind::Fenced, "a smaller token"));
                    }
                    *seen = fence.token;
                }
                model.put_checkpoint(put).await
            }
        })
    };
    /// Who names no owner is refused once there was one.
    "ckpt.owner.nobody.refused" rejected by ["ckpt.owner.nobody"] => || {
        Hooks::default().on_put(|model, put| async move {
            let owned = model.with(|world, _| {
                world.threads.get(&put.thread).is_some_and(|thread| !thread.tokens.is_empty())
            });
            if owned && put.ownership == Ownership::Anyone {
                return Err(Error::new(ErrorKind::Fenced, "the thread has an owner"));
            }
            model.put_checkpoint(put).await
        })
    };
    /// A put that names no parent is refused where the parent must be the latest.
    "ckpt.owner.parent.needed" rejected by ["ckpt.owner.parent.latest"] => || {
        Hooks::default().on_put(|model, put| async move {
            if put.ownership == Ownership::ParentIsLatest && put.parent.is_none() {
                return Err(Error::conflict("no parent"));
            }
            model.put_checkpoint(put).await
        })
    };
    /// A parent must be there, and need not be the latest.
    "ckpt.owner.parent.any" rejected by ["ckpt.owner.parent.stale"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            let mut parent = put.reference();
            parent.id = put.parent.clone().unwrap_or(parent.id);
            if put.ownership == Ownership::ParentIsLatest && is_there(&model, &parent) {
                put.ownership = Ownership::Anyone;
            }
            model.put_checkpoint(put).await
        })
    };
    /// A parent that does not exist is taken for the latest.
    "ckpt.owner.parent.unseen" rejected by ["ckpt.owner.parent.missing"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            let mut parent = put.reference();
            parent.id = put.parent.clone().unwrap_or(parent.id);
            if put.ownership == Ownership::ParentIsLatest && !is_there(&model, &parent) {
                put.ownership = Ownership::Anyone;
            }
            model.put_checkpoint(put).await
        })
    };
    /// A put onto the latest may have any id.
    "ckpt.owner.parent.any-order" rejected by ["ckpt.owner.parent.order"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            let onto = put.parent.clone().filter(|parent| put.checkpoint.id < *parent);
            if onto.is_some() && onto == latest(&model, &put.reference()) {
                put.ownership = Ownership::Anyone;
            }
            model.put_checkpoint(put).await
        })
    };
    /// Levels of safety are taken for wishes.
    "ckpt.acks.ignored" rejected by ["ckpt.acks.levels"] => || {
        Hooks::default()
            .putting(|_, put| put.acks = Acks::Primary)
            .writing(|_, put| put.acks = Acks::Primary)
            .deleting(|_, delete| delete.acks = Acks::Primary)
            .touching(|_, touch| touch.acks = Acks::Primary)
            .on_runs(|model, delete| async move {
                model.delete_for_runs_opts(delete.with_acks(Acks::Primary)).await
            })
            .on_copy(|model, (from, to, options)| async move {
                model.copy_thread_opts(&from, &to, options.with_acks(Acks::Primary)).await
            })
            .on_prune(|model, (threads, options)| async move {
                model.prune(&threads, options.with_acks(Acks::Primary)).await
            })
    };
    /// A put that is sent again is no longer put onto the latest.
    "ckpt.owner.parent.once" rejected by ["ckpt.owner.parent.retry"] => || {
        Hooks::default().on_put(|model, put| async move {
            if put.ownership == Ownership::ParentIsLatest && is_there(&model, &put.reference()) {
                return Err(Error::conflict("the parent is not the latest"));
            }
            model.put_checkpoint(put).await
        })
    };
    /// The latest that a parent must be is that of the whole thread.
    "ckpt.owner.parent.of-thread" rejected by ["ckpt.owner.parent.namespaces"] => || {
        Hooks::default().on_put(|model, mut put| async move {
            if put.ownership == Ownership::ParentIsLatest {
                let latest = model.with(|world, _| {
                    let thread = world.threads.get(&put.thread)?;
                    thread.shown().map(|(_, _, id)| id.clone()).max()
                });
                if latest != put.parent && !is_there(&model, &put.reference()) {
                    return Err(Error::conflict("the parent is not the latest"));
                }
                put.ownership = Ownership::Anyone;
            }
            model.put_checkpoint(put).await
        })
    };
    /// Writes are put beside whatever checkpoint they name.
    "ckpt.owner.parent.not-writes" rejected by ["ckpt.owner.parent.writes"] => || {
        Hooks::default().writing(|_, put| {
            if put.ownership == Ownership::ParentIsLatest {
                put.ownership = Ownership::Anyone;
            }
        })
    };
    /// A deletion ignores that it is to be bound to a parent.
    "ckpt.owner.parent.deletes" rejected by ["ckpt.owner.parent.removal"] => || {
        Hooks::default().deleting(|_, delete| {
            if delete.ownership == Ownership::ParentIsLatest {
                delete.ownership = Ownership::Anyone;
            }
        })
    };
    /// A put onto a parent that is not the latest is always refused.
    "ckpt.owner.forks.refused" rejected by ["ckpt.owner.forks"] => || {
        Hooks::default().on_put(|model, put| async move {
            let latest = latest(&model, &put.reference());
            if put.parent.is_some() && latest > put.parent && !is_there(&model, &put.reference()) {
                return Err(Error::conflict("the parent is not the latest"));
            }
            model.put_checkpoint(put).await
        })
    };

    /// Threads never end.
    "ckpt.life.endless" rejected by ["ckpt.life.expires", "ckpt.life.gone"] => || living!(|_, _, life| {
        if matches!(life, ThreadLifetime::After(after) if Limits::check_lifetime(*after).is_ok()) {
            *life = ThreadLifetime::Default;
        }
    });
    /// Threads end a millisecond late.
    "ckpt.life.late" rejected by ["ckpt.life.exact"] => || living!(|_, _, life| {
        if let ThreadLifetime::After(after) = life {
            *after = after.saturating_add(Duration::from_millis(1));
        }
    });
    /// A put leaves the end of a lifetime where it was.
    "ckpt.life.once" rejected by ["ckpt.life.whole"] => || living!(|model, place, life| {
        let there = model.with(|world, _| {
            world.threads.get(&place.thread).is_some_and(|thread| thread.deadline.is_some())
        });
        if there && matches!(life, ThreadLifetime::After(_)) {
            *life = ThreadLifetime::Keep;
        }
    });
    /// Writes leave the end of a lifetime where it was.
    "ckpt.life.not-writes" rejected by ["ckpt.life.writes"] => || {
        Hooks::default().writing(|_, put| {
            if matches!(put.lifetime, ThreadLifetime::After(after) if Limits::check_lifetime(after).is_ok()) {
                put.lifetime = ThreadLifetime::Keep;
            }
        })
    };
    /// Keeping a lifetime begins it anew.
    "ckpt.life.keep.renews" rejected by ["ckpt.life.keep"] => || living!(|model, place, life| {
        if *life == ThreadLifetime::Keep {
            model.with(|world, now| {
                if let Some(thread) = world.threads.get_mut(&place.thread) {
                    thread.refresh(now);
                }
            });
        }
    });
    /// The longest lifetime that was named stays.
    "ckpt.life.longest" rejected by ["ckpt.life.shortened"] => || living!(|model, place, life| {
        let end = model.with(|world, _| world.threads.get(&place.thread).and_then(|thread| thread.deadline));
        let now = model.with(|_, now| now);
        if let (Some(end), ThreadLifetime::After(after)) = (end, *life)
            && now.checked_add(after) < Some(end)
        {
            *life = ThreadLifetime::Keep;
        }
    });
    /// A put that names no lifetime keeps the one that is there.
    "ckpt.life.default.keeps" rejected by ["ckpt.life.default"] => || living!(|_, _, life| {
        if *life == ThreadLifetime::Default {
            *life = ThreadLifetime::Keep;
        }
    });
    /// A put that names no lifetime takes the pin away.
    "ckpt.life.pinned.until-put" rejected by ["ckpt.life.pinned"] => || living!(|model, place, life| {
        if *life == ThreadLifetime::Default {
            model.with(|world, _| {
                if let Some(thread) = world.threads.get_mut(&place.thread) {
                    thread.pinned = false;
                }
            });
        }
    });
    /// A pin is for ever.
    "ckpt.life.pinned.for-ever" rejected by ["ckpt.life.unpinned"] => || living!(|model, place, life| {
        let pinned = model.with(|world, _| world.threads.get(&place.thread).is_some_and(|thread| thread.pinned));
        if pinned && matches!(life, ThreadLifetime::After(_)) {
            *life = ThreadLifetime::Keep;
        }
    });
    /// A lifetime that is set alone is not set.
    "ckpt.life.touch.nothing" rejected by ["ckpt.life.touch"] => || {
        Hooks::default().touching(|_, touch| touch.lifetime = ThreadLifetime::Keep)
    };
    /// Setting the lifetime of a thread makes it.
    "ckpt.life.touch.makes" rejected by ["ckpt.life.touch"] => || {
        Hooks::default().on_touch(|model, touch| async move {
            model.with(|world, now| {
                world.threads.entry(touch.thread.clone()).or_insert_with(|| super::model::Thread::new(now));
            });
            model.touch_thread(touch).await
        })
    };
    /// Reading never refreshes.
    "ckpt.life.read.never" rejected by ["ckpt.life.read.refreshes"] => || {
        Hooks::default().getting(|_, get| get.refresh = None)
    };
    /// Reading always refreshes.
    "ckpt.life.read.always" rejected by ["ckpt.life.read.leaves"] => || {
        Hooks::default().getting(|_, get| get.refresh = Some(true))
    };
    /// Bad lifetimes are bent to the nearest good ones.
    "ckpt.life.bad.bent" rejected by ["ckpt.life.bad"] => || living!(|_, _, life| {
        if let ThreadLifetime::After(after) = life {
            *after = (*after).clamp(Limits::LIFETIME_MIN, Limits::LIFETIME_MAX);
        }
    });
    /// What has expired comes back when the thread is made anew.
    "ckpt.life.gone.comes-back" rejected by ["ckpt.life.gone"] => || {
        let ended = Arc::new(Mutex::new(BTreeMap::new()));
        Hooks::default().on_put(move |model, put| {
            let ended = Arc::clone(&ended);
            async move {
                let there = model.with(|world, _| world.threads.get(&put.thread).cloned());
                let kept = ended.lock().get(&put.thread).cloned();
                if let (None, Some(kept)) = (there, kept) {
                    let mut thread: super::model::Thread = kept;
                    thread.deadline = None;
                    model.with(|world, _| world.threads.insert(put.thread.clone(), thread));
                }
                let receipt = model.put_checkpoint(put.clone()).await?;
                if let Some(thread) = model.with(|world, _| world.threads.get(&put.thread).cloned()) {
                    ended.lock().insert(put.thread, thread);
                }
                Ok(receipt)
            }
        })
    };
}
