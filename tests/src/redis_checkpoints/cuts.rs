//! The connection is cut at every moment of every command of a call; sent again, it is there once.
//!
//! Each call is made once without a cut: afterwards, everything that can be read of all threads, and the names of all
//! that is stored of them, must be the same with one.

use libtest_mimic::Failed;
use state_checkpoint::{CheckpointOptions, Checkpoints};
use state_core::checkpoint::{
    CheckpointTuple, Checkpointer, CheckpointerExt, DeleteThread, HistoryOptions, ListCheckpoints,
    ListThreads, PendingWrite, PruneOptions, PutCheckpoint, PutWrites, Retention,
};
use state_core::{Error, ErrorKind, Namespace, Outcome};
use state_redis::{RedisStore, RedisThreads};

use super::conversation::{payload, reference, turn};
use crate::chat::text;
use crate::proxy::{Cut, Moment, Proxy};
use crate::redis_stage::Stage;
use crate::servers::Reply;

type Store = Checkpoints<RedisThreads>;

/// More than any of the calls sends to one node.
const COMMANDS: u64 = 16;
/// More than a whole test sends.
const NEVER: u64 = 1 << 40;
const STEPS: usize = 5;
/// So much that a segment is full after these steps.
const MESSAGE_BYTES: usize = 900;
const RUNS: [&str; 2] = ["run a", "run b"];
/// Content that lies in segments of its own.
const LARGE_BYTES: usize = 20_000;

/// The names of all that is stored of threads, but for copies that are not finished.
const NAMES: &str = r"
local names = {}
for _, key in ipairs(redis.call('KEYS', 'state:default:t:*')) do
  if not string.find(key, '}copy:', 1, true) then
    local kind = redis.call('TYPE', key).ok
    local inside = kind == 'hash' and redis.call('HKEYS', key) or {}
    for _, name in ipairs(inside) do names[#names + 1] = key .. ' ' .. name end
    names[#names + 1] = key .. ' ' .. (kind == 'zset' and redis.call('ZCARD', key) or kind)
  end
end
return names";

/// The calls that are cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Call {
    Create,
    Put,
    /// A put that takes a compressed segment along.
    Seal,
    FirstOfRun,
    Writes,
    Get,
    List,
    History,
    Copy,
    Fork,
    Prune,
    DeleteRuns,
    Delete,
    Bury,
}

const CALLS: [Call; 14] = [
    Call::Create,
    Call::Put,
    Call::Seal,
    Call::FirstOfRun,
    Call::Writes,
    Call::Get,
    Call::List,
    Call::History,
    Call::Copy,
    Call::Fork,
    Call::Prune,
    Call::DeleteRuns,
    Call::Delete,
    Call::Bury,
];

/// Everything that is there after a call.
#[derive(Debug, Eq, PartialEq)]
struct There {
    checkpoints: Vec<CheckpointTuple>,
    /// Threads, their checkpoints, and what they take.
    threads: Vec<(String, u64, u64)>,
    /// The names of all that is stored of threads.
    rows: Vec<String>,
}

/// Every moment of every command of every call on one server; where there are more, the one moment at which a call was made
/// and nobody knows, of calls that change something.
pub(super) fn everywhere(stage: &Stage) -> Result<(), Failed> {
    let alone = stage.servers.setup().is_one_server();
    let moments = if alone { Moment::ALL.as_slice() } else { &[Moment::BeforeReply] };
    stage.run(async {
        let store = RedisStore::connect_with(stage.config()?).await?;
        let bench = Bench { stage, store, primaries: stage.servers.primaries() };
        let mut cut = 0;
        for call in CALLS.into_iter().filter(|call| alone || !call.reads()) {
            let wanted = bench.uncut(call).await.map_err(|error| format!("{call:?}: {error:?}"))?;
            for moment in moments {
                for command in 1..=COMMANDS {
                    let what = format!("{call:?}, command {command} {moment:?}");
                    let met = bench.cut(call, Cut::reset(command, *moment), &wanted).await;
                    let met = met.map_err(|error| format!("{what}: {error:?}"))?;
                    cut += met;
                    if met == 0 {
                        break;
                    }
                }
            }
        }
        let least = if alone { 200 } else { 20 };
        assert!(cut >= least, "only {cut} cuts were met");
        Ok(())
    })
}

struct Bench<'a> {
    stage: &'a Stage,
    store: RedisStore,
    primaries: Vec<usize>,
}

