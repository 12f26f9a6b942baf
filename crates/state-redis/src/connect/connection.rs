//! One shared connection: its driver task, and what is owed to its callers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OnceCell};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Trouble;
use super::observe::Pulse;
use super::reads;
use super::wire::Wire;
use crate::errors::{Fault, Sent};

/// For those who keep a limit of their own.
pub(crate) const UNLIMITED: Duration = Duration::MAX;

/// How often who waits for an answer looks whether the connection is still there.
///
/// The client library, which drives connections with messages that the server sends unasked, tells those whose requests its
/// driver has taken. One that is handed over in the very moment in which the driver ends stays in the queue between them,
/// which its own caller keeps alive: nobody would ever answer.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A connection that many tasks use at once. Dropping it closes it.
pub(crate) struct Connection {
    speaker: Speaker,
    driver: AbortHandle,
    watched: Arc<Watched>,
    /// What `CLIENT ID` said, where it was permitted.
    server_id: Option<i64>,
    /// What became of having the server end it; set by the first who asks for that.
    killed: OnceCell<Ended>,
    detour: Detour,
}

/// Another connection to the same server, for reads while the server holds this one back.
#[derive(Debug, Default)]
struct Detour {
    /// Looked at with each command; the rest only while there is one.
    open: AtomicBool,
    by: Mutex<Option<Arc<Connection>>>,
}

/// Why nobody waits for an answer any longer.
enum Given {
    Up(Trouble),
    /// The connection that is to be asked instead, and the time that is left.
    Over(Arc<Connection>, Duration),
}

/// How requests get to the driver.
#[derive(Clone)]
pub(super) enum Speaker {
    /// Requests and answers, and nothing else.
    Wire(Wire),
    /// A connection over which the server sends messages unasked.
    Pushing(redis::aio::MultiplexedConnection),
}

/// What became of asking a server to end a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// Nothing that was sent over it can take effect any more.
    Confirmed,
    /// The server will not, or its number is not known.
    Refused,
    /// The server could not be asked.
    Unreached,
}

/// What the supervisor of a connection looks at.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pulse: Arc<Pulse>,
    /// Requests whose callers still wait.
    waiting: AtomicUsize,
    /// Requests whose callers went away before the answer, since the last sign of life.
    abandoned: AtomicUsize,
    closed: AtomicBool,
    /// Whether the supervisor sleeps until somebody sends.
    idle: AtomicBool,
    changed: Notify,
}

impl Watched {
    /// A number that has grown whenever the server showed a sign of life.
    pub(super) fn beats(&self) -> u64 {
        self.pulse.beats()
    }

    /// Whether the server owes answers.
    pub(super) fn owes(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) + self.abandoned.load(Ordering::SeqCst) > 0
    }

    /// Forgets requests whose callers went away, because the server answers.
    pub(super) fn forgive(&self) {
        self.abandoned.store(0, Ordering::SeqCst);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Returns when the connection is closed.
    pub(super) async fn closed(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_closed() {
                return;
            }
            changed.await;
        }
    }

    /// Returns when the server owes an answer or the connection is closed.
    pub(super) async fn active(&self) {
        loop {
            let changed = self.changed.notified();
            self.idle.store(true, Ordering::SeqCst);
            if self.owes() || self.is_closed() {
                break;
            }
            changed.await;
        }
        self.idle.store(false, Ordering::SeqCst);
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
        // The supervisor may be about to wait.
        self.changed.notify_one();
    }
}

/// Marks the connection closed however its driver ends: with the stream, or with the runtime.
struct Closing(Arc<Watched>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A request that is on its way.
struct Owed<'a> {
    watched: &'a Watched,
    answered: bool,
}

