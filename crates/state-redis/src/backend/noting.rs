//! What a namespace with an index or a log notes of each write, in the script that writes.

use bytes::Bytes;
use state_core::{Key, Result};

use super::Inner;
use super::ask::Ask;
use crate::frame;
use crate::keys::Kind;

/// What becomes of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Noted {
    /// It is written or removed: that concerns the index and the log.
    Written,
    /// Its lifetime changes: that concerns the log.
    Touched,
}

/// The keys and arguments that scripts take at their end, to note something with.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    pub(super) keys: Vec<Bytes>,
    pub(super) args: Vec<Bytes>,
}

impl Inner {
    /// Whether each write is noted, so that it takes a script.
    pub(super) fn is_noting(&self) -> bool {
        self.layout.index || self.layout.log.is_some()
    }

    /// What the script of a call on `key` needs to note it; nothing where nothing is noted.
    pub(super) fn note(&self, kind: Kind, key: &Key, noted: Noted) -> Result<Note> {
        let Some(buckets) = self.keys.buckets().filter(|_| self.is_noting()) else {
            return Ok(Note::default());
        };
        let bucket = buckets.of(key);
        let index = self.layout.index && noted == Noted::Written;
        let mut keys = Vec::with_capacity(2);
        if index {
            keys.push(self.keys.index(buckets, bucket));
        }
        if self.layout.log.is_some() {
            keys.push(self.keys.log(buckets, bucket));
        }
        let [max, nonce] = self.log_args()?;
        let index = Bytes::from_static(if index { b"1" } else { b"" });
        Ok(Note { keys, args: vec![index, max, nonce, kind.member(key)] })
    }

    /// The most events of a log and the nonce of a call, as scripts take them; empty without a log.
    pub(super) fn log_args(&self) -> Result<[Bytes; 2]> {
        let Some(events_max) = self.layout.log else { return Ok([Bytes::new(), Bytes::new()]) };
        Ok([Bytes::from(events_max.to_string()), Bytes::from(frame::new_nonce()?.to_string())])
    }
}

impl Ask {
    /// Notes what the script does.
    pub(super) fn noting(mut self, note: Note) -> Self {
        self.call.keys.extend(note.keys);
        self.call.args.extend(note.args);
        self
    }
}
