//! Words that tie the repository to one machine or to one package registry.

use super::tree::{Tree, Violation};

pub(crate) const WHAT: &str = "no host name of a package registry and no path into somebody's home";

/// Written in two halves, so that this file does not break its own rule.
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("rubygems", ".org"),
    concat!("proxy.golang", ".org"),
];
const HOMES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("\\Us", "ers\\"),
];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    // Lock files are written by cargo and name the registry in each entry.
    for (path, text) in tree.texts("").filter(|(path, _)| !path.ends_with("Cargo.lock")) {
        for (place, line) in text.lines().enumerate() {
            if let Some(host) = REGISTRIES.iter().find(|host| line.contains(*host)) {
                let message = format!("names the package registry `{host}`");
                violations.push(Violation::at(path, place + 1, message));
            }
            if HOMES.iter().any(|home| begins_path(line, home)) {
                violations.push(Violation::at(
                    path,
                    place + 1,
                    "names a path into somebody's home",
                ));
            }
        }
    }
    violations
}

/// Whether `home` occurs as the beginning of a path, not in the middle of one.
fn begins_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(place, _)| {
        let before = line.get(..place).and_then(|text| text.chars().next_back());
        !before.is_some_and(|before| before.is_alphanumeric() || "._-/$}".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn hosts_and_homes_are_found_in_any_text() {
        for host in REGISTRIES {
            assert_eq!(violations("a/b.md", &format!("see https://{host}/x\n")), 1, "{host}");
        }
        for home in HOMES {
            assert_eq!(violations("script", &format!("cd {home}me\n")), 1, "{home}");
        }
    }

    #[test]
    fn lock_files_and_other_paths_are_fine() {
        let host = REGISTRIES[0];
        assert_eq!(violations("Cargo.lock", &format!("source = \"https://{host}-index\"\n")), 0);
        assert_eq!(violations("a.md", &format!("tree{}leaf\n", HOMES[1])), 0);
    }
}
