//! Whether every slot of a cluster is served, and would be after the loss of a node.

use super::finding::{Finding, Level, Subject};
use super::look::{Server, Told, Unknown};
use crate::info::Info;
use crate::topology::{Line, SLOTS};

/// Fewer primaries cannot agree on who takes over from one of them.
const PRIMARIES_MIN: usize = 3;

pub(super) fn judge(server: &Server) -> Vec<Finding> {
    // Replicas know the same; what counts is what those say who serve.
    if !server.in_cluster || !server.is_primary || matches!(server.info, Err(Unknown::Failed(_))) {
        return Vec::new();
    }
    let mut findings = match &server.nodes {
        Ok(nodes) => of_nodes(nodes),
        Err(unknown) => {
            let means = "who serves the slots, and who could take over, is not known";
            vec![Finding::new(
                Subject::Cluster,
                Level::Note,
                unknown.of_command("CLUSTER NODES"),
                means,
            )]
        }
    };
    findings.push(of_state(&server.state));
    findings
}

fn of_state(state: &Told<Info>) -> Finding {
    match state {
        Ok(state) if state.field("cluster_state") == Some("ok") => {
            let means = "it serves its slots";
            Finding::ok(Subject::Cluster, "`cluster_state` is `ok`", means)
        }
        Ok(state) => {
            let said = state.field("cluster_state").unwrap_or("not told");
            let found = format!("`cluster_state` is `{said}`");
            let means = "calls fail with `Unavailable` (CLUSTERDOWN)";
            let fix = "bring back a node for every slot; `redis-cli --cluster check HOST:PORT` tells which";
            Finding::new(Subject::Cluster, Level::Problem, found, means).with_fix(fix)
        }
        Err(unknown) => {
            let means =
                "what the nodes say of the slots counts; the driver does not need this command";
            Finding::ok(Subject::Cluster, unknown.of_command("CLUSTER INFO"), means)
        }
    }
}

fn of_nodes(nodes: &Info) -> Vec<Finding> {
    let lines: Vec<Line<'_>> = nodes.lines().filter_map(Line::read).collect();
    let primaries: Vec<&Line<'_>> =
        lines.iter().filter(|line| line.has("master") && !line.slots.is_empty()).collect();
    let mut findings = Vec::new();
    let mut tell = |level, found: String, means: &str, fix: &str| {
        findings.push(Finding::new(Subject::Cluster, level, found, means).with_fix(fix));
    };
    let served: u32 = primaries
        .iter()
        .filter(|primary| !primary.has("fail"))
        .flat_map(|primary| primary.slots.iter().map(|range| slots_in(range)))
        .sum();
    if served < u32::from(SLOTS) {
        let missing = u32::from(SLOTS) - served;
        let found = format!("{missing} of {SLOTS} slots are served by nobody");
        let means = "calls on their keys fail with `Unavailable`, and so do listings";
        let fix =
            "bring back their nodes, or give them to others: `redis-cli --cluster fix HOST:PORT`";
        tell(Level::Problem, found, means, fix);
    }
    let failed = |line: &&Line<'_>| line.has("fail") || line.has("fail?");
    let gone: Vec<String> = lines.iter().filter(failed).map(name).collect();
    if !gone.is_empty() {
        let found = format!("nodes that do not answer the others: {}", gone.join(", "));
        let means = "what they serve is `Unavailable` until another takes over";
        let fix = "bring them back, or take them out with `CLUSTER FORGET` and their id";
        tell(Level::Warning, found, means, fix);
    }
    let is_covered = |primary: &&Line<'_>| {
        lines.iter().any(|line| line.primary == primary.name && !line.has("fail"))
    };
    let bare: Vec<String> =
        primaries.iter().filter(|line| !is_covered(line)).map(|line| name(line)).collect();
    if !bare.is_empty() {
        let found = format!("primaries without a replica: {}", bare.join(", "));
        let means = "when one of them is lost its slots are served by nobody";
        let fix = "`redis-cli --cluster add-node NEW:PORT HOST:PORT --cluster-slave`";
        tell(Level::Warning, found, means, fix);
    }
    if primaries.len() < PRIMARIES_MIN {
        let found = format!("{} of at least {PRIMARIES_MIN} primaries", primaries.len());
        let means = "nobody can agree on who takes over from a primary that is lost";
        let fix = "`redis-cli --cluster add-node NEW:PORT HOST:PORT`, then `redis-cli --cluster rebalance HOST:PORT`";
        tell(Level::Warning, found, means, fix);
    }
    if lines.iter().any(|line| line.slots.iter().any(|slot| slot.starts_with('['))) {
        let found = "slots are on their way between nodes".to_owned();
        let means = "listings scan a node once more, and scripts on several keys may have to wait";
        let fix = "wait until the move is over; one that was broken off: `redis-cli --cluster fix HOST:PORT`";
        tell(Level::Note, found, means, fix);
    }
    if findings.is_empty() {
        let found = format!("all {SLOTS} slots are served, and each primary has a replica");
        let means = "the loss of one node is survived";
        findings.push(Finding::ok(Subject::Cluster, found, means));
    }
    findings
}

