//! Defects of counters.

use state_core::{
    AcksReached, Bytes, Error, ErrorKind, IncrementOptions, Incremented, Key, Result, StateBackend,
    StateBackendExt, Written,
};

use crate::gallery::hooks::{Honest, Hooks};

/// Counts by reading, adding with `add` and writing.
fn adding(add: fn(Option<&Bytes>, i64) -> Result<i64>) -> Hooks {
    Hooks::default().on_increment(move |honest, key, by, options| async move {
        let held = honest.get(&key).await?;
        let sum = add(held.as_ref(), by)?;
        let written = store(&honest, &key, sum.to_string().into(), &options).await?;
        Ok(Incremented::new(sum, written.version, written.acks))
    })
}

async fn store(
    honest: &Honest,
    key: &Key,
    value: Bytes,
    options: &IncrementOptions,
) -> Result<Written> {
    let put = state_core::PutOptions::new().with_expiry(options.expiry).with_acks(options.acks);
    honest.put_opts(key, value, put).await
}

fn text(held: &Bytes) -> &str {
    std::str::from_utf8(held).unwrap_or_default()
}

/// The number as the honest store reads it.
fn number(held: Option<&Bytes>) -> Result<i64> {
    let Some(held) = held else { return Ok(0) };
    let number = text(held).parse::<i64>().ok().filter(|number| number.to_string() == *held);
    number.ok_or_else(|| Error::invalid("the value is no number"))
}

pub(super) fn needs_entry() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        if !honest.contains(&key).await? {
            return Err(Error::invalid("there is no such counter"));
        }
        honest.increment_opts(&key, by, options).await
    })
}

pub(super) fn zero_skipped() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        if by != 0 {
            return honest.increment_opts(&key, by, options).await;
        }
        let held = honest.get_entry(&key).await?;
        let value = number(held.as_ref().map(|entry| &entry.value))?;
        let version = held.map_or(state_core::Version::from_bytes([0; 16]), |entry| entry.version);
        Ok(Incremented::new(value, version, AcksReached::PRIMARY))
    })
}

pub(super) fn returns_old() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        let done = honest.increment_opts(&key, by, options).await?;
        Ok(Incremented::new(done.value.wrapping_sub(by), done.version, done.acks))
    })
}

pub(super) fn only_up() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        honest.increment_opts(&key, by.max(0), options).await
    })
}

pub(super) fn binary() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        let held = honest.get(&key).await?;
        let bytes = held.as_ref().and_then(|held| <[u8; 8]>::try_from(&**held).ok());
        let number =
            bytes.map_or_else(|| number(held.as_ref()), |bytes| Ok(i64::from_be_bytes(bytes)));
        let sum = number?.wrapping_add(by);
        let value = Bytes::copy_from_slice(&sum.to_be_bytes());
        let written = store(&honest, &key, value, &options).await?;
        Ok(Incremented::new(sum, written.version, written.acks))
    })
}

pub(super) fn float() -> Hooks {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "losing precision is the defect"
    )]
    adding(|held, by| Ok((number(held)? as f64 + by as f64) as i64))
}

pub(super) fn wraps() -> Hooks {
    adding(|held, by| Ok(number(held)?.wrapping_add(by)))
}

pub(super) fn saturates() -> Hooks {
    adding(|held, by| Ok(number(held)?.saturating_add(by)))
}

pub(super) fn overflow_writes() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        let done = honest.increment_opts(&key, by, options).await;
        if done.is_err()
            && let Some(held) = honest.get(&key).await?
        {
            honest.put(&key, held).await?;
        }
        done
    })
}

pub(super) fn lenient() -> Hooks {
    adding(|held, by| {
        let number = held.map_or(Ok(0), |held| text(held).parse::<i64>());
        let number = number.map_err(|_| Error::invalid("the value is no number"))?;
        number.checked_add(by).ok_or_else(|| Error::invalid("the counter is full"))
    })
}

pub(super) fn zero_for_text() -> Hooks {
    adding(|held, by| {
        let sum = number(held).unwrap_or(0).checked_add(by);
        sum.ok_or_else(|| Error::invalid("the counter is full"))
    })
}

pub(super) fn corrupt() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        let done = honest.increment_opts(&key, by, options).await;
        done.map_err(|error| {
            Error::new(ErrorKind::Corrupt, "the value is no number").with_source(error)
        })
    })
}

pub(super) fn old_version() -> Hooks {
    Hooks::default().on_increment(|honest, key, by, options| async move {
        let before = honest.get_entry(&key).await?;
        let done = honest.increment_opts(&key, by, options).await?;
        let version = before.map_or(done.version, |before| before.version);
        Ok(Incremented::new(done.value, version, done.acks))
    })
}
