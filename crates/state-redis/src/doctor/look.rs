//! Asking the servers what the checks need.
//!
//! Each server is asked over the connection for small requests what anybody may ask, and over a connection of its own for
//! what changes a connection or may be refused. Nothing is written, and no other connection notices.

use std::sync::Arc;

use futures_util::future::join_all;
use redis::Value;
use state_core::{Clock, Error, ErrorKind, Result};
use tokio::time::timeout;

use super::Offset;
use super::access::Rights;
use super::rules::{Group, Place, RULES, Rule};
use crate::client::{Body, Client, NodeId, Repeat, Reply, Request, Speaker, Target};
use crate::command::Command;
use crate::config::Address;
use crate::connect::{Connector, Purpose, Trouble};
use crate::errors::{Fault, Sent};
use crate::frame::new_version;
use crate::info::Info;
use crate::scripts;
use crate::server_info::NodeInfo;
use crate::topology::Node;

/// How often the clock of a server is asked for; the quickest answer is the best one.
const LOOKS_AT_CLOCK: usize = 3;
/// The version from which on `WAITAOF` is known.
const WAITAOF_SINCE: (u32, u32) = (7, 2);

/// Why something is not known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Unknown {
    /// The user may not ask.
    Denied,
    /// The server does not know the question.
    Lacking,
    /// There was no answer, for this reason.
    Failed(String),
}

/// An answer, or why there is none.
pub(super) type Told<T> = std::result::Result<T, Unknown>;

/// What a server said to the trial of a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Permit {
    Yes,
    /// The user may not send the command.
    Command,
    /// The user may send it, but not for a key under the prefix.
    Key,
    /// The same for a channel.
    Channel,
    /// The server has no such command, or under another name.
    Lacking,
}

/// What one server said.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: String,
    /// Whether only this machine reaches it by that address.
    pub(super) is_local: bool,
    /// Whether it is where writes go.
    pub(super) is_primary: bool,
    pub(super) in_cluster: bool,
    /// What it says of itself; or why it could not be reached, or did not say so.
    pub(super) info: Told<(NodeInfo, Info)>,
    pub(super) offset: Told<Offset>,
    /// The name of the user that was logged in.
    pub(super) user: Told<String>,
    pub(super) rights: Told<Rights>,
    /// Whether somebody gets in without a login; nothing where nobody had one.
    pub(super) open: Told<bool>,
    pub(super) permits: Told<Vec<(&'static Rule, Permit)>>,
    /// Whether a script ran; only primaries are asked to run one.
    pub(super) script: Option<Told<()>>,
    pub(super) nodes: Told<Info>,
    pub(super) state: Told<Info>,
}

impl Unknown {
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Denied => Self::Denied,
            ErrorKind::Unsupported => Self::Lacking,
            _ => Self::Failed(error.to_string()),
        }
    }

    /// The sentence that says so of a command.
    pub(super) fn of_command(&self, command: &str) -> String {
        match self {
            Self::Denied => format!("not known: `{command}` is denied to this user"),
            Self::Lacking => format!("not known: the server lacks `{command}`"),
            Self::Failed(why) => format!("not known: `{command}` was not answered: {why}"),
        }
    }
}

impl Permit {
    fn read(answer: &Value) -> Self {
        let Value::ServerError(error) = answer else { return Self::Yes };
        let text = error.details().unwrap_or_default();
        match error.code() {
            "NOPERM" if text.contains("permissions to run") => Self::Command,
            "NOPERM" if text.contains("channel") => Self::Channel,
            "NOPERM" => Self::Key,
            "ERR" if text.starts_with("unknown") => Self::Lacking,
            _ => Self::Yes,
        }
    }
}

/// Asks the servers of a client.
#[derive(Debug)]
pub(super) struct Looker<'a> {
    client: &'a Client,
    clock: &'a dyn Clock,
    place: Place,
}

impl<'a> Looker<'a> {
    pub(super) fn new(client: &'a Client, clock: &'a dyn Clock) -> Result<Self> {
        let (nonce, config) = (new_version()?.to_string(), client.config());
        let place = Place::new(&config.key_prefix, config.database, nonce);
        Ok(Self { client, clock, place })
    }

    /// What all servers say.
    ///
    /// # Errors
    /// When none can be reached.
    pub(super) async fn look(&self) -> Result<Vec<Server>> {
        let routes = self.client.topology().routes();
        let told = join_all(routes.nodes().map(|node| self.info(node))).await;
        let reached = |told: &Result<Info>| match told {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::Denied,
        };
        if !told.iter().any(reached) {
            let none = || Error::new(ErrorKind::Unavailable, "no server is known");
            return Err(told.into_iter().find_map(Result::err).unwrap_or_else(none));
        }
        let is_primary = |node: &Arc<Node>| routes.primaries().any(|one| Arc::ptr_eq(one, node));
        let seen = routes.nodes().zip(told);
        Ok(join_all(seen.map(|(node, told)| self.server(node, is_primary(node), told))).await)
    }

