//! Builds every crate with each of its features alone, so that none of them leans on another by accident.

use crate::{
    failure::Failure,
    process,
    report::{Verdict, counted},
    workspace::{self, Package},
};

/// Lints each crate without features and with each feature alone; a warning is an error. The tests of libraries are linted
/// the same way, in a run of their own: what they depend on turns on features of what the library depends on.
pub(crate) fn check_each_alone() -> Result<Verdict, Failure> {
    let mut combinations = 0;
    let mut broken = Vec::new();
    for package in workspace::packages()? {
        for features in alone(&package) {
            combinations += 1;
            for targets in targets(&package) {
                let mut command = process::cargo(["clippy", "--quiet", "--package", &package.name]);
                command.args(["--no-default-features", "--features", features]);
                command.args(*targets).args(["--", "-D", "warnings"]);
                if process::run(&mut command).is_err() {
                    broken.push(format!(
                        "{} with {features:?} {}",
                        package.name,
                        targets.join(" ")
                    ));
                }
            }
        }
    }
    if broken.is_empty() {
        return Ok(Verdict::Passed(counted(combinations, "combination")));
    }
    Err(Failure::check(format!(
        "{} of {} did not build without warnings: {}",
        broken.len(),
        counted(combinations, "combination"),
        broken.join(", ")
    )))
}

/// What is built, and what after that. The programs that need servers are built with everything by the step `clippy`, which
/// is enough for what nobody builds in parts.
fn targets(package: &Package) -> &'static [&'static [&'static str]] {
    if package.name == workspace::TEST_PACKAGE { &[&[]] } else { &[&[], &["--tests"]] }
}

/// No feature first, then each one.
fn alone(package: &Package) -> Vec<&str> {
    std::iter::once("").chain(package.features.iter().map(String::as_str)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_feature_is_a_combination_too() {
        let package = Package {
            name: "a".to_owned(),
            features: vec!["lz4".to_owned(), "zstd".to_owned()],
            programs: Vec::new(),
            tests: Vec::new(),
        };
        assert_eq!(alone(&package), ["", "lz4", "zstd"]);
        assert_eq!(targets(&package), [&[][..], &["--tests"]]);
    }
}
