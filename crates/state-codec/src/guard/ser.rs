//! The guard around a serializer: counts levels and items while a value is written.

use std::fmt;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{Guard, ser_error};

/// A value, or a serializer, `depth` levels down.
pub(crate) struct Guarded<'g, T> {
    inner: T,
    guard: &'g Guard,
    depth: usize,
}

impl<'g, T> Guarded<'g, T> {
    /// The outermost level.
    pub(crate) const fn new(inner: T, guard: &'g Guard) -> Self {
        Self { inner, guard, depth: 0 }
    }
}

/// A value: hands its type a guarded serializer.
impl<T: Serialize + ?Sized> Serialize for Guarded<'_, &T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let serializer = Writer { inner: serializer, guard: self.guard, depth: self.depth };
        self.inner.serialize(serializer)
    }
}

/// A serializer, or one of its compounds, `depth` levels down.
pub(crate) struct Writer<'g, S> {
    inner: S,
    guard: &'g Guard,
    depth: usize,
}

macro_rules! forward_to_serializer {
    ($($method:ident($($argument:ident: $type:ty),*);)+) => {
        $(fn $method(self, $($argument: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($argument),*)
        })+
    };
}

macro_rules! compound {
    ($($method:ident($($argument:ident: $type:ty),*) -> $compound:ident;)+) => {
        $(fn $method(self, $($argument: $type),*) -> Result<Self::$compound, S::Error> {
            let depth = self.guard.enter(self.depth, ser_error)?;
            let inner = self.inner.$method($($argument),*)?;
            Ok(Writer { inner, guard: self.guard, depth })
        })+
    };
}

impl<'g, S: Serializer> Serializer for Writer<'g, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Writer<'g, S::SerializeSeq>;
    type SerializeTuple = Writer<'g, S::SerializeTuple>;
    type SerializeTupleStruct = Writer<'g, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Writer<'g, S::SerializeTupleVariant>;
    type SerializeMap = Writer<'g, S::SerializeMap>;
    type SerializeStruct = Writer<'g, S::SerializeStruct>;
    type SerializeStructVariant = Writer<'g, S::SerializeStructVariant>;

    forward_to_serializer! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_f32(value: f32);
        serialize_f64(value: f64);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
    }

    compound! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> SerializeStructVariant;
    }

    // A level too: a reader cannot tell before it has entered the enum.
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.guard.enter(self.depth, ser_error)?;
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let depth = self.guard.enter(self.depth, ser_error)?;
        self.inner.serialize_some(&Guarded { inner: value, guard: self.guard, depth })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let depth = self.guard.enter(self.depth, ser_error)?;
        let value = Guarded { inner: value, guard: self.guard, depth };
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let depth = self.guard.enter(self.depth, ser_error)?;
        let value = Guarded { inner: value, guard: self.guard, depth };
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident;)+) => {
        $(impl<S: $trait> $trait for Writer<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                let guard = self.guard;
                guard.count(ser_error)?;
                self.inner.$method(&Guarded { inner: value, guard, depth: self.depth })
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        })+
    };
}

items! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! named_items {
    ($($trait:ident;)+) => {
        $(impl<S: $trait> $trait for Writer<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), S::Error> {
                let guard = self.guard;
                guard.count(ser_error)?;
                self.inner.serialize_field(name, &Guarded { inner: value, guard, depth: self.depth })
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), S::Error> {
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        })+
    };
}

named_items! {
    SerializeStruct;
    SerializeStructVariant;
}

impl<S: SerializeMap> SerializeMap for Writer<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        let guard = self.guard;
        guard.count(ser_error)?;
        self.inner.serialize_key(&Guarded { inner: key, guard, depth: self.depth })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        let guard = self.guard;
        self.inner.serialize_value(&Guarded { inner: value, guard, depth: self.depth })
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}
