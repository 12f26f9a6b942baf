//! The contract of the state layer as runnable clauses: a suite that any backend can be held to.
//!
//! A [`Clause`] is one normative sentence with a stable id and the code that decides it. All of
//! them are listed in `docs/CONTRACT.md`. A backend's whole test file is a factory:
//!
//! ```no_run
//! use state_conformance::{Fixture, Suite};
//! # use std::sync::Arc;
//! # use state_core::{Error, Namespace, Result, StateBackend};
//! # async fn open(_: Namespace) -> Result<Arc<dyn StateBackend>> { Err(Error::unsupported("x")) }
//!
//! fn main() -> std::process::ExitCode {
//!     Suite::new("mine", || async { Ok(Fixture::new(|namespace| open(namespace))) }).main()
//! }
//! ```
//!
//! with `harness = false` for that file in `Cargo.toml`. Filters, `--list` and other runners
//! work as with `#[test]`. What a backend declares in its
//! [`Capabilities`](state_core::Capabilities) it must keep; what it does not declare it must
//! refuse without effect; a clause that does not apply is shown as ignored, never as passed.
//!
//! A [`Checkpointer`](state_core::checkpoint::Checkpointer) is held to the family `ckpt` in the
//! same way: what its fixture opens decides which clauses apply. [`official_tests`] tells which of
//! them stands for which test of the official suite for checkpoint savers.
//!
//! ```no_run
//! use state_conformance::{Fixture, Suite};
//! # use std::sync::Arc;
//! # use state_core::checkpoint::Checkpointer;
//! # use state_core::{Error, Namespace, Result};
//! # async fn open(_: Namespace) -> Result<Arc<dyn Checkpointer>> { Err(Error::unsupported("x")) }
//!
//! fn main() -> std::process::ExitCode {
//!     Suite::new("mine", || async { Ok(Fixture::new(|namespace| open(namespace))) }).main()
//! }
//! ```

#[macro_use]
mod clause;
mod clauses;
mod contents;
mod context;
mod expect;
mod fixture;
pub mod linearizability;
mod model_runs;
mod report;
mod runner;
mod subject;
mod suite;
mod task;

pub use clause::{Clause, Facility, Family, Level, Run};
pub use clauses::{OfficialTest, all, families, official_tests};
pub use context::Context;
pub use fixture::Fixture;
pub use report::{Report, Status, ToldBy, Verdict};
pub use subject::{Subject, SubjectKind};
pub use suite::Suite;
pub use task::Task;
