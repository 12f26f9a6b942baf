//! The documented user, rule by rule: what each is for, and a way to try it that changes nothing.
//!
//! `docs/guides/operating-redis.md` shows the same user; a test compares them.

use super::finding::{Level, Subject};
use crate::command::Command;
use crate::keys::{escape_glob, escape_strict};
use crate::scripts;

/// What is missing when a command is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Group {
    Basic,
    Database,
    Name,
    Kill,
    Pauses,
    Tracking,
    Messages,
    Role,
    Cluster,
    Info,
    Wait,
    Disk,
    Unwatch,
    Scan,
    Scripts,
    Index,
    Log,
    Threads,
}

/// One rule of the user.
#[derive(Debug)]
pub(super) struct Rule {
    /// The command as ACL rules name it.
    pub(super) command: &'static str,
    pub(super) group: Group,
    /// What is sent to try it, on a key that nobody has. Each is refused or does nothing there, also where a write is tried:
    /// with a condition that does not hold, or with words that do not fit. Empty where there is no such form.
    probe: &'static str,
}

const fn rule(command: &'static str, group: Group, probe: &'static str) -> Rule {
    Rule { command, group, probe }
}

/// An id that no connection will ever have: a server counts them up from 1.
const NOBODY: &str = "9223372036854775807";
/// A digest that is of no script.
const NO_SCRIPT: &str = "0000000000000000000000000000000000000000";

/// In the order in which they are documented. `$` stands before what [`Place`] knows.
#[rustfmt::skip] // One rule to a line: it is a table.
pub(super) static RULES: &[Rule] = &[
    rule("ping", Group::Basic, "PING"),
    rule("select", Group::Database, "SELECT $database"),
    rule("client|setname", Group::Name, "CLIENT SETNAME doctor"),
    rule("client|id", Group::Kill, "CLIENT ID"),
    rule("client|list", Group::Pauses, "CLIENT LIST ID $nobody"),
    rule("client|kill", Group::Kill, "CLIENT KILL ID $nobody"),
    rule("client|tracking", Group::Tracking, "CLIENT TRACKING ON BCAST PREFIX $key"),
    rule("role", Group::Role, "ROLE"),
    rule("readonly", Group::Cluster, "READONLY"),
    rule("asking", Group::Cluster, "ASKING"),
    rule("cluster|slots", Group::Cluster, "CLUSTER SLOTS"),
    rule("cluster|nodes", Group::Cluster, "CLUSTER NODES"),
    rule("info", Group::Info, "INFO server"),
    rule("scan", Group::Scan, "SCAN 0 COUNT 1 MATCH $key"),
    rule("get", Group::Basic, "GET $key"),
    rule("mget", Group::Basic, "MGET $key"),
    rule("getrange", Group::Basic, "GETRANGE $key 0 0"),
    rule("set", Group::Basic, "SET $key 0 XX"),
    rule("getdel", Group::Basic, "GETDEL $key"),
    rule("unlink", Group::Basic, "UNLINK $key"),
    rule("strlen", Group::Basic, "STRLEN $key"),
    rule("exists", Group::Basic, "EXISTS $key"),
    rule("type", Group::Basic, "TYPE $key"),
    rule("time", Group::Basic, "TIME"),
    rule("pexpire", Group::Basic, "PEXPIRE $key 1"),
    rule("pexpireat", Group::Basic, "PEXPIREAT $key 1"),
    rule("persist", Group::Basic, "PERSIST $key"),
    rule("pttl", Group::Basic, "PTTL $key"),
    rule("pexpiretime", Group::Basic, "PEXPIRETIME $key"),
    rule("wait", Group::Wait, "WAIT 0 1"),
    rule("unwatch", Group::Unwatch, "UNWATCH"),
    rule("hget", Group::Basic, "HGET $key f"),
    rule("hmget", Group::Basic, "HMGET $key f"),
    rule("hset", Group::Basic, "HSET $key f v lonely"),
    rule("hdel", Group::Basic, "HDEL $key f"),
    rule("hlen", Group::Basic, "HLEN $key"),
    rule("hscan", Group::Basic, "HSCAN $key 0"),
    rule("evalsha", Group::Scripts, "EVALSHA $script 1 $key"),
    rule("script|load", Group::Scripts, "SCRIPT LOAD $lua"),
    rule("publish", Group::Messages, "PUBLISH $channel 0"),
    rule("subscribe", Group::Messages, "SUBSCRIBE $channel"),
    rule("psubscribe", Group::Messages, "PSUBSCRIBE $channels"),
    rule("unsubscribe", Group::Messages, "UNSUBSCRIBE $channel"),
    rule("punsubscribe", Group::Messages, "PUNSUBSCRIBE $channels"),
    rule("zadd", Group::Index, "ZADD $key XX 0 m"),
    rule("zrem", Group::Index, "ZREM $key m"),
    rule("zcard", Group::Index, "ZCARD $key"),
    rule("zrangebylex", Group::Index, "ZRANGEBYLEX $key - +"),
    rule("xadd", Group::Log, "XADD $key NOMKSTREAM * f v"),
    rule("xrange", Group::Log, "XRANGE $key - + COUNT 1"),
    rule("xrevrange", Group::Log, "XREVRANGE $key + - COUNT 1"),
    // From here on only what has to be asked for: servers of 7.2 and later, threads of checkpoints.
    rule("waitaof", Group::Disk, "WAITAOF 0 0 1"),
    rule("hsetnx", Group::Threads, ""),
    rule("hstrlen", Group::Threads, "HSTRLEN $key f"),
    rule("zscore", Group::Threads, "ZSCORE $key m"),
    rule("zrandmember", Group::Threads, "ZRANDMEMBER $key"),
    rule("zlexcount", Group::Threads, "ZLEXCOUNT $key - +"),
    rule("zremrangebylex", Group::Threads, "ZREMRANGEBYLEX $key - +"),
    rule("zrevrangebylex", Group::Threads, "ZREVRANGEBYLEX $key + -"),
    rule("zrevrange", Group::Threads, "ZREVRANGE $key 0 0"),
    rule("zrevrangebyscore", Group::Threads, "ZREVRANGEBYSCORE $key 1 0"),
    rule("rename", Group::Threads, "RENAME $key $key"),
];

