//! The contract on the embedded stores, for programs that run it as a whole.

#[path = "../../crates/state-local/tests/suites/file.rs"]
mod file;
#[path = "../../crates/state-local/tests/suites/memory.rs"]
mod memory;

pub use file::file_suite;
pub use memory::memory_suite;
