//! What a clear writes for watchers, so that they tell one clear and not each key that it removes.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use state_core::Scope;

/// How long an announcement lives unless it is renewed. A clear that was given up in between is
/// told as a gap after that.
pub(crate) const ANNOUNCEMENT_LIFETIME: Duration = Duration::from_secs(10);

const MAGIC: [u8; 2] = *b"C1";

/// How far a clear has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Keys are about to be removed.
    Begun,
    /// All keys have been removed.
    Done,
}

/// A clear, as it is told to watchers: one of several equal ones, one per primary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Announcement {
    pub(crate) phase: Phase,
    /// How many keys announce it.
    pub(crate) parts: u32,
    pub(crate) prefix: Bytes,
    pub(crate) scope: Scope,
}

impl Announcement {
    /// The value of the key that announces it.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(16 + self.prefix.len());
        out.put_slice(&MAGIC);
        out.put_u8(if self.phase == Phase::Begun { b'b' } else { b'd' });
        out.put_u32(self.parts);
        match &self.scope {
            Scope::Unpartitioned => out.put_u8(b'u'),
            Scope::Partition(partition) => {
                out.put_u8(b'p');
                out.put_u32(u32::try_from(partition.len()).unwrap_or(u32::MAX));
                out.put_slice(partition);
            }
            _ => out.put_u8(b'a'),
        }
        out.put_slice(&self.prefix);
        out.freeze()
    }

    /// Reads such a value; `None` for anything else.
    pub(crate) fn decode(mut value: Bytes) -> Option<Self> {
        if !value.starts_with(&MAGIC) {
            return None;
        }
        value.advance(MAGIC.len());
        let phase = match value.try_get_u8().ok()? {
            b'b' => Phase::Begun,
            b'd' => Phase::Done,
            _ => return None,
        };
        let parts = value.try_get_u32().ok()?;
        let scope = match value.try_get_u8().ok()? {
            b'a' => Scope::All,
            b'u' => Scope::Unpartitioned,
            b'p' => {
                let length = usize::try_from(value.try_get_u32().ok()?).ok()?;
                if length > value.len() {
                    return None;
                }
                Scope::Partition(value.split_to(length))
            }
            _ => return None,
        };
        Some(Self { phase, parts, prefix: value, scope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_reads_back_and_its_beginnings_do_not_panic() {
        for scope in [Scope::All, Scope::Unpartitioned, Scope::Partition("p:1".into())] {
            for (phase, prefix) in [(Phase::Begun, ""), (Phase::Done, "user:")] {
                let scope = scope.clone();
                let one = Announcement { phase, parts: 3, prefix: prefix.into(), scope };
                let value = one.encode();
                assert_eq!(Announcement::decode(value.clone()), Some(one.clone()));
                for length in 0..value.len() {
                    assert_ne!(Announcement::decode(value.slice(..length)), Some(one.clone()));
                }
            }
        }
    }
}
