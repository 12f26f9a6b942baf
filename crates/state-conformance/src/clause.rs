//! One clause of the contract: its id, its sentence, when it applies, and what decides it.

use std::fmt;

use state_core::checkpoint::Checkpointer;
use state_core::{BoxFuture, Capabilities, Capability, StateBackend};

use crate::{Context, SubjectKind};

/// How binding a clause is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Every backend to which the clause applies keeps it.
    Must,
    /// A backend that does not keep it has a good reason, and says so.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

/// What decides a clause: code that panics when the rule is broken.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// Judges a backend.
    Backend(fn(Context<dyn StateBackend>) -> BoxFuture<'static, ()>),
    /// Judges a checkpointer.
    Checkpointer(fn(Context<dyn Checkpointer>) -> BoxFuture<'static, ()>),
}

impl Run {
    /// What is judged.
    pub const fn subject(&self) -> SubjectKind {
        match self {
            Self::Backend(_) => SubjectKind::Backend,
            Self::Checkpointer(_) => SubjectKind::Checkpointer,
        }
    }
}

/// A rule that stores keep.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Clause {
    /// The stable id: family, then what it is about, joined by dots.
    pub id: &'static str,
    /// How binding it is.
    pub level: Level,
    /// It applies where all of these are declared.
    pub needs: &'static [Capability],
    /// It applies where none of these is declared: the clause says how the capability is
    /// refused.
    pub unless: &'static [Capability],
    /// It applies where the fixture can do all of this to the store.
    pub fixture: &'static [Facility],
    /// Whether it runs on a runtime with several threads.
    pub threads: bool,
    /// The rule, in one sentence.
    pub sentence: &'static str,
    /// What decides it.
    pub run: Run,
}

impl Clause {
    /// Why the clause does not apply, if it does not.
    pub(crate) fn not_applicable(&self, declared: &Declared) -> Option<String> {
        let offered = &declared.capabilities;
        let missing: Vec<_> =
            self.needs.iter().filter(|needed| !offered.has(**needed)).map(|c| c.name()).collect();
        if !missing.is_empty() {
            return Some(format!("needs {}", missing.join(", ")));
        }
        if let Some(offered) = self.unless.iter().find(|refused| offered.has(**refused)) {
            return Some(format!("{offered} is offered"));
        }
        let lacking = self.fixture.iter().find(|wanted| !declared.fixture.contains(wanted))?;
        Some(format!("needs {}", lacking.describe()))
    }

    /// The family, which is the first part of the id.
    pub fn family(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }
}

/// Something that a fixture can do to its store, and need not.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Facility {
    /// Move its time, because waiting would take too long.
    MovableTime,
    /// Close it and open it again.
    Restart,
    /// Count what lies in it.
    Count,
    /// Make it unreachable.
    Reach,
    /// Write more entries than it has room for.
    Room,
}

impl Facility {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::MovableTime, Self::Restart, Self::Count, Self::Reach, Self::Room];

    /// What is needed, in a few words.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::MovableTime => "a clock that can be moved",
            Self::Restart => "a fixture that can be restarted",
            Self::Count => "a fixture that counts what is stored",
            Self::Reach => "a fixture that can make its store unreachable",
            Self::Room => "a fixture that knows how many entries its store has room for",
        }
    }
}

/// What decides which clauses apply.
pub(crate) struct Declared {
    /// What the store declares.
    pub(crate) capabilities: Capabilities,
    /// What the fixture can do to the store.
    pub(crate) fixture: Vec<Facility>,
}

/// Clauses about one subject.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The first part of the ids of its clauses.
    pub name: &'static str,
    /// What the clauses are about, in a few words.
    pub about: &'static str,
    /// Who is held to them.
    pub subject: SubjectKind,
    /// The clauses, in reading order.
    pub clauses: &'static [Clause],
}

/// Lists the clauses of one family, each with its sentence as the documentation comment:
///
/// ```text
/// clauses! { "kv": "values under keys";
///     /// A read of an absent key answers `None`.
///     MUST "kv.get.absent" => get_absent;
///     /// Without the capability `expiry`, a lifetime is refused.
///     MUST "ttl.undeclared" unless [Expiry] => lifetime_is_refused;
///     /// A lifetime ends.
///     MUST "ttl.get" needs [Expiry] moving time => get_after_deadline;
///     /// What was acknowledged is there after a restart.
///     MUST "kv.durable" needs [Durable] restarting store => durable;
///     /// What is deleted leaves no record behind.
///     MUST "ckpt.delete.zero-keys" counting records => zero_keys;
///     /// A store that cannot be reached is an error.
///     MUST "ckpt.unreachable" cutting links => unreachable;
///     /// What is evicted is absent.
///     MUST "evict.absent" needs [Eviction] filling room => absent;
///     /// Of many writers of one version, one wins.
///     MUST "race.cas" on threads => one_winner;
/// }
/// ```
///
/// The clauses judge backends; those of `clauses! { checkpointers "ckpt": …` judge checkpointers.
///
/// The functions are `async fn(Context)`, private or `pub(super)` in a module of the family, so
/// one that is missing in the list is dead code and the build warns.
macro_rules! clauses {
    (checkpointers $family:literal: $($rest:tt)*) => {
        clauses! { @family Checkpointer $family: $($rest)* }
    };
    ($family:literal: $($rest:tt)*) => { clauses! { @family Backend $family: $($rest)* } };
    (@family $subject:ident $family:literal: $about:literal; $(
        $(#[doc = $sentence:literal])+
        $level:ident $id:literal
        $(needs [$($needs:ident),+])? $(unless [$($unless:ident),+])?
        $(moving $time:ident)? $(restarting $store:ident)? $(counting $records:ident)?
        $(cutting $links:ident)? $(filling $room:ident)? $(on $threads:ident)? => $run:path;
    )*) => {
        pub(super) const FAMILY: $crate::Family = $crate::Family {
            name: $family,
            about: $about,
            subject: $crate::SubjectKind::$subject,
            clauses: &[$($crate::Clause {
                id: $id,
                level: clauses!(@level $level),
                needs: &[$($(state_core::Capability::$needs),+)?],
                unless: &[$($(state_core::Capability::$unless),+)?],
                fixture: &[
                    $(clauses!(@facility $time),)?
                    $(clauses!(@facility $store),)?
                    $(clauses!(@facility $records),)?
                    $(clauses!(@facility $links),)?
                    $(clauses!(@facility $room),)?
                ],
                threads: clauses!(@flag $($threads)?),
                sentence: concat!($($sentence),+).trim_ascii(),
                run: $crate::clause::Run::$subject(|cx| Box::pin($run(cx))),
            }),*],
        };
    };
    (@level MUST) => { $crate::Level::Must };
    (@level SHOULD) => { $crate::Level::Should };
    (@facility time) => { $crate::Facility::MovableTime };
    (@facility store) => { $crate::Facility::Restart };
    (@facility records) => { $crate::Facility::Count };
    (@facility links) => { $crate::Facility::Reach };
    (@facility room) => { $crate::Facility::Room };
    (@flag) => { false };
    (@flag threads) => { true };
}
