//! The feed of one primary: its connection, what came over it, and what was found then.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::{PushInfo, PushKind, Value};
use state_core::{Error, Result};
use tokio::time::Instant;

use super::Arrival;
use super::dirty::{Dirty, Next, Told};
use super::hub::Shared;
use super::look::{Seen, look};
use super::space::Found;
use crate::client::{Dedicated, NodeId, Speaker};
use crate::command::Command;
use crate::connect::pause;
use crate::retry::Backoff;

/// A connection that has been quiet for so long is asked whether it is alive.
const BEAT: Duration = Duration::from_millis(500);

/// A connection that does not answer for so long is given up even when no other can be made.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest pause between two tries to connect.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Keys that are looked at in one pipeline.
const LOOK_AT_ONCE: usize = 512;

/// Follows one primary for as long as it is one.
pub(super) async fn run(shared: Arc<Shared>, node: NodeId) {
    let config = shared.client.config();
    let backoff =
        || Backoff::new(config.retry_base_delay(), config.retry_max_delay().min(PAUSE_MAX));
    let (mut waits, mut fresh) = (backoff(), None);
    loop {
        shared.somebody().await;
        let made = match fresh.take() {
            Some(made) => Ok(made),
            None => shared.client.dedicated(&node).await,
        };
        match made {
            Ok(made) => {
                let mut line = Line::new(&shared, &node, made);
                let lost = line.serve().await;
                let told = line.told;
                drop(line);
                if told {
                    waits = backoff();
                    tracing::debug!(%node, ?lost, "changes may have been missed");
                    shared.board.lock().lost(&node);
                }
                match lost {
                    Lost::Replaced(made) => fresh = Some(made),
                    Lost::Refused(error) => shared.failed(&node, &error),
                    Lost::Closed => {}
                }
            }
            Err(error) => shared.failed(&node, &error),
        }
        if fresh.is_none() {
            shared.client.find_nodes_again().await;
            pause(waits.next()).await;
        }
    }
}

/// Why a connection is not used any longer.
#[derive(Debug)]
enum Lost {
    Closed,
    Refused(Error),
    /// It has fallen silent and this one has not.
    Replaced(Dedicated),
}

/// One connection, from its beginning to its end.
struct Line<'a> {
    shared: &'a Shared,
    node: &'a NodeId,
    dedicated: Dedicated,
    speaker: Speaker,
    /// What keys begin with that the server tells of.
    prefixes: HashSet<Bytes>,
    dirty: Dirty,
    /// Ends of clears that wait until everything before them has come.
    finishing: Vec<(Bytes, Told)>,
    asking: Option<Asking>,
    looking: Option<Looking>,
    replacement: Option<BoxFuture<'a, Result<Dedicated>>>,
    /// When the server was last heard of.
    heard: Instant,
    /// When it may be asked again after it has refused to answer.
    rested: Instant,
    /// Whether anybody was told of changes.
    told: bool,
}

/// A command whose answer has not come.
struct Asking {
    answer: BoxFuture<'static, Result<Value>>,
    since: Instant,
    prefixes: Vec<Bytes>,
    watchers: Vec<u64>,
    finishing: Vec<(Bytes, Told)>,
}

/// Keys that are being looked at.
struct Looking {
    answers: BoxFuture<'static, Result<Vec<Result<Seen>>>>,
    asked: Instant,
    keys: Vec<(Bytes, Told)>,
}

impl<'a> Line<'a> {
    fn new(shared: &'a Shared, node: &'a NodeId, dedicated: Dedicated) -> Self {
        Self {
            shared,
            node,
            speaker: dedicated.speaker(),
            dedicated,
            prefixes: HashSet::new(),
            dirty: Dirty::default(),
            finishing: Vec::new(),
            asking: None,
            looking: None,
            replacement: None,
            heard: Instant::now(),
            rested: Instant::now(),
            told: false,
        }
    }

