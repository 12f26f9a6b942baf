//! Which capabilities a store offers, and on what that depends.

use std::fmt;

use state_core::{Capability, Limits};

use crate::config::RedisConfig;

/// Whether a store offers a capability.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offered {
    /// It does.
    Always,
    /// It does where this is so.
    Where(Condition),
    /// It does not.
    Never,
}

/// On what it depends whether a capability is offered.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    /// The setting [`cross_partition`](RedisConfig::cross_partition).
    CrossPartition,
    /// A namespace that keeps an ordered index.
    OrderedIndex,
    /// A namespace that keeps a log of its changes.
    ChangeLog,
    /// That the user may send `WAIT` to every primary.
    Wait,
    /// An append-only file on every primary, and `WAITAOF`, which servers have since 7.2.
    WaitAof,
    /// An append-only file on every primary.
    AppendOnlyFile,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CrossPartition => "`cross_partition` is set",
            Self::OrderedIndex => "the namespace keeps an ordered index",
            Self::ChangeLog => "the namespace keeps a change log",
            Self::Wait => "`WAIT` is permitted",
            Self::WaitAof => "the servers have an append-only file and `WAITAOF` (7.2)",
            Self::AppendOnlyFile => "the servers have an append-only file",
        })
    }
}

impl RedisConfig {
    /// Whether stores with this configuration offer a capability; no server is asked.
    pub fn offers(&self, capability: Capability) -> Offered {
        match capability {
            Capability::Expiry
            | Capability::Hash
            | Capability::Transact
            | Capability::Watch
            | Capability::Lease
            | Capability::Fence
            | Capability::OpId => Offered::Always,
            Capability::CrossPartition if self.topology.is_cluster() => Offered::Never,
            Capability::CrossPartition => Offered::Where(Condition::CrossPartition),
            Capability::OrderedList => Offered::Where(Condition::OrderedIndex),
            Capability::WatchLog => Offered::Where(Condition::ChangeLog),
            Capability::AckReplicas => Offered::Where(Condition::Wait),
            Capability::AckFsync => Offered::Where(Condition::WaitAof),
            Capability::Durable => Offered::Where(Condition::AppendOnlyFile),
            _ => Offered::Never,
        }
    }

    /// The limits of stores with this configuration.
    pub fn limits(&self) -> Limits {
        Limits::DEFAULT.with_value_bytes_max(self.value_bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Address, Topology};

    #[test]
    fn a_cluster_offers_the_same_but_transactions_across_partitions() {
        let one = RedisConfig::default();
        let mut cluster = RedisConfig::default();
        cluster.topology = Topology::cluster([Address::tcp("a", 1)]);
        let differ =
            |capability: &&Capability| one.offers(**capability) != cluster.offers(**capability);
        let differing: Vec<_> = Capability::ALL.iter().filter(differ).collect();
        assert_eq!(differing, [&Capability::CrossPartition]);
        assert_eq!(one.limits(), cluster.limits());
    }
}
