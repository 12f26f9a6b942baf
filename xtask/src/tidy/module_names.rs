//! A module is named after what it holds.

use super::tree::{Tree, Violation};

pub(crate) const WHAT: &str = "no module is called utils, helpers, common or misc";

const EMPTY_NAMES: &[&str] =
    &["util", "utils", "utility", "utilities", "helper", "helpers", "common", "misc"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, _) in tree.texts(".rs") {
        let names = path.trim_end_matches(".rs").split('/');
        for name in names.filter(|name| EMPTY_NAMES.contains(name)) {
            let message = format!("`{name}` says nothing; name the module after what it holds");
            violations.push(Violation::of_file(path, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_of_files_and_folders_are_found() {
        for path in ["a/src/utils.rs", "a/tests/common/mod.rs", "a/src/helpers/x.rs", "misc.rs"] {
            assert_eq!(check(&Tree::of(&[(path, "")])).len(), 1, "{path}");
        }
    }

    #[test]
    fn names_that_only_contain_such_a_word_are_fine() {
        assert_eq!(
            check(&Tree::of(&[("a/src/commons_clause.rs", ""), ("docs/common.md", "")])),
            []
        );
    }
}
