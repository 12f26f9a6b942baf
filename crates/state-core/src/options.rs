//! The macro that writes the `with_*` methods of option structs.

/// Adds one builder method per listed field, so that new fields break nobody.
///
/// What is behind the arrow `=>` is taken as it is, so that literals need no suffix; what is
/// behind `=> into` is taken as anything that converts into it.
macro_rules! with_methods {
    ($type:ty { $($methods:tt)+ }) => {
        impl $type {
            $crate::options::with_methods! { @next $($methods)+ }
        }
    };
    (@next) => {};
    (@next $(#[$doc:meta])* $method:ident => into $field:ident : $value:ty, $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $method(mut self, $field: impl Into<$value>) -> Self {
            self.$field = $field.into();
            self
        }
        $crate::options::with_methods! { @next $($rest)* }
    };
    (@next $(#[$doc:meta])* $method:ident => $field:ident : $value:ty, $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $method(mut self, $field: $value) -> Self {
            self.$field = $field;
            self
        }
        $crate::options::with_methods! { @next $($rest)* }
    };
}

pub(crate) use with_methods;
