//! The dependency law: which crate of the workspace may use which, kept once, here.
//!
//! The table in docs/ARCHITECTURE.md is written from it (`cargo xtask tidy --fix`) and compared with it.

use std::{fmt::Write as _, fs, path::Path};

use crate::failure::Failure;

use super::{
    manifests::{Manifest, Use},
    tree::{Tree, Violation},
};

pub(crate) const WHAT: &str = "crates use each other only along the edges of the dependency law, and docs/ARCHITECTURE.md shows it";

const PAGE: &str = "docs/ARCHITECTURE.md";
const BEGIN: &str =
    "<!-- dependency law: written by `cargo xtask tidy --fix` from xtask/src/tidy/law.rs -->";
const END: &str = "<!-- end of the dependency law -->";

/// A crate, what it may be built on, what only a feature of it may bring, and what only its tests may use besides.
struct Article {
    name: &'static str,
    may_use: &'static [&'static str],
    may_offer: &'static [&'static str],
    tests_may_use: &'static [&'static str],
}

const LAW: &[Article] = &[
    Article { name: "state-core", may_use: &[], may_offer: &[], tests_may_use: &[] },
    Article { name: "state-codec", may_use: &["state-core"], may_offer: &[], tests_may_use: &[] },
    Article {
        name: "state-local",
        may_use: &["state-core", "state-codec"],
        may_offer: &[],
        tests_may_use: &["state-conformance"],
    },
    Article {
        name: "state-checkpoint",
        may_use: &["state-core", "state-codec"],
        may_offer: &[],
        tests_may_use: &["state-conformance", "state-local"],
    },
    Article {
        name: "state-redis",
        may_use: &["state-core"],
        may_offer: &["state-codec", "state-checkpoint"],
        tests_may_use: &["state-conformance"],
    },
    Article {
        name: "state-conformance",
        may_use: &["state-core", "state-codec"],
        may_offer: &[],
        tests_may_use: &[],
    },
];

/// What stands on top of the crates of the law and may use all of them: packages by name, or all below a folder.
const FREE_PACKAGES: &[&str] = &["state-cli", "state-tests", "xtask"];
const FREE_FOLDER: &str = "examples/";

/// A dependency on the suite has no version: it is dropped when a crate is published, and so stays out of the order
/// in which the crates must be published.
const PATH_ONLY: &str = "state-conformance";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let manifests = Manifest::members(tree);
    let mut violations = Vec::new();
    for manifest in &manifests {
        violations.extend(check_manifest(manifest, &manifests));
    }
    violations.extend(check_page(tree));
    violations
}

/// Puts the table into the page.
pub(crate) fn write_table(root: &Path) -> Result<(), Failure> {
    let path = root.join(PAGE);
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::io(format!("reading {PAGE}"), &error))?;
    let (before, _, after) = split(&text).ok_or_else(|| Failure::check(no_markers()))?;
    let text = format!("{before}{BEGIN}\n{}{END}{after}", table());
    fs::write(&path, text).map_err(|error| Failure::io(format!("writing {PAGE}"), &error))
}

fn check_manifest(manifest: &Manifest, all: &[Manifest]) -> Vec<Violation> {
    if FREE_PACKAGES.contains(&manifest.name.as_str()) || manifest.path.starts_with(FREE_FOLDER) {
        return Vec::new();
    }
    let Some(article) = LAW.iter().find(|article| article.name == manifest.name) else {
        let message = format!(
            "`{}` is not in the dependency law; add it to xtask/src/tidy/law.rs",
            manifest.name
        );
        return vec![Violation::of_file(&manifest.path, message)];
    };
    let is_member = |name: &str| all.iter().any(|other| other.name == name);
    let mut violations = Vec::new();
    for dependency in manifest.uses.iter().filter(|dependency| is_member(&dependency.package)) {
        if !article.allows(dependency) {
            let tests = if dependency.only_tests { "tests of " } else { "" };
            let offered = article.may_offer.contains(&dependency.package.as_str());
            let but = if offered { " but as an optional dependency" } else { "" };
            let (name, package) = (article.name, &dependency.package);
            let message = format!("{tests}`{name}` may not use `{package}`{but}");
            violations.push(Violation::of_file(&manifest.path, message));
        }
        if dependency.package == PATH_ONLY && dependency.has_version {
            let message =
                format!("the dependency on `{PATH_ONLY}` must have a path and no version");
            violations.push(Violation::of_file(&manifest.path, message));
        }
    }
    violations
}

