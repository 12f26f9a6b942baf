//! What an operation does when it happens twice.

use state_core::Resend;

use crate::client::Repeat;

/// The kinds of operations, by what sending one again would do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Effect {
    /// Changes nothing.
    Read,
    /// A write on a version: the version that it makes tells it from any other.
    CompareAndSet,
    /// A write on absence: it could come a second time after somebody else's delete, so it is
    /// looked up instead.
    Create,
    /// The last writer wins.
    Overwrite,
    /// The last writer wins; whether it existed may be lost.
    Delete,
    /// Each time counts: increment, append, get-and-delete.
    EachCounts,
    /// Keeps up an index, a log or a fencing mark: doing it twice, or late, does no harm.
    Upkeep,
    /// Acquire, renew and release, which carry the nonce of the owner.
    Lease,
}

impl Effect {
    /// Whether it may be sent again when it is not known whether it was applied: the one place that
    /// decides that. `remembered` says that it has an operation id, beside which the store keeps the first result.
    pub(crate) const fn repeat(self, resend: Resend, remembered: bool) -> Repeat {
        match (self, resend) {
            (Self::Read | Self::Upkeep | Self::Lease, _) => Repeat::Safe,
            (_, Resend::Never) => Repeat::OnlyIfNotApplied,
            _ if remembered => Repeat::Safe,
            (Self::CompareAndSet, _) => Repeat::Safe,
            (Self::Overwrite | Self::Delete, _) => Repeat::LastWins,
            (Self::Create | Self::EachCounts, _) => Repeat::OnlyIfNotApplied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Repeat::{LastWins as Last, OnlyIfNotApplied as Once, Safe};

    #[test]
    fn the_whole_table() {
        // Columns: safe, safe with an operation id, never, never with an operation id.
        for (effect, expected) in [
            (Effect::Read, [Safe, Safe, Safe, Safe]),
            (Effect::CompareAndSet, [Safe, Safe, Once, Once]),
            (Effect::Create, [Once, Safe, Once, Once]),
            (Effect::Overwrite, [Last, Safe, Once, Once]),
            (Effect::Delete, [Last, Safe, Once, Once]),
            (Effect::EachCounts, [Once, Safe, Once, Once]),
            (Effect::Upkeep, [Safe, Safe, Safe, Safe]),
            (Effect::Lease, [Safe, Safe, Safe, Safe]),
        ] {
            let actual = [
                effect.repeat(Resend::Safe, false),
                effect.repeat(Resend::Safe, true),
                effect.repeat(Resend::Never, false),
                effect.repeat(Resend::Never, true),
            ];
            assert_eq!(actual, expected, "{effect:?}");
        }
    }
}