    /// What a server says of itself. What does not answer now is not waited for until another takes over: this is about now.
    async fn info(&self, node: &Node) -> Result<Info> {
        let limit = self.client.config().call_timeout();
        let asked = async {
            let connection = node.point().connection().await?;
            let answer = connection.one(&Command::new("INFO"), limit).await;
            let lost = answer.as_ref().is_err_and(|_| connection.is_closed());
            // One that was made long ago may have ended since.
            let answer = if lost {
                node.point().connection().await?.one(&Command::new("INFO"), limit).await?
            } else {
                answer?
            };
            answer.extract_error().map_err(|error| Trouble::Redis(error, Sent::No))
        };
        let answer = timeout(limit, asked).await.unwrap_or(Err(Fault::ConnectTimeout.into()));
        match answer {
            Ok(answer) => Ok(Info::read(&answer)),
            Err(trouble) => Err(trouble.failure().into_error().with_op("diagnose")),
        }
    }

    async fn server(&self, node: &Node, is_primary: bool, told: Result<Info>) -> Server {
        let (address, node) = (node.address(), node.id());
        let info = told.map(|info| (NodeInfo::read(node.as_str(), &info), info));
        let info = info.map_err(|error| Unknown::of(&error));
        let why = |info: &Told<_>| info.as_ref().err().cloned().unwrap_or(Unknown::Lacking);
        let mut server = Server {
            address: node.as_str().to_owned(),
            is_local: is_local(address),
            is_primary,
            in_cluster: self.client.is_cluster(),
            offset: Err(why(&info)),
            user: Err(why(&info)),
            rights: Err(why(&info)),
            open: Err(why(&info)),
            permits: Err(why(&info)),
            nodes: Err(why(&info)),
            state: Err(why(&info)),
            script: None,
            info,
        };
        if matches!(server.info, Err(Unknown::Failed(_))) {
            return server;
        }
        let limit = self.client.config().call_timeout();
        let (open, script, asked) = tokio::join!(
            self.opens(address),
            self.runs_scripts(node, &server),
            timeout(limit, self.ask(node, &server)),
        );
        (server.open, server.script) = (open, script);
        let late = || Err(Error::new(ErrorKind::Timeout, "the answers did not come in time"));
        match asked.unwrap_or_else(|_| late()) {
            Ok(more) => more.into_server(&mut server),
            Err(error) => More::unknown(&Unknown::of(&error)).into_server(&mut server),
        }
        server
    }

    /// Asks over a connection of its own.
    async fn ask(&self, node: &NodeId, server: &Server) -> Result<More> {
        let connection = self.client.dedicated(node).await?;
        let speaker = connection.speaker();
        let offset = self.offset(&speaker).await?;
        let user = told(speaker.command(&words("ACL WHOAMI")).await).map(|name| text(&name));
        let rights = match &user {
            Ok(name) => {
                let mut command = words("ACL GETUSER");
                command.arg(name.as_str());
                told(speaker.command(&command).await).map(|answer| Rights::read(&answer))
            }
            Err(why) => Err(why.clone()),
        };
        let (nodes, state) = if server.in_cluster {
            let nodes = told(speaker.command(&words("CLUSTER NODES")).await);
            let state = told(speaker.command(&words("CLUSTER INFO")).await);
            (nodes.map(|nodes| Info::read(&nodes)), state.map(|state| Info::read(&state)))
        } else {
            (Err(Unknown::Lacking), Err(Unknown::Lacking))
        };
        let permits = self.permits(&speaker, server).await?;
        Ok(More { offset: Ok(offset), user, rights, permits: Ok(permits), nodes, state })
    }

    async fn offset(&self, speaker: &Speaker) -> Result<Offset> {
        let mut best: Option<Offset> = None;
        for _ in 0..LOOKS_AT_CLOCK {
            let (before, since) = (self.clock.wall().unix_ms(), self.clock.monotonic());
            let answer = speaker.command(&words("TIME")).await?;
            let took = self.clock.monotonic().saturating_sub(since);
            let offset = Offset::new(before, took, milliseconds(&answer)?);
            if best.is_none_or(|best| offset.margin < best.margin) {
                best = Some(offset);
            }
        }
        best.ok_or_else(scripts::unlike)
    }

    /// Tries every rule that matters here.
    async fn permits(
        &self,
        speaker: &Speaker,
        server: &Server,
    ) -> Result<Vec<(&'static Rule, Permit)>> {
        let version = server.info.as_ref().ok().and_then(|(_, info)| info.version());
        let matters = |rule: &&Rule| match rule.group {
            Group::Cluster => server.in_cluster,
            Group::Role => !server.in_cluster,
            Group::Database => self.client.config().database != 0,
            Group::Name => !self.client.config().client_name.is_empty(),
            Group::Disk => version.is_some_and(|version| version >= WAITAOF_SINCE),
            Group::Threads => cfg!(feature = "checkpoint"),
            _ => true,
        };
        let probes = RULES.iter().filter(matters);
        let probes = probes.filter_map(|rule| Some((rule, self.place.probe(rule)?)));
        let (rules, probes): (Vec<_>, Vec<Command>) = probes.unzip();
        let answers = speaker.answers(&probes).await?;
        Ok(rules.into_iter().zip(answers.iter().map(Permit::read)).collect())
    }