impl Bench<'_> {
    fn open(&self) -> Result<Store, Failed> {
        Ok(self.store.checkpoints(Namespace::default(), CheckpointOptions::new())?)
    }

    /// Makes what is there before a call, and who makes the call: for a read, somebody who knows nothing.
    async fn begin(&self, call: Call) -> Result<Store, Failed> {
        let store = self.open()?;
        begin(&store, call).await?;
        if call.reads() { self.open() } else { Ok(store) }
    }

    /// What the call says, and what is there afterwards, when nothing happens to it.
    async fn uncut(&self, call: Call) -> Result<(String, There), Failed> {
        let store = self.begin(call).await?;
        let said = act(&store, call).await?;
        let there = self.there(call).await?;
        if call == Call::Seal {
            let key = "state:default:t:{t}history";
            let held: Vec<Reply> = self
                .primaries(&["HGET", key, "s0"])?
                .into_iter()
                .filter(|reply| matches!(reply, Reply::Bulk(frame) if frame.first() == Some(&2)))
                .collect();
            assert!(!held.is_empty(), "no compressed segment went along");
        }
        if call == Call::Prune {
            let steps: Vec<_> =
                there.checkpoints.iter().map(|tuple| tuple.reference.clone()).collect();
            assert_eq!(steps, [STEPS - 1, STEPS - 2].map(|number| reference("t", number)));
            let taken = there.threads.first().map_or(0, |(_, _, bytes)| *bytes);
            assert!(taken < LARGE_BYTES as u64 / 2, "{taken} bytes: content was left over");
        }
        self.end(&store, call).await?;
        Ok((said, there))
    }

    /// One call with one cut; how often that was met.
    async fn cut(&self, call: Call, cut: Cut, wanted: &(String, There)) -> Result<u64, Failed> {
        let store = self.begin(call).await?;
        let done = || -> u64 { self.stage.proxies().map(Proxy::cuts_done).sum() };
        let before = done();
        self.stage.proxies().for_each(|proxy| proxy.cut(cut));
        let first = act(&store, call).await;
        let met = done() - before;
        let never = Cut { command: NEVER, ..cut };
        self.stage.proxies().for_each(|proxy| proxy.cut(never));
        let told = match first {
            Ok(said) => {
                assert_eq!(said, wanted.0, "what the call says");
                if call.may_be_repeated() { act(&store, call).await.map(drop) } else { Ok(()) }
            }
            // The first try may fail, but only with an outcome that is not known; the second must not.
            Err(error) if is_open(&error) => match act(&store, call).await.map(drop) {
                // The first copy was made.
                Err(error) if call.copies() && error.kind() == ErrorKind::Conflict => Ok(()),
                second => second,
            },
            Err(error) => Err(error),
        };
        told?;
        assert_eq!(self.there(call).await?, wanted.1, "what is there");
        self.end(&store, call).await?;
        Ok(met)
    }

    /// Everything that is there, as somebody sees it who knows nothing.
    async fn there(&self, call: Call) -> Result<There, Failed> {
        let cold = self.open()?;
        let all = ListCheckpoints::all().with_limit(1_000);
        let mut checkpoints = cold.list_checkpoints(all).await?.items;
        checkpoints.sort_by(|a, b| b.reference.cmp(&a.reference));
        let threads = cold.list_threads(ListThreads::new()).await?.items;
        // What a segment takes depends on whether a compressed one went along.
        let bytes = |bytes| if call == Call::Seal { 0 } else { bytes };
        let threads = threads.into_iter();
        let mut threads: Vec<_> = threads
            .map(|one| (one.thread.as_str().to_owned(), one.checkpoints, bytes(one.bytes)))
            .collect();
        threads.sort();
        let mut rows = Vec::new();
        for names in self.primaries(&["EVAL", NAMES, "0"])? {
            rows.extend(names.items().iter().map(Reply::text));
        }
        rows.sort();
        Ok(There { checkpoints, threads, rows })
    }

    /// Deletes all threads, which leaves nothing.
    async fn end(&self, store: &Store, call: Call) -> Result<(), Failed> {
        for thread in ["t", "copy"] {
            store.delete_thread(thread).await?;
        }
        let mut left = Vec::new();
        for keys in self.primaries(&["KEYS", "*"])? {
            left.extend(keys.items().iter().map(Reply::text));
        }
        // An unfinished copy goes by itself.
        left.retain(|key| !key.contains("}copy:"));
        let buried: &[&str] =
            if call == Call::Bury { &["state:default:t:{t}deleted"] } else { &[] };
        assert_eq!(left, buried, "what is left over");
        self.primaries(&["FLUSHALL"]).map(drop)
    }

    /// The answers of all primaries that have the key, or are asked for none.
    fn primaries(&self, words: &[&str]) -> Result<Vec<Reply>, Failed> {
        let mut answers = Vec::new();
        for place in &self.primaries {
            let answer = self.stage.servers.admin(*place, words)?;
            if !matches!(&answer, Reply::Error(error) if error.starts_with("MOVED")) {
                answers.push(answer.ok()?);
            }
        }
        Ok(answers)
    }
}