impl Article {
    fn allows(&self, dependency: &Use) -> bool {
        let name = dependency.package.as_str();
        let itself = dependency.only_tests && name == self.name;
        itself
            || self.may_use.contains(&name)
            || ((dependency.optional || dependency.only_tests) && self.may_offer.contains(&name))
            || (dependency.only_tests && self.tests_may_use.contains(&name))
    }
}

fn check_page(tree: &Tree) -> Option<Violation> {
    let Some(text) = tree.text(PAGE) else {
        return Some(Violation::of_file(PAGE, "is missing; it shows the dependency law"));
    };
    let Some((_, shown, _)) = split(text) else {
        return Some(Violation::of_file(PAGE, no_markers()));
    };
    if shown.trim() != table().trim() {
        let message = "the dependency law shown here is not the one that is checked; run `cargo xtask tidy --fix`";
        return Some(Violation::of_file(PAGE, message));
    }
    None
}

fn no_markers() -> String {
    format!("no place for the dependency law; put the lines `{BEGIN}` and `{END}` where it belongs")
}

fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (shown, after) = rest.split_once(END)?;
    Some((before, shown, after))
}

fn table() -> String {
    let mut text = String::from("| crate | may use | its tests may also use |\n|---|---|---|\n");
    for article in LAW {
        let mut may = cell(article.may_use, "nothing of this workspace");
        if !article.may_offer.is_empty() {
            write!(may, "; behind a feature {}", cell(article.may_offer, "nothing")).ok();
        }
        let tests = cell(article.tests_may_use, "nothing more");
        writeln!(text, "| `{}` | {may} | {tests} |", article.name).ok();
    }
    let free: Vec<_> = FREE_PACKAGES.iter().map(|name| format!("`{name}`")).collect();
    writeln!(
        text,
        "| {}, every package in `{FREE_FOLDER}` | anything | anything |",
        free.join(", ")
    )
    .ok();
    text
}

