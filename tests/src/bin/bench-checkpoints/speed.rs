//! Puts and gets of whole states beside a raw `SET` and `GET` of the encoded state.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use state_core::checkpoint::{CheckpointRef, Checkpointer, CheckpointerExt};
use state_tests::bench::{Caller, Figure, Outcome, Pace};
use state_tests::chat::text;

use crate::ground::Ground;
use crate::steps::{id, put};

const SIZES: [(&str, usize); 2] = [("4 KB", 4_000), ("100 KB", 100_000)];
const TASKS: [usize; 3] = [1, 32, 256];
/// Of states of 4 KB.
const SMALL_GOAL: f64 = 0.7;
/// Of a small change of a large state.
const LARGE_GOAL: f64 = 1.0;
const CHANGE_BYTES: usize = 20;
const TURN_BYTES: usize = 1_000;
/// A list of turns begins anew before it is larger than this.
const LIST_BYTES_MAX: usize = 100_000;
/// Threads that are read one after the other, several times as large as what is kept at hand.
const COLD_THREADS: usize = 2_048;
const COLD_CACHE_BYTES: usize = 1 << 20;

/// A script that writes rows as long as those of a put, into as many keys, and checks as little as can be: what a put would
/// cost that had nothing to find out. Values are strings of one letter.
const BARE: &str = "
local found = redis.call('HMGET', KEYS[1], 'head', 'recent', 'd0', 'p0:0')
redis.call('HSET', KEYS[1], 'head', ARGV[2], ARGV[3], ARGV[4], 'latest:', ARGV[5], 'recent', ARGV[6], 'd0', ARGV[7], 'p0:0', ARGV[8])
redis.call('ZADD', KEYS[2], '0', ARGV[1], '0', ARGV[3])
redis.pcall('PUBLISH', KEYS[3], ARGV[9])
return found[1] and 1 or 0";
/// How long its arguments are, but for the first ones: head, name and record of a checkpoint, its id, a change, where that
/// lies, twice, and what is told.
const BARE_BYTES: [usize; 8] = [83, 38, 200, 36, 300, 1_000, 384, 60];

pub(crate) async fn figures(pace: Pace) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for (label, state_bytes) in SIZES {
        for tasks in TASKS {
            // Each on a server of its own, which holds nothing else.
            let ground = Ground::start(false)?;
            let state = Bytes::from(text(7, state_bytes));
            let connection = ground.plain().await?;
            let checkpoints: Arc<dyn Checkpointer> = Arc::new(ground.warm().await?);
            let threads = (0..tasks).map(|_| Mutex::new((1, state.clone()))).collect();
            let threads: Threads = Arc::new(threads);
            let plain = |work| Plain {
                connection: connection.clone(),
                state: state.clone(),
                key: String::new(),
                work,
            };
            let ours = |work| Ours {
                checkpoints: Arc::clone(&checkpoints),
                threads: Arc::clone(&threads),
                task: 0,
                work,
            };
            prepare(&ours(Work::Put), &plain(Work::Put), &state, tasks).await?;
            let case = format!("put {label}, {CHANGE_BYTES} B changed, {tasks} tasks");
            let (this, that) = (ours(Work::Put), plain(Work::Put));
            let figure = pace.rates(case, "SET of the whole", tasks, &this, &that).await?;
            figures.push(figure.with_goal(if state_bytes < 10_000 {
                SMALL_GOAL
            } else {
                LARGE_GOAL
            }));
            if state_bytes < 10_000 {
                let case = format!("put {label}, {CHANGE_BYTES} B changed, {tasks} tasks");
                let bare = plain(Work::Script(Arc::new(redis::Script::new(BARE))));
                figures.push(pace.rates(case, "a bare script", tasks, &this, &bare).await?);
            }
            let (this, that) = (ours(Work::Get), plain(Work::Get));
            let case = format!("get {label}, {tasks} tasks");
            let figure = pace.rates(case, "GET of the whole", tasks, &this, &that).await?;
            figures.push(if state_bytes < 10_000 { figure.with_goal(SMALL_GOAL) } else { figure });
        }
    }
    for tasks in TASKS {
        figures.push(turns(pace, tasks).await?);
        figures.push(cold_gets(pace, tasks).await?);
    }
    Ok(figures)
}