impl<'a> Owed<'a> {
    fn new(watched: &'a Watched) -> Self {
        watched.waiting.fetch_add(1, Ordering::SeqCst);
        if watched.idle.swap(false, Ordering::SeqCst) {
            watched.changed.notify_one();
        }
        Self { watched, answered: false }
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.watched.abandoned.fetch_add(1, Ordering::SeqCst);
        }
        self.watched.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connection {
    /// Drives the other end of `speaker` on `runtime` until it is dropped.
    pub(super) fn start(
        speaker: Speaker,
        driver: impl Future<Output = ()> + Send + 'static,
        pulse: Arc<Pulse>,
        runtime: &Handle,
    ) -> Self {
        let watched = Arc::new(Watched { pulse, ..Watched::default() });
        let closing = Closing(Arc::clone(&watched));
        let driver = runtime.spawn(async move {
            let _closing = closing;
            driver.await;
        });
        Self {
            speaker,
            driver: driver.abort_handle(),
            watched,
            server_id: None,
            killed: OnceCell::new(),
            detour: Detour::default(),
        }
    }

    /// Sends one command, and waits for at most `limit`. The answer may be an error of the server.
    /// A read goes around a server that holds this connection back.
    pub(crate) async fn one(
        &self,
        command: &redis::Cmd,
        limit: Duration,
    ) -> Result<redis::Value, Trouble> {
        self.check()?;
        let around = || self.detour().filter(|_| reads::is_read(command));
        if let Some(around) = around() {
            return Box::pin(around.one(command, limit)).await;
        }
        let answer = match &self.speaker {
            Speaker::Wire(wire) => self.answered(wire.one(command), limit, around).await,
            Speaker::Pushing(shared) => {
                let mut shared = shared.clone();
                let sent = async { shared.send_packed_command(command).await.map_err(lost) };
                Box::pin(self.answered(sent, limit, around)).await
            }
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(Given::Up(trouble)) => Err(trouble),
            Err(Given::Over(around, left)) => Box::pin(around.one(command, left)).await,
        }
    }

    /// Sends several commands in one write, and waits for at most `limit`. Each answer may be an
    /// error of the server.
    pub(crate) async fn many(
        &self,
        commands: &redis::Pipeline,
        limit: Duration,
    ) -> Result<Vec<redis::Value>, Trouble> {
        self.check()?;
        let around = || self.detour().filter(|_| reads::are_reads(commands));
        if let Some(around) = around() {
            return Box::pin(around.many(commands, limit)).await;
        }
        let answers = match &self.speaker {
            Speaker::Wire(wire) => self.answered(wire.many(commands), limit, around).await,
            Speaker::Pushing(shared) => {
                let mut shared = shared.clone();
                let sent = async {
                    let sent = shared.send_packed_commands(commands, 0, commands.len());
                    sent.await.map_err(lost)
                };
                Box::pin(self.answered(sent, limit, around)).await
            }
        };
        match answers {
            Ok(answers) => Ok(answers),
            Err(Given::Up(trouble)) => Err(trouble),
            Err(Given::Over(around, left)) => Box::pin(around.many(commands, left)).await,
        }
    }

    /// Waits for an answer, but not longer than there is a connection that could bring it, and no
    /// way `around` it.
    #[expect(clippy::disallowed_methods, reason = "sockets and their timers belong to one runtime")]
    async fn answered<T>(
        &self,
        sent: impl Future<Output = Result<T, Trouble>>,
        limit: Duration,
        around: impl Fn() -> Option<Arc<Self>>,
    ) -> Result<T, Given> {
        let mut owed = Owed::new(&self.watched);
        let first = limit.min(LOOK_AGAIN);
        let (mut sent, mut timer) = (pin!(sent), pin!(tokio::time::sleep(first)));
        // None: never.
        let end = timer.deadline().checked_add(limit.saturating_sub(first));
        loop {
            tokio::select! {
                biased;
                answer = &mut sent => {
                    owed.answered = true;
                    return answer.map_err(|trouble| Given::Up(self.stuck(trouble)));
                }
                () = &mut timer => {}
            }
            if self.is_closed() {
                return Err(Given::Up(self.ended().into()));
            }
            let now = Instant::now();
            if end.is_some_and(|end| end <= now) {
                return Err(Given::Up(Fault::ReplyTimeout.into()));
            }
            if let Some(around) = around() {
                let left = end.map_or(UNLIMITED, |end| end.saturating_duration_since(now));
                return Err(Given::Over(around, left));
            }
            let next = now + LOOK_AGAIN;
            timer.as_mut().reset(end.map_or(next, |end| end.min(next)));
        }
    }

    /// Ends the connection that the server, to which this one leads too, numbers `id`.
    pub(super) async fn kill(&self, id: Option<i64>) -> Ended {
        let Some(id) = id else { return Ended::Refused };
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(id);
        match self.one(&kill, UNLIMITED).await {
            // None at all was there: it has ended before.
            Ok(redis::Value::Int(_)) => Ended::Confirmed,
            Ok(_) => Ended::Refused,
            Err(_) => Ended::Unreached,
        }
    }

    /// Closes it at once; who waits for an answer learns that it is lost.
    pub(crate) fn close(&self) {
        self.watched.close();
        self.driver.abort();
        let by = self.detour.by.lock().take();
        if let Some(by) = by {
            by.close();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        let ended = match &self.speaker {
            Speaker::Wire(wire) => wire.has_ended(),
            Speaker::Pushing(_) => false,
        };
        ended || self.watched.is_closed()
    }

    /// Sends reads over another connection to the same server from now on, or no longer.
    pub(super) fn set_detour(&self, by: Option<Arc<Self>>) {
        let open = by.is_some();
        *self.detour.by.lock() = by;
        self.detour.open.store(open, Ordering::SeqCst);
    }

    /// The connection over which reads are sent meanwhile.
    pub(super) fn detour(&self) -> Option<Arc<Self>> {
        if !self.detour.open.load(Ordering::Relaxed) {
            return None;
        }
        self.detour.by.lock().clone().filter(|by| !by.is_closed())
    }

    /// What became of having the server end it, which is asked once for all who want to know.
    pub(super) async fn ended_by(&self, ask: impl AsyncFnOnce() -> Ended) -> Ended {
        let asked = self.killed.get_or_try_init(|| async {
            match ask().await {
                // Another time it may be reached.
                Ended::Unreached => Err(()),
                ended => Ok(ended),
            }
        });
        asked.await.copied().unwrap_or(Ended::Unreached)
    }

    pub(super) fn watched(&self) -> &Arc<Watched> {
        &self.watched
    }

    pub(super) fn server_id(&self) -> Option<i64> {
        self.server_id
    }

    pub(super) fn set_server_id(&mut self, id: i64) {
        self.server_id = Some(id);
    }

    /// The loss of a request that may have been written, by what the connection ended of.
    fn stuck(&self, trouble: Trouble) -> Trouble {
        if self.watched.pulse.was_given_up() && trouble.failure().may_still_apply() {
            return Fault::WriteTimeout.into();
        }
        trouble
    }

    /// What became of a request whose connection has ended.
    fn ended(&self) -> Fault {
        let stuck = self.watched.pulse.was_given_up();
        if stuck { Fault::WriteTimeout } else { Fault::LostAfterSend }
    }

    fn check(&self) -> Result<(), Trouble> {
        if self.is_closed() { Err(Fault::LostBeforeSend.into()) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server_id", &self.server_id).finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The driver may have written the request before the connection ended.
fn lost(error: redis::RedisError) -> Trouble {
    Trouble::Redis(error, Sent::Maybe)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use tokio::io::duplex;

    use super::*;
    use crate::connect::pause;

    static PLAIN: LazyLock<redis::RedisConnectionInfo> =
        LazyLock::new(|| redis::RedisConnectionInfo::default().set_skip_set_lib_name());

    fn start(
        shared: redis::aio::MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> Connection {
        let speaker = Speaker::Pushing(shared);
        Connection::start(speaker, driver, Arc::default(), &Handle::current())
    }

    #[tokio::test]
    async fn a_request_that_no_driver_will_take_is_lost_with_the_connection() {
        // What is sent stays in the queue, as if the driver had ended when it had just looked there.
        let (near, _far) = duplex(64);
        let options = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let made = redis::aio::MultiplexedConnection::new_with_config(&PLAIN, near, options).await;
        let (shared, _queue) = made.unwrap();
        let connection = start(shared, pause(Duration::from_millis(1)));
        let answer = connection.one(&redis::cmd("PING"), Duration::from_secs(20)).await;
        assert!(matches!(answer, Err(Trouble::Fault(Fault::LostAfterSend))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_limit_is_kept_while_the_connection_lives() {
        let (near, _far) = duplex(64);
        let options = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let made = redis::aio::MultiplexedConnection::new_with_config(&PLAIN, near, options).await;
        let (shared, driver) = made.unwrap();
        let connection = start(shared, driver);
        for limit in [Duration::from_millis(1), LOOK_AGAIN, 2 * LOOK_AGAIN] {
            let began = Instant::now();
            let answer = connection.one(&redis::cmd("PING"), limit).await;
            assert!(matches!(answer, Err(Trouble::Fault(Fault::ReplyTimeout))), "{answer:?}");
            assert!(began.elapsed() >= limit, "given up early");
        }
    }
}
