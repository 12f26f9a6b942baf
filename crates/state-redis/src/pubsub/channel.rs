//! The names of channels on the server: under the key prefix, so that no two prefixes share one.

use bytes::{BufMut, Bytes, BytesMut};
use state_core::{Error, ErrorKind, Result};

use super::CHANNEL_BYTES_MAX;
use crate::keys::{escape_glob, escape_strict};

/// Builds the names of the channels of one key prefix.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    /// `<prefix>:`, escaped.
    base: Bytes,
}

impl Channels {
    pub(crate) fn new(prefix: &str) -> Self {
        let mut base = BytesMut::new();
        escape_strict(prefix.as_bytes(), &mut base);
        base.put_u8(b':');
        Self { base: base.freeze() }
    }

    /// The channel with this literal name.
    pub(crate) fn channel(&self, name: &[u8]) -> Result<Bytes> {
        check(name)?;
        Ok([self.base.as_ref(), name].concat().into())
    }

    /// The channels whose names match a glob.
    pub(crate) fn pattern(&self, glob: &[u8]) -> Result<Bytes> {
        check(glob)?;
        let mut pattern = BytesMut::new();
        escape_glob(&self.base, &mut pattern);
        pattern.put_slice(glob);
        Ok(pattern.freeze())
    }

    /// The name that a channel of the server has for its users.
    pub(crate) fn name(&self, channel: &[u8]) -> Option<Bytes> {
        channel.strip_prefix(self.base.as_ref()).map(Bytes::copy_from_slice)
    }
}

fn check(name: &[u8]) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("the name of the channel is empty"));
    }
    if name.len() > CHANNEL_BYTES_MAX {
        let message = format!("the name of the channel has more than {CHANNEL_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_prefixes_share_a_channel() {
        let name = |prefix, name: &str| Channels::new(prefix).channel(name.as_bytes()).unwrap();
        assert_ne!(name("a", "b:c"), name("a:b", "c"));
        assert_ne!(name("", "a:b"), name("a", "b"));
        assert_eq!(Channels::new("a*").name(&name("a*", "\0?")).as_deref(), Some(&b"\0?"[..]));
        assert_eq!(Channels::new("a").name(&name("ab", "x")), None);
    }

    #[test]
    fn a_pattern_takes_the_prefix_literally() {
        assert_eq!(Channels::new("a-b").pattern(b"x*").unwrap(), "a\\-b:x*");
        assert_eq!(Channels::new("a").pattern(b"").unwrap_err().kind(), ErrorKind::Invalid);
        let long = vec![b'x'; CHANNEL_BYTES_MAX + 1];
        assert_eq!(Channels::new("a").channel(&long).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
