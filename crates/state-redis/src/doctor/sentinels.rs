//! Whether sentinels can make another server the primary: how many there are, what they see, and what they need to agree.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::Value;
use tokio::time::timeout;

use super::finding::{Finding, Level, Subject};
use super::look::{Told, Unknown};
use crate::client::Client;
use crate::command::Command;
use crate::connect::{Connection, Purpose, Trouble, UNLIMITED};
use crate::errors::Sent;

/// Fewer sentinels cannot agree any more when one machine is lost.
const SENTINELS_MIN: usize = 3;
/// How long one sentinel may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one sentinel said.
#[derive(Debug)]
pub(super) struct Sentinel {
    address: String,
    said: Told<Said>,
}

#[derive(Debug)]
struct Said {
    /// `host:port` of the primary.
    primary: String,
    /// Other sentinels that it knows, and those of them that it reaches.
    others: (usize, usize),
    /// Replicas that could take over.
    replicas: usize,
    /// How many have to agree that the primary is down.
    quorum: Told<usize>,
    /// What it thinks of the primary.
    flags: Told<String>,
}

impl Client {
    /// Asks every sentinel that is known: one connection to each.
    pub(super) async fn ask_sentinels(&self, master: &str) -> Vec<Sentinel> {
        let topology = self.topology();
        let asked = topology.sentinels().into_iter().map(|address| async move {
            let asked = async {
                let connector = topology.connector();
                let connection = connector.connect(&address, Purpose::Sentinel).await?;
                ask(&connection, master).await
            };
            let said = match timeout(PATIENCE, asked).await {
                Ok(said) => said.map_err(|trouble| unknown(&trouble)),
                Err(_) => Err(Unknown::Failed("it did not answer in time".to_owned())),
            };
            Sentinel { address: address.to_string(), said }
        });
        futures_util::future::join_all(asked).await
    }
}

fn unknown(trouble: &Trouble) -> Unknown {
    Unknown::of(&trouble.failure().into_error())
}

async fn ask(connection: &Connection, master: &str) -> Result<Said, Trouble> {
    let primary = words(&question(connection, "get-master-addr-by-name", master).await?).join(":");
    let others = servers(&question(connection, "sentinels", master).await?);
    let replicas = servers(&question(connection, "replicas", master).await?);
    // Not among what the driver needs, so it may be denied.
    let view = question(connection, "master", master).await.map_err(|trouble| unknown(&trouble));
    let view = view.map(|view| words(&view));
    let of = |name: &str| match &view {
        Ok(view) => Ok(field(view, name).unwrap_or_default().to_owned()),
        Err(unknown) => Err(unknown.clone()),
    };
    let up = |servers: &[Vec<String>]| {
        let is_up = |server: &&Vec<String>| is_up(field(server, "flags").unwrap_or_default());
        servers.iter().filter(is_up).count()
    };
    Ok(Said {
        primary,
        others: (others.len(), up(&others)),
        replicas: up(&replicas),
        quorum: of("quorum").map(|quorum| quorum.parse().unwrap_or(0)),
        flags: of("flags"),
    })
}

async fn question(connection: &Connection, what: &str, master: &str) -> Result<Value, Trouble> {
    let mut command = Command::new("SENTINEL");
    command.arg(what).arg(master);
    let answer = connection.one(&command, UNLIMITED).await?;
    answer.extract_error().map_err(|error| Trouble::Redis(error, Sent::No))
}

fn is_up(flags: &str) -> bool {
    flags.split(',').all(|flag| !matches!(flag, "s_down" | "o_down" | "disconnected"))
}

/// The texts of a list.
fn words(answer: &Value) -> Vec<String> {
    let Value::Array(items) = answer else { return Vec::new() };
    let text = |item: &Value| match item {
        Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        _ => String::new(),
    };
    items.iter().map(text).collect()
}

/// Names and values in turn, of each server.
fn servers(answer: &Value) -> Vec<Vec<String>> {
    let Value::Array(servers) = answer else { return Vec::new() };
    servers.iter().map(words).collect()
}

fn field<'f>(fields: &'f [String], name: &str) -> Option<&'f str> {
    let mut pairs = fields.chunks_exact(2);
    pairs.find_map(|pair| match pair {
        [key, value] if key == name => Some(value.as_str()),
        _ => None,
    })
}

pub(super) fn judge(sentinels: &[Sentinel]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut said = Vec::new();
    for sentinel in sentinels {
        match &sentinel.said {
            Ok(known) => said.push((sentinel, known)),
            Err(unknown) => findings.push(of_silent(unknown).with_server(&sentinel.address)),
        }
    }
    for (sentinel, said) in &said {
        let of = of_one(said).into_iter();
        findings.extend(of.map(|finding| finding.with_server(&sentinel.address)));
    }
    let primaries: BTreeSet<&str> = said.iter().map(|(_, said)| said.primary.as_str()).collect();
    if primaries.len() > 1 {
        let found = "the sentinels name different primaries";
        let means = "a failover is under way, or clients are split between two primaries";
        let fix = "wait for it to end; then `SENTINEL RESET MASTER` on those that are wrong";
        findings.push(Finding::new(Subject::Sentinel, Level::Problem, found, means).with_fix(fix));
    }
    if findings.iter().all(|finding| finding.level == Level::Ok) && !said.is_empty() {
        let found = format!("{} sentinels agree, and replicas can take over", sentinels.len());
        let means = "when the primary is lost another takes over";
        findings.push(Finding::ok(Subject::Sentinel, found, means));
    }
    findings
}

