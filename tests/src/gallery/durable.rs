//! Mutants of stores that say that they are durable: what a restart leaves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{BufMut, BytesMut};
use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;
use state_core::{
    Capability, Error, ErrorKind, Expires, Fence, FenceToken, HashStore, Key, LeaseStore,
    ManualClock, Namespace, Operation, Result, ResumeToken, StateBackend, Version, Watch,
    WatchStart, Written,
};
use state_local::{MemoryBackend, MemoryStore};

use super::gallery;
use super::hooks::{Honest, Hooks};

gallery! {
    /// A restart forgets everything.
    "kv.durable.forgets" rejected by ["kv.durable.values", "kv.durable.lifetimes", "cas.op-id.restart"] => forgets;
    /// Versions are counted from 1 again after a restart.
    "cas.version.restarts-after-restart" rejected by ["cas.version.restart"] => counted;
    /// A restart frees every lease, and tokens begin anew with the clock.
    "lease.in-memory" rejected by ["lease.restart", "lease.token.restart"] => leases;
    /// What a read has raised the greatest token seen to is kept in memory.
    "fence.reads-in-memory" rejected by ["fence.restart"] => marks;
    /// A token from before a restart is taken for one of another history.
    "watch.log.new-history" rejected by ["watch.log.restart"] => new_history;
    /// A watch that resumes after a token from before a restart tells nothing.
    "watch.log.silent-after-restart" rejected by ["watch.log.restart"] => silent;
    /// A restart loses every hash.
    "hash.in-memory" rejected by ["hash.restart"] => hashes;
    /// A restart frees hashes from their lifetimes.
    "hash.expiry.in-memory" rejected by ["hash.expiry.restart"] => lifetimes;
}

/// Outlives a restart whole, as the memory behind it does.
pub(super) fn durable() -> Hooks {
    restarting(|store, _| store.clone())
}

fn restarting(
    restart: impl Fn(&MemoryStore, &ManualClock) -> MemoryStore + Send + Sync + 'static,
) -> Hooks {
    Hooks::default().declaring(|_, honest| honest.with(Capability::Durable)).restarting(restart)
}

fn forgets() -> Hooks {
    restarting(|_, clock| MemoryStore::builder().clock(clock.clone()).build())
}

/// Takes the number of writes of the instance for the version.
fn counted() -> Hooks {
    durable().on_put(|honest, key, value, options| async move {
        let written = honest.put_opts(&key, value, options).await?;
        let writes = honest.stats().await?.of(Operation::Put).calls;
        let version = Version::from_bytes(u128::from(writes).to_be_bytes());
        Ok(Written::new(version, written.acks))
    })
}

/// How often a fixture was restarted.
#[derive(Clone, Debug, Default)]
struct Restarts(Arc<AtomicU64>);

