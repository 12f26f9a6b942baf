//! A secret that goes in and never comes out by accident.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const REDACTED: &str = "[redacted]";

/// A password or another text that no log, message or dump may show.
///
/// `Debug`, `Display` and `Serialize` write `[redacted]`. Configuration files hold the secret as a
/// plain string; reading `[redacted]` back is an error, so that a dumped configuration is never
/// taken for a complete one. Who really wants to write the secret names
/// [`serialize_exposed`](Self::serialize_exposed). A clone shares the text.
///
/// ```
/// use state_redis::Secret;
///
/// let secret = Secret::new("hunter2");
/// assert_eq!(format!("{secret:?} {secret}"), "[redacted] [redacted]");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself, at no cost.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Writes the text itself; for `#[serde(serialize_with = "…")]` where the output is meant to
    /// hold the secret.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize_exposed<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Taken as a string by hand: the usual message for a wrong type shows the value.
        let text = Text::deserialize(deserializer)
            .map_err(|_| D::Error::custom("a secret must be a string"))?;
        if text.0 == REDACTED {
            return Err(D::Error::custom("the secret was redacted when this was written"));
        }
        Ok(Self::new(text.0))
    }
}

#[derive(Deserialize)]
struct Text(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Exposed {
        #[serde(serialize_with = "Secret::serialize_exposed")]
        password: Secret,
    }

    #[test]
    fn only_the_explicit_ways_show_it() {
        let secret: Secret = serde_json::from_str("\"hunter2\"").unwrap();
        for shown in [
            format!("{secret}"),
            format!("{secret:?}"),
            format!("{secret:#?}"),
            serde_json::to_string(&secret).unwrap(),
        ] {
            assert!(shown.contains(REDACTED) && !shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(secret.expose(), "hunter2");
        let exposed = serde_json::to_string(&Exposed { password: secret }).unwrap();
        assert_eq!(exposed, r#"{"password":"hunter2"}"#);
    }

    #[test]
    fn a_redacted_secret_or_another_type_is_refused_without_showing_it() {
        for bad in ["\"[redacted]\"", "31337", "[\"hunter2\"]", "{\"hunter2\":1}"] {
            let message = serde_json::from_str::<Secret>(bad).unwrap_err().to_string();
            assert!(!message.contains("31337") && !message.contains("hunter2"), "{message}");
        }
    }
}
