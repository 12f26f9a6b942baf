//! Fields of a state as MessagePack.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use state_core::{Error, ErrorKind, Result};

use super::fields::{Fields, StateFormat};

/// Each field as MessagePack, structs inside it with the names of their fields.
///
/// Smaller than JSON where there are numbers and bytes, and unlike it able to hold them exactly:
/// NaN, infinities and, with `serde_bytes`, bytes as they are.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MessagePackFields;

impl StateFormat for MessagePackFields {
    const KIND: &'static str = "msgpack";

    fn split<S: Serialize>(state: &S) -> Result<Fields> {
        let no_fields = || {
            Error::invalid("the state is no struct with named fields, and no map with text keys")
        };
        let whole = rmp_serde::to_vec_named(state)
            .map_err(|_| Error::invalid("the state cannot be written as MessagePack"))?;
        let head = head(&whole).filter(|head| head.kind == Kind::Map).ok_or_else(no_fields)?;
        let mut rest = whole.get(head.len..).unwrap_or_default();
        let mut fields = BTreeMap::new();
        for _ in 0..head.items / 2 {
            let name = take(&mut rest).ok_or_else(no_fields)?;
            let name: String = rmp_serde::from_slice(name).map_err(|_| no_fields())?;
            let value = take(&mut rest).ok_or_else(no_fields)?;
            fields.insert(name, value.to_vec());
        }
        Ok(fields.into_iter().collect())
    }

    fn join<S: DeserializeOwned>(fields: &[(&str, &[u8])]) -> Result<S> {
        let damaged = || Error::corrupt("the stored fields are not those of such a state");
        let count = u32::try_from(fields.len()).map_err(|_| damaged())?;
        let mut whole = vec![0xdf];
        whole.extend_from_slice(&count.to_be_bytes());
        for (name, value) in fields {
            let name = rmp_serde::to_vec(name).map_err(|_| {
                Error::new(ErrorKind::Internal, "the name of a field cannot be written")
            })?;
            whole.extend_from_slice(&name);
            let mut rest = *value;
            // One item each, or the next ones would be taken for others.
            take(&mut rest).filter(|_| rest.is_empty()).ok_or_else(damaged)?;
            whole.extend_from_slice(value);
        }
        rmp_serde::from_slice(&whole).map_err(|_| damaged())
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Map,
    Other,
}

/// The beginning of an item: how long it is, with the bytes that belong to it, and how many items
/// follow inside it.
#[derive(Clone, Copy, Debug)]
struct Head {
    kind: Kind,
    len: usize,
    items: u64,
}

/// What stands at the beginning of `bytes`; `None` where it is nothing.
fn head(bytes: &[u8]) -> Option<Head> {
    let (first, rest) = bytes.split_first()?;
    // A number of so many bytes.
    let number = |len: usize| {
        let digits = rest.get(..len)?.iter();
        Some(digits.fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    // Bytes behind a number of so many bytes, and so many more.
    let behind = |len: usize, more: usize| {
        let bytes = usize::try_from(number(len)?).ok()?;
        bytes.checked_add(1 + len + more)
    };
    let low = |mask: u8| u64::from(first & mask);
    let other = |len: usize| Some(Head { kind: Kind::Other, len, items: 0 });
    let items = |kind, len, items| Some(Head { kind, len, items });
    match first {
        0x80..=0x8f => items(Kind::Map, 1, 2 * low(0x0f)),
        0x90..=0x9f => items(Kind::Other, 1, low(0x0f)),
        0xa0..=0xbf => other(1 + usize::from(first & 0x1f)),
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => other(1),
        0xc1 => None,
        0xc4 | 0xd9 => other(behind(1, 0)?),
        0xc5 | 0xda => other(behind(2, 0)?),
        0xc6 | 0xdb => other(behind(4, 0)?),
        0xc7 => other(behind(1, 1)?),
        0xc8 => other(behind(2, 1)?),
        0xc9 => other(behind(4, 1)?),
        0xcc | 0xd0 => other(2),
        0xcd | 0xd1 => other(3),
        0xca | 0xce | 0xd2 => other(5),
        0xcb | 0xcf | 0xd3 => other(9),
        // A byte for the type, and 1 to 16 bytes.
        0xd4..=0xd8 => other(2 + (1 << (first - 0xd4))),
        0xdc => items(Kind::Other, 3, number(2)?),
        0xdd => items(Kind::Other, 5, number(4)?),
        0xde => items(Kind::Map, 3, 2 * number(2)?),
        0xdf => items(Kind::Map, 5, 2 * number(4)?),
    }
}

/// Takes one whole item from the beginning of `bytes`.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (mut len, mut left) = (0_usize, 1_u64);
    while left > 0 {
        let head = head(bytes.get(len..)?)?;
        len = len.checked_add(head.len)?;
        left = (left - 1).checked_add(head.items)?;
    }
    let (item, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(item)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct State {
        z: Vec<Inner>,
        a: Option<String>,
        numbers: Vec<f64>,
        #[serde(flatten)]
        rest: BTreeMap<String, (u64, i64, char)>,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Inner {
        text: String,
        parts: BTreeMap<u16, Vec<bool>>,
    }

    fn state(size: usize, number: u64) -> State {
        let parts = (0..=u16::try_from(size).unwrap()).map(|part| (part, vec![true; size]));
        let inner = Inner { text: "x".repeat(size), parts: parts.collect() };
        let rest = BTreeMap::from([(
            "quote\"d".to_owned(),
            (number, -1 - (number >> 2).cast_signed(), 'é'),
        )]);
        State { z: vec![inner], a: None, numbers: vec![0.1, f64::INFINITY], rest }
    }

    fn borrowed(fields: &Fields) -> Vec<(&str, &[u8])> {
        fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }

    #[test]
    fn a_struct_is_taken_apart_and_put_together() {
        // Past each step of the lengths and of the numbers.
        for (size, bits) in
            [(0, 0), (1, 6), (15, 7), (16, 8), (31, 15), (32, 16), (255, 31), (300, 63)]
        {
            let state = state(size, 1 << bits);
            let fields = MessagePackFields::split(&state).unwrap();
            let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["a", "numbers", "quote\"d", "z"]);
            assert_eq!(MessagePackFields::join::<State>(&borrowed(&fields)).unwrap(), state);
        }
        let long = BTreeMap::from([("long", "x".repeat(70_000))]);
        let fields = MessagePackFields::split(&long).unwrap();
        let joined: BTreeMap<String, String> = MessagePackFields::join(&borrowed(&fields)).unwrap();
        assert_eq!(joined["long"].len(), 70_000);
    }

    #[test]
    fn what_has_no_fields_is_refused() {
        let numbered = BTreeMap::from([(1, 2)]);
        for refused in [
            MessagePackFields::split(&5),
            MessagePackFields::split(&vec![1, 2]),
            MessagePackFields::split(&numbered),
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
        }
        for bad in [[].as_slice(), &[0xc1], &[1, 2], &[0x92, 1], &[0xdb, 255, 255, 255, 255]] {
            let damaged = MessagePackFields::join::<BTreeMap<String, u8>>(&[("a", bad)]);
            assert_eq!(damaged.unwrap_err().kind(), ErrorKind::Corrupt, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn other_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = bytes.as_slice();
            while take(&mut rest).is_some() {}
            drop(MessagePackFields::join::<BTreeMap<String, Vec<u8>>>(&[("a", &bytes)]));
        }
    }
}
