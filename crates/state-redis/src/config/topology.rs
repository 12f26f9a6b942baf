//! Which servers there are, and how they belong together.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::address::{SENTINEL_PORT, SERVER_PORT};
use super::{Address, Secret};

/// Which servers there are, and how they belong together.
#[non_exhaustive]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Topology {
    /// One server that takes the writes, and perhaps replicas to read from.
    #[non_exhaustive]
    Standalone {
        /// The server that takes the writes.
        address: Address,
        /// Its replicas, for reads with `Consistency::Eventual`.
        #[serde(default)]
        replicas: Vec<Address>,
    },
    /// Sentinels that know which server takes the writes.
    #[non_exhaustive]
    Sentinel {
        /// The sentinels; one that answers is enough.
        #[serde(deserialize_with = "sentinels")]
        sentinels: Vec<Address>,
        /// The name under which they watch the primary.
        master: String,
        /// The ACL user on the sentinels. Default: none.
        #[serde(default)]
        sentinel_username: Option<String>,
        /// The password on the sentinels. Default: none.
        #[serde(default)]
        sentinel_password: Option<Secret>,
    },
    /// A cluster with its keys spread over slots.
    #[non_exhaustive]
    Cluster {
        /// Some of its nodes; one that answers is enough.
        seeds: Vec<Address>,
    },
}

impl Topology {
    /// One server without replicas.
    pub const fn standalone(address: Address) -> Self {
        Self::Standalone { address, replicas: Vec::new() }
    }

    /// One server, and replicas to read from.
    pub fn replicated(address: Address, replicas: impl IntoIterator<Item = Address>) -> Self {
        Self::Standalone { address, replicas: replicas.into_iter().collect() }
    }

    /// The primary that `sentinels` watch under the name `master`.
    pub fn sentinel(
        sentinels: impl IntoIterator<Item = Address>,
        master: impl Into<String>,
    ) -> Self {
        Self::Sentinel {
            sentinels: sentinels.into_iter().collect(),
            master: master.into(),
            sentinel_username: None,
            sentinel_password: None,
        }
    }

    /// The cluster to which `seeds` belong.
    pub fn cluster(seeds: impl IntoIterator<Item = Address>) -> Self {
        Self::Cluster { seeds: seeds.into_iter().collect() }
    }

    /// Logs in to the sentinels; changes nothing in another topology.
    #[must_use]
    pub fn with_sentinel_login(
        mut self,
        username: impl Into<Option<String>>,
        password: impl Into<Secret>,
    ) -> Self {
        if let Self::Sentinel { sentinel_username, sentinel_password, .. } = &mut self {
            *sentinel_username = username.into();
            *sentinel_password = Some(password.into());
        }
        self
    }

    /// Whether it is a cluster.
    pub const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster { .. })
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self::standalone(Address::tcp("127.0.0.1", SERVER_PORT))
    }
}

/// Sentinels have a port of their own where none is given.
fn sentinels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Address>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| Address::parse(text, SENTINEL_PORT).map_err(D::Error::custom))
        .collect()
}
