//! Only the Redis driver knows which client it is built on.

use super::{
    manifests::Manifest,
    rust_source,
    tree::{Tree, Violation},
};

pub(crate) const WHAT: &str =
    "only state-redis (and the tests, to compare with it) names the redis client";

/// The client crates, as they are called in code and in manifests.
pub(crate) const CODE_NAMES: &[&str] = &["redis", "deadpool_redis"];
const PACKAGES: &[&str] = &["redis", "deadpool-redis"];

/// `tests/` measures the driver against the plain client.
const MAY_NAME: &[&str] = &["crates/state-redis/", "tests/"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let outside = |path: &str| !MAY_NAME.iter().any(|folder| path.starts_with(folder));
    for (path, text) in tree.texts(".rs").filter(|(path, _)| outside(path)) {
        for name in CODE_NAMES {
            for line in rust_source::lines_with_root(text, name).unwrap_or_default() {
                let message = format!("`{name}::` belongs in crates/state-redis alone");
                violations.push(Violation::at(path, line, message));
            }
        }
    }
    for manifest in Manifest::members(tree).iter().filter(|manifest| outside(&manifest.path)) {
        for dependency in &manifest.uses {
            if PACKAGES.contains(&dependency.package.as_str()) {
                let message = format!("only state-redis may depend on `{}`", dependency.package);
                violations.push(Violation::of_file(&manifest.path, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_into_the_client_is_found_outside_of_the_driver() {
        let text = "//! A file.\n/// Like redis::Cmd.\nfn f(c: deadpool_redis::Pool) { redis::cmd(\"GET\"); }\n";
        assert_eq!(check(&Tree::of(&[("crates/state-core/src/a.rs", text)])).len(), 2);
        assert_eq!(check(&Tree::of(&[("crates/state-redis/src/a.rs", text)])), []);
        assert_eq!(check(&Tree::of(&[("tests/src/bin/bench-redis.rs", text)])), []);
    }

    #[test]
    fn a_dependency_on_the_client_is_found_outside_of_the_driver() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nclient = { package = \"deadpool-redis\", version = \"1\" }\n";
        assert_eq!(check(&Tree::of(&[("crates/state-local/Cargo.toml", text)])).len(), 1);
        assert_eq!(check(&Tree::of(&[("crates/state-redis/Cargo.toml", text)])), []);
    }
}