/// Puts of one turn more, beside an `APPEND` of its text to what the server has already.
async fn turns(pace: Pace, tasks: usize) -> Outcome<Figure> {
    let ground = Ground::start(false)?;
    let checkpoints: Arc<dyn Checkpointer> = Arc::new(ground.warm().await?);
    let turn = Bytes::from(format!(",\"{}\"", text(5, TURN_BYTES)));
    let begin = || Mutex::new((0, Bytes::from_static(b"[]")));
    let threads: Threads = Arc::new((0..tasks).map(|_| begin()).collect());
    let ours = Ours { checkpoints, threads, task: 0, work: Work::Turn(turn.clone()) };
    let connection = ground.plain().await?;
    let plain =
        Plain { connection, state: turn, key: String::new(), work: Work::Turn(Bytes::new()) };
    let case = format!("put a turn of 1 KB, {tasks} tasks");
    pace.rates(case, "APPEND of the turn", tasks, &ours, &plain).await
}

/// Gets by an instance that has nothing at hand, of a different thread each time.
async fn cold_gets(pace: Pace, tasks: usize) -> Outcome<Figure> {
    let ground = Ground::start(false)?;
    let state = Bytes::from(text(7, 4_000));
    let writer = ground.warm().await?;
    let connection = ground.plain().await?;
    let plain = |work| Plain {
        connection: connection.clone(),
        state: state.clone(),
        key: String::new(),
        work,
    };
    for number in 0..COLD_THREADS {
        writer.put_checkpoint(put(&thread(number), 0, "state", state.clone())?).await?;
        plain(Work::Put).for_task(number).call(0).await?;
    }
    drop(writer);
    let cold: Arc<dyn Checkpointer> = Arc::new(ground.forgetful(COLD_CACHE_BYTES).await?);
    let next = Arc::new(AtomicUsize::new(0));
    let (ours, next_plain) = (Arc::clone(&next), Arc::new(AtomicUsize::new(0)));
    let threads: Threads = Arc::new(Vec::new());
    let this = Ours { checkpoints: cold, threads, task: 0, work: Work::ColdGet(ours) };
    let that = plain(Work::ColdGet(next_plain));
    let case = format!("get 4 KB with nothing at hand, {tasks} tasks");
    pace.rates(case, "GET of the whole", tasks, &this, &that).await
}

/// Puts the first state of each task, on both sides.
async fn prepare(ours: &Ours, plain: &Plain, state: &Bytes, tasks: usize) -> Outcome<()> {
    for task in 0..tasks {
        let first = put(&thread(task), 0, "state", state.clone())?;
        ours.checkpoints.put_checkpoint(first).await?;
        plain.for_task(task).call(0).await?;
    }
    Ok(())
}

fn thread(task: usize) -> String {
    format!("task-{task}")
}

#[derive(Clone, Debug)]
enum Work {
    Put,
    Get,
    /// A script that does little but write, in place of a put.
    Script(Arc<redis::Script>),
    /// One turn more.
    Turn(Bytes),
    /// The next thread of all.
    ColdGet(Arc<AtomicUsize>),
}

/// The next of the threads that are read one after the other.
fn next_cold(next: &AtomicUsize) -> usize {
    next.fetch_add(1, Ordering::Relaxed) % COLD_THREADS
}

/// The next step of the thread of each task, and its state.
type Threads = Arc<Vec<Mutex<(usize, Bytes)>>>;

/// A thread for each task, of which each put changes a little.
#[derive(Clone)]
struct Ours {
    checkpoints: Arc<dyn Checkpointer>,
    threads: Threads,
    task: usize,
    work: Work,
}

impl Caller for Ours {
    fn for_task(&self, task: usize) -> Self {
        Self { task, ..self.clone() }
    }

