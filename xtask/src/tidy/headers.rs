//! Every Rust file begins by saying what it is for.

use super::tree::{Tree, Violation};

pub(crate) const WHAT: &str =
    "the first line of every Rust file is `//!` and says what the file is for";

/// Fewer words say nothing that the name of the file does not say.
const LEAST_WORDS: usize = 3;

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts(".rs") {
        let header = text.lines().next().unwrap_or_default().strip_prefix("//!");
        match header.map(|header| header.split_whitespace().count()) {
            Some(words) if words >= LEAST_WORDS => {}
            Some(_) => violations.push(Violation::at(
                path,
                1,
                "the header does not say what the file is for",
            )),
            None => violations.push(Violation::at(
                path,
                1,
                "the first line must be `//! What this file is for.`",
            )),
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_header_is_found_wherever_the_file_is() {
        for path in ["crates/a/src/lib.rs", "crates/a/build.rs", "crates/a/tests/t.rs", "fuzz/x.rs"]
        {
            for text in [
                "",
                "use a::b;\n",
                "\n//! Too late to say it.\n",
                "// Not a doc comment.\n",
                "//!\n",
                "//! Keys.\n",
            ] {
                assert_eq!(check(&Tree::of(&[(path, text)])).len(), 1, "{path}: {text:?}");
            }
        }
    }

    #[test]
    fn a_header_that_says_something_is_fine() {
        assert_eq!(check(&Tree::of(&[("a.rs", "//! Keys as literal bytes.\n")])), []);
        assert_eq!(check(&Tree::of(&[("a.md", "no header\n")])), []);
    }
}
