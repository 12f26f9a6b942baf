//! How long threads live on a real server: all keys of a thread have one end, and it is the right one.
//!
//! The clauses about this move a clock, which no server lets anybody do; so the ends themselves are read.

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, CopyOptions, DeleteThread, GetCheckpoint, HistoryOptions,
    ListCheckpoints, ListThreads, PendingWrite, PruneOptions, PutReceipt, PutWrites, Retention,
    ThreadLifetime,
};
use state_core::{ErrorKind, Namespace, Outcome};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{payload, reference, turn};
use super::keys::{all, end_in, ends, now_ms};
use crate::redis_stage::{Stage, fails, until_so};

/// The lifetime that is configured, and another one.
const CONFIGURED: Duration = Duration::from_secs(1_000);
const ASKED: Duration = Duration::from_secs(5_000);
const AFTER: ThreadLifetime = ThreadLifetime::After(ASKED);
/// What is left when much of a lifetime has passed.
const SOON_MS: u64 = 600_000;

type Store = Checkpoints<RedisThreads>;

/// What tests of lifetimes have at hand.
struct Lives<'a> {
    stage: &'a Stage,
    /// With a lifetime, and without one.
    limited: Store,
    endless: Store,
    store: RedisStore,
}

impl<'a> Lives<'a> {
    async fn new(stage: &'a Stage) -> Result<Self, Failed> {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let options = CheckpointOptions::new();
        let limited = options.clone().with_lifetime(CONFIGURED);
        Ok(Self {
            stage,
            limited: store.checkpoints(Namespace::default(), limited)?,
            endless: store.checkpoints(Namespace::default(), options)?,
            store,
        })
    }

    /// Another instance, which reads with these options.
    fn cold(&self, options: CheckpointOptions) -> Result<Store, Failed> {
        Ok(self.store.checkpoints(Namespace::default(), options)?)
    }

    /// The end of all keys of a thread, of which there must be so many; `None` without one.
    fn end(&self, thread: &str, keys: usize) -> Result<Option<i64>, Failed> {
        let ends = ends(self.stage, thread)?;
        assert_eq!(ends.len(), keys, "keys of {thread}: {ends:?}");
        let first = *ends.values().next().ok_or("no keys")?;
        assert!(ends.values().all(|end| *end == first), "{thread} would end in parts: {ends:?}");
        Ok((first != -1).then_some(first))
    }

    /// The call must set the end of all keys to `life` from its own time on.
    async fn begins<T>(
        &self,
        (thread, keys): (&str, usize),
        life: Duration,
        call: impl Future<Output = state_core::Result<T>>,
    ) -> Result<T, Failed> {
        let life_ms = i64::try_from(life.as_millis())?;
        let before = now_ms(self.stage)?;
        let answer = call.await?;
        let after = now_ms(self.stage)?;
        let end = self.end(thread, keys)?.ok_or("the thread has no end")?;
        let wanted = before + life_ms..=after + life_ms;
        assert!(wanted.contains(&end), "{thread}: {end} is not within {wanted:?}");
        Ok(answer)
    }

    /// The call must leave the end of all keys where it is.
    async fn leaves<T>(
        &self,
        (thread, before, after): (&str, usize, usize),
        call: impl Future<Output = state_core::Result<T>>,
    ) -> Result<T, Failed> {
        let wanted = self.end(thread, before)?;
        let answer = call.await?;
        assert_eq!(self.end(thread, after)?, wanted, "the end of {thread}");
        Ok(answer)
    }
}

async fn put(
    store: &Store,
    thread: &str,
    number: usize,
    lifetime: ThreadLifetime,
) -> state_core::Result<PutReceipt> {
    let put = turn(thread, number, &mut "[]".to_owned(), "says this");
    store.put_checkpoint(put.with_lifetime(lifetime)).await
}

async fn write(store: &Store, thread: &str, lifetime: ThreadLifetime) -> state_core::Result<()> {
    let write = PendingWrite::new("task", 0, "c", payload("1"));
    let put = PutWrites::new(reference(thread, 0), vec![write]);
    store.put_writes(put.with_lifetime(lifetime)).await.map(drop)
}

