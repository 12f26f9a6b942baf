//! A stage for tests of the Redis driver: real servers behind proxies, a runtime, and a store that is connected through
//! the proxies and never opened anew.

mod chance;

use std::fmt::Debug;
use std::future::Future;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use state_core::{
    Clock, Error, ErrorKind, Namespace, Outcome, StateBackend, StateBackendExt, SystemClock,
};
use state_redis::{RedisBackend, RedisConfig, RedisStore};
use tokio::runtime::{Builder, Runtime};

pub(crate) use chance::{Chance, effort};

use crate::proxy::{Counts, Ending, Fault, Proxy};
use crate::servers::{MASTER, Node, Reply, Running, Servers, Setup};

/// How long anything may take on a slow and busy machine; only what is broken takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a whole test may take, so that one that hangs fails and says which it is.
pub(crate) const TEST_PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(5);

/// The servers of one test, and what leads to them.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) servers: Running,
    runtime: Runtime,
}

/// What a test does on a stage.
pub(crate) type Play = fn(&Stage) -> Result<(), Failed>;

/// A test on servers of its own, behind proxies.
///
/// With servers that are given by a URL it is reported as ignored: what it does to servers cannot be asked of them.
pub(crate) fn trial(name: &str, setup: Setup, play: Play) -> Trial {
    trial_with(name, setup, &[], play)
}

/// The same with lines for the configuration of the servers.
pub(crate) fn trial_with(
    name: &str,
    setup: Setup,
    settings: &'static [(&'static str, &'static str)],
    play: Play,
) -> Trial {
    let given = std::env::var_os("STATE_REDIS_URL").is_some();
    let start = move || play(&Stage::start(setup, settings)?);
    Trial::test(name, start).with_ignored_flag(given)
}

impl Stage {
    /// Starts the servers and a runtime with two workers.
    pub(crate) fn start(setup: Setup, settings: &[(&str, &str)]) -> Result<Self, Failed> {
        let servers = Servers::new(setup).with_proxies();
        let add =
            |servers: Servers, (name, value): &(&str, &str)| servers.with_setting(name, value);
        let servers = settings.iter().fold(servers, add).run()?;
        Ok(Self { servers, runtime: runtime(2)? })
    }

    /// Runs `play` on the runtime, while calls of the harness may block this thread.
    pub(crate) fn run<T>(
        &self,
        play: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        self.runtime.block_on(async {
            let late = || Failed::from("the test was given up: something hangs");
            tokio::time::timeout(TEST_PATIENCE, play).await.map_err(|_| late())?
        })
    }

    /// The default settings, except that the budget of retries is no limit.
    pub(crate) fn config(&self) -> Result<RedisConfig, Failed> {
        let mut config = RedisConfig::from_url(self.servers.url())?;
        config.retry_budget_min_per_s = 100_000;
        Ok(config)
    }

    /// Settings with which nothing is repeated, so that the first error is the one that is seen.
    pub(crate) fn once(&self) -> Result<RedisConfig, Failed> {
        let mut config = self.config()?;
        config.retries = 0;
        Ok(config)
    }

    /// Settings with which nothing is late on a slow machine, or while a server is frozen.
    pub(crate) fn patient(&self) -> Result<RedisConfig, Failed> {
        let mut config = self.config()?;
        config.call_timeout_ms = 120_000;
        config.read_timeout_ms = 120_000;
        config.write_timeout_ms = 120_000;
        config.connect_timeout_ms = 30_000;
        Ok(config)
    }

    /// A namespace of a store with default settings.
    pub(crate) async fn open(&self) -> Result<RedisBackend, Failed> {
        open(self.config()?).await
    }

