//! The names of threads, namespaces and checkpoints.

use std::fmt;
use std::sync::Arc;

/// Declares a name: shared text in which no character has a meaning.
macro_rules! name {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name with this text.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: AsRef<str>> From<T> for $name {
            fn from(text: T) -> Self {
                Self::new(text)
            }
        }

        /// Shows the text with control characters escaped.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for c in self.0.chars() {
                    if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

name! {
    /// Names a thread. Any text of 1 byte or more, at most
    /// [`id_bytes_max`](crate::checkpoint::CheckpointLimits::id_bytes_max).
    ThreadId
}

name! {
    /// Names a namespace inside a thread; the root is the empty text. The same limit as for
    /// threads.
    CheckpointNamespace
}

name! {
    /// Names a checkpoint inside a namespace. Checkpoints are ordered by the bytes of their ids:
    /// the *latest* is the greatest, not the last one written. Ids made by this workspace are
    /// version 6 UUIDs, each greater than the id of its parent; whoever puts makes the id, and no
    /// store does. The same limit as for threads.
    CheckpointId
}

impl CheckpointNamespace {
    /// The namespace of the outermost graph.
    pub fn root() -> Self {
        Self::new("")
    }

    /// Whether this is the namespace of the outermost graph.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for CheckpointNamespace {
    fn default() -> Self {
        Self::root()
    }
}

/// Names one checkpoint.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct CheckpointRef {
    /// The thread.
    pub thread: ThreadId,
    /// The namespace inside the thread.
    pub namespace: CheckpointNamespace,
    /// The checkpoint inside the namespace.
    pub id: CheckpointId,
}

impl CheckpointRef {
    /// The checkpoint `id` of the root namespace of `thread`.
    pub fn new(thread: impl Into<ThreadId>, id: impl Into<CheckpointId>) -> Self {
        Self { thread: thread.into(), namespace: CheckpointNamespace::root(), id: id.into() }
    }

    /// The same in another namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<CheckpointNamespace>) -> Self {
        self.namespace = namespace.into();
        self
    }
}
