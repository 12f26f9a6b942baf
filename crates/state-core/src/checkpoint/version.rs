//! The version of a channel.

use std::fmt;
use std::sync::Arc;

/// The version of a channel: chosen by the owner of the thread, and given back as the kind of
/// value that it was. Compared for equality only; floats by their bits.
#[expect(clippy::exhaustive_enums, reason = "a store must be able to keep every kind")]
#[derive(Clone, Debug)]
pub enum ChannelVersion {
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(Arc<str>),
}

impl PartialEq for ChannelVersion {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for ChannelVersion {}

impl fmt::Display for ChannelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "{}", text.escape_debug()),
        }
    }
}

impl From<i64> for ChannelVersion {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for ChannelVersion {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for ChannelVersion {
    fn from(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }
}

impl From<String> for ChannelVersion {
    fn from(text: String) -> Self {
        Self::Text(Arc::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_never_equal() {
        assert_ne!(ChannelVersion::from(1), ChannelVersion::from(1.0));
        assert_ne!(ChannelVersion::from("1"), ChannelVersion::from(1));
        assert_eq!(ChannelVersion::from(f64::NAN), ChannelVersion::from(f64::NAN));
        assert_ne!(ChannelVersion::from(0.0), ChannelVersion::from(-0.0));
    }
}
