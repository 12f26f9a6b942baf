//! How values of earlier schemas become values of today's type.

use std::fmt;
use std::sync::Arc;

use state_core::Result;

use crate::Envelope;

type Migrate<T> = Arc<dyn Fn(&Envelope) -> Result<T> + Send + Sync>;

/// One way per schema; the way given last counts.
pub(super) struct Migrations<T>(Vec<(u32, Migrate<T>)>);

impl<T> Migrations<T> {
    pub(super) fn add(
        &mut self,
        from: u32,
        migrate: impl Fn(&Envelope) -> Result<T> + Send + Sync + 'static,
    ) {
        self.0.push((from, Arc::new(migrate)));
    }

    /// The migrated value, if there is a way from the envelope's schema.
    pub(super) fn apply(&self, envelope: &Envelope) -> Option<Result<T>> {
        let (_, migrate) = self.0.iter().rev().find(|(from, _)| *from == envelope.schema())?;
        Some(migrate(envelope))
    }
}

impl<T> Default for Migrations<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Clone for Migrations<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Shows the schemas that there is a way from.
impl<T> fmt::Debug for Migrations<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(from, _)| from)).finish()
    }
}
