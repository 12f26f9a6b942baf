//! Whether the clocks of the servers are in step with each other and with ours.

use super::Offset;
use super::finding::{Finding, Level, Subject};
use super::look::{Server, Unknown};

/// Clocks that differ by no more than this are in step, in milliseconds.
const STEP_MS: u64 = 1_000;

const FIX: &str = "have all machines follow a time service (`timedatectl set-ntp true`)";

pub(super) fn judge(servers: &[Server]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = servers.iter().filter_map(of_server).collect();
    let clocks = servers.iter().filter_map(|server| server.offset.as_ref().ok());
    findings.extend(apart(clocks.copied()));
    findings
}

fn of_server(server: &Server) -> Option<Finding> {
    let finding = match &server.offset {
        Ok(offset) => of_offset(*offset),
        // That it does not answer is told already.
        Err(Unknown::Failed(_)) if server.info.is_err() => return None,
        Err(unknown) => {
            let means = "tokens of leases and deadlines go by the clock of the server";
            Finding::new(Subject::Clock, Level::Note, unknown.of_command("TIME"), means)
        }
    };
    Some(finding.with_server(&server.address))
}

fn of_offset(offset: Offset) -> Finding {
    if certain(offset) <= STEP_MS {
        let found = "its clock is within a second of the one here";
        let means = "deadlines that are points in time mean the same on both sides";
        return Finding::ok(Subject::Clock, found, means);
    }
    let side = if offset.ahead_ms > 0 { "ahead of" } else { "behind" };
    let seconds = offset.ahead_ms.unsigned_abs() / 1_000;
    let found = format!("its clock is about {seconds} s {side} the one here");
    let means = "entries with a deadline that is a point in time vanish that much too early or too late; leases are \
                 not concerned";
    Finding::new(Subject::Clock, Level::Warning, found, means).with_fix(FIX)
}

/// The least by which two clocks differ, whenever the server looked at its own while we waited.
fn certain(offset: Offset) -> u64 {
    let margin = u64::try_from(offset.margin.as_millis() / 2).unwrap_or(u64::MAX);
    offset.ahead_ms.unsigned_abs().saturating_sub(margin)
}

/// That two servers differ: after a failover the other clock counts.
fn apart(clocks: impl Iterator<Item = Offset> + Clone) -> Option<Finding> {
    let first = clocks.clone().min_by_key(|clock| clock.ahead_ms)?;
    let last = clocks.max_by_key(|clock| clock.ahead_ms)?;
    let margin = u64::try_from((first.margin + last.margin).as_millis() / 2).unwrap_or(u64::MAX);
    let apart = last.ahead_ms.abs_diff(first.ahead_ms);
    if apart.saturating_sub(margin) <= STEP_MS {
        return None;
    }
    let found = format!("the clocks of the servers are about {} s apart", apart / 1_000);
    let means = "after a failover leases and entries end that much earlier or later, and a token may be smaller than \
                 one before where its mark was lost";
    Some(Finding::new(Subject::Clock, Level::Warning, found, means).with_fix(FIX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn clock(ahead_ms: i64, took_ms: u64) -> Offset {
        Offset { ahead_ms, margin: Duration::from_millis(took_ms) }
    }

    #[test]
    fn clocks_are_compared_as_far_as_the_way_allows() {
        for (ahead_ms, took_ms, level) in [
            (0, 0, Level::Ok),
            (-900, 0, Level::Ok),
            (1_001, 0, Level::Warning),
            (-3_600_000, 10, Level::Warning),
            (1_400, 1_000, Level::Ok),
            (1_600, 1_000, Level::Warning),
        ] {
            let finding = of_offset(clock(ahead_ms, took_ms));
            assert_eq!(finding.level, level, "{ahead_ms} {took_ms}: {finding:?}");
        }
        assert!(of_offset(clock(-90_500, 0)).found.contains("90 s behind"));
        let offset = Offset::new(1_000_000, Duration::from_millis(100), 1_005_050);
        assert_eq!(offset, clock(5_000, 100));
    }

    #[test]
    fn servers_are_compared_with_each_other() {
        assert_eq!(apart([].into_iter()), None);
        assert_eq!(apart([clock(90_000, 1), clock(90_500, 1)].into_iter()), None);
        let finding = apart([clock(-700, 1), clock(0, 1), clock(700, 1)].into_iter()).unwrap();
        assert!(finding.found.contains("about 1 s apart"), "{finding:?}");
    }
}
