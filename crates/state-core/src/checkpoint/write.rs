//! What tasks have produced since a checkpoint.

use std::sync::Arc;

use super::Payload;

/// The place of a write among those of its task.
///
/// From 0 on, writes are regular: the first of an index stays, and a replay changes nothing.
/// Below 0, they are special and the last one stays; the four below are those of the model.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WriteIndex(i32);

impl WriteIndex {
    /// The task failed; the write says how.
    pub const ERROR: Self = Self(-1);
    /// The task was scheduled.
    pub const SCHEDULED: Self = Self(-2);
    /// The task waits for somebody.
    pub const INTERRUPT: Self = Self(-3);
    /// What a task that waited is to go on with.
    pub const RESUME: Self = Self(-4);

    /// The place with this number.
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number of the place.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Whether a later write of the same place replaces the one before.
    pub const fn is_special(self) -> bool {
        self.0 < 0
    }
}

impl From<i32> for WriteIndex {
    fn from(number: i32) -> Self {
        Self(number)
    }
}

/// One write of a task, not yet part of a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PendingWrite {
    /// The task that wrote.
    pub task: Arc<str>,
    /// Where the task stands among the tasks of its step, as its maker says; may be empty.
    pub task_path: Arc<str>,
    /// The place among the writes of the task.
    pub index: WriteIndex,
    /// The channel that is written to.
    pub channel: Arc<str>,
    /// What is written.
    pub value: Payload,
}

impl PendingWrite {
    /// A write of `task` to `channel`, at the place `index`.
    pub fn new(
        task: impl AsRef<str>,
        index: impl Into<WriteIndex>,
        channel: impl AsRef<str>,
        value: Payload,
    ) -> Self {
        Self {
            task: Arc::from(task.as_ref()),
            task_path: Arc::from(""),
            index: index.into(),
            channel: Arc::from(channel.as_ref()),
            value,
        }
    }

    /// Sets where the task stands.
    #[must_use]
    pub fn with_task_path(mut self, path: impl AsRef<str>) -> Self {
        self.task_path = Arc::from(path.as_ref());
        self
    }
}
