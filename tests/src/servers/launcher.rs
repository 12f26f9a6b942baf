//! Starts single servers of a source, on free ports.

use super::Version;
use super::admin::{Access, Login, unchecked_tls};
use super::certificates::{self, Certificates, File};
use super::container::{Network, ServerContainer};
use super::error::{Result, ServersError};
use super::guard::Guard;
use super::instance::Instance;
use super::node::{Kind, Node};
use super::ports;
use super::process::ServerProcess;
use super::source::Source;
use crate::proxy::Proxy;

/// How often a server is started anew because another program took its port in between.
const TRIES: usize = 8;
/// What servers log when that happens.
const PORT_TAKEN: [&str; 2] = ["Address already in use", "Failed listening on port"];
const CONFIG_FILE: &str = "server.conf";
/// The users of the setup with TLS, the same as in its compose file.
const USERS: &str = include_str!("../../../docker/tls/users.acl");

/// Starts single servers of a source, on free ports.
#[derive(Debug)]
pub(crate) struct Launcher {
    pub(crate) source: Source,
    pub(crate) guard: Guard,
    pub(crate) network: Network,
    /// Lines that a test adds to the configuration of data servers.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) proxies: bool,
    pub(crate) secured: Option<Secured>,
}

/// What a server with TLS and users needs.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) certificates: Certificates,
    pub(crate) files: Vec<File>,
    pub(crate) admin: Login,
    pub(crate) user: Login,
}

impl Secured {
    pub(crate) fn new(guard: &Guard) -> Result<Self> {
        let (certificates, mut files) = certificates::make(guard.folder())?;
        files.push(("users.acl".to_owned(), USERS.as_bytes().to_vec()));
        Ok(Self { certificates, files, admin: login("admin")?, user: login("state")? })
    }
}

/// The login of a user of `USERS`, whose password is the word that begins with `>`.
fn login(user: &str) -> Result<Login> {
    let start = format!("user {user} ");
    let line = USERS.lines().find(|line| line.starts_with(&start)).unwrap_or_default();
    let password = line.split_whitespace().find_map(|word| word.strip_prefix('>'));
    let missing = || ServersError::Unsupported(format!("no password of `{user}` in users.acl"));
    Ok(Login { user: Some(user.to_owned()), password: password.ok_or_else(missing)?.to_owned() })
}

impl Launcher {
    /// Starts a data server with these lines more in its configuration, and waits until it answers.
    pub(crate) fn data(&self, lines: &[String]) -> Result<Node> {
        self.launch(Kind::Data, lines)
    }

    /// Starts a sentinel.
    pub(crate) fn sentinel(&self, lines: &[String]) -> Result<Node> {
        self.launch(Kind::Sentinel, lines)
    }

    fn launch(&self, kind: Kind, lines: &[String]) -> Result<Node> {
        let mut last = None;
        for _ in 0..TRIES {
            let node = self.launch_once(kind, lines);
            match node.and_then(|node| node.wait_until_ready().map(|()| node)) {
                Err(ServersError::Ended(log))
                    if PORT_TAKEN.iter().any(|line| log.contains(line)) =>
                {
                    last = Some(ServersError::Ended(log));
                }
                other => {
                    let node = other?;
                    self.grant_newer(&node)?;
                    return Ok(node);
                }
            }
        }
        Err(last.unwrap_or_else(|| ServersError::System("no server was started".to_owned())))
    }

    /// Lets the user of the setup do what only newer servers know: an older one refuses a file with a rule for a command that
    /// it does not know. The server writes the file anew, so that it holds after a restart too.
    fn grant_newer(&self, node: &Node) -> Result<()> {
        let Some(user) = self.secured.as_ref().and_then(|secured| secured.user.user.as_deref())
        else {
            return Ok(());
        };
        if Version::of(node)? >= Version::KNOWS_WAITAOF {
            node.admin(&["ACL", "SETUSER", user, "+waitaof"])?.ok()?;
            node.admin(&["ACL", "SAVE"])?.ok()?;
        }
        Ok(())
    }

