//! What `Debug` shows in place of the bytes of a value.

use std::fmt;

/// So many bytes, which are not shown: logs and messages of errors are read by more people than
/// values may be.
pub(crate) struct ByteCount(pub(crate) usize);

impl fmt::Debug for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            count => write!(f, "{count} bytes"),
        }
    }
}
