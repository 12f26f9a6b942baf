//! What writes do, each in one step with its precondition: alone, or as part of a transaction.

use bytes::Bytes;
use state_core::{
    AcksReached, DeleteOptions, Deleted, Error, Expiry, IncrementOptions, Incremented, Key,
    LifetimeOn, PutOptions, Result, Timestamp, WriteOp, WriteOutcome, Written,
};

use crate::record;
use crate::store::View;

pub(crate) fn put(
    view: &mut View<'_>,
    key: &Key,
    value: Bytes,
    options: &PutOptions,
) -> Result<Written> {
    view.check(key, options.precondition)?;
    let current = view.find(key).and_then(|record| record.deadline);
    let deadline = record::deadline(options.expiry, current, view.now)?;
    Ok(Written::new(view.store(key, value, deadline), AcksReached::PRIMARY))
}

pub(crate) fn delete(view: &mut View<'_>, key: &Key, options: &DeleteOptions) -> Result<Deleted> {
    view.check(key, options.precondition)?;
    let removed = view.remove(key);
    let existed = removed.is_some();
    let previous = removed.filter(|_| options.return_value);
    let previous = previous.map(|record| record.to_entry(view.now));
    Ok(Deleted::new(existed, previous, AcksReached::PRIMARY))
}

pub(crate) fn increment(
    view: &mut View<'_>,
    key: &Key,
    by: i64,
    options: &IncrementOptions,
) -> Result<Incremented> {
    let (sum, deadline) = sum(view, key, by, options)?;
    let version = view.store(key, sum.to_string().into(), deadline);
    Ok(Incremented::new(sum, version, AcksReached::PRIMARY))
}

pub(crate) fn write(view: &mut View<'_>, op: WriteOp) -> Result<WriteOutcome> {
    match op {
        WriteOp::Put { key, value, options } => {
            put(view, &key, value, &options).map(WriteOutcome::Written)
        }
        WriteOp::Delete { key, options } => delete(view, &key, &options).map(WriteOutcome::Deleted),
        WriteOp::Increment { key, by, options } => {
            increment(view, &key, by, &options).map(WriteOutcome::Incremented)
        }
        _ => Err(unknown()),
    }
}

/// Whether a write could be made now, without making it.
pub(crate) fn check(view: &View<'_>, op: &WriteOp) -> Result<()> {
    match op {
        WriteOp::Put { key, options, .. } => {
            view.check(key, options.precondition)?;
            record::deadline(options.expiry, None, view.now).map(drop)
        }
        WriteOp::Delete { key, options } => view.check(key, options.precondition),
        WriteOp::Increment { key, by, options } => sum(view, key, *by, options).map(drop),
        _ => Err(unknown()),
    }
}

/// What a counter comes to, and its deadline.
fn sum(
    view: &View<'_>,
    key: &Key,
    by: i64,
    options: &IncrementOptions,
) -> Result<(i64, Option<Timestamp>)> {
    let seen = view.find(key);
    let number = seen.map_or(Some(0), |record| number(&record.value));
    let number = number.ok_or_else(|| Error::invalid("the entry is not a number"))?;
    let sum = number.checked_add(by).ok_or_else(|| Error::invalid("the sum is too large"))?;
    let current = seen.and_then(|record| record.deadline);
    let keeps = seen.is_some() && options.lifetime_on == LifetimeOn::Create;
    let expiry = if keeps { Expiry::Keep } else { options.expiry };
    Ok((sum, record::deadline(expiry, current, view.now)?))
}

/// The number that a value is: an optional `-` and digits, written in the one usual way.
fn number(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn unknown() -> Error {
    Error::unsupported("this write")
}
