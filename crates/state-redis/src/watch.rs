//! Following the changes of entries and hashes by client tracking.
//!
//! The server tells a connection of its own which *keys* have changed; what is at them now is then
//! read in batches, and told. So a change costs its writer nothing, and changes of one key that
//! follow each other closely are told as one. One connection per primary serves all who watch a
//! store; whatever may have been missed by it is told as a gap.
//!
//! A [`Hub`] has a [`Board`] with the watchers and what they were told, and for each primary a
//! feed that owns the connection.

mod announcement;
mod board;
mod clears;
mod dirty;
mod feed;
mod hub;
mod look;
mod mailbox;
mod memory;
mod space;

pub(crate) use announcement::{ANNOUNCEMENT_LIFETIME, Announcement, Phase};
pub(crate) use hub::{Hub, Hubs};

use state_core::{Scope, WatchOptions};
use tokio::time::Instant;

use crate::client::NodeId;

/// When and where the server told that a key has changed.
#[derive(Clone, Copy, Debug)]
struct Arrival<'a> {
    node: &'a NodeId,
    /// Its place among everything that came over any connection of the hub.
    number: u64,
    at: Instant,
}

/// Whether a clear may have met keys that a watch covers.
pub(crate) fn meets(watched: &WatchOptions, prefix: &[u8], scope: &Scope) -> bool {
    let prefixes_meet = prefix.starts_with(&watched.prefix) || watched.prefix.starts_with(prefix);
    let scopes_meet = match (scope, &watched.scope) {
        (Scope::All, _) | (_, Scope::All) => true,
        (cleared, watched) => cleared == watched,
    };
    prefixes_meet && scopes_meet
}
