//! Which program answers, and whether it does at all.

use super::finding::{Finding, Level, Subject};
use super::look::{Server, Unknown};
use crate::server_info::{NodeInfo, Product};

/// The oldest versions that the driver is tested on.
const OLDEST: [(Product, (u32, u32)); 2] = [(Product::Redis, (7, 0)), (Product::Valkey, (7, 2))];
/// The first version, of either, that can tell when its disk has a write.
const KNOWS_WAITAOF: (u32, u32) = (7, 2);

pub(super) fn judge(server: &Server) -> Vec<Finding> {
    match &server.info {
        Ok((node, _)) => vec![of_version(node)],
        Err(Unknown::Failed(why)) => {
            let found = format!("the server does not answer: {why}");
            let (level, means) = if server.is_primary {
                (
                    Level::Problem,
                    "what it holds is `Unavailable` until it, or another in its place, answers",
                )
            } else {
                (Level::Warning, "it serves no eventual reads, and is not there to take over")
            };
            let fix = "start it, or mend the way to it; see its log";
            vec![Finding::new(Subject::Reach, level, found, means).with_fix(fix)]
        }
        Err(unknown) => {
            let means = "version, memory, persistence and replicas are not known";
            let found = unknown.of_command("INFO");
            vec![Finding::new(Subject::Version, Level::Note, found, means)]
        }
    }
}

fn of_version(node: &NodeInfo) -> Finding {
    let program = format!("{} {}", node.product.name(), node.version);
    let version = numbers(&node.version);
    let oldest = OLDEST.iter().find(|(product, _)| *product == node.product);
    let oldest = oldest.map_or((0, 0), |(_, oldest)| *oldest);
    if version < oldest {
        let means = "commands and ACL rules that the driver uses are not there";
        let fix = format!("use {} {}.{} or later", node.product.name(), oldest.0, oldest.1);
        return Finding::new(Subject::Version, Level::Problem, program, means).with_fix(fix);
    }
    if version < KNOWS_WAITAOF {
        let found = format!("{program} has no `WAITAOF`");
        let means = "everything works but `Acks::Fsynced`, which is `Unsupported`";
        let fix = "use Redis 7.2 or later, or Valkey, where a write has to be on the disk";
        return Finding::new(Subject::Version, Level::Note, found, means).with_fix(fix);
    }
    Finding::ok(Subject::Version, program, "it knows all that the driver uses")
}

fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;
    use crate::info::Info;

    #[test]
    fn old_versions_are_problems_and_those_without_waitaof_are_told() {
        let level = |text: &str| {
            let info = Info::read(&Value::BulkString(text.into()));
            of_version(&NodeInfo::read("a:1", &info)).level
        };
        assert_eq!(level("redis_version:6.2.14\r\n"), Level::Problem);
        assert_eq!(level("redis_version:7.0.15\r\n"), Level::Note);
        assert_eq!(level("redis_version:8.2.1\r\n"), Level::Ok);
        assert_eq!(level("redis_version:7.2.4\r\nvalkey_version:7.2.5\r\n"), Level::Ok);
        assert_eq!(level("redis_version:7.2.4\r\nvalkey_version:9.0.0\r\n"), Level::Ok);
        assert_eq!(level("redis_version:x\r\n"), Level::Problem);
    }
}
