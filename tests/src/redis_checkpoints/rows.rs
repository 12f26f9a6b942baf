//! Rows that are not what this version has put there: each is its error, and nothing is written.

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    Checkpointer, CheckpointerExt, DeleteThread, GetCheckpoint, ListCheckpoints, ListThreads,
    PendingWrite, PutWrites, Retention, ThreadId,
};
use state_core::{ErrorKind, Namespace, Outcome};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{id, payload, put_turn, reference, turn};
use super::keys::{all, digest};
use crate::redis_stage::{Stage, fails};

type Store = Checkpoints<RedisThreads>;

const STEPS: usize = 4;

/// The bytes in front of a record, and where in it stand its version and its digest.
const HEADER_BYTES: usize = 12;

/// Sets a byte of a field of a hash, or flips it. KEYS: the hash. ARGV: the field, from its `c` on the id, where, the byte.
const SET_BYTE: &str = r"
local field = ARGV[1]
local row = redis.call('HGET', KEYS[1], field)
local at = tonumber(ARGV[2]) + 1
local byte = ARGV[3] == 'flip' and bit.bxor(string.byte(row, at), 255) or tonumber(ARGV[3])
redis.call('HSET', KEYS[1], field, string.sub(row, 1, at - 1) .. string.char(byte) .. string.sub(row, at + 1))
return 'OK'";

struct Rows<'a> {
    stage: &'a Stage,
    store: RedisStore,
    writer: Store,
}

impl<'a> Rows<'a> {
    /// A thread `t` of some steps, the last with a write.
    async fn new(stage: &'a Stage) -> Result<Self, Failed> {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let writer = store.checkpoints(Namespace::default(), CheckpointOptions::new())?;
        let mut list = "[]".to_owned();
        for number in 0..STEPS {
            put_turn(&writer, "t", number, &mut list, "a turn of some length").await?;
        }
        let write = PendingWrite::new("task", 0, "c", payload("1"));
        writer.put_writes(PutWrites::new(reference("t", STEPS - 1), vec![write])).await?;
        Ok(Self { stage, store, writer })
    }

    /// An instance that has nothing at hand.
    fn cold(&self) -> Result<Store, Failed> {
        Ok(self.store.checkpoints(Namespace::default(), CheckpointOptions::new())?)
    }

    fn set_byte(&self, field: &str, at: usize, byte: &str) -> Result<(), Failed> {
        let (key, at) = ("state:default:t:{t}history", at.to_string());
        self.stage.admin(&["EVAL", SET_BYTE, "1", key, field, &at, byte])?;
        Ok(())
    }

    /// The calls must fail in this way, and leave everything on the server as it is.
    async fn refused(&self, thread: &str, calls: &[Call], kind: ErrorKind) -> Result<(), Failed> {
        for call in calls {
            let before = (all(self.stage)?, digest(self.stage)?);
            let answer = call.on(&self.cold()?, thread).await;
            let answer = fails(answer, kind, Outcome::NotApplied);
            answer.map_err(|failed| format!("{call:?} of {thread}: {failed:?}"))?;
            let after = (all(self.stage)?, digest(self.stage)?);
            assert_eq!(after, before, "{call:?} of {thread} has written something");
        }
        Ok(())
    }
}

/// A call that meets the row.
#[derive(Clone, Copy, Debug)]
enum Call {
    Latest,
    At(usize),
    List,
    /// A put that continues from this step.
    Put(usize),
    Writes,
    Copy,
    Fork(usize),
    Prune,
    Bury,
}

impl Call {
    async fn on(self, store: &Store, thread: &str) -> state_core::Result<()> {
        match self {
            Self::Latest => store.latest(thread).await.map(drop),
            Self::At(number) => {
                let get = GetCheckpoint::at(thread, id(number));
                store.get_checkpoint(get).await.map(drop)
            }
            Self::List => store.list_checkpoints(ListCheckpoints::of(thread)).await.map(drop),
            Self::Put(parent) => {
                let put = turn(thread, STEPS, &mut "[\"else\"]".to_owned(), "more");
                store.put_checkpoint(put.with_parent(Some(id(parent).into()))).await.map(drop)
            }
            Self::Writes => {
                let write = PendingWrite::new("late", 0, "c", payload("2"));
                let writes = PutWrites::new(reference(thread, 0), vec![write]);
                store.put_writes(writes).await.map(drop)
            }
            Self::Copy => store.copy_thread(thread, "copy").await.map(drop),
            Self::Fork(number) => store.fork(&reference(thread, number), "fork").await.map(drop),
            Self::Prune => store.prune_thread(thread, Retention::KeepLatest).await.map(drop),
            Self::Bury => {
                let delete = DeleteThread::new(thread).with_tombstone(DeleteThread::TOMBSTONE);
                store.delete_thread_opts(delete).await.map(drop)
            }
        }
    }
}

