//! The format bincode, through serde and behind the guard.

use std::marker::PhantomData;

use ::bincode::config::{Configuration, Limit, LittleEndian, Varint};
use ::bincode::error::DecodeError;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer};

use super::sealed::{Failure, Format, Target};
use super::{Codec, CodecId};
use crate::envelope::VALUE_BYTES_MAX;
use crate::guard::{Guard, Guarded, GuardedDeserializer};

/// bincode 2: smallest, *positional*, for closed types only.
///
/// The bytes say neither names nor types: see the documentation of this crate for what breaks it. The
/// crate behind it is not maintained (RUSTSEC-2025-0141); it is met by checksummed bytes only,
/// with limits on bytes, depth and items.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Bincode;

impl Codec for Bincode {
    const ID: CodecId = CodecId::Bincode;
}

/// bincode counts a number at its full width, up to 16 bytes, where the wire has a byte.
const LIMIT: usize = 16 * VALUE_BYTES_MAX;
const CONFIG: Configuration<LittleEndian, Varint, Limit<LIMIT>> =
    ::bincode::config::standard().with_limit::<LIMIT>();

impl Format for Bincode {
    fn encode<T: Serialize + ?Sized>(value: &T, target: &mut Target<'_>) -> Result<(), Failure> {
        let guard = Guard::for_writing();
        let guarded = Guarded::new(value, &guard);
        ::bincode::serde::encode_into_std_write(guarded, &mut *target.0, CONFIG)
            .map_err(|_| guard.failure().unwrap_or(Failure::Inexpressible))?;
        guard.check_items(target.0.len())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
        let guard = Guard::for_reading(bytes);
        let seed = Seed { guard: &guard, decoded: PhantomData::<T> };
        let (value, read) = ::bincode::serde::seed_decode_from_slice(seed, bytes, CONFIG)
            .map_err(|error| guard.failure().unwrap_or(failure(&error)))?;
        if read == bytes.len() { Ok(value) } else { Err(Failure::Trailing) }
    }
}

/// Decodes a `T` behind the guard.
struct Seed<'g, T> {
    guard: &'g Guard,
    decoded: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(GuardedDeserializer::new(deserializer, self.guard))
    }
}

fn failure(error: &DecodeError) -> Failure {
    match error {
        DecodeError::OtherString(_) | DecodeError::Other(_) | DecodeError::Serde(_) => {
            Failure::Unfit
        }
        _ => Failure::Malformed,
    }
}