/// How many slots `7` or `0-99` are; a slot that moves is counted where it is.
fn slots_in(range: &str) -> u32 {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (first.parse::<u32>(), last.parse::<u32>()) {
        (Ok(first), Ok(last)) => (last + 1).saturating_sub(first),
        _ => 0,
    }
}

/// A node for people: where it listens, or its id.
fn name(line: &Line<'_>) -> String {
    line.address().map_or_else(|| line.name.to_owned(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    const WHOLE: &str = "aa 10.0.0.1:1@11 myself,master - 0 0 1 connected 0-5460\n\
                         bb 10.0.0.2:1@11 master - 0 0 2 connected 5461-10922\n\
                         cc 10.0.0.3:1@11 master - 0 0 3 connected 10923-16383\n\
                         dd 10.0.0.4:1@11 slave aa 0 0 1 connected\n\
                         ee 10.0.0.5:1@11 slave bb 0 0 2 connected\n\
                         ff 10.0.0.6:1@11 slave cc 0 0 3 connected\n";

    fn found(text: &str) -> Vec<(Level, String)> {
        let findings = of_nodes(&Info::read(&Value::BulkString(text.into())));
        findings.into_iter().map(|finding| (finding.level, finding.found)).collect()
    }

    #[test]
    fn a_whole_cluster_is_told_from_one_that_lacks_something() {
        assert!(matches!(&found(WHOLE)[..], [(Level::Ok, _)]));
        let one = found(&WHOLE.replace("5461-10922", "5461-10921"));
        assert!(matches!(&one[..], [(Level::Problem, found)] if found.starts_with("1 of 16384")));
        let bare = found(&WHOLE.replace("ee 10.0.0.5:1@11 slave", "ee 10.0.0.5:1@11 slave,fail"));
        let [(Level::Warning, gone), (Level::Warning, bare)] = &bare[..] else {
            panic!("{bare:?}")
        };
        assert!(gone.contains("10.0.0.5:1") && bare.contains("10.0.0.2:1"), "{gone} {bare}");
        let dead = found(&WHOLE.replace("bb 10.0.0.2:1@11 master", "bb 10.0.0.2:1@11 master,fail"));
        assert!(
            dead.iter().any(|(level, found)| *level == Level::Problem && found.contains("5462"))
        );
        let moving = found(&WHOLE.replace("0-5460", "0-5460 [7->-bb]"));
        assert!(matches!(&moving[..], [(Level::Note, _)]), "{moving:?}");
        let two = "aa 10.0.0.1:1@11 myself,master - 0 0 1 connected 0-16383\n\
                   dd 10.0.0.4:1@11 slave aa 0 0 1 connected\n";
        assert!(matches!(&found(two)[..], [(Level::Warning, _)]));
    }

    #[test]
    fn the_state_counts_where_it_may_be_asked() {
        let state = |text: &str| Ok(Info::read(&Value::BulkString(text.into())));
        assert_eq!(of_state(&state("cluster_state:ok\r\n")).level, Level::Ok);
        assert_eq!(of_state(&state("cluster_state:fail\r\n")).level, Level::Problem);
        let denied = of_state(&Err(Unknown::Denied));
        assert!(denied.level == Level::Ok && denied.found.contains("denied"), "{denied:?}");
    }
}