/// Every lifetime that a put, writes, a copy or a pruning can name, and all keys after each.
pub(super) fn one_end(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let lives = Lives::new(stage).await?;
        let (limited, endless) = (&lives.limited, &lives.endless);

        // The one that is configured, from each change on, and for a key that comes later.
        lives.begins(("d", 2), CONFIGURED, put(limited, "d", 0, ThreadLifetime::Default)).await?;
        lives.begins(("d", 3), CONFIGURED, write(limited, "d", ThreadLifetime::Default)).await?;
        lives.begins(("d", 3), ASKED, put(limited, "d", 1, AFTER)).await?;
        lives.begins(("d", 3), CONFIGURED, put(limited, "d", 2, ThreadLifetime::Default)).await?;
        // Writes alone make a thread of two keys.
        lives.begins(("w", 2), ASKED, write(limited, "w", AFTER)).await?;
        lives.begins(("w", 3), CONFIGURED, put(limited, "w", 0, ThreadLifetime::Default)).await?;

        // Kept, also by a key that is made now; of a thread that is made it is the default.
        lives.begins(("k", 2), ASKED, put(limited, "k", 0, AFTER)).await?;
        lives.leaves(("k", 2, 2), put(limited, "k", 1, ThreadLifetime::Keep)).await?;
        lives.leaves(("k", 2, 3), write(limited, "k", ThreadLifetime::Keep)).await?;
        lives.leaves(("k", 3, 3), put(endless, "k", 2, ThreadLifetime::Keep)).await?;
        lives.begins(("k2", 2), CONFIGURED, put(limited, "k2", 0, ThreadLifetime::Keep)).await?;
        put(endless, "k3", 0, ThreadLifetime::Keep).await?;
        assert_eq!(lives.end("k3", 2)?, None);

        // Pinned, until a lifetime is named.
        put(limited, "p", 0, AFTER).await?;
        put(limited, "p", 1, ThreadLifetime::Pinned).await?;
        assert_eq!(lives.end("p", 2)?, None);
        write(limited, "p", ThreadLifetime::Default).await?;
        put(limited, "p", 2, ThreadLifetime::Keep).await?;
        let refresh = || GetCheckpoint::latest("p").with_refresh(true);
        limited.get_checkpoint(refresh()).await?.ok_or("it is there")?;
        assert_eq!(lives.end("p", 3)?, None);
        lives.begins(("p", 3), ASKED, put(limited, "p", 3, AFTER)).await?;

        // A default of none takes an end away.
        put(endless, "n", 0, AFTER).await?;
        write(endless, "n", ThreadLifetime::Default).await?;
        assert_eq!(lives.end("n", 3)?, None);

        // A copy has a lifetime of its own, and its source keeps the one that it has.
        let copy = |to: &'static str, options| async move {
            endless.copy_thread_opts(&"k".into(), &to.into(), options).await
        };
        let named = CopyOptions::new().with_lifetime(AFTER);
        let before = lives.end("k", 3)?;
        lives.begins(("c", 3), ASKED, copy("c", named)).await?;
        assert_eq!(lives.end("k", 3)?, before);
        copy("c2", CopyOptions::new()).await?;
        assert_eq!(lives.end("c2", 3)?, None);
        let first = reference("k", 1);
        let fork = limited.fork(&first, "f");
        lives.begins(("f", 3), CONFIGURED, fork).await?;

        // What is taken away of a thread leaves its end.
        let last = || PruneOptions::new(Retention::KeepLast(1));
        let threads = ["k".into()];
        let pruned = lives.leaves(("k", 3, 3), limited.prune(&threads, last())).await?;
        assert_eq!(pruned.removed, 2);
        Ok(())
    })
}

/// Reads that begin the lifetime anew do so for all keys, by whatever way they find the checkpoint.
pub(super) fn reads(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let lives = Lives::new(stage).await?;
        let store = &lives.limited;
        put(store, "t", 0, AFTER).await?;
        put(store, "t", 1, ThreadLifetime::Keep).await?;
        write(store, "t", ThreadLifetime::Keep).await?;
        let (latest, first) =
            (GetCheckpoint::latest("t"), GetCheckpoint::at("t", reference("t", 0).id));
        let asked = |get: &GetCheckpoint| get.clone().with_refresh(true);
        let cold = || lives.cold(CheckpointOptions::new());
        for get in [&latest, &first] {
            // One that has it at hand, and one that has nothing.
            for reader in [store, &cold()?] {
                end_in(stage, "t", SOON_MS)?;
                let found = lives.begins(("t", 3), ASKED, reader.get_checkpoint(asked(get)));
                assert!(found.await?.is_some());
            }
            let always = lives.cold(CheckpointOptions::new().with_refresh_on_read(true))?;
            for _ in 0..2 {
                end_in(stage, "t", SOON_MS)?;
                lives.begins(("t", 3), ASKED, always.get_checkpoint(get.clone())).await?;
            }
            let not = get.clone().with_refresh(false);
            lives.leaves(("t", 3, 3), always.get_checkpoint(not)).await?;
            lives.leaves(("t", 3, 3), cold()?.get_checkpoint(get.clone())).await?;
        }
        lives.leaves(("t", 3, 3), store.list_checkpoints(ListCheckpoints::of("t"))).await?;
        lives.leaves(("t", 3, 3), store.list_threads(ListThreads::new())).await?;
        let history = HistoryOptions::new(reference("t", 1), ["c"]);
        lives.leaves(("t", 3, 3), store.channel_history(history)).await?;
        // What is not there is not made by reading it.
        assert!(
            store.get_checkpoint(GetCheckpoint::latest("no").with_refresh(true)).await?.is_none()
        );
        assert!(ends(stage, "no")?.is_empty());
        Ok(())
    })
}

