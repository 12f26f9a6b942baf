//! What a check has found, of whatever store.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    Note,
    Warning,
    Problem,
}

/// One finding, and the document that is written of it.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) check: String,
    /// Those of which it was found; none for a store in this process, or where it is about all of it.
    pub(super) servers: Vec<String>,
    pub(super) found: String,
    pub(super) means: String,
    /// Empty where there is nothing to mend.
    pub(super) fix: String,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    pub(super) fn new(
        level: Level,
        check: &str,
        found: impl Into<String>,
        means: impl Into<String>,
    ) -> Self {
        let (found, means, fix) = (found.into(), means.into(), String::new());
        Self { level, check: check.to_owned(), servers: Vec::new(), found, means, fix }
    }

    pub(super) fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}

#[cfg(feature = "redis")]
impl From<state_redis::Finding> for Finding {
    fn from(finding: state_redis::Finding) -> Self {
        let level = match finding.level {
            state_redis::Level::Ok => Level::Ok,
            state_redis::Level::Note => Level::Note,
            state_redis::Level::Warning => Level::Warning,
            // What a later version finds worse than the others.
            _ => Level::Problem,
        };
        Self {
            level,
            check: finding.subject.name().to_owned(),
            servers: finding.servers,
            found: finding.found,
            means: finding.means,
            fix: finding.fix,
        }
    }
}
