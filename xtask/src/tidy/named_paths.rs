//! The architecture page names only what exists.

use super::{
    markdown,
    tree::{Tree, Violation},
};

pub(crate) const WHAT: &str = "paths in backticks in docs/ARCHITECTURE.md exist";

const PAGE: &str = "docs/ARCHITECTURE.md";

/// What the names of files end with that the page may name without a folder.
const FILES: &[&str] = &[".md", ".rs", ".toml"];

/// Written by commands, not part of the repository.
const BUILT: &str = "target/";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(text) = tree.text(PAGE) else {
        return vec![Violation::of_file(PAGE, "is missing")];
    };
    let mut violations = Vec::new();
    for (line, content) in markdown::prose(text) {
        for path in markdown::code_spans(content).into_iter().filter(|span| is_path(span)) {
            if !tree.exists(path) {
                violations.push(Violation::at(PAGE, line, format!("`{path}` does not exist")));
            }
        }
    }
    violations
}

/// A word with a `/` in it, or with the end of a file of ours, unless it is a URL or a pattern.
fn is_path(span: &str) -> bool {
    let plain = |part: char| part.is_alphanumeric() || "/._-".contains(part);
    let is_file = FILES.iter().any(|end| span.ends_with(end) && span != *end);
    (span.contains('/') || is_file) && span.chars().all(plain) && !span.starts_with(BUILT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(page: &str) -> usize {
        check(&Tree::of(&[(PAGE, page), ("crates/a/src/lib.rs", "")])).len()
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        assert_eq!(violations("in `crates/b` and `crates/a/src/key.rs`\n"), 2);
        assert_eq!(violations("`clippy.toml`, `README.md`, `lib.rs` and `ci.yml`\n"), 3);
    }

    #[test]
    fn what_exists_and_what_is_no_path_is_fine() {
        assert_eq!(
            violations("`crates/a`, `crates/a/`, `crates/a/src/lib.rs`, `docs/ARCHITECTURE.md`\n"),
            0
        );
        assert_eq!(
            violations(
                "`cargo run a/b`, `file:///x`, `docs/NNNN-*.md`, `*.toml`, `Key`, `target/bench/x.json`, `.rs`\n"
            ),
            0
        );
    }

    #[test]
    fn a_missing_page_is_found() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