    /// Whether a script runs as the driver runs it: it is taught where it is not known.
    async fn runs_scripts(&self, node: &NodeId, server: &Server) -> Option<Told<()>> {
        if !server.is_primary {
            return None;
        }
        // In a cluster the key has to be one of this node.
        let mut keys = (0..u16::MAX).map(|number| self.place.key(number));
        let key = keys.find(|key| match self.client.target(key.as_bytes()) {
            Target::Slot(slot) => self.client.slot_owner(slot) == *node,
            _ => true,
        })?;
        let call = scripts::LEASE_READ.call(&[key.into()], &[]);
        let body = Body::Script(&scripts::LEASE_READ, call);
        let request = Request::new("diagnose", Target::Node(node.clone()), body);
        let request = request.with_repeat(Repeat::Safe).with_deadline(self.client.deadline());
        let ran = match self.client.send(request).await {
            Ok(Reply::One(answer)) => scripts::Answer::read(answer).map(drop),
            Ok(Reply::Many(_)) => Err(scripts::unlike()),
            Err(error) => Err(error),
        };
        Some(ran.map_err(|error| Unknown::of(&error)))
    }

    /// Whether somebody gets in without a login.
    async fn opens(&self, address: &Address) -> Told<bool> {
        let config = self.client.config();
        if config.password.is_none() {
            return Ok(true);
        }
        let mut config = config.clone();
        (config.username, config.password, config.database) = (None, None, 0);
        config.client_name.clear();
        let connector = Connector::new(&config).map_err(|error| Unknown::of(&error))?;
        match connector.connect(address, Purpose::Any).await {
            Ok(_) => Ok(true),
            Err(trouble) => match Unknown::of(&trouble.failure().into_error()) {
                Unknown::Denied => Ok(false),
                unknown => Err(unknown),
            },
        }
    }
}

/// What is asked over a connection of its own.
struct More {
    offset: Told<Offset>,
    user: Told<String>,
    rights: Told<Rights>,
    permits: Told<Vec<(&'static Rule, Permit)>>,
    nodes: Told<Info>,
    state: Told<Info>,
}

impl More {
    fn unknown(why: &Unknown) -> Self {
        Self {
            offset: Err(why.clone()),
            user: Err(why.clone()),
            rights: Err(why.clone()),
            permits: Err(why.clone()),
            nodes: Err(why.clone()),
            state: Err(why.clone()),
        }
    }

    fn into_server(self, server: &mut Server) {
        (server.offset, server.user, server.rights) = (self.offset, self.user, self.rights);
        (server.permits, server.nodes, server.state) = (self.permits, self.nodes, self.state);
    }
}

/// Whether only this machine reaches an address.
pub(super) fn is_local(address: &Address) -> bool {
    match address {
        Address::Unix { .. } => true,
        Address::Tcp { host, .. } => {
            host == "localhost"
                || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn told<T>(answer: Result<T>) -> Told<T> {
    answer.map_err(|error| Unknown::of(&error))
}

fn words(line: &str) -> Command {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    for word in words {
        command.arg(word);
    }
    command
}

fn text(answer: &Value) -> String {
    Info::read(answer).lines().next().unwrap_or_default().to_owned()
}

/// The answer to `TIME` in milliseconds.
fn milliseconds(answer: &Value) -> Result<u64> {
    let Value::Array(parts) = answer else { return Err(scripts::unlike()) };
    let [seconds, micros] = parts.as_slice() else { return Err(scripts::unlike()) };
    let number = |part: &Value| -> Result<u64> {
        u64::try_from(scripts::integer(part)?).map_err(|_| scripts::unlike())
    };
    Ok(number(seconds)?.saturating_mul(1_000).saturating_add(number(micros)? / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_told_from_others() {
        for (address, local) in [
            ("127.0.0.1:1", true),
            ("localhost", true),
            ("[::1]:1", true),
            ("unix:/run/r.sock", true),
            ("10.0.0.1", false),
            ("db.example.org", false),
        ] {
            assert_eq!(is_local(&address.parse().unwrap()), local, "{address}");
        }
    }

    #[test]
    fn the_time_of_a_server_is_read_in_milliseconds() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let answer = Value::Array(vec![bulk("1700000000"), bulk("123456")]);
        assert_eq!(milliseconds(&answer).unwrap(), 1_700_000_000_123);
        assert!(milliseconds(&Value::Nil).is_err());
    }
}