    /// The proxies of the servers with data, in their order.
    pub(crate) fn proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.servers.nodes().iter().filter_map(Node::proxy)
    }

    /// Switches all proxies.
    pub(crate) fn set(&self, fault: Fault) {
        self.proxies().for_each(|proxy| proxy.set(fault));
    }

    /// Ends the connections of all clients.
    pub(crate) fn end_connections(&self, ending: Ending) {
        self.proxies().for_each(|proxy| proxy.end_connections(ending));
    }

    /// What has passed through all proxies together.
    pub(crate) fn counts(&self) -> Vec<Counts> {
        self.proxies().map(Proxy::counts).collect()
    }

    /// Sends a command to the first server; it must succeed.
    pub(crate) fn admin(&self, words: &[&str]) -> Result<Reply, Failed> {
        Ok(self.servers.admin(0, words)?.ok()?)
    }

    /// Sends a command to every server that is a primary now; it must succeed.
    pub(crate) fn admin_primaries(&self, words: &[&str]) -> Result<(), Failed> {
        for place in self.servers.primaries() {
            self.servers.admin(place, words)?.ok()?;
        }
        Ok(())
    }

    /// Sends a command to the first primary that has its keys; it must succeed.
    pub(crate) fn admin_owner(&self, words: &[&str]) -> Result<Reply, Failed> {
        for place in self.servers.primaries() {
            match self.servers.admin(place, words)? {
                Reply::Error(text) if text.starts_with("MOVED") => {}
                reply => return Ok(reply.ok()?),
            }
        }
        Err("no primary has the keys".into())
    }

    /// A name whose entry the first server holds. A store that is not a cluster holds all of them there.
    pub(crate) fn name_at_first(&self) -> Result<String, Failed> {
        for number in 0..1_000 {
            let name = format!("first:{number}");
            let stored = format!("state:faults:V:{{{name}}}");
            if matches!(self.servers.admin(0, &["EXISTS", &stored])?, Reply::Integer(_)) {
                return Ok(name);
            }
        }
        Err("the first server holds nothing".into())
    }

    /// Makes another server the primary, and waits until it is.
    pub(crate) async fn fail_over(&self) -> Result<(), Failed> {
        let before = self.servers.primaries();
        self.servers.failover()?;
        until_so("there is another primary", || {
            let now = self.servers.primaries();
            now.len() == before.len() && now != before
        })
        .await
    }

    /// Has the sentinels take a server that they do not reach for one that is there.
    pub(crate) fn keep_primary(&self) -> Result<(), Failed> {
        for sentinel in self.servers.sentinels() {
            let words = ["SENTINEL", "SET", MASTER, "down-after-milliseconds", "600000"];
            self.servers.admin(sentinel, &words)?.ok()?;
        }
        Ok(())
    }

    /// Whether every primary answers `words` with an error that begins like this.
    pub(crate) fn refuses(&self, words: &[&str], code: &str) -> bool {
        let places = self.servers.primaries();
        !places.is_empty() && places.into_iter().all(|place| self.refuses_at(place, words, code))
    }

    /// Whether this server does. One that is kept busy does not even say that it is a primary.
    pub(crate) fn refuses_at(&self, place: usize, words: &[&str], code: &str) -> bool {
        let reply = self.servers.admin(place, words);
        matches!(reply, Ok(Reply::Error(text)) if text.starts_with(code))
    }

    /// Sends a line to a server, past any proxy, and does not wait for the answer: it comes over what is returned, and
    /// dropping that ends the connection.
    pub(crate) fn begin(&self, place: usize, line: &str) -> Result<TcpStream, Failed> {
        let mut stream = TcpStream::connect(self.servers.node(place)?.direct_address())?;
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        Ok(stream)
    }
}

/// A runtime of its own with so many workers.
pub(crate) fn runtime(workers: usize) -> Result<Runtime, Failed> {
    Ok(Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}

/// Connects and opens a namespace.
pub(crate) async fn open(config: RedisConfig) -> Result<RedisBackend, Failed> {
    Ok(RedisStore::connect_with(config).await?.open(Namespace::new("faults")?).await?)
}

/// A backend as the trait object that tasks share.
pub(crate) fn shared(backend: &RedisBackend) -> Arc<dyn StateBackend> {
    Arc::new(backend.clone())
}

/// Asks until the answer is there, for as long as [`PATIENCE`].
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T, Failed> {
    let clock = SystemClock::new();
    let end = clock.monotonic() + PATIENCE;
    while clock.monotonic() < end {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        clock.sleep(PAUSE).await;
    }
    Err(format!("not within {} s: {what}", PATIENCE.as_secs()).into())
}

/// Asks the servers until it is so.
pub(crate) async fn until_so(what: &str, mut ask: impl FnMut() -> bool) -> Result<(), Failed> {
    until(what, || {
        let answer = ask().then_some(());
        async move { answer }
    })
    .await
}

/// Makes sure that `backend`, which was not opened anew, reads and writes again, by plain command and by script, on every
/// node.
pub(crate) async fn works_again(backend: &RedisBackend) -> Result<(), Failed> {
    let keys: Vec<String> = (0..20).map(|number| format!("again:{number}")).collect();
    until("the store works again", || async {
        for key in &keys {
            backend.put(key.clone(), "1").await.ok()?;
            let entry = backend.get_entry(key.clone()).await.ok()??;
            backend.compare_and_set(key.clone(), entry.version, "0").await.ok()?;
        }
        Some(())
    })
    .await?;
    // Not once by luck: every call from now on.
    for key in &keys {
        backend.put(key.clone(), "5").await?;
        let value = backend.get(key.clone()).await?.ok_or("what was written is not there")?;
        assert_eq!(value, "5");
        let sum = backend.increment(key.clone(), 1).await?;
        assert_eq!(sum, 6);
    }
    Ok(())
}

/// Makes sure of what a failed call says.
pub(crate) fn fails<T: Debug>(
    answer: Result<T, Error>,
    kind: ErrorKind,
    outcome: Outcome,
) -> Result<Error, Failed> {
    let error = answer.err().ok_or("it succeeded")?;
    let found = (error.kind(), error.outcome());
    if found == (kind, outcome) {
        return Ok(error);
    }
    Err(format!("expected {kind} and {outcome}, got {found:?}: {error}").into())
}
