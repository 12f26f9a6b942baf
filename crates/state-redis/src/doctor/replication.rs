//! Whether what is written survives a crash, and who has a copy of it.

use super::finding::{Finding, Level, Subject};
use super::look::Server;
use crate::config::{RedisConfig, Topology};
use crate::info::Info;
use crate::server_info::{NodeInfo, NodeRole};

/// A replica is behind when it has said nothing for so long, in seconds.
const LAG_MAX_S: u64 = 10;

pub(super) fn judge(server: &Server, config: &RedisConfig) -> Vec<Finding> {
    let Ok((node, info)) = &server.info else { return Vec::new() };
    let mut findings = persistence(node, info);
    if node.role == NodeRole::Replica {
        findings.extend(follower(node, info));
    } else {
        findings.extend(copies(node, info, config));
    }
    findings
}

fn persistence(node: &NodeInfo, info: &Info) -> Vec<Finding> {
    let mut findings: Vec<Finding> = node.failing().into_iter().collect();
    let late = info.number::<u64>("aof_delayed_fsync").filter(|times| *times > 0);
    if let Some(times) = late {
        let found = format!("its disk was late with the append-only file {times} times");
        let means = "more than about a second of writes may be lost, and writes wait meanwhile";
        let fix = "a faster disk, or one that other programs leave alone";
        let finding = Finding::new(Subject::Persistence, Level::Warning, found, means);
        findings.push(finding.with_fix(fix));
    }
    if node.role == NodeRole::Replica && !node.append_only_file {
        let found = "no append-only file, on a replica";
        let means = "it starts without data after a crash and copies all of it anew";
        let finding = Finding::new(Subject::Persistence, Level::Note, found, means);
        findings.push(finding.with_fix("set `appendonly yes` (`CONFIG SET appendonly yes`)"));
    } else if let Some(forgetful) = node.forgetful() {
        findings.push(forgetful);
    }
    if findings.is_empty() {
        let found = "there is an append-only file, and the last writes to disk went well";
        let means = "a crash loses about a second under `appendfsync everysec` and nothing under `always`: which it \
                     is, `INFO` does not tell";
        findings.push(Finding::ok(Subject::Persistence, found, means));
    }
    findings
}

/// What a primary has of replicas.
fn copies(node: &NodeInfo, info: &Info, config: &RedisConfig) -> Vec<Finding> {
    let mut findings: Vec<Finding> = node.short_of(config.strong_replicas).into_iter().collect();
    findings.extend(node.alone());
    if node.replicas == 0 {
        return findings;
    }
    for (name, why) in behind(info) {
        let found = format!("the replica {name} {why}");
        let means = "`Acks::Replicas` does not count on it, and a failover to it loses what it does not have";
        let fix = "see its log, its disk and the network; a replica that copies everything anew has to be waited for";
        findings.push(Finding::new(Subject::Replicas, Level::Warning, found, means).with_fix(fix));
    }
    let fenced_off = info.field("min_slaves_good_slaves").is_some();
    if !fenced_off && node.replicas >= 2 {
        let elects = !matches!(config.topology, Topology::Standalone { .. });
        let level = if elects { Level::Warning } else { Level::Note };
        let found = "`min-replicas-to-write` is not set";
        let means =
            "a primary that is cut off goes on taking writes, which are lost when it comes back";
        let fix = "`CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 5`";
        findings.push(Finding::new(Subject::Replicas, level, found, means).with_fix(fix));
    }
    if findings.is_empty() {
        let found = format!("replicas in step: {}", node.replicas);
        let means = format!("`Acks::Replicas` can ask for up to {}", node.replicas);
        findings.push(Finding::ok(Subject::Replicas, found, means));
    }
    findings
}

/// The replicas of a primary that are not in step, and how that shows.
fn behind(info: &Info) -> Vec<(String, String)> {
    let lines = info.lines().filter_map(|line| {
        let (name, fields) = line.trim_end().split_once(':')?;
        let number = name.strip_prefix("slave")?;
        number.parse::<u32>().ok()?;
        Some(fields)
    });
    let judged = lines.filter_map(|fields| {
        let of = |name: &str| {
            let mut pairs = fields.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find_map(|(key, value)| (key == name).then_some(value)).unwrap_or_default()
        };
        let name = format!("{}:{}", of("ip"), of("port"));
        let lag = of("lag").parse::<u64>().unwrap_or(0);
        match of("state") {
            "online" if lag > LAG_MAX_S => Some((name, format!("was last heard of {lag} s ago"))),
            "online" => None,
            _ => Some((name, "is still copying".to_owned())),
        }
    });
    judged.collect()
}