/// A deletion that leaves a mark leaves nothing else, and the mark does what it is for.
pub(super) fn tombstones(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let lives = Lives::new(stage).await?;
        let store = &lives.limited;
        put(store, "other", 0, ThreadLifetime::Default).await?;
        put(store, "t", 0, AFTER).await?;
        write(store, "t", AFTER).await?;
        let delete = |life| DeleteThread::new("t").with_tombstone(life);
        let deleted = lives.begins(("t", 1), ASKED, store.delete_thread_opts(delete(ASKED)));
        assert!(deleted.await?);
        assert!(ends(stage, "t")?.contains_key("deleted"));

        let (before, mark) = (all(stage)?, ends(stage, "t")?);
        for late in [store, &lives.cold(CheckpointOptions::new())?] {
            let refused = |answer| fails::<()>(answer, ErrorKind::Conflict, Outcome::NotApplied);
            refused(put(late, "t", 1, ThreadLifetime::Default).await.map(drop))?;
            refused(write(late, "t", ThreadLifetime::Pinned).await)?;
            refused(late.copy_thread("other", "t").await.map(drop))?;
            assert!(late.latest("t").await?.is_none());
            assert!(!late.delete_thread("t").await?);
        }
        assert_eq!((all(stage)?, ends(stage, "t")?), (before, mark), "something was written");

        let anew = turn("t", 5, &mut "[]".to_owned(), "anew").with_recreate(true);
        lives.begins(("t", 2), CONFIGURED, store.put_checkpoint(anew)).await?;
        assert!(!ends(stage, "t")?.contains_key("deleted"), "the mark is gone");
        let found = store.list_checkpoints(ListCheckpoints::of("t")).await?.items;
        assert_eq!(found.len(), 1, "nothing of the thread before");
        assert!(found.iter().all(|tuple| tuple.pending_writes.is_empty()));

        // A mark ends by itself, and then nothing is refused.
        assert!(store.delete_thread_opts(delete(Duration::from_millis(1))).await?);
        until_so("the mark is gone", || ends(stage, "t").is_ok_and(|ends| ends.is_empty())).await?;
        put(store, "t", 1, ThreadLifetime::Default).await?;
        assert!(store.delete_thread("t").await? && store.delete_thread("other").await?);
        assert_eq!(all(stage)?, Vec::<String>::new());
        Ok(())
    })
}

/// A thread whose end has come is gone for every call, while its keys still lie on the server.
pub(super) fn ended(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let lives = Lives::new(stage).await?;
        let store = &lives.endless;
        put(store, "stays", 0, ThreadLifetime::Default).await?;
        stage.admin(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"])?;
        for number in 0..3 {
            put(store, "t", number, ThreadLifetime::Default).await?;
        }
        // Long enough to ask for the end before it comes: who asks for an expired key takes it away.
        write(store, "t", ThreadLifetime::After(Duration::from_millis(500))).await?;
        let end = ends(stage, "t")?.into_values().max().unwrap_or_default();
        until_so("its end has come", || now_ms(stage).is_ok_and(|now| now > end)).await?;
        let size = || -> Result<u64, Failed> { Ok(stage.admin(&["DBSIZE"])?.text().parse()?) };
        // Three keys of it, two of the other, and up to two indexes.
        assert!(size()? >= 6, "nobody has taken its keys away");
        for reader in [store, &lives.cold(CheckpointOptions::new())?] {
            assert!(reader.latest("t").await?.is_none());
            assert!(reader.at(&reference("t", 1)).await?.is_none());
            assert!(reader.list_checkpoints(ListCheckpoints::of("t")).await?.items.is_empty());
            let found = reader.list_threads(ListThreads::new()).await?.items;
            assert!(found.iter().all(|summary| summary.thread.as_str() == "stays"), "{found:?}");
            assert_eq!(reader.copy_thread("t", "copy").await?, 0);
        }
        // Made anew, it has nothing of the thread before.
        put(store, "t", 7, ThreadLifetime::Default).await?;
        assert_eq!(
            ends(stage, "t")?,
            BTreeMap::from(["history", "order"].map(|part| (part.to_owned(), -1)))
        );
        let found = lives.cold(CheckpointOptions::new())?;
        let found = found.list_checkpoints(ListCheckpoints::of("t")).await?.items;
        assert_eq!(found.len(), 1);
        Ok(())
    })
}
