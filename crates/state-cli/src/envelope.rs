//! Opens the envelope that typed access puts around a value, so that people can read it.

use serde::Serialize;
use state_codec::{CodecId, Envelope};
use state_core::{Bytes, Result};

/// What was in an envelope.
#[derive(Debug)]
pub(crate) struct Opened {
    /// JSON where the format can be read without knowing the type; else the bytes of the format.
    pub(crate) body: Bytes,
    pub(crate) about: About,
}

/// How a value was written, in a JSON document.
#[derive(Debug, Serialize)]
pub(crate) struct About {
    format: &'static str,
    compression: &'static str,
    schema: u32,
    stored_bytes: usize,
    raw_bytes: usize,
}

/// Opens the envelope.
///
/// # Errors
/// `Corrupt` for what is none or is damaged; `Unsupported` for a compression that is not built in.
pub(crate) fn open(stored: Bytes) -> Result<Opened> {
    let envelope = Envelope::open(stored)?;
    let about = About {
        format: envelope.codec().name(),
        compression: envelope.compression().name(),
        schema: envelope.schema(),
        stored_bytes: envelope.stored_len(),
        raw_bytes: envelope.raw_len(),
    };
    let body = match envelope.codec() {
        CodecId::MessagePack => envelope.decode::<serde_json::Value>()?.to_string().into(),
        _ => envelope.unpack()?,
    };
    Ok(Opened { body, about })
}

/// What people want to see of a stored value: the body of an envelope, everything else as it is.
pub(crate) fn for_people(stored: Bytes) -> Bytes {
    if !Envelope::is_likely(&stored) {
        return stored;
    }
    open(stored.clone()).map_or(stored, |opened| opened.body)
}

/// Whether the value seems to be in an envelope.
pub(crate) fn is_likely(stored: &[u8]) -> bool {
    Envelope::is_likely(stored)
}

#[cfg(test)]
mod tests {
    use state_codec::{EnvelopeOptions, Json, MessagePack};
    use state_core::ErrorKind;

    use super::*;

    #[test]
    fn typed_values_become_readable() {
        let json = Envelope::encode::<Json, _>(&["a", "b"], EnvelopeOptions::new()).unwrap();
        let packed =
            Envelope::encode::<MessagePack, _>(&["a", "b"], EnvelopeOptions::new()).unwrap();
        for (stored, format) in [(json, "json"), (packed, "messagepack")] {
            let opened = open(stored.clone()).unwrap();
            assert_eq!(opened.body, r#"["a","b"]"#);
            assert_eq!(opened.about.format, format);
            assert_eq!(for_people(stored), r#"["a","b"]"#);
        }
    }

    #[test]
    fn other_values_stay_as_they_are() {
        let plain = Bytes::from_static(b"plain");
        assert_eq!(for_people(plain.clone()), plain);
        assert_eq!(open(plain).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
