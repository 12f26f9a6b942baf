//! Cargo manifests: reads them for other rules, and checks what every member of the workspace inherits.

use super::tree::{Tree, Violation};

pub(crate) const WHAT: &str =
    "every crate inherits the workspace's lints, edition, rust-version and licence";

/// Its own workspace, because it needs a nightly compiler: it has nothing to inherit from.
const OUTSIDE: &str = "fuzz/";

/// The manifest of a member of the workspace.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) uses: Vec<Use>,
    table: toml::Table,
}

/// A dependency.
#[derive(Debug)]
pub(crate) struct Use {
    /// The package, under its own name.
    pub(crate) package: String,
    /// In `[dev-dependencies]`.
    pub(crate) only_tests: bool,
    /// A feature brings it.
    pub(crate) optional: bool,
    /// A version is required.
    pub(crate) has_version: bool,
}

impl Manifest {
    /// The manifests of all members; one that cannot be read is left to cargo.
    pub(crate) fn members(tree: &Tree) -> Vec<Self> {
        let shared = tree.text("Cargo.toml").and_then(|text| text.parse().ok()).unwrap_or_default();
        let texts = tree.texts("Cargo.toml").filter(|(path, _)| !path.starts_with(OUTSIDE));
        texts.filter_map(|(path, text)| Self::parse(path, text, &shared)).collect()
    }

    fn parse(path: &str, text: &str, shared: &toml::Table) -> Option<Self> {
        let table: toml::Table = text.parse().ok()?;
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        let mut uses = read_uses(&table, shared);
        let targets = table.get("target").and_then(toml::Value::as_table);
        for target in targets.into_iter().flat_map(toml::Table::values) {
            uses.extend(target.as_table().into_iter().flat_map(|table| read_uses(table, shared)));
        }
        Some(Self { path: path.to_owned(), name, uses, table })
    }
}

fn read_uses(table: &toml::Table, shared: &toml::Table) -> Vec<Use> {
    let mut uses = Vec::new();
    for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let entries = table.get(section).and_then(toml::Value::as_table);
        for (name, value) in entries.into_iter().flatten() {
            uses.push(read_use(name, value, section == "dev-dependencies", shared));
        }
    }
    uses
}

fn read_use(name: &str, value: &toml::Value, only_tests: bool, shared: &toml::Table) -> Use {
    let inherited = || shared.get("workspace")?.get("dependencies")?.get(name);
    let inherits = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
    let source = if inherits { inherited().unwrap_or(value) } else { value };
    let package = source.get("package").and_then(toml::Value::as_str).unwrap_or(name);
    let has_version = source.is_str() || source.get("version").is_some();
    // What is inherited is optional where it is used, never where it is shared.
    let optional = value.get("optional").and_then(toml::Value::as_bool) == Some(true);
    Use { package: package.to_owned(), only_tests, optional, has_version }
}

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for manifest in Manifest::members(tree) {
        let table = &manifest.table;
        let says_yes =
            |value: Option<&toml::Value>| value.and_then(toml::Value::as_bool) == Some(true);
        if !says_yes(table.get("lints").and_then(|lints| lints.get("workspace"))) {
            violations.push(Violation::of_file(
                &manifest.path,
                "does not have the workspace's lints; add `[lints]` with `workspace = true`",
            ));
        }
        for field in ["edition", "rust-version", "license"] {
            let value = table.get("package").and_then(|package| package.get(field));
            if !says_yes(value.and_then(|value| value.get("workspace"))) {
                let message = format!("must say `{field}.workspace = true`");
                violations.push(Violation::of_file(&manifest.path, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nedition.workspace = true\nrust-version = { workspace = true }\n\
                        license.workspace = true\n[lints]\nworkspace = true\n";

    fn violations(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_crate_that_inherits_everything_is_fine() {
        assert_eq!(violations("crates/a/Cargo.toml", GOOD), 0);
        assert_eq!(violations("Cargo.toml", "[workspace]\nmembers = []\n"), 0);
    }

    #[test]
    fn each_thing_that_is_not_inherited_is_found() {
        for (from, to) in [
            ("[lints]\nworkspace = true", ""),
            ("[lints]\nworkspace = true", "[lints.rust]\nmissing_docs = \"allow\""),
            ("edition.workspace = true", "edition = \"2021\""),
            ("rust-version = { workspace = true }", ""),
            ("license.workspace = true", "license = \"MIT\""),
        ] {
            assert_eq!(violations("crates/a/Cargo.toml", &GOOD.replace(from, to)), 1, "{from}");
        }
    }

    #[test]
    fn the_fuzz_targets_are_a_workspace_of_their_own() {
        assert_eq!(violations("fuzz/Cargo.toml", "[package]\nname = \"fuzz\"\n"), 0);
    }

    #[test]
    fn an_inherited_dependency_is_looked_up() {
        let shared = "[workspace.dependencies]\nb = { package = \"real-b\", path = \"b\", version = \"1\" }\n";
        let text = "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\n";
        let tree = Tree::of(&[("Cargo.toml", shared), ("a/Cargo.toml", text)]);
        let members = Manifest::members(&tree);
        let dependency = &members[0].uses[0];
        assert_eq!(dependency.package, "real-b");
        assert!(dependency.has_version && !dependency.only_tests);
    }
}
