//! What is known about a checkpoint beside its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Scalar;
use crate::{Error, Result};

/// A value of metadata.
#[expect(clippy::exhaustive_enums, reason = "a store must be able to keep every kind")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MetadataValue {
    /// A value without parts; filters compare these.
    Scalar(Scalar),
    /// Values in a row.
    List(Vec<Self>),
    /// Values by name.
    Map(BTreeMap<Arc<str>, Self>),
}

impl MetadataValue {
    /// The scalar; `None` for a list or a map.
    pub const fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            Self::List(_) | Self::Map(_) => None,
        }
    }
}

impl<T: Into<Scalar>> From<T> for MetadataValue {
    fn from(scalar: T) -> Self {
        Self::Scalar(scalar.into())
    }
}

/// Metadata of a checkpoint: values by name, in the order of the names.
///
/// Four names have a meaning of their own: `source` (`input`, `loop`, `update` or `fork`),
/// `step` (−1 for the input, then counted up), `parents` (from namespace to the checkpoint that
/// it ran under) and `run_id` (what [`delete_for_runs`](super::CheckpointerExt::delete_for_runs)
/// looks for). All others are the caller's.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Metadata(BTreeMap<Arc<str>, MetadataValue>);

impl Metadata {
    /// No metadata.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a value, in place of one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<str>, value: impl Into<MetadataValue>) -> Self {
        self.0.insert(Arc::from(name.as_ref()), value.into());
        self
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&MetadataValue> {
        self.0.get(name)
    }

    /// The number called `step`.
    pub fn step(&self) -> Option<i64> {
        match self.get("step")?.as_scalar()? {
            Scalar::Int(step) => Some(*step),
            _ => None,
        }
    }

    /// The text called `source`.
    pub fn source(&self) -> Option<&str> {
        self.text("source")
    }

    /// The text called `run_id`.
    pub fn run_id(&self) -> Option<&str> {
        self.text("run_id")
    }

    /// All values, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &MetadataValue)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each name of `filter` has a value here that equals the one there.
    ///
    /// # Errors
    /// `Invalid` when the filter holds a list or a map, which cannot be compared.
    pub fn matches(&self, filter: &Self) -> Result<bool> {
        let mut matches = true;
        for (name, wanted) in filter.iter() {
            let Some(wanted) = wanted.as_scalar() else {
                return Err(Error::invalid("a filter holds a list or a map, not a single value"));
            };
            let found = self.get(name).and_then(MetadataValue::as_scalar);
            matches &= found == Some(wanted);
        }
        Ok(matches)
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)?.as_scalar()? {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<N: AsRef<str>> FromIterator<(N, MetadataValue)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (N, MetadataValue)>>(values: I) -> Self {
        let named = |(name, value): (N, MetadataValue)| (Arc::from(name.as_ref()), value);
        Self(values.into_iter().map(named).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_filter_matches_when_each_of_its_values_does() {
        let metadata = Metadata::new().with("source", "loop").with("step", 3).with("score", 0.5);
        let matches = |filter: Metadata| metadata.matches(&filter).unwrap();
        assert!(matches(Metadata::new()));
        assert!(matches(Metadata::new().with("step", 3.0).with("source", "loop")));
        assert!(!matches(Metadata::new().with("step", 3).with("source", "input")));
        assert!(!matches(Metadata::new().with("absent", Scalar::Null)));
        assert_eq!((metadata.step(), metadata.source()), (Some(3), Some("loop")));
    }

    #[test]
    fn a_filter_of_parts_is_refused_even_where_another_value_differs() {
        let filter = Metadata::new().with("a", 1).with("parents", Scalar::Null);
        assert!(!Metadata::new().matches(&filter).unwrap());
        let nested: Metadata =
            [("a", 1.into()), ("b", MetadataValue::List(vec![]))].into_iter().collect();
        let kind = Metadata::new().matches(&nested).map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::Invalid));
    }
}
