//! The verdicts of a suite as data.

use std::fmt;
use std::time::Duration;

use state_core::Capabilities;

use crate::{Clause, Level};

/// What was found about one clause.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Status {
    /// The backend keeps it.
    Passed,
    /// The backend does not offer the capability and refuses it as the clause says.
    Refused,
    /// The backend breaks it; what was expected and what was seen.
    Failed(String),
    /// It does not apply to the backend, and why.
    NotApplicable(String),
}

impl Status {
    /// The name, as shown in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::Failed(_) => "failed",
            Self::NotApplicable(_) => "not applicable",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed | Self::Refused => f.write_str(self.name()),
            Self::Failed(detail) | Self::NotApplicable(detail) => {
                write!(f, "{}: {detail}", self.name())
            }
        }
    }
}

/// What has told that a clause is broken.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ToldBy {
    /// The clause: what it saw is not what it demands.
    Clause,
    /// Time: the clause did not end.
    Deadline,
    /// The fixture, or the machine: the clause was not begun.
    Setup,
}

/// What was found about one clause, and how.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The clause.
    pub clause: &'static Clause,
    /// What was found.
    pub status: Status,
    /// What has told that it is broken; `None` when nothing has.
    pub told_by: Option<ToldBy>,
    /// What was left in the store after it was cleared, if anything. It is kept apart from the
    /// status, because it is no verdict on the clause.
    pub leftovers: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

impl Verdict {
    /// Why the backend cannot be said to keep the clause: the clause failed, or something was
    /// left over.
    pub fn failure(&self) -> Option<String> {
        match (&self.status, &self.leftovers) {
            (Status::Failed(message), _) => Some(format!("{}: {message}", self.clause.id)),
            (_, Some(left)) => Some(format!("{}: {left}", self.clause.id)),
            _ => None,
        }
    }
}

/// All verdicts on one backend, in the order of the contract.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Report {
    /// The name of the backend, as given to the suite.
    pub backend: String,
    /// What the backend declares.
    pub capabilities: Capabilities,
    /// One verdict per clause.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// The verdicts that say that a clause is broken, or that something was left over.
    pub fn failures(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.failure().is_some())
    }

    /// How many clauses of `level` have a status that `like` says yes to.
    pub fn count(&self, level: Level, like: impl Fn(&Status) -> bool) -> usize {
        let alike = |verdict: &&Verdict| verdict.clause.level == level && like(&verdict.status);
        self.verdicts.iter().filter(alike).count()
    }
}
