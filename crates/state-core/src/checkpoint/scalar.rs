//! A single value of metadata, which filters compare.

use std::sync::Arc;

/// A value without parts.
///
/// Equality is that of JSON values: a whole number and a floating-point number are equal when
/// they are the same number, `true` is not `1`, and nothing equals a value of another kind.
#[expect(clippy::exhaustive_enums, reason = "a store must be able to keep every kind")]
#[derive(Clone, Debug)]
pub enum Scalar {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(Arc<str>),
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) => {
                same_number(*int, *float)
            }
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Scalar {}

/// Whether a whole number and a floating-point number are the same number, exactly.
fn same_number(int: i64, float: f64) -> bool {
    // 2^63 is the first number past i64, and exact as a float; -2^63 is the first in it.
    const PAST_MAX: f64 = 9_223_372_036_854_775_808.0;
    let in_range = (-PAST_MAX..PAST_MAX).contains(&float);
    #[expect(clippy::cast_possible_truncation, reason = "it is in range and has no fraction")]
    let whole = || float.fract() == 0.0 && float as i64 == int;
    in_range && whole()
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Self::Text(Arc::from(value))
    }
}

impl From<String> for Scalar {
    fn from(value: String) -> Self {
        Self::Text(Arc::from(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_exactly() {
        assert_eq!(Scalar::from(3), Scalar::from(3.0));
        assert_eq!(Scalar::from(0), Scalar::from(-0.0));
        assert_ne!(Scalar::from(3), Scalar::from(3.5));
        assert_ne!(Scalar::from(i64::MAX), Scalar::from(9_223_372_036_854_775_808.0));
        assert_ne!(Scalar::from((1 << 53) + 1), Scalar::from(9_007_199_254_740_992.0));
        assert_ne!(Scalar::from(1), Scalar::from(true));
        assert_ne!(Scalar::from("1"), Scalar::from(1));
        assert_ne!(Scalar::Null, Scalar::from(false));
    }
}
