//! What a proxy has counted.

use std::collections::BTreeMap;

/// What clients sent and received through a proxy.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Commands, whole ones.
    pub commands: u64,
    /// Times that a command was sent while no reply was awaited on its connection: what a pipeline pays once.
    pub round_trips: u64,
    /// Bytes that arrived from clients.
    pub bytes_to_server: u64,
    /// Bytes that were sent to clients.
    pub bytes_to_client: u64,
    /// Commands by name, in capitals.
    pub by_name: BTreeMap<String, u64>,
}

impl Counts {
    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let names = self.by_name.iter().filter_map(|(name, count)| {
            let more = count - before.count(name).min(*count);
            (more > 0).then(|| (name.clone(), more))
        });
        Self {
            connections: self.connections.saturating_sub(before.connections),
            commands: self.commands.saturating_sub(before.commands),
            round_trips: self.round_trips.saturating_sub(before.round_trips),
            bytes_to_server: self.bytes_to_server.saturating_sub(before.bytes_to_server),
            bytes_to_client: self.bytes_to_client.saturating_sub(before.bytes_to_client),
            by_name: names.collect(),
        }
    }

    /// How many commands of this name (in capitals) there were.
    pub fn count(&self, name: &str) -> u64 {
        self.by_name.get(name).copied().unwrap_or(0)
    }
}
