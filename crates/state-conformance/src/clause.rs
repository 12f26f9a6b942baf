//! One clause of the contract: its id, its sentence, when it applies, and what decides it.

use std::fmt;

use state_core::{BoxFuture, Capabilities, Capability};

use crate::Context;

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

/// A rule that backends keep.
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
    /// Whether it only applies where the fixture's time can be moved, because waiting for it
    /// would take too long.
    pub moves_time: bool,
    /// Whether it only applies where the fixture's store can be closed and opened again.
    pub restarts: bool,
    /// Whether it runs on a runtime with several threads.
    pub threads: bool,
    /// The rule, in one sentence.
    pub sentence: &'static str,
    /// Starts the code that decides it. It panics when the rule is broken.
    pub run: fn(Context) -> BoxFuture<'static, ()>,
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
        if self.moves_time && !declared.time_moves {
            return Some("needs a clock that can be moved".to_owned());
        }
        (self.restarts && !declared.restarts)
            .then(|| "needs a fixture that can be restarted".to_owned())
    }

    /// The family, which is the first part of the id.
    pub fn family(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }
}

/// What decides which clauses apply.
pub(crate) struct Declared {
    /// What the backend declares.
    pub(crate) capabilities: Capabilities,
    /// Whether the fixture's time can be moved.
    pub(crate) time_moves: bool,
    /// Whether the fixture can be restarted.
    pub(crate) restarts: bool,
}

/// Clauses about one subject.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The first part of the ids of its clauses.
    pub name: &'static str,
    /// What the clauses are about, in a few words.
    pub about: &'static str,
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
///     /// Of many writers of one version, one wins.
///     MUST "race.cas" on threads => one_winner;
/// }
/// ```
///
/// The functions are `async fn(Context)`, private or `pub(super)` in a module of the family, so
/// one that is missing in the list is dead code and the build warns.
macro_rules! clauses {
    ($family:literal: $about:literal; $(
        $(#[doc = $sentence:literal])+
        $level:ident $id:literal
        $(needs [$($needs:ident),+])? $(unless [$($unless:ident),+])?
        $(moving $time:ident)? $(restarting $store:ident)? $(on $threads:ident)? => $run:path;
    )*) => {
        pub(super) const FAMILY: $crate::Family = $crate::Family {
            name: $family,
            about: $about,
            clauses: &[$($crate::Clause {
                id: $id,
                level: clauses!(@level $level),
                needs: &[$($(state_core::Capability::$needs),+)?],
                unless: &[$($(state_core::Capability::$unless),+)?],
                moves_time: clauses!(@flag $($time)?),
                restarts: clauses!(@flag $($store)?),
                threads: clauses!(@flag $($threads)?),
                sentence: concat!($($sentence),+).trim_ascii(),
                run: |cx| Box::pin($run(cx)),
            }),*],
        };
    };
    (@level MUST) => { $crate::Level::Must };
    (@level SHOULD) => { $crate::Level::Should };
    (@flag) => { false };
    (@flag time) => { true };
    (@flag store) => { true };
    (@flag threads) => { true };
}
