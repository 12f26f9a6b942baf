//! The format JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::sealed::{Failure, Format, Target};
use super::{Codec, CodecId};
use crate::guard::{Guard, Guarded, GuardedDeserializer};

/// JSON: for open types, readable by people. Map keys must be strings or numbers; a float that
/// is not finite is written as `null` and cannot be read back as a float; `Some(None)` reads
/// back as `None`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Json;

impl Codec for Json {
    const ID: CodecId = CodecId::Json;
}

impl Format for Json {
    fn encode<T: Serialize + ?Sized>(value: &T, target: &mut Target<'_>) -> Result<(), Failure> {
        let guard = Guard::for_writing();
        let mut serializer = serde_json::Serializer::new(&mut *target.0);
        Guarded::new(value, &guard)
            .serialize(&mut serializer)
            .map_err(|_| guard.failure().unwrap_or(Failure::Inexpressible))?;
        guard.check_items(target.0.len())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
        let guard = Guard::for_reading(bytes);
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = T::deserialize(GuardedDeserializer::new(&mut deserializer, &guard)).map_err(
            |error| {
                guard.failure().unwrap_or(match error.classify() {
                    Category::Data => Failure::Unfit,
                    Category::Io | Category::Syntax | Category::Eof => Failure::Malformed,
                })
            },
        )?;
        deserializer.end().map_err(|_| Failure::Trailing)?;
        Ok(value)
    }
}
