//! Placing keys by a rule of one's own.

use std::fmt::Debug;

use bytes::Bytes;

/// What is placed as a whole.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Placed<'a> {
    /// All keys of a partition.
    Partition(&'a [u8]),
    /// A key without a partition, by its name.
    Key(&'a [u8]),
}

/// Says which keys lie together in a cluster: what has one tag is in one slot.
///
/// Without a partitioner each partition, and each key without one, has a tag of its own. A
/// partitioner can put several of them together: all orders of a region, say, so that one node
/// answers a batch of them. It cannot take a partition apart, and transactions over several
/// partitions stay refused even if they have one tag.
///
/// The rule is part of the stored keys. It must always give the same tag for the same thing, in
/// every version of the program: another rule needs another [`id`](Self::id), and the namespaces
/// that were begun with the first keep it.
///
/// ```
/// use bytes::Bytes;
/// use state_redis::{Partitioner, Placed};
///
/// /// Puts together what is spelled alike up to the first dash.
/// #[derive(Debug)]
/// struct ByRegion;
///
/// impl Partitioner for ByRegion {
///     fn id(&self) -> &str {
///         "region-1"
///     }
///
///     fn tag(&self, placed: Placed<'_>) -> Bytes {
///         let name = match placed {
///             Placed::Partition(name) | Placed::Key(name) => name,
///             _ => b"",
///         };
///         let end = name.iter().position(|byte| *byte == b'-').unwrap_or(name.len());
///         Bytes::copy_from_slice(&name[..end])
///     }
/// }
/// assert_eq!(ByRegion.tag(Placed::Partition(b"eu-7")), ByRegion.tag(Placed::Key(b"eu-8")));
/// ```
pub trait Partitioner: Debug + Send + Sync + 'static {
    /// The name of the rule, which is recorded with the namespace: 1 to 64 letters, digits, `_`,
    /// `.` and `-`.
    fn id(&self) -> &str;

    /// The tag of what is placed. It is part of each stored key, so short tags save memory; which
    /// bytes it has does not matter.
    fn tag(&self, placed: Placed<'_>) -> Bytes;
}
