//! A supervised connection: replaced when it is lost, and when it has fallen silent.
//!
//! A connection whose peer is gone looks like one whose peer is slow. So when answers are due and
//! nothing has come for the silence timeout, a fresh connection is made and asked; if it answers,
//! and the server does not say that it is holding the old one's command back itself, it takes the
//! old one's place. The old one is killed on the server first where that is permitted, so nothing
//! that was sent over it can take effect later. Where the server does say so, a write is held back,
//! and reads go around it over the fresh connection until the old one speaks again.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Connection, Connector, Ended, Purpose, Trouble, UNLIMITED, pause};
use crate::command::Command;
use crate::config::Address;
use crate::errors::Fault;
use crate::retry::Backoff;

/// The longest pause between two tries to connect, so that a server that comes back is found soon.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Where a link leads.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) connector: Arc<Connector>,
    pub(super) address: Address,
    pub(super) purpose: Purpose,
}

#[derive(Clone, Debug)]
enum State {
    /// No connection yet, after so many tries that failed, the last of them for this reason.
    Down(u64, Option<Trouble>),
    Up(Arc<Connection>),
}

/// A supervised connection that belongs to one runtime. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Link {
    runtime: tokio::runtime::Id,
    state: watch::Receiver<State>,
    supervisor: AbortHandle,
}

impl Link {
    /// Starts to connect on `runtime`.
    pub(super) fn start(way: Way, runtime: &Handle) -> Self {
        let (sender, state) = watch::channel(State::Down(0, None));
        let supervisor = runtime.spawn(Supervisor { way, state: sender }.run());
        Self { runtime: runtime.id(), state, supervisor: supervisor.abort_handle() }
    }

    /// Whether it is driven by `runtime`, and that still runs.
    pub(super) fn serves(&self, runtime: tokio::runtime::Id) -> bool {
        self.runtime == runtime && self.is_alive()
    }

    /// Whether its supervisor still runs.
    pub(super) fn is_alive(&self) -> bool {
        self.state.has_changed().is_ok()
    }

    /// The connection where there is one.
    pub(super) fn ready(&self) -> Option<Arc<Connection>> {
        match &*self.state.borrow() {
            State::Up(connection) if !connection.is_closed() => Some(Arc::clone(connection)),
            State::Up(_) | State::Down(..) => None,
        }
    }

