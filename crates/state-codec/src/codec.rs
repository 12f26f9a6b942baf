//! Formats: how a value becomes bytes, and bytes a value.

#[cfg(feature = "bincode")]
mod bincode;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod messagepack;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use state_core::{Error, ErrorKind, Result};

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
#[cfg(feature = "json")]
pub use json::Json;
#[cfg(feature = "msgpack")]
pub use messagepack::MessagePack;

use crate::sink::Sink;

/// How deep values may nest, for every format, when written and when read. Each sequence, map,
/// struct, enum variant with fields, newtype and `Some` is one level.
pub const DEPTH_MAX: usize = 100;

/// A format for values.
///
/// Bytes are only ever decoded through an [`Envelope`](crate::Envelope), whose checksum has been
/// verified. The trait is sealed: a reader must know every format that a writer may choose.
pub trait Codec: sealed::Format + Copy + fmt::Debug + Default + Send + Sync + 'static {
    /// How the envelope names the format.
    const ID: CodecId;
}

pub(crate) mod sealed {
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    #[expect(unnameable_types, reason = "the trait `Codec` is sealed with it")]
    /// What a format does; out of reach, so that nothing unverified is decoded.
    pub trait Format {
        #[doc(hidden)]
        fn encode<T: Serialize + ?Sized>(value: &T, sink: &mut Target<'_>) -> Result<(), Failure>;
        #[doc(hidden)]
        fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure>;
    }

    #[expect(unnameable_types, reason = "the trait `Codec` is sealed with it")]
    /// Where a format writes to.
    #[derive(Debug)]
    pub struct Target<'a>(
        #[cfg_attr(
            not(any(feature = "json", feature = "msgpack", feature = "bincode")),
            expect(dead_code, reason = "without a format nothing is written")
        )]
        pub(crate) &'a mut crate::sink::Sink,
    );

    #[expect(unnameable_types, reason = "the trait `Codec` is sealed with it")]
    /// Why a format refused. What it says about it may hold a part of the value, so it is
    /// dropped.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    #[non_exhaustive]
    pub enum Failure {
        /// The bytes are not of this format.
        Malformed,
        /// The bytes are of this format and do not fit the type.
        Unfit,
        /// Something is left over behind the value.
        Trailing,
        /// It nests too deep.
        TooDeep,
        /// It has more items than bytes to hold them.
        TooManyItems,
        /// The type has something that the format cannot express.
        Inexpressible,
    }
}

use sealed::{Failure, Target};

/// The number that names a format in an envelope.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CodecId {
    /// Bytes as they are; not a typed value.
    Raw,
    /// JSON, UTF-8, without a byte order mark.
    Json,
    /// MessagePack, structs as maps by field name.
    MessagePack,
    /// bincode 2 in its standard configuration, through serde.
    Bincode,
}

impl CodecId {
    /// All formats, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Json, Self::MessagePack, Self::Bincode];

    /// The number in the envelope; never reused.
    pub const fn number(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Json => 1,
            Self::MessagePack => 2,
            Self::Bincode => 3,
        }
    }

    /// The format with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.number() == number)
    }

    /// The name, as shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Json => "json",
            Self::MessagePack => "messagepack",
            Self::Bincode => "bincode",
        }
    }

    /// Whether this build can read the format.
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Raw => true,
            Self::Json => cfg!(feature = "json"),
            Self::MessagePack => cfg!(feature = "msgpack"),
            Self::Bincode => cfg!(feature = "bincode"),
        }
    }

    /// Decodes verified bytes.
    pub(crate) fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T> {
        match self {
            #[cfg(feature = "json")]
            Self::Json => decode_as::<Json, T>(bytes),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => decode_as::<MessagePack, T>(bytes),
            #[cfg(feature = "bincode")]
            Self::Bincode => decode_as::<Bincode, T>(bytes),
            other => {
                // Without any format nobody looks at the bytes.
                let _: &[u8] = bytes;
                Err(unreadable(other))
            }
        }
    }
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Appends `value` to `bytes` in the format `C`.
///
/// # Errors
/// `TooLarge` over `limit` bytes, `Invalid` when the value cannot be expressed or could not be
/// read back.
pub(crate) fn append<C: Codec, T: Serialize + ?Sized>(
    value: &T,
    bytes: Vec<u8>,
    limit: usize,
) -> Result<Vec<u8>> {
    let mut sink = Sink::appending_to(bytes, limit);
    let encoded = C::encode(value, &mut Target(&mut sink));
    if sink.is_full() {
        let message = format!("the value is too large: over {limit} bytes in {}", C::ID);
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    encoded.map_err(|failure| {
        let why = match failure {
            Failure::TooDeep => format!("it nests deeper than {DEPTH_MAX} levels"),
            Failure::TooManyItems => "it has too many items without content".to_owned(),
            _ => "it holds something that the format cannot express".to_owned(),
        };
        let name = short_type_name::<T>();
        Error::invalid(format!("a value of type {name} cannot be written as {}: {why}", C::ID))
    })?;
    Ok(sink.into_bytes())
}

#[cfg(any(feature = "json", feature = "msgpack", feature = "bincode"))]
fn decode_as<C: Codec, T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    C::decode(bytes).map_err(|failure| decode_error::<T>(C::ID, failure))
}

fn unreadable(id: CodecId) -> Error {
    let message = match id {
        CodecId::Raw => "the value is raw bytes, not typed".to_owned(),
        CodecId::Json => needs_feature(id, "json"),
        CodecId::MessagePack => needs_feature(id, "msgpack"),
        CodecId::Bincode => needs_feature(id, "bincode"),
    };
    Error::new(ErrorKind::Unsupported, message)
}

fn needs_feature(id: CodecId, feature: &str) -> String {
    format!("the value is written as {id}; state-codec must be built with the feature `{feature}`")
}

#[cfg(any(feature = "json", feature = "msgpack", feature = "bincode"))]
fn decode_error<T: ?Sized>(id: CodecId, failure: Failure) -> Error {
    let name = short_type_name::<T>();
    Error::corrupt(match failure {
        Failure::Malformed => format!("the value is not well-formed {id}"),
        Failure::Trailing => format!("bytes are left over behind the {id} of the value"),
        Failure::TooDeep => format!("the value nests deeper than {DEPTH_MAX} levels"),
        Failure::TooManyItems => "the value has more items than bytes".to_owned(),
        Failure::Unfit | Failure::Inexpressible => {
            format!("the {id} of the value is not of type {name}")
        }
    })
}

/// The name of a type without its modules, for messages.
fn short_type_name<T: ?Sized>() -> &'static str {
    let full = std::any::type_name::<T>();
    // Paths inside generic arguments are left as they are.
    let end = full.find('<').unwrap_or(full.len());
    let start = full.get(..end).and_then(|path| path.rfind("::")).map_or(0, |at| at + 2);
    full.get(start..).unwrap_or(full)
}
