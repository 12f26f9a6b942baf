//! How a state is taken apart into its fields, and put together from them.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use state_core::Result;

/// The fields of a state: their names and their bytes.
pub type Fields = Vec<(String, Vec<u8>)>;

/// A format that writes each top-level field of a state on its own.
pub trait StateFormat: Debug + Send + Sync + 'static {
    /// The kind of the payloads, such as `json`.
    const KIND: &'static str;

    /// Takes a state apart. The same state must give the same bytes.
    ///
    /// # Errors
    /// `Invalid` for what is no map with text keys, and for what the format cannot express.
    fn split<S: Serialize>(state: &S) -> Result<Fields>;

    /// Puts a state together.
    ///
    /// # Errors
    /// `Corrupt` where the fields are not those of such a state.
    fn join<S: DeserializeOwned>(fields: &[(&str, &[u8])]) -> Result<S>;
}

/// Each field as JSON, which needs the feature `json`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct JsonFields;

#[cfg(feature = "json")]
impl StateFormat for JsonFields {
    const KIND: &'static str = "json";

    fn split<S: Serialize>(state: &S) -> Result<Fields> {
        use std::collections::BTreeMap;

        use serde_json::value::RawValue;
        use state_core::Error;

        let whole = serde_json::to_vec(state)
            .map_err(|_| Error::invalid("the state cannot be written as JSON"))?;
        let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(&whole)
            .map_err(|_| Error::invalid("the state is no struct with named fields, and no map"))?;
        let split = fields.into_iter().map(|(name, value)| (name, value.get().into()));
        Ok(split.collect())
    }

    fn join<S: DeserializeOwned>(fields: &[(&str, &[u8])]) -> Result<S> {
        use state_core::{Error, ErrorKind};

        let mut whole = vec![b'{'];
        for (name, value) in fields {
            if whole.len() > 1 {
                whole.push(b',');
            }
            serde_json::to_writer(&mut whole, name).map_err(|_| {
                Error::new(ErrorKind::Internal, "the name of a field cannot be written")
            })?;
            whole.push(b':');
            whole.extend_from_slice(value);
        }
        whole.push(b'}');
        serde_json::from_slice(&whole)
            .map_err(|_| Error::corrupt("the stored fields are not those of such a state"))
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use state_core::ErrorKind;

    use super::*;

    #[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
    struct State {
        z: Vec<u64>,
        a: Option<String>,
        #[serde(flatten)]
        rest: BTreeMap<String, bool>,
    }

    #[test]
    fn a_struct_is_taken_apart_and_put_together() {
        let rest = BTreeMap::from([("quote\"d".to_owned(), true)]);
        let state = State { z: vec![1, u64::MAX], a: Some("x".into()), rest };
        let fields = JsonFields::split(&state).unwrap();
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "quote\"d", "z"]);
        assert_eq!(fields[2].1, b"[1,18446744073709551615]");
        let borrowed: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        assert_eq!(JsonFields::join::<State>(&borrowed).unwrap(), state);
    }

    #[test]
    fn what_has_no_fields_is_refused() {
        for refused in [JsonFields::split(&5), JsonFields::split(&Some(7))] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
        }
        let damaged = JsonFields::join::<State>(&[("z", b"5")]);
        assert_eq!(damaged.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
