//! What the servers say about themselves.

use std::time::Duration;

use crate::doctor::{Finding, Level, Subject};
use crate::info::Info;

/// What the servers of a store say about themselves.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerInfo {
    /// Those that answered, primaries and the replicas that reads may go to.
    pub nodes: Vec<NodeInfo>,
    /// The addresses of those that did not.
    pub unreachable: Vec<String>,
}

/// The program that a server runs.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Product {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

/// What a server is for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NodeRole {
    /// It takes writes.
    Primary,
    /// It follows a primary.
    Replica,
}

/// What one server says about itself.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeInfo {
    /// `host:port`, or the path of a Unix socket.
    pub address: String,
    /// The program it runs.
    pub product: Product,
    /// The version of that program.
    pub version: String,
    /// What it is for.
    pub role: NodeRole,
    /// `standalone` (also under Sentinel) or `cluster`.
    pub mode: String,
    /// For how long it has run.
    pub uptime: Duration,
    /// Clients that are connected, those of others included.
    pub clients: u64,
    /// Bytes of memory that all its data takes.
    pub memory_bytes: u64,
    /// The most it may take, where there is a limit.
    pub memory_limit_bytes: Option<u64>,
    /// What it removes when that is reached, as `maxmemory-policy` names it.
    pub eviction: String,
    /// Whether it keeps an append-only file.
    pub append_only_file: bool,
    /// Bytes of that file; 0 without one.
    pub append_only_file_bytes: u64,
    /// Whether its last write to disk went wrong, of the file or of a snapshot.
    pub persistence_failed: bool,
    /// Of a primary: replicas that are connected.
    pub replicas: u32,
    /// Of a replica: whether its link to the primary is up.
    pub link_up: Option<bool>,
    /// How far its replication has come, in bytes since the data began.
    pub replication_offset: u64,
}

impl Product {
    /// Its name, as shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        }
    }
}

impl NodeRole {
    /// Its name, as shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }
}

impl NodeInfo {
    /// Reads what the server at `address` said.
    pub(crate) fn read(address: &str, info: &Info) -> Self {
        let text = |name| info.field(name).unwrap_or_default().to_owned();
        let number = |name| info.number::<u64>(name).unwrap_or(0);
        let valkey = info.field("valkey_version");
        let failed = |name| info.field(name).is_some_and(|status| status != "ok");
        let replica = info.field("role") == Some("slave");
        Self {
            address: address.to_owned(),
            product: if valkey.is_some() { Product::Valkey } else { Product::Redis },
            version: valkey.map_or_else(|| text("redis_version"), str::to_owned),
            role: if replica { NodeRole::Replica } else { NodeRole::Primary },
            mode: info.field("redis_mode").or(info.field("server_mode")).unwrap_or("").to_owned(),
            uptime: Duration::from_secs(number("uptime_in_seconds")),
            clients: number("connected_clients"),
            memory_bytes: number("used_memory"),
            memory_limit_bytes: info.number("maxmemory").filter(|limit| *limit > 0),
            eviction: text("maxmemory_policy"),
            append_only_file: info.flag("aof_enabled"),
            append_only_file_bytes: number("aof_current_size"),
            persistence_failed: failed("aof_last_write_status")
                || failed("aof_last_bgrewrite_status")
                || failed("rdb_last_bgsave_status"),
            replicas: info.number("connected_slaves").unwrap_or(0),
            link_up: info.field("master_link_status").map(|status| status == "up"),
            replication_offset: number("master_repl_offset"),
        }
    }

    /// In one line: program, version, role and persistence.
    pub(crate) fn summary(&self) -> String {
        let file = if self.append_only_file { "append-only file" } else { "no append-only file" };
        let (product, version, role) = (self.product.name(), &self.version, self.role.name());
        format!("{product} {version}, {}, {role}, {file}", self.mode)
    }