impl Restarts {
    /// A store that outlives restarts whole, and counts them.
    fn counted() -> (Self, Hooks) {
        let restarts = Self::default();
        let counting = restarts.clone();
        let hooks = restarting(move |store, _| {
            counting.0.fetch_add(1, Ordering::AcqRel);
            store.clone()
        });
        (restarts, hooks)
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    /// The namespace of `honest` as it would be if each restart had forgotten it.
    fn forgotten(&self, honest: &Honest) -> Result<MemoryBackend> {
        let mut name = BytesMut::from(honest.namespace.as_bytes().as_ref());
        name.put_u64(self.0.load(Ordering::Acquire));
        honest.store.open(Namespace::new(name.freeze())?)
    }
}

fn leases() -> Hooks {
    let (restarts, hooks) = Restarts::counted();
    let (acquiring, renewing, releasing) = (restarts.clone(), restarts.clone(), restarts.clone());
    hooks
        .on_acquire(move |honest, name, options| {
            let store = acquiring.forgotten(&honest);
            async move { store?.acquire_lease(&name, options).await }
        })
        .on_renew(move |honest, name, token, options| {
            let store = renewing.forgotten(&honest);
            async move { store?.renew_lease(&name, token, options).await }
        })
        .on_release(move |honest, name, owner, token| {
            let store = releasing.forgotten(&honest);
            async move { store?.release_lease(&name, owner, token).await }
        })
        .on_read_lease(move |honest, name| {
            let store = restarts.forgotten(&honest);
            async move { store?.read_lease(&name).await }
        })
}

/// The greatest tokens seen by lease, raised by writes and raised by reads.
#[derive(Debug, Default)]
struct Marks {
    written: HashMap<Key, FenceToken>,
    read: HashMap<Key, FenceToken>,
}

impl Marks {
    /// Refuses a stale token.
    fn check(&self, fence: &Fence) -> Result<()> {
        let seen = self.written.get(&fence.lease).max(self.read.get(&fence.lease));
        if seen.is_some_and(|seen| *seen > fence.token) {
            return Err(Error::new(ErrorKind::Fenced, "the lease has passed to another holder"));
        }
        Ok(())
    }
}

fn marks() -> Hooks {
    let marks = Arc::new(Mutex::new(Marks::default()));
    let (reading, restarted) = (Arc::clone(&marks), Arc::clone(&marks));
    let hooks = restarting(move |store, _| {
        restarted.lock().read.clear();
        store.clone()
    });
    hooks
        .on_get(move |honest, key, mut options| {
            let raised = options.fence.take().map_or(Ok(()), |fence| {
                let mut marks = reading.lock();
                marks.check(&fence)?;
                marks.read.insert(fence.lease, fence.token);
                Ok(())
            });
            async move {
                raised?;
                honest.get_opts(&key, options).await
            }
        })
        .on_put(move |honest, key, value, mut options| {
            let raised = options.fence.take().map_or(Ok(()), |fence| {
                let mut marks = marks.lock();
                marks.check(&fence)?;
                marks.written.insert(fence.lease, fence.token);
                Ok(())
            });
            async move {
                raised?;
                honest.put_opts(&key, value, options).await
            }
        })
}

fn new_history() -> Hooks {
    let (restarts, hooks) = Restarts::counted();
    hooks.on_watch(move |honest, mut options| {
        if let WatchStart::After(token) = &options.start
            && restarts.any()
        {
            let foreign: Vec<u8> = token.as_bytes().iter().map(|byte| !byte).collect();
            options.start = WatchStart::After(ResumeToken::from_bytes(foreign));
        }
        async move { honest.watch(options).await }
    })
}

fn silent() -> Hooks {
    let (restarts, hooks) = Restarts::counted();
    hooks.on_watch(move |honest, options| {
        let silent = restarts.any() && matches!(options.start, WatchStart::After(_));
        async move {
            if silent {
                return Ok(stream::empty().boxed());
            }
            honest.watch(options).await
        }
    })
}

fn hashes() -> Hooks {
    let (restarts, hooks) = Restarts::counted();
    let (setting, removing, counting, paging) =
        (restarts.clone(), restarts.clone(), restarts.clone(), restarts.clone());
    hooks
        .on_hash_set(move |honest, key, fields, options| {
            let store = setting.forgotten(&honest);
            async move { store?.hash_set(&key, fields, options).await }
        })
        .on_hash_remove(move |honest, key, options| {
            let store = removing.forgotten(&honest);
            async move { store?.hash_remove(&key, options).await }
        })
        .on_hash_increment(move |honest, key, field, by, options| {
            let store = counting.forgotten(&honest);
            async move { store?.hash_increment(&key, &field, by, options).await }
        })
        .on_hash_page(move |honest, key, options| {
            let store = paging.forgotten(&honest);
            async move { store?.hash_page(&key, options).await }
        })
        .on_hash_delete(move |honest, key, fields, options| {
            let store = restarts.forgotten(&honest);
            async move { store?.hash_delete(&key, &fields, options).await }
        })
}

fn lifetimes() -> Hooks {
    let (restarts, hooks) = Restarts::counted();
    hooks.on_hash_state(move |honest, key, consistency| {
        let forgets = restarts.any();
        async move {
            let mut state = honest.hash_state(&key, consistency).await?;
            if let Some(state) = state.as_mut().filter(|_| forgets) {
                state.expires = Expires::Never;
            }
            Ok(state)
        }
    })
}
