//! The connection over which messages come: made again when it is lost, and kept subscribed to what
//! somebody wants.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use state_core::{Error, ErrorKind, Result};

use super::hub::Shared;
use super::topic::{Arrived, Topic};
use crate::client::{Dedicated, Speaker};
use crate::command::Command;
use crate::connect::pause;
use crate::retry::Backoff;

/// A connection that has been quiet for so long is asked whether it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest pause between two tries to subscribe again.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Ends all subscriptions however the task ends: with the hub, or with the runtime.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let closed = || Error::new(ErrorKind::Closed, "the runtime of the subscription has ended");
        self.0.board.lock().refuse_each(true, closed);
    }
}

/// Serves the subscriptions of a hub for as long as it lives.
pub(super) async fn keep(shared: Arc<Shared>) {
    let _ending = Ending(Arc::clone(&shared));
    let mut waits = backoff(&shared);
    loop {
        while shared.board.lock().is_empty() {
            shared.changed.notified().await;
        }
        let failed = match connect(&shared).await {
            Ok(mut line) => {
                let ended = line.serve().await;
                shared.board.lock().lost();
                if line.served {
                    waits = backoff(&shared);
                }
                ended.err()
            }
            Err(error) => Some(error),
        };
        let Some(error) = failed else { continue };
        tracing::debug!(%error, "cannot subscribe");
        // Only what has begun is tried again, unless that can not mend it.
        let again = || Error::new(error.kind(), error.to_string()).with_outcome(error.outcome());
        shared.board.lock().refuse_each(is_final(&error), again);
        if !shared.board.lock().is_empty() {
            shared.client.find_nodes_again().await;
            pause(waits.next()).await;
        }
    }
}

fn backoff(shared: &Shared) -> Backoff {
    let config = shared.client.config();
    Backoff::new(config.retry_base_delay(), config.retry_max_delay().min(PAUSE_MAX))
}

/// Whether trying again cannot mend it.
fn is_final(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unsupported | ErrorKind::Invalid)
}

/// Connects to one of the primaries; they take turns.
async fn connect(shared: &Shared) -> Result<Line<'_>> {
    let nodes = shared.client.nodes();
    let node = nodes.get(shared.client.turn() % nodes.len().max(1));
    let node = node.ok_or_else(|| Error::new(ErrorKind::Unavailable, "no node is known"))?;
    let limit = shared.client.config().call_timeout();
    let connection = tokio::time::timeout(limit, shared.client.dedicated(node)).await;
    let connection = connection.map_err(|_| late())??;
    let speaker = connection.speaker();
    Ok(Line {
        shared,
        connection,
        speaker,
        held: HashSet::new(),
        stuck: HashSet::new(),
        served: false,
    })
}

fn late() -> Error {
    Error::new(ErrorKind::Unavailable, "the server did not subscribe in time")
}

/// One connection.
struct Line<'a> {
    shared: &'a Shared,
    connection: Dedicated,
    speaker: Speaker,
    /// What the server sends over it.
    held: HashSet<Topic>,
    /// The part of that which the server does not let go of.
    stuck: HashSet<Topic>,
    /// Whether it has served anybody.
    served: bool,
}

impl Line<'_> {
    /// Delivers what comes until the connection is lost.
    ///
    /// # Errors
    /// When the server does not subscribe.
    async fn serve(&mut self) -> Result<()> {
        self.follow_board().await?;
        loop {
            tokio::select! {
                push = self.connection.next() => match push {
                    Some(push) => self.deliver(push),
                    None => return Ok(()),
                },
                () = self.shared.changed.notified() => self.follow_board().await?,
                () = pause(BEAT) => {
                    // An answer that says no is an answer; a lost connection is seen above.
                    let ping = Command::new("PING");
                    let asked = self.speaker.command(&ping);
                    if tokio::time::timeout(PATIENCE, asked).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn deliver(&self, push: redis::PushInfo) {
        if let Some(arrived) = Arrived::read(push) {
            self.shared.board.lock().deliver(&arrived);
        }
    }

    /// Subscribes to what is wanted and gives up what is not.
    async fn follow_board(&mut self) -> Result<()> {
        loop {
            let off = self.shared.board.lock().next_off();
            let Some((id, topics)) = off else { break };
            match self.subscribe(&topics).await? {
                Ok(()) => {
                    self.served = true;
                    self.shared.board.lock().begin(id);
                }
                Err(error) => self.shared.board.lock().refuse(id, error),
            }
        }
        let unwanted: Vec<Topic> = {
            let board = self.shared.board.lock();
            let held = self.held.difference(&self.stuck);
            held.filter(|topic| !board.wants(topic)).cloned().collect()
        };
        let answers = self.ask(unwanted.iter().map(Topic::unsubscribe)).await?;
        for (topic, answer) in unwanted.into_iter().zip(answers) {
            match answer {
                Ok(_) => drop(self.held.remove(&topic)),
                // What still comes is delivered to nobody.
                Err(_) => drop(self.stuck.insert(topic)),
            }
        }
        Ok(())
    }

    /// Subscribes to what is missing of `topics`, in one round trip. The inner error is final, and is
    /// of these topics alone.
    async fn subscribe(&mut self, topics: &[Topic]) -> Result<Result<()>> {
        let missing: Vec<_> = topics.iter().filter(|topic| !self.held.contains(*topic)).collect();
        let ping = missing.is_empty().then(|| Command::new("PING"));
        let commands = missing.iter().map(|topic| topic.subscribe()).chain(ping);
        let answers = self.ask(commands).await?;
        // What was sent before the answers is not for who comes only now.
        while let Some(push) = self.connection.next_ready() {
            self.deliver(push);
        }
        let mut subscribed = Ok(());
        for (topic, answer) in missing.into_iter().zip(answers) {
            match answer {
                Ok(_) => drop(self.held.insert(topic.clone())),
                Err(error) if is_final(&error) => subscribed = Err(error),
                Err(error) => return Err(error),
            }
        }
        Ok(subscribed)
    }

    async fn ask(
        &self,
        commands: impl Iterator<Item = Command>,
    ) -> Result<Vec<Result<redis::Value>>> {
        let commands: Vec<Command> = commands.collect();
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let limit = self.shared.client.config().attempt_timeout();
        let asked = tokio::time::timeout(limit, self.speaker.commands(&commands)).await;
        asked.map_err(|_| late())?
    }
}