    async fn call(&mut self, _number: usize) -> Outcome<()> {
        let thread = thread(self.task);
        match &self.work {
            Work::Script(_) => return Err("a script is for the other side".into()),
            Work::ColdGet(next) => {
                let latest = self.checkpoints.latest(self::thread(next_cold(next))).await?;
                latest.ok_or("a thread is missing")?;
            }
            Work::Turn(turn) => {
                let place = self.threads.get(self.task).ok_or("no such task")?;
                let next = {
                    let mut place = place.lock();
                    let (step, list) = &mut *place;
                    *list = longer(list, turn);
                    *step += 1;
                    put(&thread, *step - 1, "messages", list.clone())?
                };
                self.checkpoints.put_checkpoint(next).await?;
            }
            Work::Put => {
                let place = self.threads.get(self.task).ok_or("no such task")?;
                let next = {
                    let mut place = place.lock();
                    let (step, state) = &mut *place;
                    *state = changed(state, *step);
                    *step += 1;
                    put(&thread, *step - 1, "state", state.clone())?
                };
                self.checkpoints.put_checkpoint(next).await?;
            }
            Work::Get => {
                let reference = CheckpointRef::new(thread, id(0));
                self.checkpoints.at(&reference).await?.ok_or("a step is missing")?;
            }
        }
        Ok(())
    }
}

/// A list with one turn more, or with that alone.
fn longer(list: &Bytes, turn: &Bytes) -> Bytes {
    let before = list.strip_suffix(b"]").filter(|before| before.len() < LIST_BYTES_MAX);
    let before = before.unwrap_or(b"[");
    // The turn begins with the comma after the one before.
    let turn = if before.len() > 1 { turn.as_ref() } else { turn.get(1..).unwrap_or_default() };
    [before, turn, b"]"].concat().into()
}

/// The state after one more step.
fn changed(state: &Bytes, step: usize) -> Bytes {
    let mut state = state.to_vec();
    let place = step * 937 % state.len().saturating_sub(CHANGE_BYTES).max(1);
    let change = format!("{step:020}");
    for (byte, new) in state.iter_mut().skip(place).zip(change.bytes()) {
        *byte = new;
    }
    state.into()
}

/// The same state in one key for each task.
#[derive(Clone)]
struct Plain {
    connection: MultiplexedConnection,
    state: Bytes,
    key: String,
    work: Work,
}

impl Caller for Plain {
    fn for_task(&self, task: usize) -> Self {
        Self { key: format!("plain-{task}"), ..self.clone() }
    }

    async fn call(&mut self, number: usize) -> Outcome<()> {
        match &self.work {
            Work::Script(script) => {
                self.state = changed(&self.state, number);
                let mut call = script.prepare_invoke();
                for part in ["history", "order", "writes"] {
                    call.key(format!("{{{}}}{part}", self.key));
                }
                call.arg(format!("g{number}"));
                for (place, bytes) in BARE_BYTES.into_iter().enumerate() {
                    // Each checkpoint has another name; nothing else of it matters.
                    let name = if place == 1 { number.to_string() } else { String::new() };
                    call.arg(format!("{name:x<bytes$}"));
                }
                call.invoke_async::<i64>(&mut self.connection).await?;
            }
            Work::Turn(_) => {
                let mut command = redis::cmd("APPEND");
                command.arg(&self.key).arg(self.state.as_ref());
                command.query_async::<()>(&mut self.connection).await?;
            }
            Work::ColdGet(next) => {
                let mut command = redis::cmd("GET");
                let key = format!("plain-{}", next_cold(next));
                let found: Option<Vec<u8>> =
                    command.arg(key).query_async(&mut self.connection).await?;
                found.ok_or("a key is missing")?;
            }
            Work::Put => {
                // The same work of making the next state.
                self.state = changed(&self.state, number);
                let mut command = redis::cmd("SET");
                command.arg(&self.key).arg(self.state.as_ref());
                command.query_async::<()>(&mut self.connection).await?;
            }
            Work::Get => {
                let mut command = redis::cmd("GET");
                let found: Option<Vec<u8>> =
                    command.arg(&self.key).query_async(&mut self.connection).await?;
                found.ok_or("a key is missing")?;
            }
        }
        Ok(())
    }
}