/// The last step is of a later version; then the whole thread is.
pub(super) fn later(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let rows = Rows::new(stage).await?;
        let last = STEPS - 1;
        let field = format!("c{}\0", id(last));
        rows.set_byte(&field, HEADER_BYTES, "2")?;
        let meeting = [
            Call::Latest,
            Call::At(last),
            Call::List,
            Call::Put(last),
            Call::Copy,
            Call::Fork(last),
            Call::Prune,
        ];
        rows.refused("t", &meeting, ErrorKind::Unsupported).await?;
        // Whoever does not meet it goes on.
        assert!(rows.cold()?.at(&reference("t", 0)).await?.is_some());
        rows.set_byte(&field, HEADER_BYTES, "1")?;
        assert!(rows.cold()?.latest("t").await?.is_some());

        rows.set_byte("head", 0, "2")?;
        let all = [
            Call::Latest,
            Call::At(0),
            Call::List,
            Call::Put(0),
            Call::Writes,
            Call::Copy,
            Call::Fork(0),
            Call::Prune,
            Call::Bury,
        ];
        rows.refused("t", &all, ErrorKind::Unsupported).await?;
        // The others are listed, and this one is named.
        put_turn(&rows.writer, "u", 0, &mut "[]".to_owned(), "a turn").await?;
        let listed = rows.cold()?.list_threads(ListThreads::new()).await?.items;
        let mut listed: Vec<_> =
            listed.iter().map(|summary| (summary.thread.as_str(), summary.unreadable)).collect();
        listed.sort_unstable_by_key(|(thread, _)| *thread);
        assert_eq!(listed, [("t", Some(ErrorKind::Unsupported)), ("u", None)]);
        let known = turn("t", STEPS, &mut "[]".to_owned(), "more");
        let answer = rows.writer.put_checkpoint(known).await;
        fails(answer, ErrorKind::Unsupported, Outcome::NotApplied)?;
        rows.set_byte("head", 0, "1")?;
        assert!(rows.writer.latest("t").await?.is_some());
        Ok(())
    })
}

/// The keys of a thread under the name of another, all of them or its history alone.
pub(super) fn moved(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let rows = Rows::new(stage).await?;
        let last = STEPS - 1;
        let copy = |part: &str, to: &str| {
            let (from, to) =
                (format!("state:default:t:{{t}}{part}"), format!("state:default:t:{{{to}}}{part}"));
            stage.admin(&["COPY", &from, &to])
        };
        copy("history", "part")?;
        for part in ["history", "order", "writes"] {
            copy(part, "whole")?;
        }
        let meeting = [
            Call::Latest,
            Call::At(0),
            Call::List,
            Call::Put(last),
            Call::Copy,
            Call::Fork(last),
            Call::Prune,
        ];
        rows.refused("whole", &meeting, ErrorKind::Corrupt).await?;
        rows.refused("part", &meeting, ErrorKind::Corrupt).await?;
        rows.refused("part", &[Call::Writes], ErrorKind::Corrupt).await?;
        // Renamed, the thread itself is gone, and the one whose name its keys bear is damaged.
        let whole: ThreadId = "whole".into();
        assert!(rows.cold()?.delete_thread(whole.clone()).await?, "it can be deleted");
        for part in ["history", "order", "writes"] {
            let from = format!("state:default:t:{{t}}{part}");
            stage.admin(&["RENAME", &from, &format!("state:default:t:{{whole}}{part}")])?;
        }
        rows.refused("whole", &meeting, ErrorKind::Corrupt).await?;
        assert!(rows.writer.latest("t").await?.is_none());
        for thread in [whole, "part".into()] {
            assert!(rows.cold()?.delete_thread(thread).await?);
        }
        let left = all(stage)?;
        assert!(left.iter().all(|key| key.starts_with("state:default:i:")), "{left:?}");
        Ok(())
    })
}

/// A put that needs its parent does not pass over damage in it.
pub(super) fn damaged_parent(stage: &Stage) -> Result<(), Failed> {
    stage.run(async {
        let rows = Rows::new(stage).await?;
        let last = STEPS - 1;
        let field = format!("c{}\0", id(last));
        // The digest, the checksum, and the record itself.
        for at in [1, 9, 18, 30] {
            rows.set_byte(&field, HEADER_BYTES + at, "flip")?;
            let calls = [Call::Put(last), Call::Latest, Call::List, Call::Copy, Call::Prune];
            rows.refused("t", &calls, ErrorKind::Corrupt).await?;
            rows.set_byte(&field, HEADER_BYTES + at, "flip")?;
        }
        // Where a value begins, behind what stands in front of its description: its record is as it was.
        rows.set_byte("d0", 10, "flip")?;
        rows.refused("t", &[Call::At(0), Call::List], ErrorKind::Corrupt).await?;
        rows.set_byte("d0", 10, "flip")?;
        Call::Put(last).on(&rows.cold()?, "t").await?;
        assert_eq!(
            rows.cold()?.list_checkpoints(ListCheckpoints::of("t")).await?.items.len(),
            STEPS + 1
        );
        Ok(())
    })
}
