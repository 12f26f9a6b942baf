//! Holds the file store to the whole contract.

#[expect(unreachable_pub, reason = "shared with programs that run the contract")]
#[path = "suites/file.rs"]
mod suite;

fn main() -> std::process::ExitCode {
    suite::file_suite().with_model_of_environment().main()
}
