//! Puts and gets of whole states beside a raw `SET` and `GET` of the encoded state.

use std::sync::Arc;

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
            let (this, that) = (ours(Work::Get), plain(Work::Get));
            let case = format!("get {label}, {tasks} tasks");
            let figure = pace.rates(case, "GET of the whole", tasks, &this, &that).await?;
            figures.push(if state_bytes < 10_000 { figure.with_goal(SMALL_GOAL) } else { figure });
        }
    }
    Ok(figures)
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

#[derive(Clone, Copy, Debug)]
enum Work {
    Put,
    Get,
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
        match self.work {
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
        match self.work {
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
