//! The documents that are generated from the conformance suite are those that are committed.

use crate::{failure::Failure, process, workspace};

use super::tree::Violation;

pub(crate) const NAME: &str = "generated";
pub(crate) const WHAT: &str =
    "docs/CONTRACT.md and docs/capabilities.md are what the conformance suite would write";

pub(crate) fn check() -> Option<Violation> {
    judge(process::run(workspace::test_program("contract").arg("--check")))
}

fn judge(checked: Result<(), Failure>) -> Option<Violation> {
    let failure = checked.err()?;
    Some(Violation::of_file(
        "docs/CONTRACT.md",
        format!(
            "not known to be fresh: {failure}; run `cargo xtask tidy --fix` and commit the result"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_fails_is_a_violation_and_never_passed_over() {
        assert!(judge(Ok(())).is_none());
        let violation = judge(Err(Failure::tool("cannot be started"))).unwrap();
        assert!(violation.to_string().contains("--fix"));
    }
}
