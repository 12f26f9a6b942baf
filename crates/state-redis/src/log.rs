//! The change log of a namespace: what its streams hold, and reading them as one.
//!
//! Each bucket has a stream. An event is numbered in its stream, without a hole, and bears the
//! generation of the stream and the time of the server. A [`Merge`] puts the streams together; a
//! [`Position`] in each of them is what a resume token holds.

mod deadlines;
mod entry;
mod merge;
mod position;

pub(crate) use deadlines::Deadlines;
pub(crate) use entry::{Entry, Logged, scope_text};
pub(crate) use merge::Merge;
pub(crate) use position::{Position, read_token};
