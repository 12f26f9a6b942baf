//! Episodes: several clients of one store, drawn from a seed, on one thread and without real time.
//!
//! The seed chooses the store, the clients, what they call, how their calls interleave, how the
//! clock jumps, and what is lost, dropped, refused, cut or fails on the way. What clients were
//! answered is recorded and judged as a whole: there must be one order of all calls, each at one
//! moment between its start and its return, that a store which keeps the contract would answer
//! so. Entries with their versions and lifetimes, remembered operations, leases with their tokens
//! and fences are all in it. An episode that fails is made as short as it can be and told.

mod board;
mod call;
mod history;
mod judge;
mod model;
mod plan;
mod run;
mod shrink;
mod stage;
mod waiting;

use std::fmt;

use state_local::CommitMode;

use crate::gallery::Mutant;
use plan::{Place, Script};
use run::Played;

/// The store that an episode is about.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// A store that should keep the contract, in memory or on a simulated storage.
    Honest,
    /// The store in memory with this defect.
    Mutant(&'static Mutant),
    /// The file store on a storage that says it has synced, and has not.
    IgnoredSyncs,
}

/// One episode.
#[derive(Clone, Copy, Debug)]
pub struct Episode {
    subject: Subject,
    seed: u64,
}

/// What an episode had in it.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Calls that were made.
    pub calls: u64,
    /// Calls of which the client does not know what they did.
    pub unknown: u64,
    /// How often the clock went on.
    pub passes: u64,
    /// How often the power was cut, the store was opened again, or its storage failed.
    pub notes: u64,
}

impl Tally {
    /// Adds what another episode had.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.unknown += other.unknown;
        self.passes += other.passes;
        self.notes += other.notes;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, unknown, passes, notes } = self;
        write!(
            f,
            "{calls} calls, {unknown} with an unknown outcome; the clock went on {passes} times, and {notes} times \
             a storage failed, worked again, lost its power or was opened anew"
        )
    }
}

/// An episode that the contract has no room for.
#[derive(Clone, Debug)]
pub struct Failure {
    seed: u64,
    found: String,
    story: String,
}

impl Failure {
    /// The seed of the episode.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The history of the episode, one line for each event.
    pub fn story(&self) -> &str {
        &self.story
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, found, story } = self;
        write!(f, "episode {seed}: {found}\n{story}")
    }
}

impl Episode {
    /// The episode of this seed.
    pub const fn new(subject: Subject, seed: u64) -> Self {
        Self { subject, seed }
    }

    fn script(&self) -> Script {
        let place = match self.subject {
            Subject::Honest => None,
            Subject::Mutant(_) => Some(Place::Memory),
            Subject::IgnoredSyncs => Some(Place::FileFailing(CommitMode::OnePhase)),
        };
        Script::of(self.seed, place)
    }

    /// Plays the episode and judges it.
    ///
    /// # Errors
    /// The contract has no room for it.
    pub fn run(&self) -> Result<Tally, Failure> {
        self.play(&self.script()).map(|played| played.history.tally())
    }

    /// The history of the episode, whatever is to be said of it.
    pub fn story(&self) -> String {
        let script = self.script();
        self.play(&script).map_or_else(|failure| failure.story, |played| story(&script, &played))
    }

    /// What fails in the shortest way when parts of the episode are left out, if it fails.
    pub fn shortest_failure(&self) -> Option<Failure> {
        let script = self.script();
        self.play(&script).err()?;
        let shortest = shrink::shortest(&script, |script| self.play(script).is_err());
        self.play(&shortest).err()
    }

    fn play(&self, script: &Script) -> Result<Played, Failure> {
        let failure = |found, story| Failure { seed: self.seed, found, story };
        let played = run::play(self.subject, script, self.seed);
        let played = played.map_err(|error| failure(error.to_string(), String::new()))?;
        match judge::judge(&played) {
            Ok(()) => Ok(played),
            Err(found) => Err(failure(found, story(script, &played))),
        }
    }
}

fn story(script: &Script, played: &Played) -> String {
    format!("{:?}, {} clients\n{}", script.place, script.clients, played.history.story())
}
