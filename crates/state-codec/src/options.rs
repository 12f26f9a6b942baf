//! The macro that writes the `with_*` methods of option structs.

/// Adds one builder method per listed field, so that new fields break nobody.
macro_rules! with_methods {
    ($type:ty { $($(#[$doc:meta])* $method:ident => $field:ident : $value:ty),+ $(,)? }) => {
        impl $type {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $method(mut self, $field: $value) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}

pub(crate) use with_methods;
