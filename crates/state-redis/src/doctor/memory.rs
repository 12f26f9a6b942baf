//! What a server has room for, what it removes, and how many clients it takes.

use super::finding::{Finding, Level, Subject};
use super::look::Server;
use crate::info::Info;
use crate::server_info::NodeInfo;

/// Below this, what an allocator keeps for itself says nothing, in bytes.
const FRAGMENTED_FROM_BYTES: u64 = 100 << 20;

pub(super) fn judge(server: &Server) -> Vec<Finding> {
    let Ok((node, info)) = &server.info else { return Vec::new() };
    let mut findings = vec![eviction(node), memory(node, info), clients(node, info)];
    findings.extend(evicted(info).into_iter().chain(resident(node, info)));
    findings
}

fn eviction(node: &NodeInfo) -> Finding {
    if node.eviction.is_empty() {
        let means = "keys, leases and fencing marks may be evicted when its memory is full";
        let found = "not known: `INFO` does not tell `maxmemory-policy`";
        let fix = "see that it is `noeviction`";
        return Finding::new(Subject::Eviction, Level::Note, found, means).with_fix(fix);
    }
    node.evicting().unwrap_or_else(|| {
        let means = "nothing is removed before its time";
        Finding::ok(Subject::Eviction, "`maxmemory-policy` is `noeviction`", means)
    })
}

/// Whatever the policy is now: keys were removed already.
fn evicted(info: &Info) -> Option<Finding> {
    let evicted = info.number::<u64>("evicted_keys").filter(|evicted| *evicted > 0)?;
    let found = format!("{evicted} keys were evicted since it was started");
    let means = "entries are missing before their time, and leases may have been given to two";
    let fix = "set `maxmemory-policy noeviction` and more memory; `CONFIG RESETSTAT` counts anew";
    Some(Finding::new(Subject::Eviction, Level::Problem, found, means).with_fix(fix))
}

fn memory(node: &NodeInfo, info: &Info) -> Finding {
    if let Some(full) = node.full() {
        return full;
    }
    let Some(limit) = node.memory_limit_bytes else {
        let found = "there is no `maxmemory`";
        let means = "when the machine is full its operating system decides what ends";
        let machine = info.number::<u64>("total_system_memory").filter(|bytes| *bytes > 0);
        let bytes = machine.map_or_else(|| "BYTES".to_owned(), |bytes| (bytes / 2).to_string());
        let fix = format!(
            "`CONFIG SET maxmemory {bytes}`, or what else the machine can spare with room for copies and buffers"
        );
        return Finding::new(Subject::Memory, Level::Note, found, means).with_fix(fix);
    };
    if node.memory_bytes >= limit - limit / 5 {
        let found = "over 80 % of `maxmemory` are used";
        let means = "when it is full writes fail with `Overloaded`, and leases cannot be renewed";
        let fix = "raise it (`CONFIG SET maxmemory BYTES`), or store less";
        return Finding::new(Subject::Memory, Level::Warning, found, means).with_fix(fix);
    }
    let means = "there is room for more";
    Finding::ok(Subject::Memory, "under 80 % of `maxmemory` are used", means)
}

/// What the process takes beside what it uses.
fn resident(node: &NodeInfo, info: &Info) -> Option<Finding> {
    let ratio = info.number::<f64>("mem_fragmentation_ratio")?;
    if node.memory_bytes < FRAGMENTED_FROM_BYTES {
        return None;
    }
    if ratio >= 1.5 {
        let found =
            "the process takes over half as much again as it uses (`mem_fragmentation_ratio`)";
        let means = "the machine is full before `maxmemory` is reached";
        let fix = "`CONFIG SET activedefrag yes`, or restart it when a replica has taken over";
        return Some(Finding::new(Subject::Memory, Level::Note, found, means).with_fix(fix));
    }
    if ratio < 0.8 {
        let found = "a part of its memory is swapped out (`mem_fragmentation_ratio`)";
        let means = "calls are late whenever they touch it";
        let fix = "give the machine more memory, or take away its swap";
        return Some(Finding::new(Subject::Memory, Level::Warning, found, means).with_fix(fix));
    }
    None
}

fn clients(node: &NodeInfo, info: &Info) -> Finding {
    let fix = "raise `maxclients` (`CONFIG SET maxclients 10000`), or lower `pool_size_max`";
    let warns = |found: String, means: &str| {
        Finding::new(Subject::Clients, Level::Warning, found, means).with_fix(fix)
    };
    if let Some(rejected) = info.number::<u64>("rejected_connections").filter(|many| *many > 0) {
        let found = format!("{rejected} connections were rejected since it was started");
        return warns(found, "calls failed with `Overloaded`");
    }
    match info.number::<u64>("maxclients") {
        Some(most) if node.clients >= most - most / 5 => {
            let found = format!("{} clients are connected, of {most} that may be", node.clients);
            warns(found, "the next ones are refused, and their calls fail with `Overloaded`")
        }
        Some(most) => {
            let found = format!("under 80 % of its {most} connections are taken");
            Finding::ok(Subject::Clients, found, "there is room for more clients")
        }
        None => {
            let found = "no connection was rejected since it was started";
            Finding::ok(Subject::Clients, found, "there was room for all clients")
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn read(text: &str) -> (NodeInfo, Info) {
        let info = Info::read(&Value::BulkString(text.into()));
        (NodeInfo::read("a:1", &info), info)
    }

    #[test]
    fn room_is_judged_by_its_limit() {
        for (used, limit, level) in [
            (10, 0, Level::Note),
            (10, 100, Level::Ok),
            (79, 100, Level::Ok),
            (80, 100, Level::Warning),
            (95, 100, Level::Problem),
            (200, 100, Level::Problem),
        ] {
            let (node, info) = read(&format!("used_memory:{used}\r\nmaxmemory:{limit}\r\n"));
            assert_eq!(memory(&node, &info).level, level, "{used} of {limit}");
        }
    }

    #[test]
    fn fragments_and_swap_are_told_of_processes_of_some_size() {
        let level = |used: u64, ratio: &str| {
            let text = format!("used_memory:{used}\r\nmem_fragmentation_ratio:{ratio}\r\n");
            let (node, info) = read(&text);
            resident(&node, &info).map(|finding| finding.level)
        };
        assert_eq!(level(1 << 20, "9.00"), None);
        assert_eq!(level(1 << 30, "1.10"), None);
        assert_eq!(level(1 << 30, "1.62"), Some(Level::Note));
        assert_eq!(level(1 << 30, "0.50"), Some(Level::Warning));
    }

    #[test]
    fn what_was_evicted_and_who_was_rejected_is_told() {
        assert_eq!(evicted(&read("evicted_keys:0\r\n").1), None);
        let finding = evicted(&read("evicted_keys:7\r\n").1).unwrap();
        assert!(finding.level == Level::Problem && finding.found.starts_with('7'), "{finding:?}");
        let level = |text: &str| {
            let (node, info) = read(text);
            clients(&node, &info).level
        };
        assert_eq!(level("connected_clients:9\r\nmaxclients:100\r\n"), Level::Ok);
        assert_eq!(level("connected_clients:90\r\nmaxclients:100\r\n"), Level::Warning);
        assert_eq!(level("rejected_connections:1\r\nmaxclients:100\r\n"), Level::Warning);
        assert_eq!(level(""), Level::Ok);
        assert_eq!(eviction(&read("").0).level, Level::Note);
    }
}
