//! The format MessagePack, structs as maps by field name.

use rmp_serde::decode::Error;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, IgnoredAny};

use super::sealed::{Failure, Format, Target};
use super::{Codec, CodecId};
use crate::guard::{Guard, Guarded, GuardedDeserializer};

/// MessagePack with named fields: for open types; smaller than JSON, most of all where there are
/// numbers.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct MessagePack;

impl Codec for MessagePack {
    const ID: CodecId = CodecId::MessagePack;
}

impl Format for MessagePack {
    fn encode<T: Serialize + ?Sized>(value: &T, target: &mut Target<'_>) -> Result<(), Failure> {
        let guard = Guard::for_writing();
        let mut serializer = rmp_serde::Serializer::new(&mut *target.0).with_struct_map();
        Guarded::new(value, &guard)
            .serialize(&mut serializer)
            .map_err(|_| guard.failure().unwrap_or(Failure::Inexpressible))?;
        guard.check_items(target.0.len())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
        let guard = Guard::for_reading(bytes);
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        let value = T::deserialize(GuardedDeserializer::new(&mut deserializer, &guard))
            .map_err(|error| guard.failure().unwrap_or(failure(&error)))?;
        // The reader does not tell what is left; a further value must meet the end at once.
        let rest = GuardedDeserializer::new(&mut deserializer, &guard);
        match IgnoredAny::deserialize(rest) {
            Err(Error::InvalidMarkerRead(_)) => Ok(value),
            Ok(IgnoredAny) | Err(_) => Err(Failure::Trailing),
        }
    }
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) | Error::Utf8Error(_) => {
            Failure::Malformed
        }
        Error::DepthLimitExceeded => Failure::TooDeep,
        _ => Failure::Unfit,
    }
}