fn of_silent(unknown: &Unknown) -> Finding {
    let (found, fix) = match unknown {
        Unknown::Failed(why) => {
            (format!("the sentinel does not answer: {why}"), "start it, or mend the way to it")
        }
        unknown => {
            (unknown.of_command("SENTINEL"), "mend `sentinel_username` and `sentinel_password`")
        }
    };
    let means = "there is one fewer to agree on a failover and to tell clients of it";
    Finding::new(Subject::Sentinel, Level::Warning, found, means).with_fix(fix)
}

fn of_one(said: &Said) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tell = |level, found: String, means: &str, fix: &str| {
        findings.push(Finding::new(Subject::Sentinel, level, found, means).with_fix(fix));
    };
    let (known, reached) = (said.others.0 + 1, said.others.1 + 1);
    match &said.quorum {
        Ok(quorum) if *quorum > known => {
            let found = format!("a quorum of {quorum} among {known} sentinels");
            let means = "they can never agree that the primary is down";
            let fix = "`SENTINEL SET MASTER quorum N` with a smaller N, on each";
            tell(Level::Problem, found, means, fix);
        }
        Ok(quorum) if reached < *quorum || reached < known / 2 + 1 => {
            let found =
                format!("{reached} of {known} sentinels are reached, with a quorum of {quorum}");
            let means = "nobody can be made the primary when this one is lost";
            tell(Level::Problem, found, means, "bring back sentinels");
        }
        Ok(_) => {}
        Err(unknown) => {
            let found = format!("the quorum is {}", unknown.of_command("SENTINEL MASTER"));
            let means = "the driver does not need it; whether enough can agree is not known";
            tell(Level::Ok, found, means, "");
        }
    }
    if known < SENTINELS_MIN {
        let found = format!("{known} of at least {SENTINELS_MIN} sentinels");
        let means = "when one machine is lost the rest cannot agree on another primary";
        tell(Level::Warning, found, means, "start sentinels on three machines");
    }
    if said.flags.as_ref().is_ok_and(|flags| !is_up(flags)) {
        let found = "the sentinel takes the primary for down".to_owned();
        let means = "a failover is about to come, or the sentinel does not reach it";
        tell(
            Level::Problem,
            found,
            means,
            "see the log of the sentinel, and its way to the primary",
        );
    }
    if said.replicas == 0 {
        let found = "the sentinel knows no replica that could take over".to_owned();
        let means = "when the primary is lost nobody replaces it";
        tell(Level::Warning, found, means, "start a server with `replicaof` and the primary");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(others: (usize, usize), replicas: usize, quorum: Told<usize>) -> Said {
        let flags = Ok("master".to_owned());
        Said { primary: "10.0.0.1:1".to_owned(), others, replicas, quorum, flags }
    }

    fn levels(said: &Said) -> Vec<Level> {
        of_one(said).into_iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn what_keeps_sentinels_from_agreeing_is_told() {
        assert_eq!(levels(&said((2, 2), 2, Ok(2))), []);
        assert_eq!(levels(&said((2, 2), 2, Err(Unknown::Denied))), [Level::Ok]);
        assert_eq!(levels(&said((2, 0), 2, Ok(2))), [Level::Problem]);
        assert_eq!(levels(&said((2, 2), 2, Ok(4))), [Level::Problem]);
        assert_eq!(levels(&said((1, 1), 2, Ok(1))), [Level::Warning]);
        assert_eq!(levels(&said((2, 2), 0, Ok(2))), [Level::Warning]);
        let mut down = said((2, 2), 1, Ok(2));
        down.flags = Ok("s_down,master".to_owned());
        assert_eq!(levels(&down), [Level::Problem]);
    }

    #[test]
    fn sentinels_have_to_answer_and_to_name_one_primary() {
        let of = |address: &str, said| Sentinel { address: address.to_owned(), said };
        let good = || Ok(said((2, 2), 2, Ok(2)));
        let all = judge(&[of("a", good()), of("b", good())]);
        assert!(matches!(&all[..], [one] if one.level == Level::Ok), "{all:?}");
        let silent = judge(&[of("a", good()), of("b", Err(Unknown::Failed("x".to_owned())))]);
        assert!(matches!(&silent[..], [one] if one.level == Level::Warning), "{silent:?}");
        let mut other = said((2, 2), 2, Ok(2));
        other.primary = "10.0.0.2:1".to_owned();
        let split = judge(&[of("a", good()), of("b", Ok(other))]);
        assert!(matches!(&split[..], [one] if one.level == Level::Problem), "{split:?}");
    }
}