    /// The connection, at once where there is one, otherwise as soon as the next try to make one
    /// has ended.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, Trouble> {
        if let Some(connection) = self.ready() {
            return Ok(connection);
        }
        let mut state = self.state.clone();
        let mut seen = None;
        loop {
            match &*state.borrow_and_update() {
                State::Up(connection) if !connection.is_closed() => {
                    return Ok(Arc::clone(connection));
                }
                State::Up(_) => {}
                State::Down(_, Some(trouble)) if trouble.is_permanent() => {
                    return Err(trouble.clone());
                }
                State::Down(failed, trouble) => match (trouble, *seen.get_or_insert(*failed)) {
                    (Some(trouble), seen) if *failed > seen => return Err(trouble.clone()),
                    _ => {}
                },
            }
            state.changed().await.map_err(|_| Fault::LostBeforeSend)?;
        }
    }

    /// Closes it at once; who waits for an answer learns that it is lost.
    pub(super) fn close(&self) {
        self.supervisor.abort();
        if let State::Up(connection) = &*self.state.borrow() {
            connection.close();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

struct Supervisor {
    way: Way,
    state: watch::Sender<State>,
}

impl Supervisor {
    async fn run(self) {
        let (mut failed, mut backoff) = (0, self.backoff());
        loop {
            match self.connect().await {
                Ok(connection) => {
                    backoff = self.backoff();
                    self.keep(connection).await;
                    self.state.send_replace(State::Down(failed, None));
                }
                Err(trouble) => {
                    failed += 1;
                    tracing::debug!(node = %self.way.address, %trouble, "cannot connect");
                    self.state.send_replace(State::Down(failed, Some(trouble)));
                    pause(backoff.next()).await;
                }
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Trouble> {
        let Way { connector, address, purpose } = &self.way;
        connector.connect_hedged(address, *purpose, self.silence()).await
    }

    /// Serves `connection`, and whatever takes its place, until one is lost.
    async fn keep(&self, connection: Connection) {
        let mut connection = Arc::new(connection);
        loop {
            self.state.send_replace(State::Up(Arc::clone(&connection)));
            match self.successor(&connection).await {
                Some(fresh) => {
                    tracing::warn!(node = %self.way.address, "replaced a silent connection");
                    let silent = std::mem::replace(&mut connection, Arc::new(fresh));
                    self.state.send_replace(State::Up(Arc::clone(&connection)));
                    silent.close();
                }
                None => return,
            }
        }
    }

    /// Watches `connection`: a better one when it has fallen silent, `None` when it is lost.
    async fn successor(&self, connection: &Connection) -> Option<Connection> {
        let watched = connection.watched();
        let tick = (self.silence() / 5).max(Duration::from_millis(1));
        loop {
            watched.active().await;
            let (mut beats, mut since) = (watched.beats(), Instant::now());
            while watched.owes() && !watched.is_closed() {
                tokio::select! {
                    () = pause(tick) => {}
                    () = watched.closed() => return None,
                }
                if watched.beats() != beats {
                    watched.forgive();
                    connection.set_detour(None);
                } else if since.elapsed() < self.silence() {
                    continue;
                } else {
                    tokio::select! {
                        fresh = self.test(connection) => if fresh.is_some() { return fresh },
                        () = watched.closed() => return None,
                    }
                }
                (beats, since) = (watched.beats(), Instant::now());
            }
            connection.set_detour(None);
            if watched.is_closed() {
                return None;
            }
        }
    }

    /// Makes a fresh connection and returns it if the silent one should give way to it.
    async fn test(&self, silent: &Connection) -> Option<Connection> {
        let beats = silent.watched().beats();
        let spoke = async || {
            while silent.watched().beats() == beats {
                pause(self.silence() / 5).await;
            }
        };
        if let Some(detour) = silent.detour() {
            if self.is_held_back(&detour, silent).await {
                return None;
            }
            silent.set_detour(None);
        }
        let fresh = tokio::select! {
            fresh = self.connect() => fresh.ok()?,
            () = spoke() => return None,
        };
        if self.is_held_back(&fresh, silent).await {
            silent.set_detour(Some(Arc::new(fresh)));
            return None;
        }
        // The server is there. If the way of the old connection is, too, its answers have come by
        // now, and only a busy machine has not taken them in yet.
        tokio::select! {
            () = pause(self.silence() / 2) => {}
            () = spoke() => return None,
        }
        let kill = silent.ended_by(async || fresh.kill(silent.server_id()).await);
        let killed = tokio::time::timeout(self.silence(), kill).await == Ok(Ended::Confirmed);
        if !killed {
            tracing::debug!(node = %self.way.address, "the silent connection was not killed");
        }
        (silent.watched().beats() == beats || killed).then_some(fresh)
    }

    async fn is_held_back(&self, asked: &Connection, silent: &Connection) -> bool {
        let held = tokio::time::timeout(self.silence(), held_back(asked, silent));
        held.await.unwrap_or(false)
    }

    fn silence(&self) -> Duration {
        self.way.connector.config().silence_timeout()
    }

    /// Growing random pauses between tries that fail in a row.
    fn backoff(&self) -> Backoff {
        let config = self.way.connector.config();
        Backoff::new(config.retry_base_delay(), config.retry_max_delay().min(PAUSE_MAX))
    }
}

/// Whether the server says that it has the command of `silent` and makes it wait: `CLIENT PAUSE`.
async fn held_back(fresh: &Connection, silent: &Connection) -> bool {
    let Some(id) = silent.server_id() else { return false };
    let mut list = Command::new("CLIENT");
    list.arg("LIST").arg("ID").arg(id);
    match fresh.one(&list, UNLIMITED).await {
        Ok(redis::Value::BulkString(line)) => is_blocked(&line),
        _ => false,
    }
}

/// Whether a line of `CLIENT LIST` has the flag of a client that waits.
fn is_blocked(line: &[u8]) -> bool {
    line.split(|byte| *byte == b' ')
        .filter_map(|field| field.strip_prefix(b"flags="))
        .any(|flags| flags.contains(&b'b'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_the_server_holds_back_is_told_by_its_flags() {
        assert!(is_blocked(b"id=3 addr=127.0.0.1:1 name=b flags=b db=0"));
        assert!(is_blocked(b"id=3 flags=xb db=0"));
        assert!(!is_blocked(b"id=3 name=blue flags=N db=0"));
        assert!(!is_blocked(b""));
    }
}
