//! What a backend offers beyond what every backend must.

use std::fmt;

use crate::Limits;

/// Declares the capabilities once: name, sentence and position in the set.
macro_rules! capabilities {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal),+ $(,)?) => {
        /// Something that not every backend offers.
        ///
        /// The conformance suite holds a backend to what it declares, and holds it to refusing
        /// with `Unsupported`, without any effect, what it does not declare.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Capability {
            $($(#[doc = $doc])+ $variant),+
        }

        impl Capability {
            /// All capabilities, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name, as shown in tables and written to `--json`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What the capability means, in a sentence.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

capabilities! {
    /// Entries can have a lifetime.
    Expiry = "expiry",
    /// Listings come in key order and name each key once.
    OrderedList = "ordered-list",
    /// Fields under one key, with one lifetime for all of them.
    Hash = "hash",
    /// Pages of a hash come in the order of its fields' bytes and name each field once.
    OrderedFields = "ordered-fields",
    /// Several keys of one partition can be checked and written in one atomic step.
    Transact = "transact",
    /// Transactions may span partitions.
    CrossPartition = "cross-partition",
    /// Changes can be followed while connected.
    Watch = "watch",
    /// Changes are kept for a while, so that following them can be resumed.
    WatchLog = "watch-log",
    /// Leases with a fencing token.
    Lease = "lease",
    /// Calls can be made as the holder of a lease, and stale holders are refused.
    Fence = "fence",
    /// Operation ids are remembered, so that a resent operation has one effect.
    OpId = "op-id",
    /// A write can wait until replicas have it.
    AckReplicas = "ack-replicas",
    /// A write can wait until it is synced to disk.
    AckFsync = "ack-fsync",
    /// A snapshot shows one point in time.
    PointInTimeSnapshot = "point-in-time-snapshot",
    /// What was acknowledged survives the end of the process.
    Durable = "durable",
    /// Entries may be evicted when a capacity is reached.
    Eviction = "eviction",
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far changes can be followed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum WatchLevel {
    /// Not at all.
    None,
    /// While connected; a disconnection is a gap.
    Changes,
    /// At least once and resumable, within what is retained.
    Log,
}

/// What a snapshot shows while others write.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SnapshotLevel {
    /// Each key as it was at some time during the snapshot.
    PerKey,
    /// Everything as it was at one point in time.
    PointInTime,
}

/// What an instance of a backend offers, layers included, and its limits.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Capabilities {
    offered: u64,
    /// The limits of this instance.
    pub limits: Limits,
}

impl Capabilities {
    /// Nothing beyond what every backend must offer, with the default limits.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds `capability`.
    #[must_use]
    pub const fn with(mut self, capability: Capability) -> Self {
        self.offered |= 1 << capability as u64;
        self
    }

    /// Takes `capability` away.
    #[must_use]
    pub const fn without(mut self, capability: Capability) -> Self {
        self.offered &= !(1 << capability as u64);
        self
    }

    /// Sets the limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether `capability` is offered.
    pub const fn has(&self, capability: Capability) -> bool {
        self.offered & (1 << capability as u64) != 0
    }

    /// What is offered, in the order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = Capability> + '_ {
        Capability::ALL.iter().copied().filter(|capability| self.has(*capability))
    }

    /// How far changes can be followed.
    pub const fn watch(&self) -> WatchLevel {
        if self.has(Capability::WatchLog) {
            WatchLevel::Log
        } else if self.has(Capability::Watch) {
            WatchLevel::Changes
        } else {
            WatchLevel::None
        }
    }

    /// What a snapshot shows while others write.
    pub const fn snapshot(&self) -> SnapshotLevel {
        if self.has(Capability::PointInTimeSnapshot) {
            SnapshotLevel::PointInTime
        } else {
            SnapshotLevel::PerKey
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_added_and_nothing_else() {
        for &one in Capability::ALL {
            let set = Capabilities::none().with(one);
            assert_eq!(set.iter().collect::<Vec<_>>(), [one]);
            assert_eq!(set.without(one), Capabilities::none());
        }
    }
}