impl Group {
    /// How bad it is without, about what that is, and what it means.
    pub(super) const fn without(self) -> (Level, Subject, &'static str) {
        let subject = Subject::Permissions;
        match self {
            Self::Basic => (Level::Problem, subject, "calls that use them fail with `Denied`"),
            Self::Database => (Level::Problem, subject, "no `database` other than 0 can be used"),
            Self::Name => (Level::Note, subject, "connections have no name in `CLIENT LIST`"),
            Self::Kill => {
                let means = "a plain write whose reply was lost ends as `Unknown` instead of being sent again";
                (Level::Warning, Subject::Kill, means)
            }
            Self::Pauses => {
                let means = "a connection may be replaced while the server pauses writes, and reads wait behind them";
                (Level::Note, subject, means)
            }
            Self::Tracking => {
                (Level::Warning, Subject::Tracking, "changes cannot be followed: `watch` fails")
            }
            Self::Messages => {
                (Level::Note, subject, "`publish` and `subscribe` of users' own messages fail")
            }
            Self::Role => {
                (Level::Warning, subject, "the address is taken for the primary without asking it")
            }
            Self::Cluster => {
                let means = "slots that move and replicas cannot be used, or listings fail";
                (Level::Problem, subject, means)
            }
            Self::Info => {
                let means = "listings, counts, clears and snapshots fail, and most of this check is not known";
                (Level::Problem, subject, means)
            }
            Self::Wait => (Level::Warning, subject, "`Acks::Replicas` is `Unsupported`"),
            Self::Disk => (Level::Note, subject, "`Acks::Fsynced` is `Unsupported`"),
            Self::Unwatch => {
                let means = "each write that waits for replicas or the disk makes a new connection";
                (Level::Note, subject, means)
            }
            Self::Scan => (Level::Problem, subject, "listings, counts, clears and snapshots fail"),
            Self::Scripts => (Level::Problem, Subject::Scripts, NO_SCRIPTS),
            Self::Index => {
                (Level::Note, subject, "namespaces with an ordered index cannot be used")
            }
            Self::Log => (Level::Note, subject, "namespaces with a change log cannot be used"),
            Self::Threads => (Level::Note, subject, "threads of checkpoints cannot be kept here"),
        }
    }
}

/// What does not work without scripts.
pub(super) const NO_SCRIPTS: &str =
    "preconditions, fences, operation ids, counters, transactions and leases fail";

/// What the words of a probe stand for.
#[derive(Debug)]
pub(super) struct Place {
    /// The prefix of keys, escaped as it is in them.
    prefix: String,
    database: u32,
    nonce: String,
}

