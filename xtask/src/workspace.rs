//! Where the repository is, and what cargo knows about the packages in it.

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{failure::Failure, process};

/// The package whose programs xtask runs: benchmarks, the generator of the contract.
pub(crate) const TEST_PACKAGE: &str = "state-tests";

/// The feature of [`TEST_PACKAGE`] whose tests start real servers; the names of those that imply it begin with it.
pub(crate) const SERVERS: &str = "servers";

/// The feature of [`TEST_PACKAGE`] for benchmarks of servers, which builds the client in another way.
const BENCHMARKS: &str = "servers-bench";

/// `cargo test` for all packages, and the features with which all tests are built: every test program is built once, whichever
/// of them run. The rest of the line says which.
pub(crate) fn cargo_test(packages: &[Package]) -> Command {
    let mut command = process::cargo(["test", "--workspace", "--no-fail-fast", "--features"]);
    command.arg(join_features(packages, |feature| feature != BENCHMARKS));
    command
}

/// One integration test that needs no server: without features it is soon built.
pub(crate) fn cargo_test_alone(test: &str) -> Command {
    process::cargo(["test", "--package", TEST_PACKAGE, "--test", test])
}

/// All features of all packages, for `--features`, except those with which tests need a server.
pub(crate) fn features_without_servers() -> Result<String, Failure> {
    Ok(join_features(&packages()?, |feature| !feature.starts_with(SERVERS)))
}

/// Features of [`TEST_PACKAGE`] that are wanted, and all of all other packages.
fn join_features(packages: &[Package], wanted: impl Fn(&str) -> bool) -> String {
    let features = packages.iter().flat_map(|package| {
        let is_wanted = |feature: &&String| package.name != TEST_PACKAGE || wanted(feature);
        let features = package.features.iter().filter(is_wanted);
        features.map(|feature| format!("{}/{feature}", package.name))
    });
    features.collect::<Vec<_>>().join(",")
}

/// The integration tests that need no server, each name once.
pub(crate) fn tests_without_servers(packages: &[Package]) -> BTreeSet<&str> {
    let tests = packages.iter().flat_map(|package| &package.tests);
    let needs_none = |test: &&Program| !test.needs.iter().any(|need| need.starts_with(SERVERS));
    tests.filter(needs_none).map(|test| test.name.as_str()).collect()
}

/// A member of the workspace, as `cargo metadata` describes it.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Without `default`.
    pub(crate) features: Vec<String>,
    pub(crate) programs: Vec<Program>,
    /// The integration tests, without those that are only run by name.
    pub(crate) tests: Vec<Program>,
}

/// A program of a package, or an integration test.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) name: String,
    /// The features without which it is not built.
    pub(crate) needs: Vec<String>,
}

/// The root folder of the repository: where cargo runs this program, which may have been built before the folder was
/// moved or copied.
pub(crate) fn root() -> PathBuf {
    let built_in = || env!("CARGO_MANIFEST_DIR").into();
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(built_in, PathBuf::from);
    xtask.parent().unwrap_or(&xtask).to_path_buf()
}

/// All members of the workspace, sorted by name.
pub(crate) fn packages() -> Result<Vec<Package>, Failure> {
    let text =
        process::output(&mut process::cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
    parse(&text)
        .ok_or_else(|| Failure::check("`cargo metadata` printed something that is not understood"))
}

/// Runs one of the programs of [`TEST_PACKAGE`]; arguments for it can be added.
pub(crate) fn test_program(name: &str) -> Command {
    start(name, &["--quiet"])
}

/// The same, optimised, for programs that measure or work hard, and with the features that it needs.
pub(crate) fn fast_test_program(name: &str, features: &[String]) -> Command {
    if features.is_empty() {
        return start(name, &["--release"]);
    }
    start(name, &["--release", "--features", &features.join(",")])
}

fn start(name: &str, options: &[&str]) -> Command {
    let mut command = process::cargo(["run"]);
    command.args(options).args(["--package", TEST_PACKAGE, "--bin", name, "--"]);
    command
}

fn parse(text: &str) -> Option<Vec<Package>> {
    let metadata: Value = serde_json::from_str(text).ok()?;
    let mut packages = Vec::new();
    for package in metadata.get("packages")?.as_array()? {
        let features = package.get("features")?.as_object()?.keys();
        let targets = package.get("targets")?.as_array()?;
        packages.push(Package {
            name: package.get("name")?.as_str()?.to_owned(),
            features: features.filter(|name| *name != "default").cloned().collect(),
            programs: targets.iter().filter_map(|target| program(target, "bin")).collect(),
            tests: targets
                .iter()
                .filter(|target| target.get("test").and_then(Value::as_bool) != Some(false))
                .filter_map(|target| program(target, "test"))
                .collect(),
        });
    }
    packages.sort_by(|left, right| left.name.cmp(&right.name));
    Some(packages)
}

fn program(target: &Value, wanted: &str) -> Option<Program> {
    if !target.get("kind")?.as_array()?.iter().any(|kind| kind == wanted) {
        return None;
    }
    let needs = target.get("required-features").and_then(Value::as_array).into_iter().flatten();
    Some(Program {
        name: target.get("name")?.as_str()?.to_owned(),
        needs: needs.filter_map(|feature| feature.as_str().map(str::to_owned)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_and_programs_are_read() {
        let packages = parse(
            r#"{"packages": [
                {"name": "b", "features": {"default": ["x"], "x": []}, "targets": [
                    {"kind": ["bin"], "name": "bench-local", "required-features": ["x"]}, {"kind": ["lib"], "name": "b"},
                    {"kind": ["test"], "name": "redis_b", "required-features": ["servers"]}, {"kind": ["test"], "name": "c"},
                    {"kind": ["test"], "name": "by-name", "test": false}]},
                {"name": "a", "features": {}, "targets": [{"kind": ["test"], "name": "c"}]}]}"#,
        )
        .unwrap();
        let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(packages[1].features, ["x"]);
        let expected = Program { name: "bench-local".to_owned(), needs: vec!["x".to_owned()] };
        assert_eq!(packages[1].programs, [expected]);
        let tests: Vec<_> = packages[1].tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(tests, ["redis_b", "c"]);
        assert_eq!(Vec::from_iter(tests_without_servers(&packages)), ["c"]);
    }

    #[test]
    fn only_the_feature_that_needs_servers_is_left_out() {
        let package = |name: &str, features: &[&str]| Package {
            name: name.to_owned(),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
            programs: Vec::new(),
            tests: Vec::new(),
        };
        let packages = [
            package("a", &["x", "servers"]),
            package(TEST_PACKAGE, &["y", "servers", "servers-bench"]),
        ];
        let without = |feature: &str| !feature.starts_with(SERVERS);
        assert_eq!(join_features(&packages, without), "a/x,a/servers,state-tests/y");
        let line = process::line(&cargo_test(&packages));
        assert!(line.contains(" a/x,a/servers,state-tests/y,state-tests/servers"), "{line}");
        assert!(!line.contains(BENCHMARKS), "{line}");
    }

    #[test]
    fn the_root_is_the_folder_above_xtask() {
        assert!(root().join("xtask/Cargo.toml").is_file());
    }
}