    fn launch_once(&self, kind: Kind, lines: &[String]) -> Result<Node> {
        let port = ports::free()?;
        let token = ports::token()?;
        let address = ports::loopback(port);
        let proxy = if self.proxies && kind == Kind::Data {
            Some(Proxy::start_on(ports::loopback(ports::free()?), address)?)
        } else {
            None
        };
        let announced = proxy.as_ref().map_or(port, |proxy| proxy.address().port());
        let mut config = self.common_lines(port);
        config.extend(match kind {
            Kind::Data => self.data_lines(port, announced, &token),
            Kind::Sentinel => vec![format!("sentinel myid {token}")],
        });
        config.extend(lines.iter().cloned());
        if kind == Kind::Data {
            let own = self.settings.iter().map(|(name, value)| format!("{name} {value}"));
            config.extend(own);
        }
        config.push(String::new());
        let instance = self.instance(kind, port, &config.join("\n"))?;
        let mut access = Access::plain(address);
        if let Some(secured) = &self.secured {
            access.tls = Some(unchecked_tls()?);
            access.login = Some(secured.admin.clone());
        }
        Ok(Node { kind, access, instance, proxy, token: Some(token) })
    }

    fn common_lines(&self, port: u16) -> Vec<String> {
        let bind = match (&self.source, self.network) {
            (Source::Docker { .. }, Network::Mapped) => "0.0.0.0",
            _ => "127.0.0.1",
        };
        let mut lines = vec![format!("bind {bind}"), "protected-mode no".to_owned()];
        if self.secured.is_some() {
            lines.extend(
                [
                    "port 0",
                    &format!("tls-port {port}"),
                    "tls-cert-file server.pem",
                    "tls-key-file server.key",
                    "tls-ca-cert-file ca.pem",
                    "tls-auth-clients optional",
                    "aclfile users.acl",
                ]
                .map(str::to_owned),
            );
        } else {
            lines.push(format!("port {port}"));
        }
        lines
    }

    /// What is written is on the append-only file before it is acknowledged, so a killed server has it again.
    fn data_lines(&self, port: u16, announced: u16, token: &str) -> Vec<String> {
        let mut lines = vec![
            format!("syslog-ident {token}"),
            "save \"\"".to_owned(),
            "appendonly yes".to_owned(),
            "enable-debug-command yes".to_owned(),
            "repl-diskless-sync-delay 0".to_owned(),
        ];
        if self.proxies && self.network == Network::Host {
            lines.extend([
                "replica-announce-ip 127.0.0.1".to_owned(),
                format!("replica-announce-port {announced}"),
                "cluster-announce-ip 127.0.0.1".to_owned(),
                format!("cluster-announce-port {announced}"),
                format!("cluster-announce-bus-port {}", port + ports::BUS_OFFSET),
            ]);
        }
        lines
    }

    fn instance(&self, kind: Kind, port: u16, config: &str) -> Result<Instance> {
        let mut files: Vec<File> =
            self.secured.as_ref().map(|secured| secured.files.clone()).unwrap_or_default();
        files.push((CONFIG_FILE.to_owned(), config.as_bytes().to_vec()));
        let mut arguments = vec![CONFIG_FILE.to_owned()];
        if kind == Kind::Sentinel {
            arguments.push("--sentinel".to_owned());
        }
        match &self.source {
            Source::Url(_) => Ok(Instance::Given),
            Source::Program(program) => {
                let folder = self.guard.folder().join(port.to_string());
                std::fs::create_dir(&folder)?;
                for (name, content) in &files {
                    std::fs::write(folder.join(name), content)?;
                }
                ServerProcess::start(program.clone(), arguments, folder).map(Instance::Process)
            }
            Source::Docker { engine, image } => {
                let server =
                    if image.contains("valkey") { "valkey-server" } else { "redis-server" };
                arguments.insert(0, server.to_owned());
                let container =
                    ServerContainer::start(engine, image, arguments, &files, port, self.network)?;
                self.guard.watch_container(container.id())?;
                Ok(Instance::Container(Box::new(container)))
            }
        }
    }
}