    /// What needs attention; nothing of an untroubled server.
    pub(crate) fn troubles(&self) -> Vec<Finding> {
        let evicts = self.memory_limit_bytes.and(self.evicting());
        [self.failing(), self.cut_off(), self.full(), evicts].into_iter().flatten().collect()
    }

    /// What a primary serves without.
    pub(crate) fn notes(&self) -> Vec<Finding> {
        if self.role != NodeRole::Primary {
            return Vec::new();
        }
        let evicts = self.evicting().filter(|_| self.memory_limit_bytes.is_none());
        [evicts, self.forgetful(), self.alone()].into_iter().flatten().collect()
    }

    /// That it cannot write to its disk.
    pub(crate) fn failing(&self) -> Option<Finding> {
        let means = "a restart brings back older data, and the server may refuse writes until then (MISCONF)";
        let fix = "make room on its disk and see its log; `BGSAVE`, or `BGREWRITEAOF`, tries again";
        let found = "the last write to disk failed";
        let finding = Finding::new(Subject::Persistence, Level::Problem, found, means);
        self.persistence_failed.then(|| finding.with_fix(fix))
    }

    /// That it is a replica without its primary.
    pub(crate) fn cut_off(&self) -> Option<Finding> {
        let found = "the link of the replica to its primary is down";
        let means =
            "eventual reads there grow older and older, and its copy is not fit to take over";
        let fix = "see its log: `replicaof` has to name an address of the primary that it reaches, with `masteruser` \
                   and `masterauth` where that wants a login";
        let finding = Finding::new(Subject::Replicas, Level::Warning, found, means);
        (self.link_up == Some(false)).then(|| finding.with_fix(fix))
    }

    /// That its memory is used up, or nearly so.
    pub(crate) fn full(&self) -> Option<Finding> {
        let limit = self.memory_limit_bytes?;
        let found = "the memory is nearly full: over 95 % of `maxmemory` are used";
        let means = if self.evicts() {
            "keys are being evicted, or will be soon"
        } else {
            "writes fail with `Overloaded` soon, and leases cannot be renewed then"
        };
        let finding = Finding::new(Subject::Memory, Level::Problem, found, means);
        let fix = "raise it (`CONFIG SET maxmemory BYTES`), or store less";
        (self.memory_bytes >= limit - limit / 20).then(|| finding.with_fix(fix))
    }

    /// That it may remove what nobody has deleted; as soon as there is a limit, where there is none.
    pub(crate) fn evicting(&self) -> Option<Finding> {
        if !self.evicts() {
            return None;
        }
        let policy = &self.eviction;
        let (level, found) = if self.memory_limit_bytes.is_some() {
            let found =
                format!("when its memory is full it evicts keys: `maxmemory-policy` is `{policy}`");
            (Level::Problem, found)
        } else {
            let found =
                format!("once `maxmemory` is set it evicts keys: `maxmemory-policy` is `{policy}`");
            (Level::Note, found)
        };
        let means = "leases, fencing marks and remembered operations can vanish: two clients then believe that they \
                     hold one lease";
        let fix = "set it to `noeviction` (`CONFIG SET maxmemory-policy noeviction`)";
        Some(Finding::new(Subject::Eviction, level, found, means).with_fix(fix))
    }

    /// That a crash takes what it holds.
    pub(crate) fn forgetful(&self) -> Option<Finding> {
        let means = "a crash loses what was written since the last snapshot, if it makes any, and a primary that comes \
                     back empty empties its replicas";
        let fix = "set `appendonly yes` (`CONFIG SET appendonly yes`)";
        let finding =
            Finding::new(Subject::Persistence, Level::Warning, "no append-only file", means);
        (!self.append_only_file).then(|| finding.with_fix(fix))
    }

    /// That nobody has a copy.
    pub(crate) fn alone(&self) -> Option<Finding> {
        let found = "no replica has a copy";
        let means = "nobody can take over, and `Acks::Replicas` falls short";
        let fix = "start a server with `replicaof` and this address";
        let finding = Finding::new(Subject::Replicas, Level::Note, found, means);
        (self.replicas == 0).then(|| finding.with_fix(fix))
    }

