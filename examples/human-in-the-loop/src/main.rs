//! An agent that stops for a person, and goes on with the answer, days later if need be.
//!
//! ```sh
//! cargo run -p human-in-the-loop                 # stops, and asks
//! cargo run -p human-in-the-loop -- "yes"        # goes on with the answer
//! ```
//!
//! The question is a *pending write* beside the checkpoint at which the agent stopped, and so is
//! the answer: what waits is in the store, not in a process. `statectl --store file:order.state
//! show order` shows both.
//!
//! On Redis, with `state-redis` and its feature `checkpoint`, `open` becomes
//! `RedisCheckpointer::connect("redis://127.0.0.1:6379").await?`, and nothing else changes but the
//! type of the checkpoints, `Checkpoints<RedisThreads>`.

use serde::{Deserialize, Serialize};
use state_checkpoint::{BackendThreads, Checkpoints};
use state_core::checkpoint::{
    CheckpointTuple, Checkpointer, CheckpointerExt, Payload, PendingWrite, PutWrites, WriteIndex,
};
use state_core::{Error, Namespace, Result};
use state_local::FileStore;

const THREAD: &str = "order";
const TASK: &str = "approve";

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Order {
    item: String,
    /// What the person said.
    answer: Option<String>,
    /// The number of the order, once it was placed.
    placed: Option<u32>,
}

/// What came of a run.
#[derive(Debug, Eq, PartialEq)]
enum Outcome {
    /// A person is asked; call again when there is an answer.
    Waits(String),
    Done(Order),
}

/// Works until the end, or until a person is needed.
async fn run(checkpoints: &Checkpoints<BackendThreads>) -> Result<Outcome> {
    let thread = checkpoints.thread::<Order>(THREAD);
    loop {
        let order = thread.load().await?.unwrap_or_default();
        let next = if order.item.is_empty() {
            Order { item: "5 packs of tape".to_owned(), ..order }
        } else if order.answer.is_none() {
            let Some(latest) = checkpoints.latest(THREAD).await? else { continue };
            match pending(&latest, WriteIndex::RESUME)? {
                Some(answer) => Order { answer: Some(answer), ..order },
                None => return ask(checkpoints, &latest, &order).await.map(Outcome::Waits),
            }
        } else if order.placed.is_none() && order.answer.as_deref() == Some("yes") {
            Order { placed: Some(3107), ..order }
        } else {
            return Ok(Outcome::Done(order));
        };
        thread.save(&next).await?;
    }
}

/// Leaves the question beside the checkpoint. Asked twice, it is there once: a special write
/// takes the place of the one before.
async fn ask(
    checkpoints: &Checkpoints<BackendThreads>,
    latest: &CheckpointTuple,
    order: &Order,
) -> Result<String> {
    let question = format!("May I order {}?", order.item);
    put(checkpoints, latest, WriteIndex::INTERRUPT, &question).await?;
    Ok(question)
}

/// Gives the answer to the question that waits; `Invalid` where none does.
async fn answer(checkpoints: &Checkpoints<BackendThreads>, text: &str) -> Result<()> {
    let latest = checkpoints.latest(THREAD).await?;
    let asked = match &latest {
        Some(latest) => pending(latest, WriteIndex::INTERRUPT)?,
        None => None,
    };
    let latest = latest.filter(|_| asked.is_some());
    let latest = latest.ok_or_else(|| Error::invalid("no question waits for an answer"))?;
    put(checkpoints, &latest, WriteIndex::RESUME, text).await
}

async fn put(
    checkpoints: &Checkpoints<BackendThreads>,
    latest: &CheckpointTuple,
    index: WriteIndex,
    text: &str,
) -> Result<()> {
    let json = serde_json::Value::from(text).to_string();
    let write = PendingWrite::new(TASK, index, "human", Payload::new("json", json));
    checkpoints.put_writes(PutWrites::new(latest.reference.clone(), vec![write])).await?;
    Ok(())
}

fn pending(tuple: &CheckpointTuple, index: WriteIndex) -> Result<Option<String>> {
    let mut writes = tuple.pending_writes.iter();
    let write = writes.find(|write| &*write.task == TASK && write.index == index);
    let text = write.map(|write| serde_json::from_slice(write.value.bytes()));
    text.transpose().map_err(|_| Error::corrupt("the write of the person is no text"))
}

async fn open(path: &str) -> Result<(FileStore, Checkpoints<BackendThreads>)> {
    let store = FileStore::at(path).await?;
    let checkpoints = Checkpoints::open(store.open(Namespace::default())?)?;
    Ok((store, checkpoints))
}

#[expect(clippy::print_stdout, reason = "an example talks to its reader")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (store, checkpoints) = open("order.state").await?;
    if let Some(text) = std::env::args().nth(1) {
        answer(&checkpoints, &text).await?;
    }
    match run(&checkpoints).await? {
        Outcome::Waits(question) => println!("{question}  (answer with: -- \"yes\")"),
        Outcome::Done(order) => println!("{order:?}"),
    }
    store.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_question_outlives_the_process_and_the_answer_is_taken_once() {
        for (text, placed) in [("yes", Some(3107)), ("no", None)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("order.state");
            let path = path.to_str().unwrap();
            let (store, checkpoints) = open(path).await.unwrap();
            assert!(answer(&checkpoints, text).await.is_err(), "nothing was asked yet");
            let question = Outcome::Waits("May I order 5 packs of tape?".to_owned());
            assert_eq!(run(&checkpoints).await.unwrap(), question);
            store.close().await.unwrap();

            // Another process asks again: the question is there once.
            let (store, checkpoints) = open(path).await.unwrap();
            assert_eq!(run(&checkpoints).await.unwrap(), question);
            let latest = checkpoints.latest(THREAD).await.unwrap().unwrap();
            assert_eq!(latest.pending_writes.len(), 1);
            answer(&checkpoints, text).await.unwrap();
            store.close().await.unwrap();

            let (_store, checkpoints) = open(path).await.unwrap();
            let Outcome::Done(order) = run(&checkpoints).await.unwrap() else { panic!("it waits") };
            assert_eq!((order.answer.as_deref(), order.placed), (Some(text), placed));
            assert_eq!(run(&checkpoints).await.unwrap(), Outcome::Done(order));
        }
    }
}