fn cell(names: &[&str], none: &str) -> String {
    if names.is_empty() {
        return none.to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORE: (&str, &str) = ("crates/state-core/Cargo.toml", "[package]\nname = \"state-core\"");
    const LOCAL: (&str, &str) =
        ("crates/state-local/Cargo.toml", "[package]\nname = \"state-local\"");
    const SUITE: (&str, &str) =
        ("crates/state-conformance/Cargo.toml", "[package]\nname = \"state-conformance\"");

    fn manifests(name: &str, rest: &str) -> Vec<String> {
        let path = format!("crates/{name}/Cargo.toml");
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        let page = format!("{BEGIN}\n{}{END}", table());
        let mut files = vec![CORE, LOCAL, SUITE];
        files.retain(|(other, _)| *other != path);
        files.push((&path, &text));
        files.push((PAGE, &page));
        check(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn edges_of_the_law_are_allowed() {
        assert_eq!(
            manifests("state-codec", "[dependencies]\nstate-core.workspace = true"),
            [""; 0]
        );
        let local = "[dependencies]\nstate-core = { workspace = true }\n\
                     [dev-dependencies]\nstate-conformance = { path = \"../state-conformance\" }";
        assert_eq!(manifests("state-local", local), [""; 0]);
    }

    #[test]
    fn other_edges_are_found_in_every_kind_of_dependency() {
        for (rest, found) in [
            (
                "[dependencies]\nstate-local.workspace = true",
                "`state-core` may not use `state-local`",
            ),
            (
                "[dev-dependencies]\nstate-local.workspace = true",
                "tests of `state-core` may not use",
            ),
            ("[build-dependencies]\nstate-local.workspace = true", "`state-core` may not use"),
            ("[target.'cfg(unix)'.dependencies]\nstate-local.workspace = true", "may not use"),
            ("[dependencies]\nother = { package = \"state-local\", path = \"x\" }", "may not use"),
        ] {
            let violations = manifests("state-core", rest);
            assert_eq!(violations.len(), 1, "{rest}: {violations:?}");
            assert!(violations[0].contains(found), "{violations:?}");
        }
    }

    #[test]
    fn what_only_a_feature_may_bring_is_optional() {
        let uses = |how: &str| {
            let name = "state-redis";
            let checkpoint =
                ("crates/state-checkpoint/Cargo.toml", "[package]\nname = \"state-checkpoint\"");
            let text = format!("[package]\nname = \"{name}\"\n{how}");
            let page = format!("{BEGIN}\n{}{END}", table());
            let path = format!("crates/{name}/Cargo.toml");
            let shared = "[workspace.dependencies]\nstate-checkpoint = { path = \"x\" }";
            let files: [(&str, &str); 5] =
                [CORE, checkpoint, ("Cargo.toml", shared), (&path, &text), (PAGE, &page)];
            check(&Tree::of(&files)).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for how in [
            "[dependencies]\nstate-checkpoint = { workspace = true, optional = true }",
            "[dependencies]\nstate-checkpoint = { path = \"x\", optional = true }",
            "[dev-dependencies]\nstate-checkpoint.workspace = true",
        ] {
            assert_eq!(uses(how), [""; 0], "{how}");
        }
        for how in [
            "[dependencies]\nstate-checkpoint.workspace = true",
            "[dependencies]\nstate-checkpoint = { workspace = true, optional = false }",
            "[build-dependencies]\nstate-checkpoint.workspace = true",
        ] {
            let violations = uses(how);
            assert_eq!(violations.len(), 1, "{how}: {violations:?}");
            assert!(violations[0].contains("but as an optional dependency"), "{violations:?}");
        }
    }

    #[test]
    fn a_backend_is_built_without_the_suite() {
        let violations =
            manifests("state-local", "[dependencies]\nstate-conformance.workspace = true");
        assert_eq!(violations.len(), 1, "{violations:?}");
    }

    #[test]
    fn the_suite_is_a_dependency_without_a_version() {
        let rest = "[dev-dependencies]\nstate-conformance = { path = \"../x\", version = \"0.1\" }";
        let violations = manifests("state-local", rest);
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].contains("no version"));
    }

    #[test]
    fn an_unknown_crate_must_be_added_to_the_law() {
        let violations = manifests("state-new", "");
        assert!(violations[0].contains("not in the dependency law"), "{violations:?}");
    }

    #[test]
    fn programs_tests_and_examples_may_use_anything() {
        assert_eq!(manifests("state-cli", "[dependencies]\nstate-local.workspace = true"), [""; 0]);
        let example = (
            "examples/x/Cargo.toml",
            "[package]\nname = \"x\"\n[dependencies]\nstate-core = \"1\"",
        );
        let page = format!("{BEGIN}\n{}{END}", table());
        assert_eq!(check(&Tree::of(&[CORE, example, (PAGE, &page)])), []);
    }

    #[test]
    fn a_table_that_differs_is_found() {
        let page = format!("{BEGIN}\n{}{END}", table().replacen("anything", "nothing", 1));
        assert_eq!(check(&Tree::of(&[(PAGE, &page)])).len(), 1);
        assert_eq!(check(&Tree::of(&[(PAGE, "# No table\n")])).len(), 1);
    }
}
