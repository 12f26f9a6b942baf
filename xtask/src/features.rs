//! Builds every crate with each of its features alone, so that none of them leans on another by accident.

use crate::{
    failure::Failure,
    process,
    report::{Verdict, counted},
    workspace::{self, Package},
};

/// Lints each crate without features and with each feature alone; a warning is an error.
pub(crate) fn check_each_alone() -> Result<Verdict, Failure> {
    let mut combinations = 0;
    let mut broken = Vec::new();
    for package in workspace::packages()? {
        for features in alone(&package) {
            combinations += 1;
            let mut command = process::cargo(["clippy", "--quiet", "--package", &package.name]);
            command.args(["--no-default-features", "--features", features]);
            command.args(["--", "-D", "warnings"]);
            if process::run(&mut command).is_err() {
                broken.push(format!("{} with {features:?}", package.name));
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
        };
        assert_eq!(alone(&package), ["", "lz4", "zstd"]);
    }
}
