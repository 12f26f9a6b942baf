//! The guard around a deserializer: counts levels and items while a value is read.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{Guard, de_error};

/// A deserializer, visitor or access of the format or the type, `depth` levels down.
pub(crate) struct Guarded<'g, T> {
    inner: T,
    guard: &'g Guard,
    depth: usize,
}

/// A deserializer behind the guard.
pub(crate) type GuardedDeserializer<'g, D> = Guarded<'g, D>;

impl<'g, T> Guarded<'g, T> {
    /// The outermost level.
    pub(crate) const fn new(inner: T, guard: &'g Guard) -> Self {
        Self { inner, guard, depth: 0 }
    }

    /// Another part at the same level.
    const fn beside<U>(guard: &'g Guard, depth: usize, inner: U) -> Guarded<'g, U> {
        Guarded { inner, guard, depth }
    }

    /// A part one level down.
    fn below<U, E: Error>(guard: &'g Guard, depth: usize, inner: U) -> Result<Guarded<'g, U>, E> {
        Ok(Guarded { inner, guard, depth: guard.enter(depth, de_error)? })
    }
}

macro_rules! forward_to_deserializer {
    ($($method:ident $(as $inner:ident)? ($($argument:ident: $type:ty),*);)+) => {
        $(forward_to_deserializer!(@one $method, [$($inner)?], ($($argument: $type),*));)+
    };
    (@one $method:ident, [], ($($argument:ident: $type:ty),*)) => {
        forward_to_deserializer!(@one $method, [$method], ($($argument: $type),*));
    };
    (@one $method:ident, [$inner:ident], ($($argument:ident: $type:ty),*)) => {
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let visitor = Self::beside(self.guard, self.depth, visitor);
            self.inner.$inner($($argument,)* visitor)
        }
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    forward_to_deserializer! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        // Borrowed, so that a length is compared with the input before anything is allocated.
        deserialize_string as deserialize_str();
        deserialize_bytes();
        deserialize_byte_buf as deserialize_bytes();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward_to_visitor {
    ($($method:ident($type:ty);)+) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })+
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_to_visitor! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Self::below(self.guard, self.depth, deserializer)?)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Self::below(self.guard, self.depth, deserializer)?)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Self::below(self.guard, self.depth, items)?)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Self::below(self.guard, self.depth, entries)?)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variants: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Self::below(self.guard, self.depth, variants)?)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Self::beside(self.guard, self.depth, deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let item = self.inner.next_element_seed(Self::beside(self.guard, self.depth, seed))?;
        if item.is_some() {
            self.guard.count(de_error)?;
        }
        Ok(item)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(self.guard.items_left()))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let key = self.inner.next_key_seed(Self::beside(self.guard, self.depth, seed))?;
        if key.is_some() {
            self.guard.count(de_error)?;
        }
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Self::beside(self.guard, self.depth, seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(self.guard.items_left()))
    }
}

impl<'de, 'g, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'g, A> {
    type Error = A::Error;
    type Variant = Guarded<'g, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let seed = Self::beside(self.guard, self.depth, seed);
        let (name, variant) = self.inner.variant_seed(seed)?;
        Ok((name, Self::beside(self.guard, self.depth, variant)))
    }
}

/// A variant is one level together with its fields, so their visitor starts one level up.
impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Self::beside(self.guard, self.depth, seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let depth = self.depth.saturating_sub(1);
        self.inner.tuple_variant(len, Self::beside(self.guard, depth, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let depth = self.depth.saturating_sub(1);
        self.inner.struct_variant(fields, Self::beside(self.guard, depth, visitor))
    }
}
