//! An agent loop that goes on where it was killed.
//!
//! `cargo run -p resumable-agent -- trip.state`, stopped with Ctrl-C as often as you like, and run
//! again: it goes on with the step that was not saved, and says nothing twice. Afterwards,
//! `statectl --store file:trip.state history trip` shows the steps.
//!
//! On Redis, with `state-redis` and its feature `checkpoint`, `open` becomes
//! `RedisCheckpointer::connect("redis://127.0.0.1:6379").await?`, and nothing else changes but the
//! type of the checkpoints, `Checkpoints<RedisThreads>`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use state_checkpoint::{Checkpoints, Thread};
use state_core::{Clock, Namespace, Result, SystemClock};
use state_local::FileStore;

/// What the agent remembers. Each field is a channel: of a field that grows, what is new is stored.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Trip {
    messages: Vec<Message>,
    done: bool,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Message {
    role: String,
    content: String,
}

/// The model: from all that was said, the next message. Put a call of yours here.
fn model(trip: &Trip) -> Message {
    let say = |role: &str, content: &str| Message { role: role.into(), content: content.into() };
    match trip.messages.len() {
        0 => say("user", "Two to the coast on Friday, before noon."),
        1 => say("assistant", "call find_trains(to: coast, day: Friday)"),
        2 => say("tool", "IC 214 arrives 10:48, RE 9 arrives 11:52"),
        3 => say("assistant", "IC 214 gets you there at 10:48. Shall I book it?"),
        4 => say("user", "Yes."),
        5 => say("assistant", "call book(train: IC 214, key: trip/5)"),
        6 => say("tool", "reservation K7Q2M"),
        _ => say("assistant", "Booked: reservation K7Q2M."),
    }
}

/// Works until the agent is done. It may be dropped, or killed, at any point.
///
/// What was saved stays. A step that was not saved is done again: a tool whose effect must not
/// happen twice is given the number of the step as its key, as `book` above.
async fn run(thread: &Thread<Trip>, mut said: impl AsyncFnMut(&Message)) -> Result<Trip> {
    let mut trip = thread.load().await?.unwrap_or_default();
    while !trip.done {
        let message = model(&trip);
        trip.messages.push(message.clone());
        trip.done = trip.messages.len() == 8;
        thread.save(&trip).await?;
        // After the save: what is said is never said twice.
        said(&message).await;
    }
    Ok(trip)
}

async fn open(path: &str) -> Result<(FileStore, Thread<Trip>)> {
    let store = FileStore::at(path).await?;
    let checkpoints = Checkpoints::open(store.open(Namespace::default())?)?;
    Ok((store, checkpoints.thread("trip")))
}

#[expect(clippy::print_stdout, reason = "an example talks to its reader")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "trip.state".to_owned());
    let (store, thread) = open(&path).await?;
    let clock = SystemClock::new();
    let show = async |message: &Message| {
        println!("{:>9}: {}", message.role, message.content);
        clock.sleep(Duration::from_millis(500)).await; // time for Ctrl-C
    };
    run(&thread, show).await?;
    store.close().await
}

#[cfg(test)]
mod tests {
    use futures::poll_times;

    use super::*;

    /// Polls a future so often, then drops it.
    mod futures {
        use std::future::Future;
        use std::pin::pin;
        use std::task::Poll;

        pub(super) async fn poll_times<F: Future>(times: usize, work: F) -> Option<F::Output> {
            let mut work = pin!(work);
            let mut left = times;
            std::future::poll_fn(move |context| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                work.as_mut().poll(context).map(Some)
            })
            .await
        }
    }

    /// A point at which the agent may be stopped.
    async fn waits(_: &Message) {
        tokio::task::yield_now().await;
    }

    #[tokio::test]
    async fn stopped_anywhere_it_ends_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (_store, thread) = open(&path("whole.state")).await.unwrap();
        let whole = run(&thread, waits).await.unwrap();
        assert_eq!(whole.messages.len(), 8);
        for polls in 1..12 {
            let name = format!("{polls}.state");
            let (mut saved, mut runs) = (0, 0);
            loop {
                // Each run opens the file anew, as another process would.
                let (store, thread) = open(&path(&name)).await.unwrap();
                let before = thread.load().await.unwrap().unwrap_or_default().messages.len();
                assert!(before >= saved, "a saved step was lost");
                saved = before;
                let polls = polls + runs;
                let ended = poll_times(polls, run(&thread, waits)).await;
                store.close().await.unwrap();
                runs += 1;
                if let Some(trip) = ended {
                    assert_eq!(trip.unwrap(), whole);
                    break;
                }
            }
        }
    }
}
