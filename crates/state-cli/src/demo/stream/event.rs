//! What a worker tells whoever started it: one JSON document per line of its standard output.

use serde::{Deserialize, Serialize};

use crate::demo::process::{Progress, Told};

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    /// Another holder has the lease for this much longer.
    Waiting { remaining_ms: u64 },
    /// The lease is held.
    Acquired { token: u64, waited_ms: u64 },
    /// The list of files stands; `resumed_bytes` of them are done already.
    Begun { files: u64, bytes: u64, resumed_bytes: u64, resumed_lines: u64, frozen_now: bool },
    /// A piece is read and counted, and its transaction would be sent now.
    Ready { bytes: u64 },
    /// A transaction was committed.
    Committed { bytes: u64, lines: u64, transactions: u64, working_ms: u64 },
    /// Everything is done and the lease is given back.
    Finished { working_ms: u64 },
}

impl Told for Event {
    fn progress(&self) -> Progress {
        match self {
            Self::Begun { bytes, .. } => Progress::All(*bytes),
            Self::Ready { bytes } => Progress::Ready(*bytes),
            Self::Committed { bytes, .. } => Progress::Committed(*bytes),
            Self::Waiting { .. } | Self::Acquired { .. } | Self::Finished { .. } => {
                Progress::Nothing
            }
        }
    }
}
