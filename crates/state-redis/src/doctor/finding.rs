//! What a check has found: how bad it is, what it means, and what to do.

use std::fmt;

/// How bad it is what a check has found.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// It is as it should be, or cannot be asked and need not be.
    Ok,
    /// Worth knowing: something is not there that not everybody needs.
    Note,
    /// It will do harm in a case that is to be expected: a crash, a failover, a full memory.
    Warning,
    /// It does harm, or nothing stands between it and harm.
    Problem,
}

/// What a check is about.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    /// Whether a server answers.
    Reach,
    /// Which program it runs, in which version.
    Version,
    /// What it removes when its memory is full.
    Eviction,
    /// How much room its memory has.
    Memory,
    /// How many clients it still takes.
    Clients,
    /// Whether what is written survives it.
    Persistence,
    /// Who has a copy.
    Replicas,
    /// Whether every slot of a cluster is served, and would be after the loss of a node.
    Cluster,
    /// Whether sentinels can make another server the primary.
    Sentinel,
    /// Whether its clock is in step.
    Clock,
    /// Who gets in.
    Login,
    /// Whether the user may do more than it needs.
    Breadth,
    /// Whether the user may do all that it needs.
    Permissions,
    /// Whether scripts run.
    Scripts,
    /// Whether changes can be followed.
    Tracking,
    /// Whether late writes can be ended.
    Kill,
    /// Whether others can read what is sent.
    Encryption,
}

/// What one check of a deployment has found.
///
/// The sentences are for people and may change; `subject`, `level` and `servers` are for programs. No sentence holds a
/// secret, a key or a value.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// How bad it is.
    pub level: Level,
    /// The addresses of the servers of which it was found; none where it is about the store as a whole.
    pub servers: Vec<String>,
    /// What was found, in one sentence.
    pub found: String,
    /// What that means for this library, in one sentence.
    pub means: String,
    /// The setting or the line to type that mends it; empty where there is nothing to mend.
    pub fix: String,
}

impl Level {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Note, Self::Warning, Self::Problem];

    /// Its name, as shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Subject {
    /// Its name, as shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reach => "reach",
            Self::Version => "version",
            Self::Eviction => "eviction",
            Self::Memory => "memory",
            Self::Clients => "clients",
            Self::Persistence => "persistence",
            Self::Replicas => "replicas",
            Self::Cluster => "cluster",
            Self::Sentinel => "sentinel",
            Self::Clock => "clock",
            Self::Login => "login",
            Self::Breadth => "breadth",
            Self::Permissions => "permissions",
            Self::Scripts => "scripts",
            Self::Tracking => "tracking",
            Self::Kill => "kill",
            Self::Encryption => "encryption",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Finding {
    /// Something that was found, and what it means.
    pub(crate) fn new(
        subject: Subject,
        level: Level,
        found: impl Into<String>,
        means: impl Into<String>,
    ) -> Self {
        let (found, means) = (found.into(), means.into());
        Self { subject, level, servers: Vec::new(), found, means, fix: String::new() }
    }

    /// Something that is as it should be, and what that gives.
    pub(crate) fn ok(subject: Subject, found: impl Into<String>, means: impl Into<String>) -> Self {
        Self::new(subject, Level::Ok, found, means)
    }

    /// Says what mends it.
    pub(crate) fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// Says that it was found of this server, too.
    pub(crate) fn with_server(mut self, server: &str) -> Self {
        self.servers.push(server.to_owned());
        self
    }

    /// What was found and what mends it, in one line behind the servers.
    pub(crate) fn line(&self) -> String {
        let fix = if self.fix.is_empty() { String::new() } else { format!("; {}", self.fix) };
        format!("{}: {}{fix}", self.servers.join(", "), self.found)
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.subject, self.level) == (other.subject, other.level)
            && self.found == other.found
            && self.means == other.means
            && self.fix == other.fix
    }
}

/// The worst first, in the order of their subjects; what was found of several servers once, with all of them.
pub(super) fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|known| known.is_like(&finding)) {
            Some(known) => known.servers.extend(finding.servers),
            None => merged.push(finding),
        }
    }
    merged.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.subject));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_what_several_servers_share_once() {
        let of = |subject, level, server: &str| {
            Finding::new(subject, level, "found", "means").with_fix("fix").with_server(server)
        };
        let findings = merged(vec![
            of(Subject::Memory, Level::Ok, "a"),
            of(Subject::Memory, Level::Note, "b"),
            of(Subject::Clock, Level::Problem, "a"),
            of(Subject::Memory, Level::Ok, "c"),
            of(Subject::Eviction, Level::Problem, "a"),
        ]);
        let told: Vec<_> = findings
            .iter()
            .map(|one| (one.subject.name(), one.level.name(), one.servers.join(" ")))
            .collect();
        assert_eq!(
            told,
            [
                ("eviction", "problem", "a".to_owned()),
                ("clock", "problem", "a".to_owned()),
                ("memory", "note", "b".to_owned()),
                ("memory", "ok", "a c".to_owned()),
            ]
        );
        assert_eq!(findings[0].line(), "a: found; fix");
        assert!(Level::ALL.is_sorted());
    }
}