/// What a replica says of its primary.
fn follower(node: &NodeInfo, info: &Info) -> Vec<Finding> {
    let mut findings: Vec<Finding> = node.cut_off().into_iter().collect();
    let silent = info.number::<u64>("master_last_io_seconds_ago");
    if let Some(seconds) =
        silent.filter(|seconds| node.link_up == Some(true) && *seconds > LAG_MAX_S)
    {
        let found = format!("the replica has heard nothing of its primary for {seconds} s");
        let means = "eventual reads there are as old";
        let fix = "see the network between them, and `repl-ping-replica-period`";
        findings.push(Finding::new(Subject::Replicas, Level::Warning, found, means).with_fix(fix));
    }
    if info.field("slave_read_only") == Some("0") {
        let found = "the replica takes writes of its own";
        let means = "what is written there is in no primary, and eventual reads may show it";
        let fix = "`CONFIG SET replica-read-only yes`";
        findings.push(Finding::new(Subject::Replicas, Level::Problem, found, means).with_fix(fix));
    }
    if findings.is_empty() {
        let found = "the replica is in step with its primary";
        findings.push(Finding::ok(Subject::Replicas, found, "eventual reads may go there"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;
    use crate::config::Address;

    fn read(text: &str) -> (NodeInfo, Info) {
        let info = Info::read(&Value::BulkString(text.into()));
        (NodeInfo::read("a:1", &info), info)
    }

    const TWO: &str = "role:master\r\naof_enabled:1\r\nconnected_slaves:2\r\n\
                       slave0:ip=10.0.0.2,port=1,state=online,offset=7,lag=0\r\n";

    fn levels(text: &str, config: &RedisConfig) -> Vec<Level> {
        let (node, info) = read(text);
        copies(&node, &info, config).into_iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn copies_are_counted_and_those_behind_are_named() {
        let config = RedisConfig::default();
        let good = "slave1:ip=10.0.0.3,port=1,state=online,offset=7,lag=1\r\n";
        let fenced = "min_slaves_good_slaves:2\r\n";
        assert_eq!(levels(&format!("{TWO}{good}{fenced}"), &config), [Level::Ok]);
        assert_eq!(levels(&format!("{TWO}{good}"), &config), [Level::Note]);
        for bad in ["state=online,offset=0,lag=60", "state=wait_bgsave,offset=0,lag=0"] {
            let text = format!("{TWO}slave1:ip=10.0.0.3,port=1,{bad}\r\n{fenced}");
            assert_eq!(levels(&text, &config), [Level::Warning]);
            let (_, info) = read(&text);
            assert_eq!(behind(&info)[0].0, "10.0.0.3:1");
        }
        assert_eq!(levels("role:master\r\nconnected_slaves:0\r\n", &config), [Level::Note]);
    }

    #[test]
    fn what_strong_writes_wait_for_has_to_be_there() {
        let mut config = RedisConfig { strong_replicas: 3, ..RedisConfig::default() };
        let text = format!("{TWO}min_slaves_good_slaves:2\r\n");
        assert_eq!(levels(&text, &config), [Level::Problem]);
        config.strong_replicas = 2;
        assert_eq!(levels(&text, &config), [Level::Ok]);
        // Where somebody else is made the primary by itself, a cut-off one does more harm.
        config.topology = Topology::sentinel([Address::tcp("s", 1)], "m");
        assert_eq!(levels(TWO, &config), [Level::Warning]);
    }

    #[test]
    fn replicas_without_a_primary_and_those_that_take_writes_are_told() {
        let levels = |text: &str| -> Vec<Level> {
            let (node, info) = read(&format!("role:slave\r\n{text}"));
            follower(&node, &info).into_iter().map(|finding| finding.level).collect()
        };
        let up = "master_link_status:up\r\n";
        assert_eq!(levels(&format!("{up}master_last_io_seconds_ago:1\r\n")), [Level::Ok]);
        assert_eq!(levels(&format!("{up}master_last_io_seconds_ago:99\r\n")), [Level::Warning]);
        assert_eq!(levels("master_link_status:down\r\n"), [Level::Warning]);
        assert_eq!(levels(&format!("{up}slave_read_only:0\r\n")), [Level::Problem]);
    }

    #[test]
    fn what_a_disk_does_not_keep_is_told() {
        let levels = |text: &str| -> Vec<Level> {
            let (node, info) = read(text);
            persistence(&node, &info).into_iter().map(|finding| finding.level).collect()
        };
        assert_eq!(levels("role:master\r\naof_enabled:1\r\n"), [Level::Ok]);
        assert_eq!(levels("role:master\r\naof_enabled:0\r\n"), [Level::Warning]);
        assert_eq!(levels("role:slave\r\naof_enabled:0\r\n"), [Level::Note]);
        let failed = "role:master\r\naof_enabled:1\r\naof_last_write_status:err\r\n";
        assert_eq!(levels(failed), [Level::Problem]);
        let late = "role:master\r\naof_enabled:1\r\naof_delayed_fsync:3\r\n";
        assert_eq!(levels(late), [Level::Warning]);
    }
}
