//! One shared connection: its driver task, and what is owed to its callers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OnceCell};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Trouble;
use super::observe::Pulse;
use super::reads;
use super::wire::{Answers, Waiting, Wire};
use crate::command::Command;
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
    /// The connection that is to be asked instead.
    Over(Arc<Connection>),
}

/// How requests get to the driver.
#[derive(Clone)]
pub(super) enum Speaker {
    /// Requests and answers, and nothing else.
    Wire(Wire),
    /// A connection over which the server sends messages unasked.
    Pushing(redis::aio::MultiplexedConnection),
}

/// A command that was handed in, and whose answer is waited for. Dropped, it is executed all the same.
pub(crate) struct Begun<'a> {
    waiting: Waiting,
    connection: Arc<Connection>,
    command: &'a Command,
    until: Instant,
    polled: bool,
}

impl Begun<'_> {
    pub(crate) fn into_connection(self) -> Arc<Connection> {
        self.connection
    }

    /// Waits for the answer, or for what is told of its loss.
    pub(crate) async fn answer(&mut self) -> Result<redis::Value, Trouble> {
        match std::future::poll_fn(|cx| self.poll(cx)).await.and_then(single) {
            Ok(answer) => Ok(answer),
            Err(Given::Up(trouble)) => Err(trouble),
            Err(Given::Over(around)) => {
                Box::pin(around.one(self.command, left(Some(self.until)))).await
            }
        }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Answers, Given>> {
        let (woken, command) = (std::mem::replace(&mut self.polled, true), self.command);
        let is_read = || reads::is_read(command);
        self.connection.poll_answer(&self.waiting, Some(self.until), woken, is_read, cx)
    }
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
    /// It knows itself what is owed; what follows is for the client library.
    wire: Option<Wire>,
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
        self.wire.as_ref().is_some_and(Wire::owes)
            || self.waiting.load(Ordering::SeqCst) + self.abandoned.load(Ordering::SeqCst) > 0
    }

    /// Rouses a supervisor that sleeps until somebody sends: somebody has.
    fn sent(&self) {
        if self.idle.load(Ordering::SeqCst) && self.idle.swap(false, Ordering::SeqCst) {
            self.changed.notify_one();
        }
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
        watched.sent();
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
        let wire = match &speaker {
            Speaker::Wire(wire) => Some(wire.clone()),
            Speaker::Pushing(_) => None,
        };
        let watched = Arc::new(Watched { pulse, wire, ..Watched::default() });
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
        command: &Command,
        limit: Duration,
    ) -> Result<redis::Value, Trouble> {
        self.check()?;
        let until = Instant::now().checked_add(limit);
        let is_read = || reads::is_read(command);
        if let Some(around) = self.detour().filter(|_| is_read()) {
            return Box::pin(around.one(command, left(until))).await;
        }
        let answer = match &self.speaker {
            Speaker::Wire(wire) => loop {
                if let Some(waiting) = wire.begin(command, until)? {
                    self.watched.sent();
                    break self.answer(waiting, until, is_read).await.and_then(single);
                }
                self.room(wire, until).await?;
            },
            Speaker::Pushing(shared) => {
                let mut shared = shared.clone();
                let command = command.to_client();
                let sent = async { shared.send_packed_command(&command).await.map_err(lost) };
                Box::pin(self.answered(sent, until, is_read)).await
            }
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(Given::Up(trouble)) => Err(trouble),
            Err(Given::Over(around)) => Box::pin(around.one(command, left(until))).await,
        }
    }

    /// Sends several commands in one write, and waits for at most `limit`. Each answer may be an
    /// error of the server.
    pub(crate) async fn many(
        &self,
        commands: &[Command],
        limit: Duration,
    ) -> Result<Vec<redis::Value>, Trouble> {
        self.check()?;
        let until = Instant::now().checked_add(limit);
        let are_reads = || reads::are_reads(commands);
        if let Some(around) = self.detour().filter(|_| are_reads()) {
            return Box::pin(around.many(commands, left(until))).await;
        }
        let answers = match &self.speaker {
            Speaker::Wire(wire) => loop {
                if let Some(waiting) = wire.begin_many(commands, until)? {
                    self.watched.sent();
                    break self.answer(waiting, until, are_reads).await.and_then(several);
                }
                self.room(wire, until).await?;
            },
            Speaker::Pushing(shared) => {
                let mut shared = shared.clone();
                let packed = Command::all_to_client(commands);
                let sent = async {
                    shared.send_packed_commands(&packed, 0, commands.len()).await.map_err(lost)
                };
                Box::pin(self.answered(sent, until, are_reads)).await
            }
        };
        match answers {
            Ok(answers) => Ok(answers),
            Err(Given::Up(trouble)) => Err(trouble),
            Err(Given::Over(around)) => Box::pin(around.many(commands, left(until))).await,
        }
    }

    /// Sends one command here and now, for an answer until `until`; `None` where that takes more than handing it in.
    pub(crate) fn begin<'a>(
        self: &Arc<Self>,
        command: &'a Command,
        until: Instant,
    ) -> Option<Begun<'a>> {
        let Speaker::Wire(wire) = &self.speaker else { return None };
        if self.is_closed() || self.detour.open.load(Ordering::Relaxed) {
            return None;
        }
        // What went wrong before anything was sent is found again on the long way.
        let waiting = wire.begin(command, Some(until)).ok().flatten()?;
        self.watched.sent();
        Some(Begun { waiting, connection: Arc::clone(self), command, until, polled: false })
    }

    /// Waits for room for another request.
    async fn room(&self, wire: &Wire, until: Option<Instant>) -> Result<(), Trouble> {
        let Some(until) = until else {
            wire.room().await;
            return Ok(());
        };
        // What was not handed in can have no effect.
        tokio::time::timeout_at(until, wire.room()).await.map_err(|_| Fault::Late.into())
    }

    /// Waits for the answer to what was handed in.
    async fn answer(
        &self,
        waiting: Waiting,
        until: Option<Instant>,
        is_read: impl Fn() -> bool,
    ) -> Result<Answers, Given> {
        let mut polled = false;
        std::future::poll_fn(|cx| {
            let woken = std::mem::replace(&mut polled, true);
            self.poll_answer(&waiting, until, woken, &is_read, cx)
        })
        .await
    }

    /// Whether the answer is there, or there is no more sense in waiting for it: that is looked at by who was `woken`.
    fn poll_answer(
        &self,
        waiting: &Waiting,
        until: Option<Instant>,
        woken: bool,
        is_read: impl Fn() -> bool,
        cx: &Context<'_>,
    ) -> Poll<Result<Answers, Given>> {
        if let Poll::Ready(answer) = waiting.poll_answer(cx) {
            return Poll::Ready(answer.map_err(|trouble| Given::Up(self.stuck(trouble))));
        }
        let given = if woken { self.given(until, is_read) } else { None };
        match given {
            Some(given) => Poll::Ready(Err(given)),
            None => Poll::Pending,
        }
    }

    /// Why there is no sense in waiting any longer, if there is none.
    fn given(&self, until: Option<Instant>, is_read: impl Fn() -> bool) -> Option<Given> {
        if self.is_closed() {
            return Some(Given::Up(self.ended().into()));
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Some(Given::Up(Fault::ReplyTimeout.into()));
        }
        self.detour().filter(|_| is_read()).map(Given::Over)
    }

    /// Waits for an answer, but not longer than there is a connection that could bring it, and no
    /// way `around` it.
    #[expect(clippy::disallowed_methods, reason = "sockets and their timers belong to one runtime")]
    async fn answered<T>(
        &self,
        sent: impl Future<Output = Result<T, Trouble>>,
        until: Option<Instant>,
        is_read: impl Fn() -> bool,
    ) -> Result<T, Given> {
        let mut owed = Owed::new(&self.watched);
        let next = || {
            let next = Instant::now() + LOOK_AGAIN;
            until.map_or(next, |until| until.min(next))
        };
        let (mut sent, mut timer) = (pin!(sent), pin!(tokio::time::sleep_until(next())));
        loop {
            tokio::select! {
                biased;
                answer = &mut sent => {
                    owed.answered = true;
                    return answer.map_err(|trouble| Given::Up(self.stuck(trouble)));
                }
                () = &mut timer => {}
            }
            if let Some(given) = self.given(until, &is_read) {
                return Err(given);
            }
            timer.as_mut().reset(next());
        }
    }

    /// Ends the connection that the server, to which this one leads too, numbers `id`.
    pub(super) async fn kill(&self, id: Option<i64>) -> Ended {
        let Some(id) = id else { return Ended::Refused };
        let mut kill = Command::new("CLIENT");
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

/// What is left of the time.
fn left(until: Option<Instant>) -> Duration {
    until.map_or(UNLIMITED, |until| until.saturating_duration_since(Instant::now()))
}

fn single(answers: Answers) -> Result<redis::Value, Given> {
    match answers {
        Answers::One(value) => Ok(value),
        Answers::Many(_) => Err(Given::Up(Fault::Unexpected.into())),
    }
}

fn several(answers: Answers) -> Result<Vec<redis::Value>, Given> {
    match answers {
        Answers::Many(values) => Ok(values),
        Answers::One(_) => Err(Given::Up(Fault::Unexpected.into())),
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
        let answer = connection.one(&Command::new("PING"), Duration::from_secs(20)).await;
        assert!(matches!(answer, Err(Trouble::Fault(Fault::LostAfterSend))), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn each_caller_of_a_wire_is_woken_when_its_own_time_is_up() {
        let (near, _far) = duplex(1 << 16);
        let (wire, driver) = Wire::over(near);
        let speaker = Speaker::Wire(wire);
        let connection = Connection::start(speaker, driver, Arc::default(), &Handle::current());
        let connection = Arc::new(connection);
        let (ms, ping) = (Duration::from_millis, Command::new("PING"));
        let limits = [700, 3, 250, 40, 251, 1_000, 41, 2].map(ms);
        let callers = limits.into_iter().enumerate().map(|(number, limit)| {
            let (connection, ping) = (&connection, &ping);
            async move {
                // Some come while the driver waits for others, whose time is up later.
                pause(ms(number as u64 * 7)).await;
                let began = Instant::now();
                let answer = if number % 2 == 0 {
                    connection.one(ping, limit).await
                } else {
                    connection.begin(ping, began + limit).unwrap().answer().await
                };
                (limit, began.elapsed(), answer)
            }
        });
        for (limit, took, answer) in futures_util::future::join_all(callers).await {
            assert!(matches!(answer, Err(Trouble::Fault(Fault::ReplyTimeout))), "{answer:?}");
            // Timers go by whole milliseconds.
            assert!(took >= limit && took <= limit + ms(1), "{took:?} of {limit:?}");
        }
        assert!(connection.watched().owes(), "what nobody waits for any more is still owed");
        drop(connection.begin(&ping, Instant::now() + ms(1)).unwrap());
        connection.close();
        assert!(connection.begin(&ping, Instant::now() + ms(1)).is_none());
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
            let answer = connection.one(&Command::new("PING"), limit).await;
            assert!(matches!(answer, Err(Trouble::Fault(Fault::ReplyTimeout))), "{answer:?}");
            assert!(began.elapsed() >= limit, "given up early");
        }
    }
}
