//! What an agent tells whoever started it: one JSON document per line of its standard output.

use serde::{Deserialize, Serialize};

use crate::demo::process::{Progress, Told};

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    /// So many bytes of messages are to be replayed.
    Begun { bytes: u64 },
    /// A thread goes on after this step; `bytes` are done, all threads together.
    Resumed { thread: String, step: u64, of: u64, bytes: u64 },
    /// A thread was complete already.
    Complete { bytes: u64 },
    /// The checkpoint of a message would be put now.
    Ready { bytes: u64 },
    /// The checkpoint of a message was put.
    Committed { bytes: u64 },
    /// All threads are complete.
    Finished,
}

impl Told for Event {
    fn progress(&self) -> Progress {
        match self {
            Self::Begun { bytes } => Progress::All(*bytes),
            Self::Ready { bytes } => Progress::Ready(*bytes),
            Self::Committed { bytes } => Progress::Committed(*bytes),
            Self::Resumed { .. } | Self::Complete { .. } | Self::Finished => Progress::Nothing,
        }
    }
}