impl Place {
    /// For stores under `prefix`; `nonce` is what makes the key one that nobody has.
    pub(super) fn new(prefix: &str, database: u32, nonce: String) -> Self {
        Self { prefix: escaped(prefix), database, nonce }
    }

    /// A key under the prefix that nobody has; each number lies in a slot of its own.
    pub(super) fn key(&self, number: u16) -> String {
        format!("{}:doctor-{}:L:{{{number}}}", self.prefix, self.nonce)
    }

    /// The command that tries `rule`; none where nothing can be sent.
    pub(super) fn probe(&self, rule: &Rule) -> Option<Command> {
        let mut words = rule.probe.split_ascii_whitespace();
        let mut command = Command::new(words.next()?);
        for word in words {
            match word {
                // The channels are those of messages, which are named under the prefix as keys are.
                "$key" | "$channel" => command.arg(self.key(0).as_str()),
                "$channels" => command.arg(channels(&self.prefix).as_str()),
                "$database" => command.arg(self.database),
                "$nobody" => command.arg(NOBODY),
                "$script" => command.arg(NO_SCRIPT),
                // One that the driver teaches a server anyway.
                "$lua" => return Some(scripts::LEASE_READ.load()),
                word => command.arg(word),
            };
        }
        Some(command)
    }
}

/// The line that makes the documented user `name`, behind `ACL SETUSER`.
pub(super) fn documented(name: &str, prefix: &str) -> String {
    let prefix = escaped(prefix);
    let rules = RULES.iter().filter(|rule| !is_extra(rule.group));
    let rules: Vec<String> = rules.map(|rule| format!("+{}", rule.command)).collect();
    let rules = rules.join(" ");
    let channels = channels(&prefix);
    format!("{name} on >PASSWORD resetkeys ~{prefix}:* resetchannels &{channels} -@all {rules}")
}

/// The pattern of all channels under an escaped prefix, as the driver subscribes to patterns: a rule has to say the same.
pub(super) fn channels(prefix: &str) -> String {
    let mut pattern = bytes::BytesMut::new();
    escape_glob(format!("{prefix}:").as_bytes(), &mut pattern);
    format!("{}*", String::from_utf8_lossy(&pattern))
}

/// Whether rules of the group stand beside the line that everybody needs.
pub(super) fn is_extra(group: Group) -> bool {
    matches!(group, Group::Disk | Group::Threads)
}

/// A prefix as it stands in keys, and so in rules.
pub(super) fn escaped(prefix: &str) -> String {
    let mut escaped = bytes::BytesMut::new();
    escape_strict(prefix.as_bytes(), &mut escaped);
    String::from_utf8_lossy(&escaped).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../../docs/guides/operating-redis.md");

    #[test]
    fn the_user_is_the_one_of_the_guide() {
        let line = GUIDE.lines().find(|line| line.starts_with("user state ")).unwrap();
        assert_eq!(line, format!("user {}", documented("state", "state")));
        let threads: Vec<String> = RULES
            .iter()
            .filter(|rule| rule.group == Group::Threads)
            .map(|rule| format!("+{}", rule.command))
            .collect();
        let line = GUIDE.lines().find(|line| line.starts_with("+hsetnx ")).unwrap();
        assert_eq!(line, format!("{} &state:default:t:{{*", threads.join(" ")));
    }

    #[test]
    fn every_rule_but_one_can_be_tried_and_none_writes_without_a_condition() {
        let place = Place::new("a b", 3, "1".to_owned());
        let sent = |rule: &Rule| {
            let packed = Command::pack_all(&[place.probe(rule)?]);
            Some(String::from_utf8(packed).unwrap())
        };
        let untried: Vec<_> = RULES.iter().filter(|rule| sent(rule).is_none()).collect();
        let untried: Vec<_> = untried.into_iter().map(|rule| rule.command).collect();
        assert_eq!(untried, ["hsetnx"]);
        let of = |name: &str| sent(RULES.iter().find(|rule| rule.command == name).unwrap());
        assert!(of("set").unwrap().ends_with("XX\r\n"));
        assert!(of("xadd").unwrap().contains("NOMKSTREAM"));
        assert!(of("select").unwrap().contains("\r\n3\r\n"));
        assert!(of("get").unwrap().contains("a%20b:doctor-1:L:{0}"));
    }
}