    async fn serve(&mut self) -> Lost {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.borrow_and_update();
            self.take_released();
            self.ask_if_due();
            self.look_if_due();
            let tick = if self.asking.is_some() { self.silence() / 5 } else { BEAT };
            tokio::select! {
                message = self.dedicated.next() => match message {
                    Some(message) => self.take(message),
                    None => return Lost::Closed,
                },
                answer = of(self.asking.as_mut().map(|asking| &mut asking.answer)) => {
                    if let Err(error) = self.answered(answer) {
                        return Lost::Refused(error);
                    }
                }
                answers = of(self.looking.as_mut().map(|looking| &mut looking.answers)) => {
                    self.looked(answers);
                }
                made = of(self.replacement.as_mut()) => match made {
                    Ok(made) => return Lost::Replaced(made),
                    Err(_) => self.replacement = None,
                },
                _ = changed.changed() => {}
                () = pause(tick.max(Duration::from_millis(1))) => {
                    self.shared.board.lock().give_up_stale_clears();
                    if self.is_gone() {
                        return Lost::Closed;
                    }
                }
            }
        }
    }

    /// Asks the server what has to be asked. Its answer also says that everything has come which
    /// it had told before.
    fn ask_if_due(&mut self) {
        if self.asking.is_some() || Instant::now() < self.rested {
            return;
        }
        let due = self.shared.board.lock().due(self.node, &self.prefixes);
        let finishing = std::mem::take(&mut self.finishing);
        let quiet = self.heard.elapsed() >= BEAT;
        if due.watchers.is_empty() && finishing.is_empty() && !quiet {
            return;
        }
        let command = if due.prefixes.is_empty() {
            Command::new("PING")
        } else {
            let mut command = Command::new("CLIENT");
            command.arg("TRACKING").arg("ON").arg("BCAST");
            for prefix in &due.prefixes {
                command.arg("PREFIX").arg(prefix.as_ref());
            }
            command
        };
        let speaker = self.speaker.clone();
        self.asking = Some(Asking {
            answer: async move { speaker.command(&command).await }.boxed(),
            since: Instant::now(),
            prefixes: due.prefixes,
            watchers: due.watchers,
            finishing,
        });
    }

    fn answered(&mut self, answer: Result<Value>) -> Result<()> {
        self.heard = Instant::now();
        self.replacement = None;
        let Some(asking) = self.asking.take() else { return Ok(()) };
        if let Err(error) = answer {
            if !asking.prefixes.is_empty() {
                return Err(error);
            }
            // It is busy or loads its data, and says so; or the connection is lost, which is told
            // in another way, too.
            self.rested = Instant::now() + BEAT;
            self.finishing.extend(asking.finishing);
            return Ok(());
        }
        while let Some(message) = self.dedicated.next_ready() {
            self.take(message);
        }
        self.prefixes.extend(asking.prefixes);
        for (announced_by, told) in asking.finishing {
            self.dirty.finish(announced_by, told);
        }
        if !asking.watchers.is_empty() {
            self.shared.board.lock().joined(self.node, &asking.watchers);
            self.told = true;
            self.shared.changed.send_replace(());
        }
        Ok(())
    }

    /// Notes the keys that the server tells of.
    fn take(&mut self, message: PushInfo) {
        self.heard = Instant::now();
        if message.kind != PushKind::Invalidate {
            return;
        }
        let mut board = self.shared.board.lock();
        let number = board.next_number();
        let told = Told { number, at: self.heard };
        let mut overflow = false;
        for item in message.data {
            let Value::Array(keys) = item else {
                // What is being looked at was there before.
                (self.looking, self.dirty) = (None, Dirty::default());
                self.finishing.clear();
                board.flushed();
                continue;
            };
            for key in keys {
                let Value::BulkString(key) = key else { continue };
                if board.expected(&key).is_some() {
                    overflow |= self.dirty.changed(key.into(), told).is_err();
                }
            }
        }
        drop(board);
        if overflow {
            self.overflow();
        }
    }

    /// Takes back what has waited for the end of a clear.
    fn take_released(&mut self) {
        let released = self.shared.board.lock().take_released(self.node);
        let mut overflow = false;
        for (stored, told) in released {
            overflow |= self.dirty.changed(stored, told).is_err();
        }
        if overflow {
            self.overflow();
        }
    }

    fn overflow(&mut self) {
        tracing::debug!(node = %self.node, "too many keys change to look at them");
        self.dirty.clear();
        self.finishing.clear();
        self.shared.board.lock().gap();
    }

    /// Looks at what has changed, one batch after the other, so that what is told of one key is in
    /// order.
    fn look_if_due(&mut self) {
        while self.looking.is_none() {
            let keys = match self.dirty.take(LOOK_AT_ONCE) {
                Next::Nothing => return,
                Next::Finish(announced_by, told) => {
                    self.shared.board.lock().finish(&announced_by, self.arrival(told));
                    // What has waited for that may be any feed's.
                    self.shared.changed.send_replace(());
                    self.take_released();
                    continue;
                }
                Next::Look(keys) => keys,
            };
            let board = self.shared.board.lock();
            let mut keys = keys;
            let mut questions = Vec::with_capacity(keys.len());
            // Who wanted to know may have gone.
            keys.retain(|(stored, _)| {
                let expected = board.expected(stored);
                questions.extend(expected.map(|expected| (stored.clone(), expected)));
                expected.is_some()
            });
            if keys.is_empty() {
                continue;
            }
            let answers = look(self.shared.client.clone(), self.node.clone(), questions).boxed();
            self.looking = Some(Looking { answers, asked: Instant::now(), keys });
        }
    }

    fn looked(&mut self, answers: Result<Vec<Result<Seen>>>) {
        let Some(Looking { asked, keys, .. }) = self.looking.take() else { return };
        let mut board = self.shared.board.lock();
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => {
                tracing::debug!(node = %self.node, %error, "cannot look at what has changed");
                return board.gap();
            }
        };
        let until = board.last_number();
        let mut found: Vec<_> = keys.into_iter().zip(answers).collect();
        // First what says which of the others are to be told.
        found.sort_by_key(|(_, seen)| !matches!(seen, Ok(Seen::Announcement(_))));
        for ((stored, told), seen) in found {
            match seen {
                Ok(seen) => {
                    let found = Found { seen, asked, until };
                    if board.found(&stored, found, self.arrival(told)) {
                        self.finishing.push((stored, told));
                    }
                }
                Err(_) => board.unreadable(&stored),
            }
        }
    }

    /// Sees to a connection that does not answer; whether it is lost.
    fn is_gone(&mut self) -> bool {
        let Some(asking) = &self.asking else { return false };
        let silent = asking.since.max(self.heard).elapsed();
        if silent >= self.silence() && self.replacement.is_none() {
            let (client, node) = (&self.shared.client, self.node);
            self.replacement = Some(async move { client.dedicated(node).await }.boxed());
        }
        silent >= PATIENCE
    }

    fn silence(&self) -> Duration {
        self.shared.client.config().silence_timeout()
    }

    fn arrival(&self, told: Told) -> Arrival<'a> {
        Arrival { node: self.node, number: told.number, at: told.at }
    }
}

/// Waits for what is there, and for ever where there is nothing.
async fn of<T>(future: Option<&mut BoxFuture<'_, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
