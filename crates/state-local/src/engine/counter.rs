//! Counters: exact decimal numbers in `i64`.

use bytes::Bytes;
use state_core::{
    Error, Expiry, GetOptions, IncrementOptions, Incremented, Key, LifetimeOn, OpDigest, Result,
};

use super::Tx;
use super::ops::Replay;
use crate::tables::OpOutcome;

impl Tx<'_> {
    pub(crate) fn increment(
        &mut self,
        key: &Key,
        by: i64,
        options: &IncrementOptions,
    ) -> Result<Incremented> {
        let view = self.view();
        view.rules.capabilities.limits.check_key(key)?;
        view.deadline(options.expiry, None)?;
        let acks = view.acks(options.acks)?;
        view.check_fence(options.fence.as_ref())?;
        let digest = options.op_id.map(|_| OpDigest::of_increment(by, options));
        if let Replay::Before(OpOutcome::Incremented { value, version }) =
            view.replay(key, options.op_id, digest)?
        {
            return Ok(Incremented::new(value, version, acks));
        }
        self.raise_fence(options.fence.as_ref())?;
        let sum = self.sum(key, by)?;
        let version = self.store_sum(key, sum, options)?;
        let outcome = || OpOutcome::Incremented { value: sum, version };
        self.remember(key, options.op_id, digest, outcome)?;
        Ok(Incremented::new(sum, version, acks))
    }

    /// What the counter holds after `by` is added; nothing is written.
    pub(super) fn sum(&self, key: &Key, by: i64) -> Result<i64> {
        let held = self.view().get(key, &GetOptions::new())?;
        add(held.as_ref().map(|entry| &entry.value), by)
    }

    pub(super) fn store_sum(
        &mut self,
        key: &Key,
        sum: i64,
        options: &IncrementOptions,
    ) -> Result<state_core::Version> {
        let head = self.view().live_head(key)?;
        let keeps = head.is_some() && options.lifetime_on == LifetimeOn::Create;
        let expiry = if keeps { Expiry::Keep } else { options.expiry };
        self.store(key, Bytes::from(sum.to_string()), expiry, head)
    }
}

/// Adds to a stored number, absent being 0.
pub(super) fn add(held: Option<&Bytes>, by: i64) -> Result<i64> {
    let held = held.map_or(Ok(0), |value| parse(value))?;
    held.checked_add(by).ok_or_else(|| Error::invalid("the counter would leave the range of i64"))
}

/// Reads a number in the only form in which counters are stored: `0`, or an optional minus sign
/// and digits without leading zeros.
fn parse(value: &[u8]) -> Result<i64> {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
    let number = number.filter(|number| number.to_string().as_bytes() == value);
    number.ok_or_else(|| Error::invalid("the value is not a decimal number that fits i64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_numbers_are_counters() {
        for (text, number) in [
            ("0", 0),
            ("-1", -1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(parse(text.as_bytes()).ok(), Some(number));
        }
        for text in [
            "",
            "-",
            "-0",
            "+5",
            "007",
            " 5",
            "5 ",
            "1.0",
            "1e3",
            "0x1",
            "9223372036854775808",
            "١",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