/// Whether it is open what has become of a call.
fn is_open(error: &Error) -> bool {
    error.outcome() == Outcome::Unknown
        || matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

impl Call {
    fn copies(self) -> bool {
        matches!(self, Self::Copy | Self::Fork)
    }

    fn reads(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::History)
    }

    /// Whether it changes nothing when it is made again after it was answered.
    fn may_be_repeated(self) -> bool {
        !self.copies()
    }
}

/// What the list of the thread is after so many steps.
fn list(steps: usize) -> String {
    let mut list = "[]".to_owned();
    for number in 0..steps {
        drop(turn("t", number, &mut list, &text(number as u64, MESSAGE_BYTES)));
    }
    list
}

fn step(number: usize, run: &str) -> PutCheckpoint {
    let mut put = turn("t", number, &mut list(number), &text(number as u64, MESSAGE_BYTES));
    put.metadata = put.metadata.with("run_id", run);
    put
}

fn write(index: i32) -> PendingWrite {
    PendingWrite::new("task", index, "messages", payload("\"value\""))
}

/// What is there before a call.
async fn begin(store: &Store, call: Call) -> Result<(), Failed> {
    if call == Call::Create {
        return Ok(());
    }
    let run = |number| if number + 2 < STEPS { RUNS[0] } else { RUNS[1] };
    for number in 0..STEPS - 1 {
        store.put_checkpoint(step(number, run(number))).await?;
        let writes = PutWrites::new(reference("t", number), vec![write(0)]);
        store.put_writes(writes).await?;
        if number == 0 && matches!(call, Call::Prune | Call::DeleteRuns) {
            // Beside a message it would stay with it, which all later steps are made from.
            let large = payload(&text(9, LARGE_BYTES));
            let large = PendingWrite::new("large", 0, "large", large);
            store.put_writes(PutWrites::new(reference("t", 0), vec![large])).await?;
        }
    }
    // With this one a segment is full, and the next change takes it along.
    if matches!(call, Call::Seal | Call::Prune) {
        store.put_checkpoint(step(STEPS - 1, RUNS[1])).await?;
    }
    Ok(())
}

/// Makes the call; says what must be the same whether or not it was sent twice.
async fn act(store: &Store, call: Call) -> state_core::Result<String> {
    let nothing = String::new;
    let at = || reference("t", STEPS - 2);
    match call {
        Call::Create => store.put_checkpoint(step(0, RUNS[0])).await.map(|_| nothing()),
        Call::Put => store.put_checkpoint(step(STEPS - 1, RUNS[1])).await.map(|_| nothing()),
        Call::Seal => store.put_checkpoint(step(STEPS, RUNS[1])).await.map(|_| nothing()),
        Call::FirstOfRun => store.put_checkpoint(step(STEPS - 1, "run c")).await.map(|_| nothing()),
        Call::Writes => {
            let writes = PutWrites::new(reference("t", 1), vec![write(0), write(1), write(-1)]);
            store.put_writes(writes).await.map(|_| nothing())
        }
        Call::Get => store.latest("t").await.map(|found| format!("{found:?}")),
        Call::List => {
            let page = store.list_checkpoints(ListCheckpoints::of("t")).await?;
            Ok(format!("{:?}", page.items))
        }
        Call::History => {
            let asked = HistoryOptions::new(at(), ["messages", "other"]);
            store.channel_history(asked).await.map(|found| format!("{found:?}"))
        }
        Call::Copy => store.copy_thread("t", "copy").await.map(|copied| copied.to_string()),
        Call::Fork => store.fork(&at(), "copy").await.map(|copied| copied.to_string()),
        Call::Prune => {
            let options = PruneOptions::new(Retention::KeepLast(2));
            store.prune(&["t".into()], options).await.map(|_| nothing())
        }
        Call::DeleteRuns => store.delete_for_runs(&[RUNS[0].to_owned()]).await.map(|_| nothing()),
        // Never that there was none, because an answer was lost.
        Call::Delete => store.delete_thread("t").await.map(|existed| existed.to_string()),
        Call::Bury => {
            let delete = DeleteThread::new("t").with_tombstone(DeleteThread::TOMBSTONE);
            store.delete_thread_opts(delete).await.map(|existed| existed.to_string())
        }
    }
}