    /// That strong writes wait for more replicas than it has.
    pub(crate) fn short_of(&self, wanted: u32) -> Option<Finding> {
        let got = self.replicas;
        let found = format!("{got} of {wanted} replicas that strong writes wait for");
        let means = "each of them ends as `Unacknowledged`, and only after `acks_timeout_ms`";
        let fix = "bring back replicas, or lower `strong_replicas`";
        let finding = Finding::new(Subject::Replicas, Level::Problem, found, means);
        (self.role == NodeRole::Primary && got < wanted).then(|| finding.with_fix(fix))
    }

    /// Whether it may remove keys when its memory is full. Under `volatile-*` too: fencing marks and leases have lifetimes.
    fn evicts(&self) -> bool {
        !self.eviction.is_empty() && self.eviction != "noeviction"
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn node(text: &str) -> NodeInfo {
        NodeInfo::read("10.0.0.1:6379", &Info::read(&Value::BulkString(text.into())))
    }

    #[test]
    fn a_quiet_primary_has_no_troubles() {
        let node = node(
            "redis_version:7.0.15\r\nredis_mode:standalone\r\nuptime_in_seconds:60\r\n\
             connected_clients:3\r\nused_memory:1000\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n\
             aof_enabled:1\r\naof_last_write_status:ok\r\nrdb_last_bgsave_status:ok\r\nrole:master\r\n\
             connected_slaves:2\r\nmaster_repl_offset:77\r\n",
        );
        assert_eq!(node.summary(), "Redis 7.0.15, standalone, primary, append-only file");
        assert_eq!((node.role, node.replicas, node.link_up), (NodeRole::Primary, 2, None));
        assert_eq!((node.memory_limit_bytes, node.uptime), (None, Duration::from_secs(60)));
        assert!(node.troubles().is_empty() && node.notes().is_empty(), "{:?}", node.notes());
    }

    #[test]
    fn what_needs_attention_is_told() {
        let node = node(
            "redis_version:7.2.4\r\nvalkey_version:8.0.1\r\nserver_mode:cluster\r\nused_memory:96\r\n\
             maxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0\r\n\
             rdb_last_bgsave_status:err\r\nrole:slave\r\nmaster_link_status:down\r\n",
        );
        assert_eq!(node.summary(), "Valkey 8.0.1, cluster, replica, no append-only file");
        assert_eq!(node.troubles().len(), 4, "{:?}", node.troubles());
        assert!(node.notes().is_empty(), "notes are about primaries: {:?}", node.notes());
    }

    #[test]
    fn every_policy_but_one_is_told_and_so_is_what_a_primary_lacks() {
        for policy in
            ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl", "noeviction"]
        {
            let evicts = policy != "noeviction";
            let said = |limit: u64| {
                let node = node(&format!(
                    "role:master\r\nmaxmemory:{limit}\r\nmaxmemory_policy:{policy}\r\naof_enabled:1\r\n\
                     connected_slaves:1\r\n"
                ));
                (node.troubles(), node.notes())
            };
            let ((troubles, none), (nothing, notes)) = (said(1 << 40), said(0));
            assert!(none.is_empty() && nothing.is_empty(), "{policy}: {none:?} {nothing:?}");
            for told in [troubles, notes] {
                assert_eq!(told.len(), usize::from(evicts), "{policy}: {told:?}");
                let names = |one: &Finding| {
                    one.found.contains(policy) && one.fix.contains("maxmemory-policy noeviction")
                };
                assert!(told.iter().all(names), "{told:?}");
            }
        }
        let alone = node("role:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:0\r\n");
        assert!(alone.troubles().is_empty());
        let [file, replica] = &alone.notes()[..] else { panic!("{:?}", alone.notes()) };
        assert!(
            file.fix.contains("appendonly yes") && replica.fix.contains("replicaof"),
            "{file:?} {replica:?}"
        );
    }
}
