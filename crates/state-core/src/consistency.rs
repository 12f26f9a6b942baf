//! How fresh a read must be, and how safe a write.

/// How fresh a read must be.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Consistency {
    /// Served by the node that takes the writes. Not linearisable across a failover.
    #[default]
    Strong,
    /// May be served by a replica, so it may miss the latest writes.
    Eventual,
}

/// How safe a write must be before it is reported as done.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Acks {
    /// Applied by the node that takes the writes.
    #[default]
    Primary,
    /// Applied there and acknowledged by at least this many replicas.
    ///
    /// Falling short is the error `Unacknowledged`, whose outcome is *applied*. None at all,
    /// `Replicas(0)`, asks for no more than [`Primary`](Self::Primary), needs no capability and
    /// is never refused.
    Replicas(u32),
    /// Applied there and synced to its disk.
    Fsynced,
    /// As safe as the store is configured to make a strong write: acknowledged by as many replicas
    /// as its settings name, which is none, and so the same as [`Primary`](Self::Primary), for a
    /// store without replicas or without such a setting.
    ///
    /// Refused like [`Replicas`](Self::Replicas) where replicas are configured and cannot be
    /// waited for.
    Strong,
}

/// The two levels that reads have, for writes: an eventual write is done when the primary has it, a
/// strong one when the configured replicas have it too.
impl From<Consistency> for Acks {
    fn from(level: Consistency) -> Self {
        match level {
            Consistency::Strong => Self::Strong,
            Consistency::Eventual => Self::Primary,
        }
    }
}

/// How safe a write was when the store answered.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct AcksReached {
    /// Replicas that had acknowledged the write, as far as was asked.
    pub replicas: u32,
    /// Whether the write had been synced to the disk of the node that took it.
    pub fsynced: bool,
}

impl AcksReached {
    /// Applied, with nothing further known.
    pub const PRIMARY: Self = Self { replicas: 0, fsynced: false };
    /// Applied and synced to disk.
    pub const FSYNCED: Self = Self { replicas: 0, fsynced: true };

    /// Applied and acknowledged by `replicas` replicas.
    pub const fn by_replicas(replicas: u32) -> Self {
        Self { replicas, fsynced: false }
    }
}
