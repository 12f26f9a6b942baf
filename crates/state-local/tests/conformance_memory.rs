//! Holds the memory store to the whole contract.

#[expect(unreachable_pub, reason = "shared with programs that run the contract")]
#[path = "suites/memory.rs"]
mod suite;

fn main() -> std::process::ExitCode {
    suite::memory_suite().with_model_of_environment().main()
}
