//! Real Redis and Valkey servers for tests: found or installed, started, broken on purpose, and always stopped again.
//!
//! Nothing here uses the driver under test, and nothing needs an async runtime: the calls block, and may be made inside
//! of a runtime and outside.

mod admin;
mod assemble;
mod certificates;
mod container;
mod error;
mod given;
mod guard;
mod install;
mod instance;
mod launcher;
mod node;
mod patience;
mod ports;
mod process;
mod reply;
mod running;
mod source;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

pub use admin::Login;
pub(crate) use assemble::MASTER;
pub use certificates::Certificates;
pub use error::{Result, ServersError};
pub use node::{Kind, Node};
pub use reply::Reply;
pub use running::Running;

use container::Network;
use guard::Guard;
use launcher::{Launcher, Secured};
use source::Source;

/// Which servers there are, and how they belong together.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// One server.
    Standalone,
    /// A primary and two replicas.
    Replica,
    /// A primary and two replicas, watched by three sentinels.
    Sentinel,
    /// Three primaries and three replicas that share the keys.
    Cluster,
    /// One server that speaks TLS only, with users.
    Tls,
    /// One server, of Valkey.
    Valkey,
}

impl Setup {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Standalone, Self::Replica, Self::Sentinel, Self::Cluster, Self::Tls, Self::Valkey];

    /// Whether it is one server that clients reach without anything special.
    pub fn is_one_server(self) -> bool {
        matches!(self, Self::Standalone | Self::Valkey)
    }

    /// Its name, the same as in `docker/` and for `cargo xtask itest`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Replica => "replica",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
            Self::Tls => "tls",
            Self::Valkey => "valkey",
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Setup {
    type Err = ServersError;

    fn from_str(name: &str) -> Result<Self> {
        let unknown = || ServersError::Unsupported("there is no such setup".to_owned());
        Self::ALL.into_iter().find(|setup| setup.name() == name).ok_or_else(unknown)
    }
}

/// The version of a server. For Valkey it is the version of Redis that it is compatible with.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

impl Version {
    /// The first that knows `WAITAOF`.
    pub const KNOWS_WAITAOF: Self = Self::new(7, 2, 0);

    /// The version with these numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    pub(crate) fn of(node: &Node) -> Result<Self> {
        let text = node.admin(&["INFO", "server"])?.ok()?.info("redis_version").unwrap_or_default();
        let mut numbers = text.split('.').map(|number| number.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Ok(Self { major: next(), minor: next(), patch: next() })
    }
}

/// What to start; see [`Servers::start`] for the plain case.
#[derive(Clone, Debug)]
#[must_use]
pub struct Servers {
    setup: Setup,
    settings: Vec<(String, String)>,
    proxies: bool,
}

impl Servers {
    /// The setup, without anything special.
    pub fn new(setup: Setup) -> Self {
        Self { setup, settings: Vec::new(), proxies: false }
    }

    /// Starts a setup and returns when it is settled.
    ///
    /// The servers are, in this order: those of the URL in `STATE_REDIS_URL`; containers, if an engine runs and has or can
    /// pull the image (`STATE_REDIS_IMAGE`, for Valkey `STATE_VALKEY_IMAGE`, names another one); processes of the `redis-server` or `valkey-server` on the
    /// `PATH`; the same, after it was installed as root with the package manager. `STATE_REDIS_FROM` (`url`, `docker`, `path` or
    /// `install`) allows one of them only. What is used is told on standard error.
    ///
    /// # Errors
    /// When there is no server to be had, or it does not start.
    pub fn start(setup: Setup) -> Result<Running> {
        Self::new(setup).run()
    }

    /// Adds a line to the configuration of the servers with data.
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a [`Proxy`](crate::proxy::Proxy) in front of every server with data, and has the servers announce it as their
    /// address.
    pub fn with_proxies(mut self) -> Self {
        self.proxies = true;
        self
    }

    /// Starts the servers and returns when they are settled.
    ///
    /// # Errors
    /// When there is no server to be had, or it does not start.
    pub fn run(self) -> Result<Running> {
        let source = source::find(self.setup)?;
        let guard = Guard::new()?;
        let given = matches!(source, Source::Url(_));
        let secured =
            if self.setup == Setup::Tls && !given { Some(Secured::new(&guard)?) } else { None };
        let network = match self.setup {
            Setup::Replica | Setup::Sentinel | Setup::Cluster => Network::Host,
            Setup::Standalone | Setup::Tls | Setup::Valkey => Network::Mapped,
        };
        let Self { setup, settings, proxies } = self;
        let launcher = Launcher { source, guard, network, settings, proxies, secured };
        let (nodes, url) = if let Source::Url(url) = &launcher.source {
            given::connect(setup, url, &launcher)?
        } else {
            let nodes = assemble::start(setup, &launcher)?;
            assemble::wait_until_settled(setup, &nodes)?;
            let url = url(setup, &nodes, &launcher);
            (nodes, url)
        };
        let none = || ServersError::Unsupported("a setup without servers".to_owned());
        let version = Version::of(nodes.first().ok_or_else(none)?)?;
        Ok(Running { nodes, setup, url, version, launcher })
    }
}

/// Asks again and again until there is an answer, for a minute at most: for what no server tells by itself.
///
/// # Errors
/// When there was no answer in time.
pub fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> Result<T> {
    patience::until(what, || ask().ok_or_else(|| patience::NotYet::because("it is not so")))
}

/// Makes certificates in a folder that exists: `ca.pem`, `server.pem` with `server.key`, and others for bad cases.
///
/// # Errors
/// When they cannot be written.
pub fn make_certificates(folder: &Path) -> Result<()> {
    certificates::make(folder).map(|_| ())
}

/// The URL of servers that were started.
fn url(setup: Setup, nodes: &[Node], launcher: &Launcher) -> String {
    let list = |nodes: &mut dyn Iterator<Item = &Node>| {
        nodes.map(|node| node.address().to_string()).collect::<Vec<_>>().join(",")
    };
    let first = list(&mut nodes.iter().take(1));
    match setup {
        Setup::Standalone => format!("redis://{first}"),
        Setup::Valkey => format!("valkey://{first}"),
        Setup::Replica => {
            format!("redis://{first}?replicas={}", list(&mut nodes.iter().skip(1)))
        }
        Setup::Sentinel => {
            let sentinels = list(&mut nodes.iter().filter(|node| node.kind() == Kind::Sentinel));
            format!("redis+sentinel://{sentinels}/{MASTER}")
        }
        Setup::Cluster => format!("redis+cluster://{}", list(&mut nodes.iter())),
        Setup::Tls => {
            let secured = launcher.secured.as_ref();
            let login = secured.map(|secured| {
                let user = secured.user.user.as_deref().unwrap_or_default();
                format!("{user}:{}@", secured.user.password)
            });
            let file = secured.map(|secured| secured.certificates.ca.display().to_string());
            let (login, file) = (login.unwrap_or_default(), file.unwrap_or_default());
            format!("rediss://{login}{first}?tls_ca_file={file}")
        }
    }
}
